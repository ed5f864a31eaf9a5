package export

import (
	"context"
	"errors"
	"fmt"
	"io"

	"agentxchain/internal/ecmajson"
	"agentxchain/schemas"
)

const (
	// maxTree is the longest value, in bytes of JSON, that is compared as a
	// tree of values.
	maxTree = 64 << 20
	// maxJudgedDepth is how deeply a value may be nested that has to be
	// compared. The Node CLI dies between 1,250 and 1,260 levels.
	maxJudgedDepth = 1250
)

// VerifyOptions says how strictly a bundle is judged.
type VerifyOptions struct {
	// Strict also refuses what the Node CLI tolerates (docs/verification.md).
	Strict bool
	// AllowBounded lets a bundle pass although it withholds content, unless
	// this program made it.
	AllowBounded bool
	// Input is how the report names the bundle: an absolute path or "stdin".
	Input string
}

// Verify judges a bundle (contract, section 7). Whatever the bundle holds, the
// answer is a report: an error of reading or of syntax is a verdict of Broken.
//
// All of it is read twice. The first pass checks that it is one JSON document
// and notes where its parts lie; the second recomputes what it claims. Two
// passes cost little, since base64 text is only skipped in the first, and buy
// much: nothing depends on the order of keys, a repeated key has been settled
// before its value is looked at, nothing is reported about a document that
// later turns out not to be one, and what is compared is known to be valid.
//
// Memory stays below a fixed bound, except for what the summary's own lists
// need and for the paths in "files".
func Verify(ctx context.Context, src *Source, opts VerifyOptions) Report {
	var unique *keyWatch
	v := &verifier{ctx: ctx, src: src, opts: opts, report: Report{Input: opts.Input}}
	if opts.Strict {
		unique = &keyWatch{found: v.duplicateKey}
	}
	b, err := readIndex(ctx, src, unique)
	if err != nil {
		return v.broken(err)
	}
	if opts.Strict {
		v.strictUTF8()
	}
	(&judge{verifier: v, bundle: b}).artifact()
	if v.fault != nil {
		return v.broken(v.fault)
	}
	v.report.conclude()
	return v.report
}

// verifier is one verification.
type verifier struct {
	ctx    context.Context
	src    *Source
	opts   VerifyOptions
	report Report
	// near holds the bytes of the bundle from nearOff on: small values lie
	// close together and are read one after another.
	near    []byte
	nearOff int64
	// scratch is where bytes go that nobody looks at.
	scratch []byte
	// fault is the first error of reading; it ends the verification.
	fault error
	// auditSchema describes the lines of an audit, once it was asked for.
	auditSchema    *schemas.Schema
	auditSchemaErr error
}

// broken reports that no verdict is possible.
func (v *verifier) broken(err error) Report {
	r := Report{Overall: Broken, Input: v.opts.Input, ErrorCode: "unreadable"}
	var syntax *ecmajson.SyntaxError
	var depth *depthError
	switch {
	case errors.As(err, &syntax):
		r.ErrorCode = "invalid_json"
		r.Message = "Invalid JSON export artifact: " + syntax.Message + v.position(int64(syntax.Offset))
		r.Hints = v.hints(int64(syntax.Offset))
	case errors.As(err, &depth):
		r.ErrorCode = "invalid_json"
		r.Message = "Invalid JSON export artifact: " + depth.Error()
	case interrupted(err):
		r.ErrorCode = "interrupted"
		r.Message = "verification was interrupted: " + err.Error()
	default:
		r.Message = "cannot read the bundle: " + err.Error()
	}
	return r
}

// position words an offset as line, column and byte; the column counts bytes.
func (v *verifier) position(offset int64) string {
	line, column := int64(1), int64(1)
	c := v.src.newSection(v.ctx, 0, offset)
	for c.peek() >= 0 {
		for _, b := range c.window[c.pos:] {
			column++
			if b == '\n' {
				line, column = line+1, 1
			}
		}
		c.pos = len(c.window)
	}
	return fmt.Sprintf(" at line %d, column %d (byte %d)", line, column, offset)
}

// hints guesses what happened to a bundle that stops making sense at offset.
func (v *verifier) hints(offset int64) []string {
	switch head := v.head(3); {
	case v.src.size == 0:
		return []string{"the input is empty"}
	case string(head) == "\xEF\xBB\xBF":
		return []string{"the input begins with a byte order mark; remove it"}
	case offset >= v.src.size:
		return []string{"the bundle seems to be cut short; export it again or copy it whole"}
	}
	return nil
}

func (v *verifier) head(n int64) []byte {
	b := make([]byte, min(n, v.src.size))
	if _, err := v.src.reader.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return b
}

// stop keeps the first error of reading.
func (v *verifier) stop(err error) {
	if v.fault == nil {
		v.fault = err
	}
}

// nearSize is how much is read at once for small values.
const nearSize = 16 << 10

// text returns the bytes of a value, valid until the next call for small ones.
func (v *verifier) text(sp span) ([]byte, bool) {
	size := sp.end - sp.off
	if size > nearSize {
		return v.read(sp.off, size)
	}
	if sp.off < v.nearOff || sp.end > v.nearOff+int64(len(v.near)) {
		var ok bool
		v.nearOff = sp.off
		if v.near, ok = v.read(sp.off, min(nearSize, v.src.size-sp.off)); !ok {
			v.near = nil
			return nil, false
		}
	}
	return v.near[sp.off-v.nearOff : sp.end-v.nearOff], true
}

func (v *verifier) read(off, size int64) ([]byte, bool) {
	b := make([]byte, size)
	if _, err := io.ReadFull(v.src.section(v.ctx, off, off+size), b); err != nil {
		v.stop(err)
		return nil, false
	}
	return b, true
}

// limit says why a value cannot be judged, or "" when it can.
func (s span) limit() (Code, string) {
	switch {
	case s.depth > maxJudgedDepth:
		return CodeLimitDepth, fmt.Sprintf("nested %d levels deep; more than %d are not judged", s.depth, maxJudgedDepth)
	case s.end-s.off > maxTree:
		return CodeLimitSize, fmt.Sprintf("%d bytes long; more than %d are not judged", s.end-s.off, maxTree)
	}
	return "", ""
}

// parse returns the value at a span that is within the limits; nil when it is
// absent.
func (v *verifier) parse(sp span) (*ecmajson.Value, bool) {
	if !sp.present() {
		return nil, true
	}
	b, ok := v.text(sp)
	if !ok {
		return nil, false
	}
	value, err := ecmajson.Parse(b, ecmajson.Options{})
	if err != nil {
		v.stop(fmt.Errorf("the bundle changed while it was read: %w", err))
		return nil, false
	}
	return value, true
}

// judge verifies one bundle, the outermost or an embedded one. Its methods
// report findings and return nothing: no check decides whether another is made,
// other than by the values that both need.
type judge struct {
	*verifier
	*bundle
	// prefix precedes every path: "" or "repos.<id>.export: ".
	prefix string
	// ours tells that the bundle, or one around it, has our evidence and
	// claims in it to be complete.
	ours bool
	// judged remembers the limits that were reported already.
	judged map[int64]bool
	// state, config and summary are loaded once.
	config, state, summary loaded
}

// loaded is a value of the bundle. When known is false it is beyond the limits
// or could not be read, and nothing that needs it may be judged.
type loaded struct {
	*ecmajson.Value
	known bool
}

func (j *judge) finding(severity Severity, code Code, path, message string, off int64) {
	j.report.add(Finding{Code: code, Severity: severity, Path: j.prefix + path, Message: message, Offset: off})
}

// fail reports a failed check.
func (j *judge) fail(code Code, path, message string, off int64) {
	j.finding(SeverityFail, code, path, message, off)
}

// unjudged reports, once, a value that is beyond the limits.
func (j *judge) unjudged(path string, code Code, message string, sp span) {
	if !j.judged[sp.off] {
		if j.judged == nil {
			j.judged = map[int64]bool{}
		}
		j.judged[sp.off] = true
		j.finding(SeverityUnverifiable, code, path, message, sp.off)
	}
}

// load returns the value at sp and reports, once, when it is beyond the limits.
func (j *judge) load(path string, sp span) loaded {
	code, message := sp.limit()
	if code == "" {
		value, ok := j.parse(sp)
		return loaded{value, ok}
	}
	j.unjudged(path, code, message, sp)
	return loaded{}
}

// member returns a top-level value.
func (j *judge) member(key string) loaded { return j.load(key, j.members[key]) }

// at returns where a value within the top-level member key lies; for an absent
// value, where that member lies.
func (j *judge) at(key string, v *ecmajson.Value) int64 {
	off := j.members[key].off
	if off == 0 {
		return j.bundle.off
	}
	return off + int64(v.Offset())
}

// artifact makes all checks of contract section 7.2 on the outermost bundle.
func (j *judge) artifact() {
	j.report.RepoCount = -1
	if j.kind != ecmajson.Object {
		j.fail(CodeArtifactNotObject, "artifact", "must be a JSON object", j.bundle.off)
		return
	}
	schema, kind := j.member("schema_version"), j.member("export_kind")
	j.report.SchemaVersion, j.report.ExportKind = firstTruthy(schema.Value), firstTruthy(kind.Value)
	j.report.FileCount, j.report.RepoCount = len(j.files), 0
	if kind.Str() == string(Coordinator) {
		j.report.RepoCount = len(j.repos)
		if repos := j.members["repos"]; repos.kind == ecmajson.Array {
			j.report.RepoCount = repos.items
		}
	}
	j.all(schema, kind)
}

// all makes the checks on an object. They go on after a failure: each runs
// whenever what it needs is there.
func (j *judge) all(schema, kind loaded) {
	complete, ok := j.parse(j.complete)
	j.ours = j.ours || ok && complete.True()
	if s := schema.Str(); schema.known && s != "0.2" && s != "0.3" {
		j.fail(CodeSchemaVersion, "schema_version", `must be one of "0.2", "0.3"`, j.at("schema_version", nil))
	}
	if kind.known && !kind.Is(ecmajson.String) {
		j.fail(CodeKindNotString, "export_kind", "must be a string", j.at("export_kind", nil))
	}
	if at := j.member("exported_at"); at.known && !j.isDate("exported_at", at.Value, j.at("exported_at", nil)) {
		j.fail(CodeExportedAt, "exported_at", "must be a valid ISO timestamp", j.at("exported_at", nil))
	}
	j.config, j.state, j.summary = j.member("config"), j.member("state"), j.member("summary")
	if j.config.known && !j.config.Is(ecmajson.Object) {
		j.fail(CodeConfigNotObject, "config", "must be an object", j.at("config", nil))
	}
	j.allFiles()
	j.ourEvidence()
	if j.opts.Strict {
		j.strictMembers()
	}
	switch {
	case j.fault != nil:
	case kind.Str() == string(Run):
		j.run()
	case kind.Str() == string(Coordinator):
		j.coordinator()
	case kind.known:
		j.fail(CodeKindUnsupported, "export_kind", fmt.Sprintf("unsupported export kind %q", rawString(display(kind.Value))), j.at("export_kind", nil))
	}
}

// rawString is printed by %q between quotes without any escaping.
type rawString string

// Format implements fmt.Formatter.
func (s rawString) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, `"`+string(s)+`"`) }
