package audit

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
)

// recordedAudits returns the audit files of the recorded projects.
func recordedAudits(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, project := range fixtures.Entries(t, "agentxchain/projects") {
		err := filepath.WalkDir(project, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == FileName {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(paths) == 0 {
		t.Skip("no recorded project has an audit file")
	}
	return paths
}

func TestReaderLines(t *testing.T) {
	type line struct {
		Offset        int64
		Text          string
		Object, Blank bool
	}
	long := `{"pad":"` + strings.Repeat("x", 3*readBuffer) + `"}`
	exact := strings.Repeat("y", readBuffer-1)
	for name, c := range map[string]struct {
		content string
		lines   []line
		torn    string
	}{
		"empty":           {"", nil, ""},
		"one line":        {"{}\n", []line{{0, "{}", true, false}}, ""},
		"only torn":       {`{"a":`, nil, `{"a":`},
		"torn after line": {"{}\n{", []line{{0, "{}", true, false}}, "{"},
		"blank lines":     {"\n \t\n\uFEFF\u00A0\n", []line{{0, "", false, true}, {1, " \t", false, true}, {4, "\uFEFF\u00A0", false, true}}, ""},
		"U+0085":          {"\u0085\n", []line{{0, "\u0085", false, false}}, ""},
		"CRLF":            {"{}\r\n{}\r\n", []line{{0, "{}\r", true, false}, {4, "{}\r", true, false}}, ""},
		"not objects":     {"[]\n5\nx\n  {}\n{}x\n", []line{{0, "[]", false, false}, {3, "5", false, false}, {5, "x", false, false}, {7, "  {}", true, false}, {12, "{}x", false, false}}, ""},
		"NUL bytes":       {"\x00\x00\n", []line{{0, "\x00\x00", false, false}}, ""},
		"long":            {long + "\n{}\n", []line{{0, long, true, false}, {int64(len(long)) + 1, "{}", true, false}}, ""},
		"buffer's length": {exact + "\n" + exact + "\n", []line{{0, exact, false, false}, {readBuffer, exact, false, false}}, ""},
		"long and torn":   {"{}\n" + long, []line{{0, "{}", true, false}}, long},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(iotest.HalfReader(strings.NewReader(c.content)), 0)
			var got []line
			for {
				l, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, line{l.Offset, string(l.Bytes), isObject(l.Bytes), ecmajson.IsBlank(l.Bytes)})
			}
			if diff := cmp.Diff(c.lines, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			torn, is := r.Torn()
			if string(torn.Bytes) != c.torn || is != (c.torn != "") || torn.Offset != int64(len(c.content)-len(c.torn)) {
				t.Errorf("torn %d %q, want %q", torn.Offset, torn.Bytes, c.torn)
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(strings.NewReader("{}\n{"), iotest.ErrReader(broken)), 7)
	if l, err := r.Next(); err != nil || l.Offset != 7 {
		t.Fatalf("first line: %+v, %v", l, err)
	}
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	}
	if r.Offset() != 10 {
		t.Errorf("offset %d, want 10", r.Offset())
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{"", "{}\n", "{}\n{", "\n\n", strings.Repeat("z", readBuffer+3) + "\n{}", `{"attempt":1e400,"status_code":-0.5}` + "\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r := NewReader(bytes.NewReader(content), 0)
		var again []byte
		for {
			l, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if l.Offset != int64(len(again)) || bytes.IndexByte(l.Bytes, '\n') >= 0 {
				t.Fatalf("line %q at %d", l.Bytes, l.Offset)
			}
			if _, ok := l.Entry(); ok && !isObject(l.Bytes) {
				t.Fatalf("an entry but no object: %q", l.Bytes)
			}
			again = append(append(again, l.Bytes...), '\n')
		}
		torn, _ := r.Torn()
		if again = append(again, torn.Bytes...); !bytes.Equal(again, content) {
			t.Fatalf("read %q from %q", again, content)
		}
	})
}

func TestEntryToleratesOthers(t *testing.T) {
	for line, want := range map[string]Entry{
		`{}`: {},
		`{"event_id":5,"attempt":"1","delivered":"true","status_code":1.5,"duration_ms":1e400}`:                                     {},
		`{"event_id":"a","event_id":"b","Event_ID":"c","status_code":null}`:                                                         {EventID: "b"},
		`{"event_id":"notif_1","delivered":true,"status_code":204,"message":"Delivered","stderr_excerpt":"x","duration_ms":9007e0}`: {EventID: "notif_1", Delivered: true, StatusCode: 204, Message: "Delivered", DurationMS: 9007},
	} {
		got, ok := RawLine{Bytes: []byte(line)}.Entry()
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", line, ok, diff)
		}
	}
	for _, line := range []string{"", " ", "[]", "5", `{"a":`, "{}{}"} {
		if _, ok := (RawLine{Bytes: []byte(line)}).Entry(); ok {
			t.Errorf("%q is taken for an entry", line)
		}
	}
}

func TestRecorded(t *testing.T) {
	key := func(id string, n int) delivery.AttemptKey {
		return delivery.AttemptKey{EventID: id, TargetID: "agentxchain.json#webhook/ops", Attempt: n}
	}
	old, recent := string(Line(attempt("old", 1))), string(Line(attempt("recent", 2)))
	noise := "garbage\n" + string(foreignLine(1, 1, 70<<10)) + `{"target_id":5}` + "\n" + `{"target_id":"x","event_id":` + "\n\n"
	asked := []delivery.AttemptKey{key("old", 1), key("recent", 2), key("recent", 1), key("torn", 1)}
	torn := strings.TrimSuffix(string(Line(attempt("torn", 1))), "\n")
	server := delivery.ReasonServerError
	for name, c := range map[string]struct {
		content string
		from    int64
		want    map[delivery.AttemptKey]delivery.Reason
	}{
		"from the start":     {old + noise + recent + torn, 0, map[delivery.AttemptKey]delivery.Reason{key("old", 1): server, key("recent", 2): server}},
		"from an offset":     {old + noise + recent, int64(len(old)), map[delivery.AttemptKey]delivery.Reason{key("recent", 2): server}},
		"from within a line": {old + noise + recent, int64(len(old)) + 100, map[delivery.AttemptKey]delivery.Reason{key("recent", 2): server}},
		"at the end":         {old, int64(len(old)), map[delivery.AttemptKey]delivery.Reason{}},
		"file was replaced":  {old, 1 << 40, map[delivery.AttemptKey]delivery.Reason{key("old", 1): server}},
		"negative offset":    {old, -1, map[delivery.AttemptKey]delivery.Reason{key("old", 1): server}},
		"empty":              {"", 0, map[delivery.AttemptKey]delivery.Reason{}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newFolder(t).holding(t, c.content).log(t)
			got, err := l.Recorded(c.from, asked)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		if got, err := newFolder(t).log(t).Recorded(0, asked); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("no question", func(t *testing.T) {
		if got, err := newFolder(t).log(t).Recorded(0, nil); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		f := newFolder(t)
		if err := os.MkdirAll(f.path, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := f.log(t).Recorded(0, asked); err == nil || !strings.Contains(err.Error(), "it is a folder") {
			t.Errorf("got %v", err)
		}
	})
}
