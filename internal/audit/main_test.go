package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// helperEnv makes the test binary do one job of another process instead of
// running tests; see helpers.
const helperEnv = "AUDIT_TEST_HELPER"

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		if err := helpers[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// instant is the time of everything in these tests.
var instant = time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)

// attempt returns a failed attempt at event id.
func attempt(id string, number int) delivery.Attempt {
	return delivery.Attempt{
		Delivery: delivery.Delivery{
			Event: events.Event{
				ID:        id,
				Type:      "run_blocked",
				EmittedAt: instant,
				RunID:     "run_0123456789abcdef",
				Body:      []byte(`{"schema_version":"0.1"}`),
			},
			Target: delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: "ops"},
			Body:   []byte(`{"schema_version":"0.1"}`),
		},
		Number: number,
		At:     instant.Add(1500 * time.Millisecond),
		Result: delivery.Result{
			StatusCode: 503,
			Duration:   12345 * time.Microsecond,
			Reason:     delivery.ReasonServerError,
			Phase:      delivery.PhaseRead,
			Message:    "Webhook returned HTTP 503",
		},
	}
}

// folder is a governed folder in the making: nothing exists yet but its root.
type folder struct{ path, own string }

func newFolder(tb testing.TB) folder {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), ".agentxchain")
	return folder{path: filepath.Join(dir, FileName), own: filepath.Join(dir, "notify")}
}

func (f folder) log(tb testing.TB) *Log {
	tb.Helper()
	l := f.open()
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return l
}

func (f folder) open() *Log {
	return New(f.path, Options{
		OwnDir: func() (string, error) { return f.own, os.MkdirAll(f.own, 0o700) },
		Now:    func() time.Time { return instant },
	})
}

// holding writes the audit file as other programs left it.
func (f folder) holding(tb testing.TB, content string) folder {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		tb.Fatal(err)
	}
	write(tb, f.path, content)
	return f
}

func (f folder) content(tb testing.TB) string { return read(tb, f.path) }

func (f folder) recovered(tb testing.TB) []savedFragment {
	tb.Helper()
	file, err := os.Open(filepath.Join(f.own, RecoveredName))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	var list []savedFragment
	for r := NewReader(file, 0); ; {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			tb.Fatal(err)
		}
		fragment, err := parseFragment(line.Bytes)
		if err != nil {
			tb.Fatalf("recovered file: %v", err)
		}
		list = append(list, fragment)
	}
}

func write(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func read(tb testing.TB, path string) string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// appendAs adds content as a program without the lock would.
func appendAs(tb testing.TB, path, content string) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, content); err != nil {
		tb.Fatal(err)
	}
}

func blanks(n int) string { return strings.Repeat(" ", n) }

// foreignFormat is how the lines of our other program begin.
const foreignFormat = `{"writer":%d,"seq":%d,`

// foreignLine is a line of another program; no byte of it can change unnoticed.
func foreignLine(writer, seq, size int) []byte {
	return fmt.Appendf(nil, foreignFormat+`"pad":"%s"}`+"\n", writer, seq, strings.Repeat(string(rune('a'+seq%26)), size))
}
