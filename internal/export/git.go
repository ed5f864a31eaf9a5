package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/ecmajson"
)

// Git says how git is run. A repository's own configuration can name programs
// that git would start; none of them is started (see [gitRunner.override]).
type Git struct {
	// Path is the git to run; empty looks for one in PATH.
	Path string
	// Timeout bounds everything that is asked of git; 0 means 10 seconds.
	Timeout time.Duration
}

const (
	gitTimeout = 10 * time.Second
	// gitOutput is how much git may say. More means unknown, not clean.
	gitOutput = 32 << 20
)

// gitState is workspace.git. The zero value is a folder outside any work tree.
type gitState struct {
	repo  bool
	head  string
	dirty []string
	// unknown says why git could not tell; then nothing is called clean.
	unknown string
}

// Texts of restore_blockers; all but the last are the Node CLI's.
const (
	blockerNoRepo  = "Export restore requires a git-backed checkout on the source machine."
	blockerNoHead  = "Export restore requires a stable git HEAD in the source checkout."
	blockerOutside = "Dirty path outside governed continuity roots: "
	blockerUnknown = "Export restore requires a work tree that git can describe: "
)

// value returns workspace.git in the key order of contract, section 6.5.
func (g gitState) value() *ecmajson.Value {
	blockers := []string{}
	switch {
	case !g.repo:
		blockers = append(blockers, blockerNoRepo)
	case g.unknown != "":
		blockers = append(blockers, blockerUnknown+g.unknown)
	case g.head == "":
		blockers = append(blockers, blockerNoHead)
	}
	for _, p := range outsideRestoreRoots(g.dirty) {
		blockers = append(blockers, blockerOutside+p)
	}
	return ecmajson.NewObject().
		Set("is_repo", ecmajson.NewBool(g.repo)).
		Set("head_sha", ecmajson.NewStringOrNull(g.head)).
		Set("dirty_paths", ecmajson.NewStrings(g.dirty)).
		Set("restore_supported", ecmajson.NewBool(len(blockers) == 0)).
		Set("restore_blockers", ecmajson.NewStrings(blockers))
}

// gitRunner runs git in one folder with nothing of the caller's environment
// but what git needs to find itself and its user's settings.
type gitRunner struct {
	path string
	dir  string
	env  []string
	// config holds name-value pairs that win over every configuration file.
	config [][2]string
}

// gitInspector asks git about folders.
type gitInspector struct {
	git    Git
	getenv func(string) string
}

// inspect describes the work tree that dir lies in. excluded, if not empty, is
// a file below dir that is not held against the tree: the bundle itself.
func (g gitInspector) inspect(ctx context.Context, dir, excluded string) gitState {
	if !insideRepository(dir) {
		return gitState{}
	}
	timeout := g.git.Timeout
	if timeout == 0 {
		timeout = gitTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	state, err := g.ask(limited, dir, excluded)
	if err != nil {
		if errors.Is(limited.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("git took longer than %s", timeout)
		}
		return gitState{repo: true, unknown: err.Error()}
	}
	return state
}

// insideRepository reports whether dir or a folder above it has a .git. It
// decides without git, so that a missing git is not mistaken for no repository.
func insideRepository(dir string) bool {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return false
		}
		dir = parent
	}
}

func (g gitInspector) ask(ctx context.Context, dir, excluded string) (gitState, error) {
	run, err := g.runner(dir)
	if err != nil {
		return gitState{}, err
	}
	if err := run.checkVersion(ctx); err != nil {
		return gitState{}, err
	}
	if err := run.override(ctx); err != nil {
		return gitState{}, err
	}
	place, err := run.output(ctx, "rev-parse", "--is-inside-work-tree", "--show-prefix")
	if err != nil {
		return gitState{}, err
	}
	prefix, inside := strings.CutPrefix(strings.TrimSuffix(string(place), "\n"), "true\n")
	if !inside || !holdsGit(dir, prefix) {
		return gitState{}, errors.New("core.worktree points to another folder")
	}
	status, err := run.output(ctx, "status", "--porcelain=v2", "--branch", "-z",
		"--no-renames", "--untracked-files=all", "--ignore-submodules=dirty")
	if err != nil {
		return gitState{}, err
	}
	return parseStatus(status, prefix, excluded)
}

func (g gitInspector) runner(dir string) (*gitRunner, error) {
	program := g.git.Path
	if program == "" {
		found, err := exec.LookPath("git")
		if err != nil {
			return nil, errors.New("git was not found")
		}
		program = found
	}
	env := []string{
		"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_PAGER=", "GIT_EDITOR=false",
		"GIT_OPTIONAL_LOCKS=0", // never write the index
		// A partial clone fetches missing objects, and a transport is a
		// program that the repository chooses.
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none",
	}
	for _, name := range []string{"PATH", "HOME", "XDG_CONFIG_HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "SYSTEMROOT", "TMPDIR", "TEMP"} {
		if v := g.getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return &gitRunner{path: program, dir: dir, env: env, config: [][2]string{
		{"core.fsmonitor", "false"},
		{"core.hooksPath", os.DevNull},
		{"core.sshCommand", "false"},
		{"status.submoduleSummary", "false"},
		{"submodule.recurse", "false"},
	}}, nil
}

// checkVersion refuses a git that would ignore our overrides: they travel in
// GIT_CONFIG_COUNT, known since 2.31, because a command line cannot carry
// every name that a hostile configuration may use.
func (r *gitRunner) checkVersion(ctx context.Context) error {
	out, err := r.output(ctx, "version")
	if err != nil {
		return err
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "git version %d.%d", &major, &minor); err != nil {
		return errors.New("git did not tell its version")
	}
	if major < 2 || major == 2 && minor < 31 {
		return fmt.Errorf("git %d.%d is too old to be run safely, 2.31 is needed", major, minor)
	}
	return nil
}

// override switches off every filter that the configuration defines. Git runs
// them to compare a file with its blob, and the .gitattributes of the
// repository say for which files.
func (r *gitRunner) override(ctx context.Context) error {
	list, err := r.output(ctx, "config", "--list", "--name-only", "-z")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(string(list), "\x00") {
		section, rest, _ := strings.Cut(name, ".")
		if !strings.EqualFold(section, "filter") {
			continue
		}
		switch dot := strings.LastIndexByte(rest, '.'); strings.ToLower(rest[dot+1:]) {
		case "clean", "smudge", "process":
			r.config = append(r.config, [2]string{name, ""})
		case "required":
			r.config = append(r.config, [2]string{name, "false"})
		}
	}
	return nil
}

// holdsGit reports whether the .git lies at the top of the work tree that git
// found: a configuration can point git at any other folder of the machine.
// prefix is where dir lies in the work tree.
func holdsGit(dir, prefix string) bool {
	for range strings.Count(prefix, "/") {
		dir = filepath.Dir(dir)
	}
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// output runs git and returns what it prints. Errors carry no text of git's:
// it would name folders of this machine.
func (r *gitRunner) output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.path, args...)
	cmd.Dir = r.dir
	cmd.WaitDelay = time.Second
	cmd.Env = append([]string{"GIT_CONFIG_COUNT=" + strconv.Itoa(len(r.config))}, r.env...)
	for i, pair := range r.config {
		cmd.Env = append(cmd.Env,
			fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, pair[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, pair[1]))
	}
	var out limitedBuffer
	cmd.Stdout = &out
	err := cmd.Run()
	switch {
	case out.overflow:
		return nil, fmt.Errorf("git %s printed more than %d bytes", args[0], gitOutput)
	case err != nil:
		return nil, fmt.Errorf("git %s failed", args[0])
	}
	return out.held.Bytes(), nil
}

// limitedBuffer holds at most [gitOutput] bytes. It embeds no buffer: io.Copy
// would find its ReadFrom and go around the limit.
type limitedBuffer struct {
	held     bytes.Buffer
	overflow bool
}

// Write implements [io.Writer]; it fails once the limit is reached, which ends git.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.held.Len()+len(p) > gitOutput {
		b.overflow = true
		return 0, io.ErrShortBuffer
	}
	return b.held.Write(p)
}

// parseStatus reads porcelain version 2 with NUL between records. Paths come
// relative to the top of the work tree and leave relative to the project,
// which lies at prefix.
func parseStatus(status []byte, prefix, excluded string) (gitState, error) {
	g := gitState{repo: true}
	for record := range strings.SplitSeq(string(status), "\x00") {
		if oid, ok := strings.CutPrefix(record, "# branch.oid "); ok && oid != "(initial)" {
			g.head = oid
		}
		if record == "" || record[0] == '#' {
			continue
		}
		name, ok := statusPath(record)
		if !ok {
			return gitState{}, errors.New("git status printed what it should not")
		}
		if name = relativeTo(prefix, name); name != excluded {
			g.dirty = append(g.dirty, bundleKey(name))
		}
	}
	sortByLocale(g.dirty)
	return g, nil
}

// statusPath returns the path of one record: the field after a fixed number of
// others, which may itself hold blanks.
func statusPath(record string) (string, bool) {
	fields := map[byte]int{'?': 1, '1': 8, 'u': 10}[record[0]]
	if fields == 0 {
		return "", false
	}
	for range fields {
		var found bool
		if _, record, found = strings.Cut(record, " "); !found {
			return "", false
		}
	}
	return record, record != ""
}

// relativeTo turns a path below the top of the work tree into one relative to
// the folder prefix, which is empty or ends in a slash.
func relativeTo(prefix, name string) string {
	up := ""
	for !strings.HasPrefix(name, prefix) {
		up += "../"
		prefix = path.Dir(strings.TrimSuffix(prefix, "/")) + "/"
		if prefix == "./" {
			prefix = ""
		}
	}
	return up + strings.TrimPrefix(name, prefix)
}
