package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"agentxchain/internal/ecmajson"
)

// Kind is the kind of a bundle, spelled as its export_kind.
type Kind string

// The kinds of bundles.
const (
	// Run is the export of one governed project.
	Run Kind = "agentxchain_run_export"
	// Coordinator is the export of a workspace with the projects it coordinates.
	Coordinator Kind = "agentxchain_coordinator_export"
)

// Options says what is exported, and to where.
type Options struct {
	// Root is the project's or the workspace's folder. Required.
	Root string
	// Kind says which of the two Root is taken for. Required.
	Kind Kind
	// Path is the file to write. It is made beside its place and renamed when
	// it is complete and synced; missing folders are made. Empty means Out.
	Path string
	// Out gets the bundle when Path is empty. It may have received a part of
	// one when Build fails.
	Out io.Writer
	// Pretty indents by two spaces down to the file entries, with one record
	// of a JSONL file per line; otherwise the bundle is one line.
	Pretty bool
	// At is exported_at, in whole milliseconds; see [Time].
	At time.Time
	// Generator names the program that makes the bundle, with its version.
	Generator string
	// Git says how git is run.
	Git Git
	// Getenv reads the environment that git needs. Nil means none of it.
	Getenv func(string) string
	// TempDir is where a file of more than 1 MiB is copied to while it is
	// written to Out; empty means the system's. Without room there, it is
	// read again instead.
	TempDir string

	// read, if set, is told how many bytes were read of which governed file.
	read func(name string, n int)
}

// Result says what a bundle holds.
type Result struct {
	Kind Kind
	// Files counts the file entries, those of embedded projects included.
	Files int
	// AuditEntries counts the notification audit's records, likewise.
	AuditEntries int64
	// Repos and FailedRepos count the embedded projects and those that could
	// not be read.
	Repos, FailedRepos int
	// Bytes is the size of the bundle.
	Bytes int64
	// Warnings are for people: each names a file and what is odd about it.
	// They show no secrets.
	Warnings []string
}

// Build reads a project or workspace and writes one bundle. It changes nothing
// there, and memory does not grow with the files, except for what the summary
// itself holds.
//
// The error is [ErrNoProject] or [ErrLegacy] when there is nothing to export;
// any other one says which file could not be read or written.
func Build(ctx context.Context, opts Options) (Result, error) {
	if opts.Getenv == nil {
		opts.Getenv = func(string) string { return "" }
	}
	dir, err := filepath.Abs(opts.Root)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrNoProject, err)
	}
	opts.Root = dir
	if opts.Path != "" {
		// Before a folder is made for it, and below once more, links resolved.
		given, err := filepath.Abs(opts.Path)
		if err == nil {
			err = checkTarget(dir, given, opts.Path)
		}
		if err != nil {
			return Result{}, err
		}
	}
	target, err := findTarget(opts.Path)
	if err != nil {
		return Result{}, err
	}
	if err := checkTarget(dir, target.path, opts.Path); err != nil {
		return Result{}, err
	}
	if target.stream != nil {
		defer func() { _ = target.stream.Close() }() // what was written is checked by Write
		opts.Out, opts.Path = target.stream, ""
	} else {
		opts.Path = target.path
	}
	b := &builder{opts: opts, git: gitInspector{opts.Git, opts.Getenv}}
	b.reader.ctx = ctx
	b.reader.keeper = keeper{tempDir: opts.TempDir, stream: opts.Path == "", read: opts.read}
	return b.build()
}

// Time decides exported_at: the value of the flag --at if there is one, else
// the variable SOURCE_DATE_EPOCH (whole seconds since 1970, as defined by
// reproducible-builds.org), else now.
func Time(at string, getenv func(string) string, now time.Time) (time.Time, error) {
	if at != "" {
		t, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			return time.Time{}, fmt.Errorf("--at %q is not a time such as 2026-01-02T03:04:05Z (RFC 3339)", at)
		}
		return t, checkYear(t, "--at "+at)
	}
	if epoch := getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a whole number of seconds", epoch)
		}
		t := time.Unix(seconds, 0)
		return t, checkYear(t, "SOURCE_DATE_EPOCH "+epoch)
	}
	return now, nil
}

// checkYear refuses years that exported_at cannot spell in four digits.
func checkYear(t time.Time, what string) error {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Errorf("%s is not in the years 0 to 9999", what)
	}
	return nil
}

// builder makes one bundle.
type builder struct {
	opts   Options
	reader reader
	git    gitInspector
}

// timeLayout is how ECMAScript's Date.toISOString writes a time in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

func (b *builder) exportedAt() *ecmajson.Value {
	return ecmajson.NewString(b.opts.At.UTC().Format(timeLayout))
}

// draft is a bundle that has been read and can be written.
type draft interface {
	write(b *builder, d *document) error
	result() Result
	release()
}

func (b *builder) build() (Result, error) {
	c, err := b.readAll()
	if err != nil {
		return Result{}, err
	}
	defer c.release()
	result := c.result()
	if b.opts.Path == "" {
		result.Bytes, err = b.writeTo(newOutput(b.opts.Out, nil), c)
	} else {
		result.Bytes, err = b.writeFile(c)
	}
	return result, err
}

func (b *builder) readAll() (draft, error) {
	if b.opts.Kind == Coordinator {
		return b.readWorkspace()
	}
	return b.readRun(runSource{dir: b.opts.Root, path: ".", excluded: b.excluded(b.opts.Root)})
}

// excluded is the path of the bundle relative to dir, with slashes, or empty
// when it has none.
func (b *builder) excluded(dir string) string {
	if b.opts.Path == "" {
		return ""
	}
	rel, err := filepath.Rel(dir, b.opts.Path)
	if err != nil {
		return "" // on another drive
	}
	return filepath.ToSlash(rel)
}

func (b *builder) writeTo(o *output, c draft) (int64, error) {
	d := &document{output: o, pretty: b.opts.Pretty}
	err := c.write(b, d)
	d.text("\n")
	return o.position(), errors.Join(err, o.flush())
}

// target is where a bundle goes when a path was given: a file to be replaced,
// or something like a device or a named pipe, which is written to as it is.
type target struct {
	path   string
	stream *os.File
}

// findTarget resolves links, so that excluding the bundle from itself and
// renaming onto it both concern the real file.
func findTarget(path string) (target, error) {
	if path == "" {
		return target{}, nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return target{}, err
	}
	if resolved, err := filepath.EvalSymlinks(abs); err == nil {
		abs = resolved
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newTarget(abs, path)
	case err != nil:
		return target{}, err
	case info.IsDir():
		return target{}, fmt.Errorf("cannot write %q: it is a folder", path)
	case !info.Mode().IsRegular():
		f, err := os.OpenFile(abs, os.O_WRONLY, 0)
		return target{stream: f}, err
	}
	return target{path: abs}, nil
}

// newTarget makes the folder of a file that does not exist yet.
func newTarget(abs, path string) (target, error) {
	dir := filepath.Dir(abs)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return target{}, fmt.Errorf("cannot write %q: %w", path, err)
	}
	dir, err := filepath.EvalSymlinks(dir)
	return target{path: filepath.Join(dir, filepath.Base(abs))}, err
}

// writeFile writes the bundle beside its place, syncs it and renames it.
func (b *builder) writeFile(c draft) (n int64, err error) {
	dir := filepath.Dir(b.opts.Path)
	f, err := os.CreateTemp(dir, temporaryPrefix+"*"+temporarySuffix)
	if err != nil {
		return 0, fmt.Errorf("cannot write %q: %w", b.opts.Path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // closed already after the rename was tried
			_ = os.Remove(f.Name())
		}
	}()
	if n, err = b.writeTo(newOutput(nil, diskFile{f}), c); err != nil {
		return 0, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return 0, fmt.Errorf("cannot write %q: %w", b.opts.Path, err)
	}
	if err := os.Rename(f.Name(), b.opts.Path); err != nil {
		return 0, err
	}
	return n, syncDir(dir)
}

// diskFile is the bundle's file while it is written.
type diskFile struct{ *os.File }

func (f diskFile) push(offset, n int64) { startWriteback(f.File, offset, n) }

// write implements [draft].
func (r *run) write(b *builder, d *document) error { return b.writeRun(d, r) }

// result implements [draft].
func (r *run) result() Result {
	res := Result{Kind: Run, Files: len(r.entries), Warnings: r.warnings}
	if e := r.index[auditPath]; e != nil {
		res.AuditEntries = e.records
	}
	return res
}
