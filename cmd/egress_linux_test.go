package cmd_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// worldBinary names the binary to the test that runs in a network of its own.
const worldBinary = "AGENTXCHAIN_TEST_WORLD"

// TestPublicEgress runs the real binary where the whole internet is one
// machine: in a network namespace whose loopback has public and private
// addresses, with a name server that says what a case wants it to say. What
// the public tier refuses would be answered there, so a call that slips
// through is seen.
func TestPublicEgress(t *testing.T) {
	if bin := os.Getenv(worldBinary); bin != "" {
		newWorld(t, bin).run(t)
		return
	}
	needNetworkNamespaces(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "unshare", "-rnm", self, "-test.run=^TestPublicEgress$")
	c.Env = append(os.Environ(), worldBinary+"="+binary(t))
	out, err := c.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "cases: ") {
			fmt.Print(line)
		}
	}
	if err != nil {
		t.Errorf("in its own network: %v\n%s", err, out)
	}
}

// needNetworkNamespaces skips where this user may make no networks.
func needNetworkNamespaces(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("unshare", "-rnm", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Skipf("no network namespaces here: %v: %s", err, out)
	}
}

// here are the addresses of the world's only machine beside those of loopback:
// two public ones, and others that nobody may be sent to.
func here() (public, others []netip.Addr) {
	parse := func(list ...string) (addrs []netip.Addr) {
		for _, a := range list {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs
	}
	return parse("9.9.9.9", "2620:fe::fe"), parse(
		"10.0.0.5", "172.16.0.5", "192.168.0.5", "100.64.0.5", "192.0.0.192", "198.18.0.5", "203.0.113.5",
		"169.254.169.254", "100.100.100.200", "168.63.129.16", "240.0.0.5",
		"fd00:ec2::254", "fec0::5", "2001:db8::5", "64:ff9b::a00:5", "64:ff9b:1::a00:5", "2002:a00:5::1", "2001:0:a00:5::1", "::10.0.0.5",
	)
}

// world is the machine and what is observed on it.
type world struct {
	bin string
	dns *nameServer
	mu  sync.Mutex
	// reached counts the connections to each address, requests those to each path.
	reached  map[netip.Addr]int
	requests map[string]int
}

// newWorld sets up the addresses, the resolver and the receivers.
func newWorld(t *testing.T, bin string) *world {
	t.Helper()
	w := &world{bin: bin, reached: map[netip.Addr]int{}, requests: map[string]int{}}
	public, others := here()
	script := "ip link set lo up\n"
	for _, a := range append(public, others...) {
		script += fmt.Sprintf("ip addr add %v/%d dev lo\n", a, a.BitLen())
	}
	resolver := filepath.Join(t.TempDir(), "resolv.conf")
	write(t, resolver, "nameserver 127.0.0.1\noptions timeout:5 attempts:1\n")
	script += "mount --bind '" + resolver + "' \"$(readlink -f /etc/resolv.conf)\"\n"
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w.dns = newNameServer(t)
	w.listen(t)
	return w
}

// listen answers HTTP on port 80 of every address: a redirect where the path
// asks for one, 204 otherwise.
func (w *world) listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler:           http.HandlerFunc(w.answer),
		ConnState: func(c net.Conn, s http.ConnState) {
			if s == http.StateNew {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.reached[netip.MustParseAddrPort(c.LocalAddr().String()).Addr().Unmap()]++
			}
		},
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
}

func (w *world) answer(to http.ResponseWriter, q *http.Request) {
	w.mu.Lock()
	w.requests[q.URL.Path]++
	w.mu.Unlock()
	if elsewhere := q.URL.Query().Get("to"); elsewhere != "" {
		to.Header().Set("Location", elsewhere)
		to.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	to.WriteHeader(http.StatusNoContent)
}

// forget begins a new count and returns the old one. Connections are counted
// in the order in which they were made, so that after a request of its own
// everything before that has been.
func (w *world) forget(t *testing.T) (reached map[netip.Addr]int, requests map[string]int) {
	t.Helper()
	ask(t, netip.MustParseAddr("9.9.9.9"))
	w.mu.Lock()
	defer w.mu.Unlock()
	reached, requests = w.reached, w.requests
	w.reached, w.requests = map[netip.Addr]int{}, map[string]int{}
	return reached, requests
}

// nameServer answers A and AAAA queries on port 53.
type nameServer struct {
	mu sync.Mutex
	// answers has the addresses of each name, one list per time that it is
	// asked for; the last list stays. asked counts per name and type.
	answers map[string][][]netip.Addr
	asked   map[string]int
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	sock, err := net.ListenPacket("udp4", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{answers: map[string][][]netip.Addr{}, asked: map[string]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 1500); ; {
			n, from, err := sock.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = sock.WriteTo(s.answer(buf[:n]), from) // the asker may have gone
		}
	}()
	t.Cleanup(func() { sock.Close(); <-done })
	return s
}

// say sets the answers for a name; each is a list separated by blanks.
func (s *nameServer) say(name string, answers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name], s.asked[name+" 1"], s.asked[name+" 28"] = nil, 0, 0
	for _, a := range answers {
		var list []netip.Addr
		for _, one := range strings.Fields(a) {
			list = append(list, netip.MustParseAddr(one))
		}
		s.answers[name] = append(s.answers[name], list)
	}
}

// queries returns how often a name was asked for, per type of address.
func (s *nameServer) queries(name string) (v4, v6 int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name+" 1"], s.asked[name+" 28"]
}

// answer turns a query with one question into its answer (RFC 1035, section 4.1).
func (s *nameServer) answer(query []byte) []byte {
	var labels []string
	end := 12
	for ; query[end] != 0; end += int(query[end]) + 1 {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
	}
	kind := int(query[end+1])<<8 | int(query[end+2])
	addrs, known := s.next(strings.ToLower(strings.Join(labels, ".")), kind)
	m := slices.Clone(query[:end+5])
	m[2], m[3] = 0x85, 0x80 // an answer with authority; recursion is there
	if !known {
		m[3] |= 3 // no such name
	}
	copy(m[4:], []byte{0, 1, 0, byte(len(addrs)), 0, 0, 0, 0})
	for _, a := range addrs {
		m = append(m, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(a.BitLen()/8))
		m = append(m, a.AsSlice()...)
	}
	return m
}

// next returns the addresses of one type for this time of asking.
func (s *nameServer) next(name string, kind int) (addrs []netip.Addr, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lists := s.answers[name]
	key := fmt.Sprint(name, " ", kind)
	i := min(s.asked[key], len(lists)-1)
	s.asked[key]++
	if i < 0 {
		return nil, false
	}
	for _, a := range lists[i] {
		if a.Is4() == (kind == 1) && (kind == 1 || kind == 28) {
			addrs = append(addrs, a)
		}
	}
	return addrs, true
}

// called is one webhook of a case: where it is, what its name resolves to, and
// what must come of a call.
type called struct {
	url, dns string
	reason   string
}

// publicCases are calls in the public tier, by name.
func publicCases() map[string]called {
	cases := map[string]called{
		"name":        {"http://hook.example/name", "9.9.9.9", "delivered"},
		"name-v6":     {"http://hook6.example/name-v6", "2620:fe::fe", "delivered"},
		"name-both":   {"http://both.example/name-both", "9.9.9.9 2620:fe::fe", "delivered"},
		"literal":     {"http://9.9.9.9/literal", "", "delivered"},
		"literal-v6":  {"http://[2620:fe::fe]/literal-v6", "", "delivered"},
		"nobody":      {"http://nobody.example/", "", "dns"},
		"mixed":       {"http://mixed.example/", "9.9.9.9 10.0.0.5", "blocked"},
		"mixed-types": {"http://types.example/", "9.9.9.9 fd00:ec2::254", "blocked"},
		"mapped-name": {"http://mapped.example/", "::ffff:10.0.0.5", "blocked"},
		"any-name":    {"http://any.example/", "0.0.0.0", "blocked"},
		"google":      {"http://metadata.google.internal/", "9.9.9.9", "blocked"},
		"localhost":   {"http://localhost/", "", "blocked"},
		"sub-local":   {"http://a.localhost/", "9.9.9.9", "blocked"},
	}
	for i, literal := range []string{
		"0.0.0.0", "0", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::]", "[::1]", "[::ffff:127.0.0.1]",
		"167772165", "0x0a000005", "012.0.0.5", "[::ffff:10.0.0.5]", "[::ffff:a9fe:a9fe]", "224.0.0.1", "255.255.255.255",
	} {
		cases[fmt.Sprintf("spelling-%d", i)] = called{"http://" + literal + "/", "", "blocked"}
	}
	_, others := here()
	for i, a := range others {
		cases[fmt.Sprintf("address-%d", i)] = called{"http://" + netip.AddrPortFrom(a, 80).String() + "/", "", "blocked"}
		name := fmt.Sprintf("other-%d.example", i)
		cases[fmt.Sprintf("resolved-%d", i)] = called{"http://" + name + "/", a.String(), "blocked"}
		cases[fmt.Sprintf("redirect-%d", i)] = called{fmt.Sprintf("http://hook.example/redirect-%d?to=http://%v/", i, netip.AddrPortFrom(a, 80)), "", "redirect"}
	}
	cases["redirect-local"] = called{"http://hook.example/redirect-local?to=http://127.0.0.1/", "", "redirect"}
	return cases
}

// publicSource is a configuration file whose webhooks are held to the public tier.
type publicSource struct {
	name    string
	project func(t testing.TB, hooks []hook) (dir string)
	env     []string
	emit    []string
}

// publicSources name a proxy that no call may go through.
func publicSources() []publicSource {
	const proxy = "HTTP_PROXY=http://10.0.0.5"
	return []publicSource{
		{
			"agentxchain.json, tightened",
			func(t testing.TB, hooks []hook) string { return project(t, hooks...) },
			[]string{proxy, "AGENTXCHAIN_EGRESS=public"},
			[]string{"notify", "emit", "run_blocked", "--json"},
		},
		{
			"gateway.yaml", gatewayFolder,
			[]string{proxy},
			[]string{"notify", "emit", "on_error", "--agent", "report-agent", "--execution-id", "e-1", "--error", "it broke", "--attempts", "1", "--json"},
		},
	}
}

// gatewayFolder makes a folder with a gateway.yaml and nothing else.
func gatewayFolder(t testing.TB, hooks []hook) string {
	t.Helper()
	type named struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	}
	var webhooks []named
	for _, h := range hooks {
		webhooks = append(webhooks, named{h.Name, h.URL})
	}
	// JSON is YAML, too.
	b, err := json.Marshal(map[string]any{"notifications": map[string]any{"webhooks": webhooks}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "gateway.yaml"), string(b))
	return dir
}

// run makes every call from every source.
func (w *world) run(t *testing.T) {
	w.checkReachable(t)
	cases := publicCases()
	for _, c := range cases {
		if host := strings.Split(c.url, "/")[2]; c.dns != "" {
			w.dns.say(host, c.dns)
		}
	}
	for _, source := range publicSources() {
		t.Run(source.name, func(t *testing.T) {
			names := make([]string, 0, len(cases))
			for name := range cases {
				names = append(names, name)
			}
			slices.Sort(names)
			for batch := range slices.Chunk(names, 8) {
				w.check(t, source, cases, batch)
			}
			w.checkRebinding(t, source)
		})
		ran(t, "public egress: "+source.name, len(cases)+2)
	}
}

// checkReachable makes sure that each address would answer: a guard is not
// proved by a network that goes nowhere.
func (w *world) checkReachable(t *testing.T) {
	t.Helper()
	public, others := here()
	for _, a := range slices.Concat(public, others, []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}) {
		ask(t, a)
	}
	dir := project(t, to("private", "http://10.0.0.5/private"))
	governed := publicSource{env: []string{"NO_PROXY=*"}, emit: []string{"notify", "emit", "run_blocked", "--json"}}
	if o := w.emit(t, governed, dir); !o["private"].Delivered {
		t.Errorf("the governed tier does not reach a private address: %+v", o)
	}
	w.forget(t)
}

// ask makes a request of the test's own.
func ask(t *testing.T, a netip.Addr) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + netip.AddrPortFrom(a, 80).String() + "/ask")
	if err != nil {
		t.Errorf("the world has no %v: %v", a, err)
		return
	}
	resp.Body.Close()
}

// emit runs the binary and returns the outcome of each target.
func (w *world) emit(t *testing.T, source publicSource, dir string) map[string]outcome {
	t.Helper()
	c := exec.CommandContext(t.Context(), w.bin, source.emit...)
	c.Dir, c.Env = dir, append(os.Environ(), source.env...)
	p := finish(t, c)
	if p.code != 0 {
		t.Fatalf("exit %d\n%s%s", p.code, p.stdout, p.stderr)
	}
	return outcomesOf(t, p.stdout)
}

// check emits to some of the cases and looks at what arrived where.
func (w *world) check(t *testing.T, source publicSource, cases map[string]called, names []string) {
	t.Helper()
	var hooks []hook
	for _, name := range names {
		hooks = append(hooks, to(name, cases[name].url))
	}
	outcomes := w.emit(t, source, source.project(t, hooks))
	reached, requests := w.forget(t)
	w.wantPublicOnly(t, reached)
	for _, name := range names {
		c, o := cases[name], outcomes[name]
		if o.Reason != c.reason || o.Delivered != (c.reason == "delivered") {
			t.Errorf("%s (%s): %+v, want %s", name, c.url, o, c.reason)
		}
		if arrived := c.reason == "delivered" || c.reason == "redirect"; requests["/"+name] != count(arrived) {
			t.Errorf("%s (%s): %d requests", name, c.url, requests["/"+name])
		}
	}
	if requests["/"] != 0 {
		t.Errorf("%v: %d refused calls arrived", names, requests["/"])
	}
}

func count(one bool) int {
	if one {
		return 1
	}
	return 0
}

// wantPublicOnly wants no connection, not even one without a request, to have
// been made to anything but a public address.
func (w *world) wantPublicOnly(t *testing.T, reached map[netip.Addr]int) {
	t.Helper()
	public, _ := here()
	for a, n := range reached {
		if !slices.Contains(public, a) {
			t.Errorf("%d connections to %v", n, a)
		}
	}
}

// checkRebinding calls names that change their meaning from one answer to the
// next: what was judged is what is dialled, because nobody asks in between.
func (w *world) checkRebinding(t *testing.T, source publicSource) {
	t.Helper()
	dir := source.project(t, []hook{to("turns", "http://turns.example/turns"), to("back", "http://back.example/back")})
	w.dns.say("turns.example", "9.9.9.9", "127.0.0.1")
	w.dns.say("back.example", "10.0.0.5", "9.9.9.9")
	for i, want := range []map[string]string{
		{"turns": "delivered", "back": "blocked"},
		{"turns": "blocked", "back": "delivered"},
	} {
		outcomes := w.emit(t, source, dir)
		reached, requests := w.forget(t)
		w.wantPublicOnly(t, reached)
		for name, reason := range want {
			if outcomes[name].Reason != reason || requests["/"+name] != count(reason == "delivered") {
				t.Errorf("time %d, %s: %+v, %d requests, want %s", i+1, name, outcomes[name], requests["/"+name], reason)
			}
			if v4, v6 := w.dns.queries(name + ".example"); v4 != i+1 || v6 != i+1 {
				t.Errorf("time %d: %s was resolved %d and %d times", i+1, name, v4, v6)
			}
		}
	}
}
