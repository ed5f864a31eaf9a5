package config

import "strings"

// maxName is the longest name, in bytes, for which a nearest one is sought.
const maxName = 64

// minStem is how many bytes the beginning of a candidate must have to be near it.
const minStem = 5

// suggest returns a hint that names the candidate that was probably meant, or
// all of them when none is near and they are few.
func (c *checker) suggest(name string, candidates []string) string {
	if hint := c.near(name, candidates); hint != "" || len(candidates) == 0 || len(candidates) > 12 {
		return hint
	}
	return "known are " + strings.Join(candidates, ", ")
}

// near returns a hint that names the candidate that was probably meant, or ""
// when none is near. A problem that will not be listed needs none.
func (c *checker) near(name string, candidates []string) string {
	if len(c.problems) > maxProblems {
		return ""
	}
	if best := nearest(name, candidates); best != "" {
		return `did you mean "` + best + `"?`
	}
	return ""
}

// nearest returns the candidate with the smallest edit distance to name, the
// first of equals, or "" when none is near. The beginning of a candidate is
// near to it. Case and the choice between "_", "-", "." and " " do not count.
func nearest(name string, candidates []string) string {
	if name == "" || len(name) > maxName {
		return ""
	}
	name = fold(name)
	best, least := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if len(c) > maxName {
			continue
		}
		d := distance(name, fold(c))
		if len(name) >= minStem && strings.HasPrefix(fold(c), name) {
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

// distance is the Levenshtein distance of two names in bytes.
func distance(a, b string) int {
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
