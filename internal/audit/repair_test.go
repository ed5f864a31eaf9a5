package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/ecmajson"
)

const (
	sound = `{"event_id":"notif_0","delivered":true}` + "\n"
	torn  = `{"event_id":"notif_1","message":"Webhook ret`
)

func TestTornTails(t *testing.T) {
	object := `{"event_id":"notif_2","n":{"x":[1,"}"]}}`
	for name, c := range map[string]struct {
		tail string
		// taken is what goes to the recovered file, from the tail's start.
		taken string
	}{
		"in a string":               {torn, torn},
		"one byte":                  {`{`, `{`},
		"all but the newline":       {object, ""},
		"another kind of JSON":      {`[1,2]`, ""},
		"blanks":                    {" \t", ""},
		"NUL bytes after a crash":   {"\x00\x00\x00", "\x00\x00\x00"},
		"not text":                  {"\xff\xfe{", "\xff\xfe{"},
		"glued in a string":         {torn + object, torn},
		"glued to a brace":          {`{` + object, `{`},
		"glued to a key":            {`{"event_id"` + object, `{"event_id"`},
		"glued to a number":         {`{"a":12` + object, `{"a":12`},
		"glued to a literal":        {`{"a":tr` + object, `{"a":tr`},
		"glued to an escape":        {`{"a":"\` + object, `{"a":"\`},
		"glued to a whole object":   {`{"a":1}` + object, `{"a":1}`},
		"glued to garbage":          {`xyz ` + object, `xyz `},
		"two glued, the last torn":  {torn + object + `{"ev`, torn + object + `{"ev`},
		"two fragments, one whole":  {torn + torn + object, torn + torn},
		"torn in a nested object":   {`{"a":1,"b":{"c":2}`, `{"a":1,"b":{"c":2}`},
		"torn after nested objects": {`{"a":[{"b":1},{"c":2}`, `{"a":[{"b":1},{"c":2}`},
		"object and a stray byte":   {object + `x`, object + `x`},
		"brackets":                  {strings.Repeat("[", 20_000), strings.Repeat("[", 20_000)},
		"braces":                    {strings.Repeat("{", 20_000), strings.Repeat("{", 20_000)},
		"seams":                     {strings.Repeat(`{"`, 20_000), strings.Repeat(`{"`, 20_000)},
		"long":                      {torn + strings.Repeat("x", 300<<10), torn + strings.Repeat("x", 300<<10)},
	} {
		for _, before := range []string{"", sound, sound + "garbage\n" + sound} {
			t.Run(name, func(t *testing.T) {
				f := newFolder(t).holding(t, before+c.tail)
				record(t, f.log(t), "a")
				want := before + blanks(len(c.taken)) + c.tail[len(c.taken):] + "\n" + line("a")
				if diff := cmp.Diff(want, f.content(t)); diff != "" {
					t.Errorf("file (-want +got):\n%s", diff)
				}
				saved := f.recovered(t)
				if c.taken == "" {
					if saved != nil {
						t.Errorf("recovered %+v", saved)
					}
					return
				}
				if len(saved) != 1 || string(saved[0].Bytes) != c.taken || saved[0].Offset != int64(len(before)) ||
					saved[0].Length != len(c.taken) || !saved[0].RecoveredAt.Equal(instant) {
					t.Errorf("recovered %+v", saved)
				}
			})
		}
	}
}

func TestFragmentTooLongToJudge(t *testing.T) {
	f := newFolder(t).holding(t, sound)
	if err := os.Truncate(f.path, maxFragment+200<<10); err != nil { // a hole of NUL bytes
		t.Fatal(err)
	}
	record(t, f.log(t), "a")
	got := f.content(t)
	if len(got) != maxFragment+200<<10+1+len(line("a")) || !strings.HasSuffix(got, "\x00\n"+line("a")) || !strings.HasPrefix(got, sound) {
		t.Error("the fragment was not closed and left as it is")
	}
	if saved := f.recovered(t); saved != nil {
		t.Errorf("%d fragments saved", len(saved))
	}
}

// Two fragments in the life of a file: the second repair does not disturb
// what the first one saved.
func TestRepairTwice(t *testing.T) {
	f := newFolder(t).holding(t, torn)
	l := f.log(t)
	record(t, l, "a")
	appendAs(t, f.path, torn)
	record(t, l, "b")
	want := blanks(len(torn)) + "\n" + line("a")
	second := int64(len(want))
	want += want[:len(torn)+1] + line("b")
	if diff := cmp.Diff(want, f.content(t)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if got := f.recovered(t); len(got) != 2 || got[0].Offset != 0 || got[1].Offset != second || string(got[1].Bytes) != torn {
		t.Errorf("recovered %+v", got)
	}
}

// between makes other writers come just before the nth write to the file (the
// newline that closes a torn line included), counted from 1.
func between(tb testing.TB, f folder, l *Log, what map[int]string) {
	n := 0
	l.write = func(file *os.File, b []byte) (int, error) {
		n++
		if s := what[n]; s != "" {
			appendAs(tb, f.path, s)
		}
		return writeOnce(file, b)
	}
}

func TestWritersWithoutTheLock(t *testing.T) {
	foreign := string(foreignLine(1, 1, 100))
	taken := func(s string) []string { return []string{s} }
	for name, c := range map[string]struct {
		before string
		comes  map[int]string
		want   string
		taken  []string
	}{
		"a line before ours":           {sound, map[int]string{1: foreign}, sound + foreign + line("a") + line("b"), nil},
		"a fragment before ours":       {sound, map[int]string{1: torn}, sound + torn + line("a") + line("b") + line("a"), nil},
		"a fragment in an empty file":  {"", map[int]string{1: torn}, torn + line("a") + line("b") + line("a"), nil},
		"fragments before both tries":  {sound, map[int]string{1: torn, 2: "{"}, sound + torn + line("a") + line("b") + "{" + line("a") + line("a"), nil},
		"an unfinished line, finished": {sound + foreign[:50], map[int]string{1: foreign[50:]}, sound + foreign + "\n" + line("a") + line("b"), nil},
		"a line glued to a fragment":   {sound + torn, map[int]string{1: foreign}, sound + blanks(len(torn)) + foreign + "\n" + line("a") + line("b"), taken(torn)},
		"glued where an object may stand": {
			sound + `{"a":`,
			map[int]string{1: foreign},
			sound + blanks(5) + foreign + "\n" + line("a") + line("b"), taken(`{"a":`),
		},
		"glued, then another line":     {sound + torn, map[int]string{1: foreign + foreign}, sound + blanks(len(torn)) + foreign + foreign + "\n" + line("a") + line("b"), taken(torn)},
		"a fragment on a fragment":     {sound + torn, map[int]string{1: torn}, sound + blanks(2*len(torn)) + "\n" + line("a") + line("b"), taken(torn + torn)},
		"a line after the newline":     {sound + torn, map[int]string{2: foreign}, sound + blanks(len(torn)) + "\n" + foreign + line("a") + line("b"), taken(torn)},
		"a fragment after the newline": {sound + torn, map[int]string{2: torn}, sound + blanks(len(torn)) + "\n" + torn + line("a") + line("b") + line("a"), taken(torn)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t).holding(t, c.before)
			l := f.log(t)
			between(t, f, l, c.comes)
			if err := l.Record(context.Background(), attempt("a", 1), attempt("b", 1)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.content(t)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			var got []string
			for _, fragment := range f.recovered(t) {
				got = append(got, string(fragment.Bytes))
			}
			if diff := cmp.Diff(c.taken, got); diff != "" {
				t.Errorf("recovered (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("fragments before every try", func(t *testing.T) {
		f := newFolder(t).holding(t, sound)
		l := f.log(t)
		between(t, f, l, map[int]string{1: "{", 2: "{", 3: "{"})
		if err := l.Record(context.Background(), attempt("a", 1)); !errors.Is(err, errGlued) {
			t.Errorf("got %v", err)
		}
	})
}

// Whatever write fails, and whether or not it did something before it failed,
// the next Record leaves a sound file and loses nothing.
func TestFailedWrites(t *testing.T) {
	for name, c := range map[string]struct {
		fails, writes int
		want          string
	}{
		"the line, not persisted":    {1, 0, sound + line("b")},
		"the line, short":            {1, 100, sound + blanks(100) + "\n" + line("b")},
		"the line, persisted":        {1, 1 << 20, sound + line("a") + line("b")},
		"all but the newline of it":  {1, len(line("a")) - 1, sound + line("a") + line("b")},
		"the newline, not persisted": {2, 0, sound + blanks(9) + "\n" + line("b")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t).holding(t, sound)
			l := f.log(t)
			full := errors.New("disk full")
			n := 0
			if c.fails == 2 {
				appendAs(t, f.path, torn[:9])
				n = 1 // the first write is the newline
			}
			l.write = func(file *os.File, b []byte) (int, error) {
				if n++; n != c.fails {
					return writeOnce(file, b)
				}
				k, err := writeOnce(file, b[:min(len(b), c.writes)])
				return k, errors.Join(full, err)
			}
			if err := l.Record(context.Background(), attempt("a", 1)); !errors.Is(err, full) {
				t.Fatalf("got %v", err)
			}
			record(t, l, "b")
			if diff := cmp.Diff(c.want, f.content(t)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShortWriteIsAnError(t *testing.T) {
	f := newFolder(t)
	l := f.log(t)
	l.write = func(file *os.File, b []byte) (int, error) { return writeOnce(file, b[:10]) }
	if err := l.Record(context.Background(), attempt("a", 1)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

func TestNoFolderForTheFragment(t *testing.T) {
	readOnly := errors.New("read-only file system")
	ownDir := func() (string, error) { return "", readOnly }
	f := newFolder(t).holding(t, sound+torn)
	l := New(f.path, Options{OwnDir: ownDir})
	if err := l.Record(context.Background(), attempt("a", 1)); !errors.Is(err, readOnly) {
		t.Errorf("got %v", err)
	}
	if got := f.content(t); got != sound+torn {
		t.Errorf("what could not be saved was touched: %q", got)
	}

	f = newFolder(t).holding(t, sound)
	l = New(f.path, Options{OwnDir: ownDir})
	record(t, l, "a") // a sound file needs no such folder
	if got := f.content(t); got != sound+line("a") {
		t.Errorf("got %q", got)
	}
}

// A process can die at any point of a repair. Whatever it left, the next one
// brings the file to the same end.
func TestRepairIsResumed(t *testing.T) {
	note := `{"offset":40,`
	full := recordOf(t, int64(len(sound)), torn)
	closed, blanked := sound+torn+"\n", sound+blanks(len(torn))+"\n"
	if int64(len(sound)) != 40 {
		t.Fatal("the note names another offset")
	}
	half := sound + blanks(20) + torn[20:] + "\n"
	for name, c := range map[string]struct{ audit, journal string }{
		"nothing done":                   {sound + torn, ""},
		"note being written":             {sound + torn, note[:7]},
		"noted":                          {sound + torn, note},
		"closed":                         {closed, note},
		"bytes being saved":              {closed, full[:len(note)+30]},
		"saved":                          {closed, full},
		"saved, longer than the next":    {closed, note + `"length":1000,"recovered_at":"2026-03-04T05:06:07.000000000Z","bytes":"` + strings.Repeat("A", 300)},
		"being blanked":                  {half, full},
		"blanked":                        {blanked, full},
		"finished":                       {blanked, full + "\n"},
		"finished, after another repair": {blanked, recordOf(t, 7, "x") + "\n" + full + "\n"},
		"closed, after another repair":   {closed, recordOf(t, 7, "x") + "\n" + note},
		"closed, then written to":        {closed + sound, note},
		"being blanked, then written to": {half + sound, full},
		"being blanked, and torn again":  {half + sound + `{"t`, full},
		"noted, and torn again":          {closed + sound + `{"t`, note},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t).holding(t, c.audit)
			if err := os.Mkdir(f.own, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(f.own, RecoveredName), c.journal)
			record(t, f.log(t), "a")

			want := blanked
			saved := []string{torn}
			if len(c.audit) > len(blanked) {
				want += c.audit[len(blanked):]
			}
			if strings.HasSuffix(want, `{"t`) {
				want = strings.TrimSuffix(want, `{"t`) + blanks(3) + "\n"
				saved = append(saved, `{"t`)
			}
			if strings.Contains(c.journal, "\n{") {
				saved = append([]string{"x"}, saved...)
			}
			if diff := cmp.Diff(want+line("a"), f.content(t)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			var got []string
			for _, fragment := range f.recovered(t) {
				got = append(got, string(fragment.Bytes))
			}
			if diff := cmp.Diff(saved, got); diff != "" {
				t.Errorf("recovered (-want +got):\n%s", diff)
			}
			if journal := read(t, filepath.Join(f.own, RecoveredName)); !strings.HasSuffix(journal, "}\n") {
				t.Errorf("the repair is not finished: %q", journal)
			}
		})
	}
}

// A process that lives long finishes the repair of another that died.
func TestRepairOfAnotherIsResumed(t *testing.T) {
	f := newFolder(t)
	l := f.log(t)
	record(t, l, "a")
	offset := len(line("a"))
	appendAs(t, f.path, torn+"\n")
	write(t, filepath.Join(f.own, RecoveredName), fmt.Sprintf(noteFormat, offset))
	record(t, l, "b")
	if got, want := f.content(t), line("a")+blanks(len(torn))+"\n"+line("b"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if saved := f.recovered(t); len(saved) != 1 || string(saved[0].Bytes) != torn {
		t.Errorf("saved %+v", saved)
	}
}

// recordOf returns the record of a finished repair, without its newline.
func recordOf(tb testing.TB, offset int64, fragment string) string {
	tb.Helper()
	b, err := json.Marshal(savedFragment{Offset: offset, Length: len(fragment), RecoveredAt: instant, Bytes: []byte(fragment)})
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// A journal that does not belong to this file makes no repair touch it.
func TestForeignJournal(t *testing.T) {
	content := sound + "garbage\n" + `{"a":{"b":1}}` + "\n" + sound
	for name, journal := range map[string]string{
		"a whole line":         recordOf(t, 0, strings.TrimSpace(sound)),
		"the start of a line":  recordOf(t, 0, sound[:10]),
		"an object within":     recordOf(t, 48, `{"a":`),
		"the middle of a line": recordOf(t, 3, sound[3:10]),
		"two lines":            recordOf(t, 0, sound+"garb"),
		"beyond the end":       recordOf(t, 1<<40, "x"),
		"another file's bytes": recordOf(t, 40, "GARBAGE"),
		"a note of a line":     `{"offset":0,`,
		"a note of no line":    `{"offset":5,`,
		"a note of the end":    `{"offset":102,`,
		"a note beyond it":     `{"offset":99999,`,
		"a negative note":      `{"offset":-1,`,
		"no note":              `{"offs`,
		"no record":            "\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t).holding(t, content)
			if err := os.Mkdir(f.own, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(f.own, RecoveredName), journal)
			record(t, f.log(t), "a")
			if diff := cmp.Diff(content+line("a"), f.content(t)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFragment(t *testing.T) {
	for name, c := range map[string]struct {
		record string
		want   int64
		ok     bool
	}{
		"whole":           {recordOf(t, 9, "\x00\xff"), 9, true},
		"cut short":       {recordOf(t, 9, "x")[:20], 0, false},
		"no record":       {"x", 0, false},
		"wrong length":    {`{"offset":0,"length":5,"bytes":"AA=="}`, 0, false},
		"negative offset": {`{"offset":-1,"length":1,"bytes":"AA=="}`, 0, false},
		"no bytes":        {`{"offset":0,"length":0,"bytes":""}`, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if f, err := parseFragment([]byte(c.record)); f.Offset != c.want || (err == nil) != c.ok {
				t.Errorf("offset %d, %v", f.Offset, err)
			}
		})
	}
}

// FuzzRecord gives Record files of any content. Every complete line must stay
// as it is, and ours must stand on its own.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{"", sound, torn, sound + torn, sound + torn + sound[:39], `{"a":{"b":1}`, "\n\n \n x", `{{{"a":{"a":"{`, `{"a":1}{"b":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := newFolder(t).holding(t, string(content))
		record(t, dir.log(t), "a")
		complete := content[:bytes.LastIndexByte(content, '\n')+1]
		tail := content[len(complete):]
		rest, ok := strings.CutPrefix(dir.content(t), string(complete))
		if !ok {
			t.Fatalf("complete lines changed: %q", dir.content(t))
		}
		saved := dir.recovered(t)
		if len(tail) == 0 {
			if rest != line("a") || saved != nil {
				t.Fatalf("after whole lines: %q, saved %v", rest, saved)
			}
			return
		}
		n := 0
		if len(saved) > 0 {
			n = len(saved[0].Bytes)
			if len(saved) > 1 || saved[0].Offset != int64(len(complete)) || !bytes.HasPrefix(tail, saved[0].Bytes) {
				t.Fatalf("saved %+v", saved)
			}
		}
		if want := blanks(n) + string(tail[n:]) + "\n" + line("a"); rest != want {
			t.Fatalf("got %q, want %q", rest, want)
		}
		if healed := []byte(blanks(n) + string(tail[n:])); !ecmajson.IsBlank(healed) && !json.Valid(healed) {
			t.Fatalf("left a fragment: %q", healed)
		}
	})
}

// FuzzJournal gives Record any journal. It may blank garbage, never a line.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(sound+torn+"\n"), []byte(`{"offset":40,`))
	f.Add([]byte(sound+torn+"\n"), []byte(recordOf(f, 40, torn)))
	f.Add([]byte(sound+sound), []byte(recordOf(f, 0, sound[:9])))
	f.Fuzz(func(t *testing.T, content, journal []byte) {
		dir := newFolder(t).holding(t, string(content))
		if err := os.Mkdir(dir.own, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir.own, RecoveredName), string(journal))
		record(t, dir.log(t), "a")
		got := strings.Split(dir.content(t), "\n")
		before := strings.Split(string(content), "\n")
		for i, was := range before[:len(before)-1] {
			if json.Valid([]byte(was)) && strings.TrimLeft(got[i], " \t") != strings.TrimLeft(was, " \t") {
				t.Fatalf("line %d was %q, is %q", i, was, got[i])
			}
			if len(got[i]) != len(was) {
				t.Fatalf("line %d changed its length", i)
			}
		}
		if got[len(got)-2]+"\n" != line("a") {
			t.Fatalf("last line %q", got[len(got)-2])
		}
	})
}
