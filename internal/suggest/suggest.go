// Package suggest finds the word somebody meant. Every closed list of the
// program (events, configuration keys, commands) answers a wrong word with the
// nearest right one.
package suggest

import "strings"

// maxWord is the longest word, in bytes, for which a nearest one is sought:
// the work grows with the product of two lengths.
const maxWord = 64

// minStem is how long the beginning of a candidate must be, in bytes, to be
// near to it.
const minStem = 5

// Nearest returns the candidate with the least edit distance to word, the
// first of equals, or "" when all of them are further away than a third of the
// word's length (two edits for short ones): a wild guess helps nobody. The
// beginning of a candidate is near to it. Case and the choice between "_",
// "-", "." and " " do not count.
func Nearest(word string, candidates []string) string {
	if word == "" || len(word) > maxWord {
		return ""
	}
	word = fold(word)
	best, least := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if len(c) > maxWord {
			continue
		}
		d := Distance(word, fold(c))
		if len(word) >= minStem && strings.HasPrefix(fold(c), word) {
			d = 1
		}
		if d < least {
			best, least = c, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(strings.ToLower(s))
}

// Distance is the Levenshtein distance of two words in bytes: the fewest
// insertions, deletions and substitutions that turn one into the other.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
