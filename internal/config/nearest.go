package config

import (
	"strings"

	"agentxchain/internal/suggest"
)

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
	if best := suggest.Nearest(name, candidates); best != "" {
		return `did you mean "` + best + `"?`
	}
	return ""
}
