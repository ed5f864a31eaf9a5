package export

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"agentxchain/internal/ecmajson"
)

// allFiles checks every entry of "files". What else is wrong with the bundle
// does not matter here: an entry is proved by itself.
func (j *judge) allFiles() {
	if j.members["files"].kind != ecmajson.Object {
		j.fail(CodeFilesNotObject, "files", "must be an object keyed by relative path", j.at("files", nil))
		return
	}
	for _, f := range j.files {
		if j.fault != nil {
			return
		}
		e := entryJudge{judge: j, entry: f, where: "files." + f.path}
		e.check()
	}
}

// entryJudge checks one entry of "files".
type entryJudge struct {
	*judge
	entry *fileEntry
	// where is the entry's path in findings.
	where string
	// size and sha256 are what the entry says about its content.
	size, sha256 loaded
	// stream is the decoded content while it is compared.
	stream *readAhead
}

// bad reports a failed check; sp is the value in question.
func (e *entryJudge) bad(code Code, message string, sp span) {
	e.report.add(e.made(SeverityFail, code, message, "", sp))
}

// made returns a finding about the value at sp, or about the entry that lacks it.
func (e *entryJudge) made(severity Severity, code Code, message, detail string, sp span) Finding {
	if !sp.present() {
		sp = e.entry.span
	}
	return Finding{Code: code, Severity: severity, Path: e.prefix + e.where, Message: message, Detail: detail, Offset: sp.off}
}

// field returns a value of the entry.
func (e *entryJudge) field(sp span) loaded { return e.load(e.where, sp) }

// check makes the checks of contract section 7.2 on the entry. Without a known
// format there is nothing to compare the content with, so it is not decoded.
func (e *entryJudge) check() {
	if e.entry.kind != ecmajson.Object {
		e.bad(CodeEntryNotObject, "file entry must be an object", e.entry.span)
		return
	}
	said := e.field(e.entry.format)
	format := said.Str()
	if format != "json" && format != "jsonl" && format != "text" {
		if said.known {
			e.bad(CodeFormat, `unsupported format "`+display(said.Value)+`"`, e.entry.format)
		}
		return
	}
	e.measures()
	if e.opts.Strict {
		e.strictEntry()
	}
	switch e.entry.content.kind {
	case ecmajson.Null:
		e.withheld(format)
	case ecmajson.String:
		e.compare(format)
	default:
		e.bad(CodeContentNotString, "content_base64 must be a string", e.entry.content)
	}
}

// measures checks the shape of "bytes" and "sha256".
func (e *entryJudge) measures() {
	e.size, e.sha256 = e.field(e.entry.bytes), e.field(e.entry.sha256)
	if e.size.known && !isCount(e.size.Value) {
		e.bad(CodeBytesInvalid, "bytes must be a non-negative integer", e.entry.bytes)
	}
	if e.sha256.known && !isSHA256(e.sha256.Str()) {
		e.bad(CodeSHA256Invalid, "sha256 must be a 64-character lowercase hex digest", e.entry.sha256)
	}
}

// isSHA256 reports whether s matches ^[0-9a-f]{64}$, to the very end.
func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// withheld checks an entry without content, which bounded exports have. The
// Node CLI is content with its markers, and thereby with any forgery under
// them; here the missing proof is a finding.
func (e *entryJudge) withheld(format string) {
	detail := ""
	switch {
	case e.field(e.entry.truncated).True():
		detail = e.truncated(format)
	case e.field(e.entry.skipped).True():
		e.skipped(format)
	default:
		e.bad(CodeContentNull, "content_base64 may be null only when truncated or content_base64_skipped is true", e.entry.content)
		return
	}
	severity := SeverityUnverifiable
	switch {
	case e.ours:
		severity, detail = SeverityFail, "the bundle claims to be complete"
	case e.opts.AllowBounded:
		severity = SeverityNote
	}
	e.report.Withheld = append(e.report.Withheld, e.prefix+e.entry.path)
	if e.prefix == "" {
		e.report.ownWithheld++
	}
	e.report.add(e.made(severity, CodeWithheld, "content is withheld, so neither sha256 nor data can be verified", detail, e.entry.content))
}

// truncated checks the marks of a truncated entry and returns its counts for
// people.
func (e *entryJudge) truncated(format string) (detail string) {
	data := e.entry.data
	switch {
	case format == "text" && data.kind != ecmajson.String:
		e.bad(CodeTruncatedInvalid, "truncated text data must be a string", data)
	case format == "jsonl" && data.kind != ecmajson.Array:
		e.bad(CodeTruncatedInvalid, "truncated JSONL data must be an array", data)
	}
	if format != "jsonl" {
		return ""
	}
	total, retained := e.field(e.entry.totalEntries), e.field(e.entry.retainedEntries)
	if total.known && !isCount(total.Value) {
		e.bad(CodeTruncatedInvalid, "total_entries must be a non-negative integer when truncated", e.entry.totalEntries)
	}
	if retained.known && !isCount(retained.Value) {
		e.bad(CodeTruncatedInvalid, "retained_entries must be a non-negative integer when truncated", e.entry.retainedEntries)
	}
	if data.kind == ecmajson.Array && retained.known && !isCountOf(retained.Value, int64(data.items)) {
		e.bad(CodeTruncatedInvalid, "retained_entries must match truncated data length", e.entry.retainedEntries)
	}
	if retained.Is(ecmajson.Number) && total.Is(ecmajson.Number) && retained.Num() > total.Num() {
		e.bad(CodeTruncatedInvalid, "retained_entries must not exceed total_entries", e.entry.retainedEntries)
	}
	return fmt.Sprintf("it holds %d of %s entries", data.items, display(total.Value))
}

// skipped checks the marks of an entry whose base64 was left out for its size.
func (e *entryJudge) skipped(format string) {
	data := e.entry.data
	switch {
	case format == "text" && data.kind != ecmajson.String:
		e.bad(CodeSkippedInvalid, "skipped text data must be a string", data)
	case format == "jsonl" && data.kind != ecmajson.Array:
		e.bad(CodeSkippedInvalid, "skipped JSONL data must be an array", data)
	}
}

// ourEvidence checks that what this program keeps beside the files is whole.
func (j *judge) ourEvidence() {
	for _, f := range j.evidence {
		e := entryJudge{judge: j, entry: f, where: f.path}
		e.size = e.field(f.bytes)
		if f.sha256.present() {
			e.sha256 = e.field(f.sha256)
		}
		if f.content.kind != ecmajson.String {
			e.bad(CodeContentNotString, "content_base64 must be a string", f.content)
			continue
		}
		e.compare("")
	}
}

// compare decodes the content, measures it and compares it with "data". The
// content streams by once: its length and hash are known when the comparison,
// which may give up early, has been followed by finish.
func (e *entryJudge) compare(format string) {
	c := e.src.newDecoded(e.ctx, e.entry.content)
	e.stream = newReadAhead(c, maxSize(e.entry.content))
	defer e.stream.stop()
	window := newCursor(e.stream, 0, maxSize(e.entry.content))
	switch format {
	case "text":
		e.compareText(window)
	case "json":
		e.compareJSON(window)
	case "jsonl":
		e.compareJSONL(window)
	}
	if !e.finish() {
		return
	}
	if e.size.known && !isCountOf(e.size.Value, c.size) {
		e.bad(CodeBytesMismatch, fmt.Sprintf("bytes mismatch: expected %s, got %d", display(e.size.Value), c.size), e.entry.bytes)
	}
	if sum := hex.EncodeToString(c.sum.Sum(nil)); e.sha256.known && e.sha256.Str() != sum {
		e.bad(CodeSHA256Mismatch, "sha256 does not match content_base64", e.entry.sha256)
	}
	if e.opts.Strict && c.base64.lenient {
		e.bad(CodeStrictBase64, "content_base64 is not canonical base64 (RFC 4648, section 4)", e.entry.content)
	}
}

// differs reports data that is not what the content says.
func (e *entryJudge) differs(what, detail string) {
	e.report.add(e.made(SeverityFail, CodeDataMismatch, "data does not match decoded "+what+" content", detail, e.entry.data))
}

// finish reads what is left of the content, so that all of it is hashed.
func (e *entryJudge) finish() bool {
	if e.scratch == nil {
		e.scratch = make([]byte, 32<<10)
	}
	for e.fault == nil {
		_, err := e.stream.Read(e.scratch)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			e.stop(err)
		}
	}
	return false
}

// compareText compares two streams of text: the content as Node decodes a file,
// and the meaning of the JSON string.
func (e *entryJudge) compareText(content cursor) {
	data := e.entry.data
	if data.kind != ecmajson.String {
		e.differs("text", "")
		return
	}
	said := &stringReader{text: e.src.newSection(e.ctx, data.off+1, data.end-1)}
	a := newCursor(&roomy{decode: &textReader{bytes: content}}, 0, maxSize(e.entry.content))
	b := newCursor(&roomy{decode: said}, 0, data.end-data.off)
	same, equal, err := sameStream(&a, &b)
	switch {
	case err != nil:
		e.stop(err)
	case !same:
		e.differs("text", fmt.Sprintf("the first difference is after %d bytes of text", equal))
	}
}

// compareJSON walks both texts side by side, which settles all but rare cases
// without holding either; those are decoded again and compared as values.
func (e *entryJudge) compareJSON(content cursor) {
	data := e.entry.data
	if code, message := data.limit(); code == CodeLimitDepth {
		e.unjudged(e.where, code, message, data)
		return
	}
	said := &jsonCursor{cursor: e.src.newSection(e.ctx, data.off, data.end)}
	meant := &jsonCursor{cursor: content}
	if data.present() && sameJSON(meant, said) || !e.finish() {
		return
	}
	if whole, ok := e.whole(); ok {
		e.compareTrees(whole)
	}
}

// whole returns the content in one piece.
func (e *entryJudge) whole() ([]byte, bool) {
	c := newCursor(e.src.newDecoded(e.ctx, e.entry.content), 0, maxSize(e.entry.content))
	c.mark = 0
	for c.more() {
		c.pos = len(c.window)
	}
	if errors.Is(c.err, errTooLong) {
		e.unjudged(e.where, CodeLimitSize, fmt.Sprintf("content is longer than %d bytes and data spells it differently; it is not judged", maxToken), e.entry.content)
		return nil, false
	}
	if err := c.fault(); err != nil {
		e.stop(err)
		return nil, false
	}
	return c.window, true
}

// compareTrees compares a JSON file that differs from its data in its
// spelling, perhaps in the order of keys only, or is no JSON at all.
func (e *entryJudge) compareTrees(whole []byte) {
	depth, err := checkJSON(whole)
	switch {
	case err != nil:
		e.bad(CodeInvalidJSON, err.Error(), e.entry.content)
		return
	case depth > maxJudgedDepth:
		e.unjudged(e.where, CodeLimitDepth, fmt.Sprintf("content is nested %d levels deep; more than %d are not judged", depth, maxJudgedDepth), e.entry.content)
		return
	}
	if code, message := e.entry.data.limit(); code != "" {
		e.unjudged(e.where, code, message, e.entry.data)
		return
	}
	said, ok := e.parse(e.entry.data)
	if !ok {
		return
	}
	e.strictContent(whole, "")
	if meant, err := ecmajson.Parse(whole, ecmajson.Options{}); err != nil || !ecmajson.Equal(meant, said) {
		e.differs("JSON", "")
	}
}

// checkJSON checks that b is one JSON document and returns how deeply it is nested.
func checkJSON(b []byte) (depth int, err error) {
	s := &jsonCursor{cursor: bytesCursor(b, 0)}
	s.space()
	if err := s.value(); err != nil {
		return 0, err
	}
	return s.deepest, s.end()
}
