package store

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestLibc: SQLite is translated for one version of its C library, and wrong
// with any other (documentation of modernc.org/sqlite).
func TestLibc(t *testing.T) {
	list := func(format, module string) string {
		t.Helper()
		out, err := exec.Command("go", "list", "-m", "-f", format, module).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	text, err := os.ReadFile(list("{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`modernc\.org/libc (v\S+)`).FindStringSubmatch(string(text))
	if len(want) != 2 {
		t.Fatal("SQLite asks for no version of its C library")
	}
	if got := list("{{.Version}}", "modernc.org/libc"); got != want[1] {
		t.Errorf("the C library is %s, SQLite wants %s", got, want[1])
	}
}
