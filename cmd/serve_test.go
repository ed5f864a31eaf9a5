package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds what a test waits for; nothing is asserted about how long
// anything takes.
const patience = 30 * time.Second

// serving is the real binary at work.
type serving struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	stderr lockedBuffer
	exited chan struct{}
}

// lockedBuffer is written by a process while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts the real binary in dir and waits until it answers.
func serve(t testing.TB, dir string, env []string, args ...string) *serving {
	t.Helper()
	s := &serving{t: t, exited: make(chan struct{})}
	s.cmd = exec.Command(binary(t), append([]string{"serve", "--listen", "127.0.0.1:0", "--json"}, args...)...)
	s.cmd.Dir, s.cmd.Stderr = dir, &s.stderr
	s.cmd.Env = append(os.Environ(), env...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var said struct{ URL string }
	if err != nil || json.Unmarshal(line, &said) != nil || said.URL == "" {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		t.Fatalf("serve said %q (%v)\nstderr: %s", line, err, s.stderr.String())
	}
	s.url = said.URL
	go func() {
		_ = s.cmd.Wait() // the code is in ProcessState
		close(s.exited)
	}()
	t.Cleanup(func() { s.stop(syscall.SIGTERM) })
	return s
}

// stop ends the process and returns its exit code.
func (s *serving) stop(sig syscall.Signal) int {
	s.t.Helper()
	_ = s.cmd.Process.Signal(sig) // it may have ended by itself
	return s.wait()
}

// wait waits for the end of the process and returns its exit code.
func (s *serving) wait() int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("serve did not end\nstderr: %s", s.stderr.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// ask makes one request and returns the answer.
func (s *serving) ask(method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req) //nolint:forbidigo // a test asks its own server
	if err != nil {
		s.t.Fatalf("%s %s: %v\nstderr: %s", method, path, err, s.stderr.String())
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// row is one item of the list.
type row struct {
	ID, EventType, Channel, Target, Status, ExecutionID, AgentID string
	Attempts                                                     int
	LastError, DeliveredAt                                       *string
}

func (r *row) UnmarshalJSON(b []byte) error {
	var v struct {
		ID          string  `json:"id"`
		EventType   string  `json:"event_type"`
		Channel     string  `json:"channel"`
		Target      string  `json:"target"`
		Status      string  `json:"status"`
		ExecutionID string  `json:"execution_id"`
		AgentID     string  `json:"agent_id"`
		Attempts    int     `json:"attempts"`
		LastError   *string `json:"last_error"`
		DeliveredAt *string `json:"delivered_at"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*r = row{v.ID, v.EventType, v.Channel, v.Target, v.Status, v.ExecutionID, v.AgentID, v.Attempts, v.LastError, v.DeliveredAt}
	return nil
}

// list asks for rows.
func (s *serving) list(query string) []row {
	s.t.Helper()
	status, body := s.ask(http.MethodGet, "/v1/notifications"+query, "")
	var answer struct{ Items []row }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		s.t.Fatalf("list: %d %s", status, body)
	}
	return answer.Items
}

// until asks for rows until they are as wanted.
func (s *serving) until(what, query string, ok func([]row) bool) []row {
	s.t.Helper()
	var last []row
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if last = s.list(query); ok(last) {
			return last
		}
		select {
		case <-s.exited:
			s.t.Fatalf("%s: serve ended: %s", what, s.stderr.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.t.Fatalf("%s: still %+v\nstderr: %s", what, last, s.stderr.String())
	return nil
}

// sick is a receiver that can be ill.
type sick struct {
	*httptest.Server
	well   atomic.Bool
	mu     sync.Mutex
	bodies [][]byte
}

func patient(t testing.TB, well bool) *sick {
	s := &sick{}
	s.well.Store(well)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) // what did not come is missing in bodies
		s.mu.Lock()
		s.bodies = append(s.bodies, b)
		s.mu.Unlock()
		if !s.well.Load() {
			w.WriteHeader(http.StatusGone)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sick) got() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.bodies...)
}

// TestServeShowsWhatCommandsDid takes over what an emit could not deliver, and
// takes in what it and the Node CLI recorded.
func TestServeShowsWhatCommandsDid(t *testing.T) {
	well, ill := patient(t, true), patient(t, false)
	dir := project(t, to("ops", well.URL), to("pager", ill.URL))
	execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	node := `{"event_id":"notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P","event_type":"run_completed","notification_name":"node","transport":"webhook","delivered":true,"status_code":200,"timed_out":false,"duration_ms":7,"message":"Delivered","emitted_at":"2026-03-04T05:06:07.089Z"}` + "\n"
	appendTo(t, filepath.Join(dir, ".agentxchain", "notification-audit.jsonl"), node)

	s := serve(t, dir, nil)
	rows := s.until("three rows", "", func(rows []row) bool { return len(rows) == 3 })
	byTarget := map[string]row{}
	for _, r := range rows {
		byTarget[r.Target] = r
	}
	if r := byTarget["ops"]; r.Status != "delivered" || r.Attempts != 1 || r.LastError != nil || r.DeliveredAt == nil {
		t.Errorf("ops: %+v", r)
	}
	if r := byTarget["pager"]; r.Status != "failed" || r.Attempts != 1 || r.LastError == nil || !strings.Contains(*r.LastError, "410") {
		t.Errorf("pager: %+v", r)
	}
	if r := byTarget["node"]; r.Status != "delivered" || r.EventType != "run_completed" {
		t.Errorf("node: %+v", r)
	}
	if status, body := s.ask(http.MethodPost, "/v1/notifications/"+byTarget["node"].ID+"/retry", ""); status != http.StatusConflict {
		t.Errorf("retry of what is delivered: %d %s", status, body)
	}

	ill.well.Store(true)
	if status, body := s.ask(http.MethodPost, "/v1/notifications/"+byTarget["pager"].ID+"/retry", ""); status != http.StatusAccepted {
		t.Fatalf("retry: %d %s", status, body)
	}
	s.until("delivered after all", "?target=pager", func(rows []row) bool {
		return len(rows) == 1 && rows[0].Status == "delivered" && rows[0].Attempts == 2
	})
	if b := ill.got(); len(b) != 2 || !bytes.Equal(b[0], b[1]) {
		t.Errorf("the pager got %q", b)
	}
	if code := s.stop(syscall.SIGTERM); code != 143 {
		t.Errorf("exit code %d\nstderr: %s", code, s.stderr.String())
	}
	execute(t, dir, nil, "export", "--output", filepath.Join(t.TempDir(), "b.json")).want(t, 0)
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// TestServeTakesOverWhileCommandsRun emits beside a serving process whose
// receiver is ill, and mends it.
func TestServeTakesOverWhileCommandsRun(t *testing.T) {
	ill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer ill.Close()
	dir := project(t, to("ops", ill.URL))
	s := serve(t, dir, nil)
	for range 5 {
		execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	}
	rows := s.until("five rows that were attempted", "", func(rows []row) bool {
		for _, r := range rows {
			if r.Attempts == 0 || r.LastError == nil {
				return false
			}
		}
		return len(rows) == 5
	})
	for _, r := range rows {
		if r.Status == "delivered" || !strings.Contains(*r.LastError, "503") {
			t.Errorf("%+v", r)
		}
	}
	p := execute(t, dir, nil, "notify", "pending", "--json").want(t, 0)
	if n := strings.Count(p.stdout, `"event_id"`); n != 5 {
		t.Errorf("%d pending: %s", n, p.stdout)
	}
}

// TestServeRefuses is what must not come up at all.
func TestServeRefuses(t *testing.T) {
	dir := project(t)
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	for _, c := range []struct {
		name, gateway string
		args          []string
		want          string
	}{
		{"no address", "", []string{"--listen", "8787"}, "--listen"},
		{"no port", "", []string{"--listen", "127.0.0.1:http2"}, "is no port"},
		{"beyond loopback, no gateway.yaml", "", []string{"--listen", "0.0.0.0:0"}, "open to other machines"},
		{"beyond loopback, no keys", "auth: {enabled: true}\n", []string{"--listen", ":0"}, "needs no key"},
		{"beyond loopback, auth off", "auth: {enabled: false, api_keys: [{name: a, key: k}]}\n", []string{"--listen", ":0"}, "needs no key"},
		{"beyond loopback, open dashboard", "auth: {api_keys: [{name: a, key: k}]}\ndashboard: {enabled: true, auth: {enabled: false}}\n", []string{"--listen", ":0"}, "needs no password"},
		{"nobody can log in", "dashboard: {enabled: true}\n", nil, "admin_username"},
		{"a broken file", "notifications: [\n", nil, "gateway.yaml"},
		{"a broken template", "notifications:\n  webhooks:\n    - {name: a, url: https://a.example, payload_template: '{{ x'}\n", nil, "end of template"},
		{"the port is taken", "", []string{"--listen", strings.TrimPrefix(taken.URL, "http://")}, "in use"},
		{"no workers", "", []string{"--workers", "0"}, "--workers"},
		{"a database of another kind", "persistence: {url: 'mysql://h/db'}\n", nil, "names no database"},
		{"a database that is away", "persistence: {backend: postgresql, url: 'postgresql+asyncpg://u:s3cretpw@127.0.0.1:1/db'}\n", nil, "127.0.0.1:1"},
		{"a folder that is not there", "persistence: {url: 'sqlite:///nowhere/x.db'}\n", nil, "nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			if err := os.CopyFS(home, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if c.gateway != "" {
				write(t, filepath.Join(home, "gateway.yaml"), c.gateway)
			}
			args := append([]string{"serve", "--listen", "127.0.0.1:0"}, c.args...)
			p := execute(t, home, nil, args...).want(t, 2)
			if !strings.Contains(p.stderr, c.want) || strings.Contains(p.stderr, "s3cretpw") || p.stdout != "" {
				t.Errorf("stderr: %s\nstdout: %s", p.stderr, p.stdout)
			}
		})
	}
}

func TestServeCheckOpensNothing(t *testing.T) {
	dir := project(t)
	execute(t, dir, nil, "serve", "--check").want(t, 0)
	if _, err := os.Stat(filepath.Join(dir, ".agentxchain", "notify")); !os.IsNotExist(err) {
		t.Errorf("--check left something: %v", err)
	}
}

// TestServeReloads takes a new configuration at SIGHUP, and keeps the old one
// when the new one has an error.
func TestServeReloads(t *testing.T) {
	one, two := patient(t, true), patient(t, true)
	dir := project(t, to("ops", one.URL))
	write(t, filepath.Join(dir, "gateway.yaml"), "persistence: {url: 'sqlite+aiosqlite:///log.db'}\nqueue: {backend: database}\nauth: {api_keys: [{name: ci, key: first-key}]}\n")
	s := serve(t, dir, nil)
	get := func(key string) int {
		status, _ := s.ask(http.MethodGet, "/v1/notifications", "", "Authorization", "Bearer "+key)
		return status
	}
	if a, b := get("first-key"), get("second-key"); a != 200 || b != 401 {
		t.Fatalf("before: %d and %d", a, b)
	}
	execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	await(t, "the first receiver", func() bool { return len(one.got()) == 1 })

	write(t, filepath.Join(dir, "gateway.yaml"), "persistence: {url: 'sqlite+aiosqlite:///log.db'}\nqueue: {backend: database}\nauth: {api_keys: [{name: ci, key: second-key}]\n")
	s.hangUp("refused")
	if line := lastLine(s.stderr.String()); !strings.Contains(line, "old one stays") || !strings.Contains(line, "gateway.yaml:4:1: ") {
		t.Errorf("the log does not say in one line what is refused and where: %s", s.stderr.String())
	}
	if a, b := get("first-key"), get("second-key"); a != 200 || b != 401 {
		t.Errorf("after a broken file: %d and %d", a, b)
	}

	write(t, filepath.Join(dir, "gateway.yaml"), "persistence: {url: 'sqlite+aiosqlite:///other.db'}\nqueue: {backend: database}\nauth: {api_keys: [{name: ci, key: second-key}]}\n")
	s.hangUp("another database")
	if a, b := get("first-key"), get("second-key"); a != 200 || b != 401 {
		t.Errorf("after another database: %d and %d", a, b)
	}

	other := project(t, to("ops", two.URL))
	b, err := os.ReadFile(filepath.Join(other, "agentxchain.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "agentxchain.json"), string(b))
	write(t, filepath.Join(dir, "gateway.yaml"), "persistence: {url: 'sqlite+aiosqlite:///log.db'}\nqueue: {backend: database}\nauth: {api_keys: [{name: ci, key: second-key}]}\n")
	s.hangUp("read again")
	if a, b := get("first-key"), get("second-key"); a != 401 || b != 200 {
		t.Errorf("after: %d and %d", a, b)
	}
	p := execute(t, dir, nil, "notify", "emit", "run_completed", "--json").want(t, 0)
	if !strings.Contains(p.stdout, `"queued":1`) {
		t.Errorf("the emit did not leave it to the process that serves: %s", p.stdout)
	}
	await(t, "the second receiver", func() bool { return len(two.got()) == 1 })
	if n := len(one.got()); n != 1 {
		t.Errorf("the old receiver got %d", n)
	}

	write(t, filepath.Join(dir, "gateway.yaml"), "persistence: {enabled: false}\nauth: {api_keys: [{name: ci, key: third-key}]}\n")
	s.hangUp("another database")
	if _, list := s.ask(http.MethodGet, "/v1/notifications", "", "Authorization", "Bearer second-key"); !strings.Contains(list, `"total":2`) {
		t.Errorf("what is kept is not shown: %s", list)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// hangUp sends SIGHUP and waits for what the process says of it.
func (s *serving) hangUp(word string) {
	s.t.Helper()
	before := strings.Count(s.stderr.String(), word)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	await(s.t, "word of the reload", func() bool { return strings.Count(s.stderr.String(), word) > before })
}

func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-ticks.C {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: nothing in %v", what, patience)
}

// TestServeDrains lets a request that is under way end, and records it.
func TestServeDrains(t *testing.T) {
	begun, resume := make(chan struct{}, 8), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-resume
	}))
	defer slow.Close()
	dir := project(t, to("slow", slow.URL))
	write(t, filepath.Join(dir, "gateway.yaml"), "persistence: {}\nqueue: {backend: database}\n")
	s := serve(t, dir, nil)
	execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	<-begun
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "the address to be closed", func() bool {
		resp, err := http.Get(s.url + "/v1/health") //nolint:forbidigo // a test asks its own server
		if err == nil {
			_ = resp.Body.Close()
		}
		return err != nil
	})
	close(resume)
	if code := s.wait(); code != 143 {
		t.Errorf("exit code %d", code)
	}
	p := execute(t, dir, nil, "notify", "log", "--json").want(t, 0)
	if strings.Count(p.stdout, `"delivered":true`) != 1 {
		t.Errorf("log: %s\nstderr of serve: %s", p.stdout, s.stderr.String())
	}
}

// TestEmitWithoutItsDatabase still alerts, and says what is wrong.
func TestEmitWithoutItsDatabase(t *testing.T) {
	for _, queue := range []string{"none", "database"} {
		t.Run(queue, func(t *testing.T) {
			ops := patient(t, true)
			dir := project(t, to("ops", ops.URL))
			write(t, filepath.Join(dir, "gateway.yaml"), fmt.Sprintf("persistence: {backend: postgres, url: 'postgres://u:s3cretpw@127.0.0.1:1/db'}\nqueue: {backend: %s}\n", queue))
			p := execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 2)
			if len(ops.got()) != 1 || !strings.Contains(p.stdout, "delivered") {
				t.Errorf("got %d; stdout: %s", len(ops.got()), p.stdout)
			}
			if !strings.Contains(p.stderr, "127.0.0.1:1") || strings.Contains(p.stderr, "s3cretpw") {
				t.Errorf("stderr: %s", p.stderr)
			}
			if !strings.Contains(p.stderr, "only in the outbox") || strings.Contains(p.stderr, "could not be kept") {
				t.Errorf("it is kept, and that is not said: %s", p.stderr)
			}
			p = execute(t, dir, nil, "notify", "pending").want(t, 2)
			if strings.Contains(p.stderr, "nothing is undelivered") {
				t.Errorf("pending can't know that: %s", p.stderr)
			}
		})
	}
}

// TestRetryTellsWhatIsBeingSent is about a delivery that another process is
// sending: it is neither sent twice nor called delivered.
func TestRetryTellsWhatIsBeingSent(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(begun) })
		<-end
	}))
	defer slow.Close()
	dir := project(t, to("ops", slow.URL))
	write(t, filepath.Join(dir, "gateway.yaml"), "persistence: {url: 'sqlite+aiosqlite:///log.db'}\nqueue: {backend: database}\n")
	serve(t, dir, nil)
	defer close(end)
	p := execute(t, dir, nil, "notify", "emit", "run_blocked").want(t, 0)
	if !strings.Contains(p.stdout, "ops  queued  for `agentxchain serve` to send") {
		t.Errorf("emit said %q", p.stdout)
	}
	<-begun
	p = execute(t, dir, nil, "notify", "retry").want(t, 1)
	if !strings.Contains(p.stderr, "another process is sending it: 1 target") || strings.Contains(p.stderr, "nothing is undelivered") {
		t.Errorf("retry said %q", p.stderr)
	}
}
