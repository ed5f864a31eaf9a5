package export

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
)

// keyWatch reports the repeated keys of a document while it is scanned.
type keyWatch struct {
	found func(key string, at int64)
	// open holds the keys of every container that is open; arrays have none.
	open []keySet
}

// keySet is a set of keys. Most objects have few: those are faster in a list.
type keySet struct {
	few  []string
	many map[string]bool
}

const fewKeys = 16

func (w *keyWatch) enter() {
	if len(w.open) < cap(w.open) {
		// The list of an earlier container at this level is used again.
		w.open = w.open[:len(w.open)+1]
		last := &w.open[len(w.open)-1]
		last.few, last.many = last.few[:0], nil
		return
	}
	w.open = append(w.open, keySet{})
}

func (w *keyWatch) leave() { w.open = w.open[:len(w.open)-1] }

// key takes a key of the innermost open object.
func (w *keyWatch) key(key string, at int64) {
	set := &w.open[len(w.open)-1]
	if set.many[key] || slices.Contains(set.few, key) {
		w.found(key, at)
		return
	}
	switch {
	case set.many != nil:
		set.many[key] = true
	case len(set.few) < fewKeys:
		set.few = append(set.few, key)
	default:
		set.many = map[string]bool{key: true}
	}
}

// watchedKey is key with a look at what it is.
func (s *jsonCursor) watchedKey() error {
	key, at, err := s.name()
	if err == nil {
		s.unique.key(key, at)
	}
	return err
}

func (v *verifier) strict(code Code, path, message string, off int64) {
	v.report.add(Finding{Code: code, Severity: SeverityFail, Path: path, Message: message, Offset: off})
}

func (v *verifier) duplicateKey(key string, at int64) {
	v.strict(CodeStrictDuplicateKey, "artifact", `duplicate key "`+key+`"`, at)
}

// strictUTF8 reports the first byte of the bundle that is not UTF-8.
func (v *verifier) strictUTF8() {
	c := v.src.newSection(v.ctx, 0, v.src.size)
	for c.peek() >= 0 {
		rest := c.window[c.pos:]
		if c.pos += asciiPrefix(rest); c.pos == len(c.window) {
			continue
		}
		c.need(utf8.UTFMax)
		r, size := utf8.DecodeRune(c.window[c.pos:])
		if r == utf8.RuneError && size == 1 {
			v.strict(CodeStrictUTF8, "artifact", fmt.Sprintf("byte 0x%02x is not UTF-8", c.window[c.pos]), c.offset())
			return
		}
		c.pos += size
	}
}

// isDate reports whether v is a string that Date.parse accepts; at is where
// it lies. Strict verification wants RFC 3339.
func (j *judge) isDate(where string, v *ecmajson.Value, at int64) bool {
	if !v.Is(ecmajson.String) {
		return false
	}
	if _, ok := parseDate(v.Str()); !ok {
		return false
	}
	if j.opts.Strict {
		if _, err := time.Parse(time.RFC3339, v.Str()); err != nil {
			j.fail(CodeStrictDate, where, "is not an RFC 3339 timestamp", at)
		}
	}
	return true
}

// strictMembers reports unknown top-level keys and counts that are not
// written as integers.
func (j *judge) strictMembers() {
	for _, k := range j.unknown {
		j.fail(CodeStrictUnknownKey, k.name, "is not a key of this format", k.off)
	}
	for _, key := range []string{
		"history_entries", "decision_entries", "hook_audit_entries", "notification_audit_entries",
		"dispatch_artifact_files", "staging_artifact_files", "barrier_count", "total_collected_files", "included_files",
	} {
		j.strictInteger("summary."+key, j.summary.Get(key), j.at("summary", j.summary.Get(key)))
	}
}

// strictInteger reports a number that is not written as a plain integer that
// every reader understands alike: no -0, no 3.0, no 3e0.
func (j *judge) strictInteger(where string, v *ecmajson.Value, at int64) {
	if !v.Is(ecmajson.Number) {
		return
	}
	if literal := v.Literal(); literal == "-0" || strings.ContainsAny(literal, ".eE") {
		j.fail(CodeStrictInteger, where, "is written as "+literal+", not as an integer", at)
	}
}

// strictEntry reports what a strict reader refuses in an entry, its content
// excepted.
func (e *entryJudge) strictEntry() {
	if p := e.entry.path; !isLocalPath(p) {
		e.bad(CodeStrictPath, "path is not a clean relative path inside the project", e.entry.span)
	}
	e.strictInteger(e.where, e.size.Value, e.entry.bytes.off)
	for _, sp := range []span{e.entry.totalEntries, e.entry.retainedEntries} {
		e.strictInteger(e.where, e.field(sp).Value, sp.off)
	}
}

// isLocalPath reports whether a slash-separated path stays inside the folder
// it is relative to, on every system.
func isLocalPath(p string) bool {
	return p != "" && p != "." && path.Clean(p) == p && !path.IsAbs(p) && p != ".." &&
		!strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\\\x00") && !(len(p) > 1 && p[1] == ':')
}

// strictContent reports repeated keys in JSON content that data spells
// differently; where data repeats them, the bundle itself was found out.
func (e *entryJudge) strictContent(b []byte, where string) {
	if !e.opts.Strict {
		return
	}
	s := textScanner(b)
	s.unique = &keyWatch{found: func(key string, _ int64) {
		e.bad(CodeStrictDuplicateKey, `duplicate key "`+key+`"`+where, e.entry.content)
	}}
	s.space()
	// The content was checked before: it is JSON.
	_ = s.value()
}
