package export

import (
	"context"
	"errors"
	"fmt"

	"agentxchain/internal/ecmajson"
)

// maxNesting is how many bundles may be embedded in one another.
const maxNesting = 64

// span is where one value of the bundle lies. The zero span is an absent value.
type span struct {
	kind ecmajson.Kind
	// off and end delimit the value, in bytes from the start of the bundle.
	off, end int64
	// depth is how deeply it is nested: 0 for a scalar, 1 for [] and {}.
	depth int
	// items is how many elements an array has.
	items int
}

func (s span) present() bool { return s.kind != ecmajson.Invalid }

// bundle is the table of contents of a run or coordinator export. Of repeated
// keys the last value counts, as in ECMAScript.
type bundle struct {
	span
	// members has the keys of knownMembers that are there.
	members map[string]span
	// files lists the members of "files" when that is an object.
	files []*fileEntry
	// byPath finds entries of files.
	byPath map[string]*fileEntry
	// repos lists the members of "repos" when that is an object.
	repos []*repoEntry
	// evidence lists what this program puts under "evidence" beside the files:
	// torn tails and recovered bytes, as entries without format and data.
	evidence []*fileEntry
	// complete is evidence.complete.
	complete span
	// unknown lists other keys in source order, for strict verification.
	unknown []unknownKey
}

type unknownKey struct {
	name string
	off  int64
}

// maxUnknown is how many unknown keys are remembered; more are not news.
const maxUnknown = 100

// fileEntry is one member of "files". Absent keys have zero spans.
type fileEntry struct {
	span
	path                                              string
	format, bytes, sha256, content, data              span
	truncated, skipped, totalEntries, retainedEntries span
}

// repoEntry is one member of "repos" of a coordinator export.
type repoEntry struct {
	span
	id              string
	path, ok, error span
	// export is the nested bundle, nil when the key is absent, not an object
	// or nested too deeply.
	export     *bundle
	exportSpan span
}

// isKnownMember reports whether the format has a top-level key; evidence is
// the one that this program adds.
func isKnownMember(key string) bool {
	switch key {
	case "schema_version", "export_kind", "exported_at", "project_root", "project", "summary",
		"workspace", "files", "config", "state", "workspace_root", "coordinator", "repos", "evidence":
		return true
	}
	return false
}

// field returns the place for a key of a file entry, or nil if it means nothing.
func (f *fileEntry) field(key string) *span {
	switch key {
	case "format":
		return &f.format
	case "bytes":
		return &f.bytes
	case "sha256":
		return &f.sha256
	case "content_base64":
		return &f.content
	case "data":
		return &f.data
	case "truncated":
		return &f.truncated
	case "content_base64_skipped":
		return &f.skipped
	case "total_entries":
		return &f.totalEntries
	case "retained_entries":
		return &f.retainedEntries
	}
	return nil
}

// readIndex checks that src is one JSON document and notes where its parts
// lie. It reads every byte once. A bundle that is no object has only a span.
func readIndex(ctx context.Context, src *Source, unique *keyWatch) (*bundle, error) {
	s := &jsonCursor{cursor: src.newSection(ctx, 0, src.size), unique: unique}
	s.space()
	b, err := s.bundle(0)
	if err == nil {
		err = s.end()
	}
	// A value that is too long for the window is a limit of ours, not a
	// mistake in the document.
	if errors.Is(err, errTooLong) {
		err = fmt.Errorf("a key is longer than %d MiB", maxToken>>20)
	}
	return b, err
}

// span checks the next value and returns its place.
func (s *jsonCursor) span() (span, error) {
	return s.measure(s.value)
}

// measure is span for values whose inside is read by read.
func (s *jsonCursor) measure(read func() error) (span, error) {
	sp := span{kind: s.kind(), off: s.offset()}
	outer := s.deepest
	s.deepest = len(s.open)
	s.items = 0
	err := read()
	sp.end, sp.depth, sp.items = s.offset(), s.deepest-len(s.open), s.items
	s.deepest = max(outer, s.deepest)
	return sp, err
}

// bundle indexes the bundle that comes next, which is embedded in level others.
func (s *jsonCursor) bundle(level int) (*bundle, error) {
	b := &bundle{members: map[string]span{}}
	if s.kind() != ecmajson.Object {
		var err error
		b.span, err = s.span()
		return b, err
	}
	var err error
	b.span, err = s.measure(func() error {
		return s.object(func(key string, at int64) error { return s.bundleMember(b, key, at, level) })
	})
	return b, err
}

func (s *jsonCursor) bundleMember(b *bundle, key string, at int64, level int) (err error) {
	var sp span
	switch {
	case key == "files":
		b.files, b.byPath = nil, map[string]*fileEntry{}
		sp, err = s.measure(func() error {
			return s.ifObject(func(path string, _ int64) error { return s.fileEntry(b, path) })
		})
	case key == "evidence":
		b.evidence, b.complete = nil, span{}
		sp, err = s.measure(func() error { return s.ourEvidence(b) })
	case key == "repos":
		b.repos = nil
		sp, err = s.measure(func() error { return s.repos(b, level) })
	default:
		sp, err = s.span()
	}
	if isKnownMember(key) {
		b.members[key] = sp
	} else if len(b.unknown) < maxUnknown {
		b.unknown = append(b.unknown, unknownKey{key, at})
	}
	return err
}

// ifObject visits the members of the next value when that is an object, and
// moves past it in any case.
func (s *jsonCursor) ifObject(visit func(key string, at int64) error) error {
	if s.kind() == ecmajson.Object {
		return s.object(visit)
	}
	return s.value()
}

// ourEvidence indexes the evidence that comes next (docs/bundle-format.md).
func (s *jsonCursor) ourEvidence(b *bundle) error {
	add := func(path string) error {
		entry, err := s.entry(path)
		if entry.kind == ecmajson.Object {
			b.evidence = append(b.evidence, entry)
		}
		return err
	}
	return s.ifObject(func(key string, _ int64) (err error) {
		switch key {
		case "complete":
			b.complete, err = s.span()
			return err
		case "recovered":
			return add("evidence.recovered")
		case "torn_tails":
			return s.ifObject(func(path string, _ int64) error { return add("evidence.torn_tails." + path) })
		}
		return s.value()
	})
}

// entry indexes a file entry.
func (s *jsonCursor) entry(path string) (*fileEntry, error) {
	entry := &fileEntry{path: path}
	sp, err := s.measure(func() error {
		return s.ifObject(func(key string, _ int64) error { return s.fileField(entry, key) })
	})
	entry.span = sp
	return entry, err
}

func (s *jsonCursor) fileEntry(b *bundle, path string) error {
	entry, err := s.entry(path)
	if earlier := b.byPath[path]; earlier != nil {
		*earlier = *entry
		return err
	}
	b.byPath[path] = entry
	b.files = append(b.files, entry)
	return err
}

func (s *jsonCursor) fileField(entry *fileEntry, key string) error {
	sp, err := s.span()
	if place := entry.field(key); place != nil {
		*place = sp
	}
	return err
}

func (s *jsonCursor) repos(b *bundle, level int) error {
	byID := map[string]*repoEntry{}
	return s.ifObject(func(id string, _ int64) error {
		repo := &repoEntry{id: id}
		sp, err := s.measure(func() error {
			return s.ifObject(func(key string, _ int64) error { return s.repoField(repo, key, level) })
		})
		repo.span = sp
		if earlier := byID[id]; earlier != nil {
			*earlier = *repo
			return err
		}
		byID[id] = repo
		b.repos = append(b.repos, repo)
		return err
	})
}

func (s *jsonCursor) repoField(repo *repoEntry, key string, level int) (err error) {
	if key == "export" && s.kind() == ecmajson.Object && level < maxNesting {
		repo.export, err = s.bundle(level + 1)
		repo.exportSpan = repo.export.span
		return err
	}
	sp, err := s.span()
	switch key {
	case "path":
		repo.path = sp
	case "ok":
		repo.ok = sp
	case "error":
		repo.error = sp
	case "export":
		repo.export, repo.exportSpan = nil, sp
	}
	return err
}
