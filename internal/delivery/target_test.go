package delivery

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"agentxchain/internal/fixtures"
)

// TestStoredTarget runs the recorded clean-ups. Two rules differ from the
// recording, on purpose: credentials are never kept, and a scheme in capitals
// is a scheme.
func TestStoredTarget(t *testing.T) {
	f, err := os.Open(fixtures.Path(t, "agent-gateway/sanitize-target.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var v struct{ Target, Stored string }
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		want := underOurRules(v.Stored)
		if got := StoredTarget(v.Target); got != want {
			t.Errorf("%q is stored as %q, want %q", v.Target, got, want)
		}
	}
	fixtures.Ran(t, "sanitize-target", n)
}

// underOurRules cuts from a recorded URL what we never keep.
func underOurRules(stored string) string {
	scheme, rest, found := strings.Cut(strings.TrimSpace(stored), "://")
	if !found || !isHTTP(scheme) {
		return stored
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	authority, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + rest[strings.LastIndexByte(authority, '@')+1:]
}

func isHTTP(scheme string) bool {
	s := strings.ToLower(scheme)
	return s == "http" || s == "https"
}

// What the recordings do not have: spellings that the sender understands too.
func TestStoredTargetSpellings(t *testing.T) {
	for target, want := range map[string]string{
		"HTTPS://u:p@h/a?t=1":            "HTTPS://h/a",
		" https://u:p@h/a?t=1\n":         "https://h/a",
		"ht\ntps://h/a?t=1":              "https://h/a",
		`https:\\u:p@h\a?t=1`:            `https:\\h\a`,
		"https:u:p@h/a?t=1":              "https:h/a",
		"https:///u:p@h/a#t":             "https:///h/a",
		"https://u:p@q@h/a@b":            "https://h/a@b",
		"https://h?t=1":                  "https://h",
		"https://u:p@h#t":                "https://h",
		"https://u:p@h/a b \x01 #t":      "https://h/a b",
		"http:00000@00 #":                "http:00",
		"httpsx://u:p@h/a?t=1":           "httpsx://u:p@h/a?t=1",
		"default":                        "default",
		" #alerts ":                      " #alerts ",
		"https://hooks.example/x/y/z?a#": "https://hooks.example/x/y/z",
	} {
		if got := StoredTarget(target); got != want {
			t.Errorf("%q is stored as %q, want %q", target, got, want)
		}
	}
}

// FuzzStoredTarget wants a second clean-up to find nothing more, and no URL to
// keep what it must not.
func FuzzStoredTarget(f *testing.F) {
	for _, s := range []string{"", "#general", "https://u:p@h/a?x#f", "HTTP:\\h?x", "http:", "https://@", "//h/x?y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got := StoredTarget(target)
		if again := StoredTarget(got); again != got {
			t.Errorf("%q is stored as %q, then as %q", target, got, again)
		}
		scheme, rest, _ := strings.Cut(got, ":")
		if !isHTTP(scheme) {
			return
		}
		authority, _, _ := strings.Cut(strings.TrimLeft(strings.ReplaceAll(rest, `\`, "/"), "/"), "/")
		if strings.ContainsAny(rest, "?#") || strings.Contains(authority, "@") {
			t.Errorf("%q is stored as %q", target, got)
		}
	})
}
