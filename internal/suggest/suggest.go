// Package suggest finds the word somebody meant. Every closed list of the
// program (events, configuration keys, commands) answers a wrong word with the
// nearest right one.
package suggest

// Nearest returns the candidate with the least edit distance to word, the
// first of equals, or "" when all of them are further away than a third of the
// word's length (at least two edits): a wild guess helps nobody.
func Nearest(word string, candidates []string) string {
	limit := max(2, len(word)/3)
	best, found := limit+1, ""
	for _, c := range candidates {
		if d := Distance(word, c); d < best {
			best, found = d, c
		}
	}
	return found
}

// Distance is the Levenshtein distance of two words, in bytes.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
