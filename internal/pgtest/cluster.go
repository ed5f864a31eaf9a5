package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Mode is how a cluster is stopped.
type Mode int

const (
	// Fast ends every session, writes a checkpoint and leaves.
	Fast Mode = iota
	// Immediate leaves as a crash would: the next start replays the log.
	// Sessions are told.
	Immediate
)

// patience is how long a cluster may take to answer after its start, which
// may replay a log, and to end after it was told to.
const patience = time.Minute

// Cluster is one PostgreSQL server with its data. Its methods may be called
// from several goroutines, except that who stops it must know that nobody
// else starts it.
type Cluster struct {
	dir    string // holds the data, the socket and the log
	bin    string // the folder of initdb and postgres
	as     *syscall.SysProcAttr
	port   int
	last   atomic.Int64 // the number of the newest database
	mu     sync.Mutex
	server *exec.Cmd // nil while stopped
	guard  *watchdog
}

// Open makes a cluster and starts it. Its error is [ErrAbsent] where
// PostgreSQL is not installed.
func Open() (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	as, owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := folder(owner)
	if err != nil {
		return nil, fmt.Errorf("pgtest: make the cluster's folder: %w", err)
	}
	c := &Cluster{dir: dir, bin: bin, as: as}
	if c.guard, err = watch(dir); err == nil {
		err = errors.Join(c.initialise(), c.listen())
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// programs returns the folder that has both initdb and postgres: the first of
// PATH, else that of the newest version that Debian's packages put beside it.
func programs() (string, error) {
	places := filepath.SplitList(os.Getenv("PATH"))
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(debian, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range append(places, debian...) {
		// Links are followed, because initdb looks for postgres beside itself.
		initdb, err := filepath.EvalSymlinks(filepath.Join(dir, "initdb"))
		if err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(initdb), "postgres")); err == nil {
			return filepath.Dir(initdb), nil
		}
	}
	return "", ErrAbsent
}

// version reads the 15 of /usr/lib/postgresql/15/bin; 0 if there is none.
func version(bin string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	if err != nil {
		return 0
	}
	return n
}

// folder makes a temporary folder that belongs to owner (-1: to ourselves),
// under one that everybody may pass through: TMPDIR may lie in somebody's home.
func folder(owner int) (string, error) {
	parent := os.TempDir()
	if owner >= 0 && !passable(parent) {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "pgtest-")
	if err != nil || owner < 0 {
		return dir, err
	}
	return dir, os.Chown(dir, owner, -1)
}

// passable says whether everybody may enter dir and all that it lies in.
func passable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) log() string { return filepath.Join(c.dir, "log") }

// initialise makes the data. --no-sync spares initdb its own sync of files
// that nobody needs after a crash of the machine.
func (c *Cluster) initialise() error {
	cmd := c.command("initdb", "--pgdata="+c.data(), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w: %s", err, out)
	}
	return nil
}

// command prepares one of PostgreSQL's programs, as a user it accepts and with
// nothing of our environment that would change what it does.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, c.as
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + c.dir}
	return cmd
}

// listen starts the server for the first time, at a port that is free. Another
// process can take the port between the look and the start, so it looks again.
func (c *Cluster) listen() error {
	var err error
	for range 10 {
		if c.port, err = freePort(); err != nil {
			return err
		}
		if err = c.Up(); err == nil || !strings.Contains(err.Error(), "could not bind") {
			return err
		}
	}
	return err
}

// freePort finds a port below those that systems hand out by themselves, so
// that nobody is given it while the server is stopped for a moment.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("pgtest: no free port: %w", last)
}

// Up starts a stopped server at the port it had, and returns once it answers.
func (c *Cluster) Up() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		return errors.New("pgtest: the cluster runs already")
	}
	log, err := os.OpenFile(c.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("pgtest: open the server's log: %w", err)
	}
	defer log.Close()
	cmd := c.command("postgres", "-D", c.data())
	for _, setting := range c.settings() {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("pgtest: start postgres: %w", err)
	}
	c.server = cmd
	if err := c.ready(); err != nil {
		return fmt.Errorf("pgtest: postgres does not answer: %w; its log ends: %s", err, c.tail())
	}
	return nil
}

func (c *Cluster) settings() []string {
	return []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(c.port), "unix_socket_directories=" + c.dir,
		"max_connections=60", "shared_buffers=128MB", "logging_collector=off", "log_min_messages=warning",
		"fsync=on", "synchronous_commit=on", "full_page_writes=on",
	}
}

// ready waits until the server takes a connection. It asks the server's own
// process too, so that one that has left is not waited for.
func (c *Cluster) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := c.ping(ctx)
		if err == nil || c.left() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *Cluster) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// tail returns the last lines of the server's log.
func (c *Cluster) tail() string {
	text, err := os.ReadFile(c.log())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// Down stops the server and returns when its process has ended. To stop what
// is stopped is no error.
func (c *Cluster) Down(how Mode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return nil
	}
	signal := syscall.SIGINT
	if how == Immediate {
		signal = syscall.SIGQUIT
	}
	server := c.server
	c.server = nil
	if err := server.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgtest: stop postgres: %w", err)
	}
	late := time.AfterFunc(patience, func() { _ = server.Process.Kill() })
	defer late.Stop()
	// An exit code is no error here: the server was told to leave.
	if err := server.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		return fmt.Errorf("pgtest: wait for postgres: %w", err)
	}
	return nil
}

// Restart stops the server and starts it again. Its databases, address and
// whatever was committed stay.
func (c *Cluster) Restart(how Mode) error {
	if err := c.Down(how); err != nil {
		return err
	}
	return c.Up()
}

// Close stops the server for good and removes its data. To close again is no
// error.
func (c *Cluster) Close() error {
	err := c.Down(Immediate)
	guard := c.guard
	c.guard = nil
	return errors.Join(err, guard.stop(), os.RemoveAll(c.dir))
}

// URL returns the address of the named database, over loopback.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

// Address returns the server's host and port, for somebody who stands in
// between.
func (c *Cluster) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)) }

// Program returns the path of one of the programs that came with the server,
// such as psql. It may not be there.
func (c *Cluster) Program(name string) string { return filepath.Join(c.bin, name) }

// PID returns the process that answers for the server, 0 while it is stopped.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return 0
	}
	return c.server.Process.Pid
}

// Create makes an empty database and returns its name.
func (c *Cluster) Create(ctx context.Context) (string, error) {
	name := "test_" + strconv.FormatInt(c.last.Add(1), 10)
	if err := c.exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("pgtest: create a database: %w", err)
	}
	return name, nil
}

// drop removes a database and ends its sessions. A stopped server's databases
// go with its folder.
func (c *Cluster) drop(ctx context.Context, name string) error {
	if c.PID() == 0 {
		return nil
	}
	return c.exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
}

func (c *Cluster) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// watchdog is a process that outlives ours by a moment: once we are gone,
// killed or not, it stops the server and removes its folder.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// watch starts the watchdog of the cluster in dir. It notices our end by the
// end of its standard input.
func watch(dir string) (*watchdog, error) {
	const script = `read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null &&
	while kill -0 "$pid" 2>/dev/null; do sleep 1; done
rm -rf "$1"`
	cmd := exec.Command("/bin/sh", "-c", script, "watchdog", dir)
	cmd.SysProcAttr = detached()
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("pgtest: start the watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("pgtest: start the watchdog: %w", err)
	}
	return &watchdog{cmd, pipe}, nil
}

// stop lets the watchdog do its work and go.
func (w *watchdog) stop() error {
	if w == nil {
		return nil
	}
	return errors.Join(w.pipe.Close(), w.cmd.Wait())
}
