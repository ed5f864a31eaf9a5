package egress

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"agentxchain/internal/fixtures"
)

// vector is one line of a file of URLs: what must come of calling URL when
// names resolve as DNS says.
type vector struct {
	ID       string              `json:"id"`
	URL      string              `json:"url"`
	DNS      map[string][]string `json:"dns"`
	ShouldBe string              `json:"should_be"`
	Rule     string              `json:"rule"`
}

func readVectors(t *testing.T, name string) []vector {
	t.Helper()
	f, err := os.Open(fixtures.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []vector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// errReached is what a call of a test ends with when nothing refused it.
var errReached = errors.New("reached")

// offline makes a guard resolve from dns and stop short of the network: it
// does all that a real dialer does, and then notes the address.
func offline(g *Guard, dns map[string][]string) (reached *[]netip.AddrPort) {
	reached = new([]netip.AddrPort)
	g.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		var list []netip.Addr
		for _, a := range dns[host] {
			list = append(list, netip.MustParseAddr(a))
		}
		if list == nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return list, nil
	}
	g.dial = func(_ context.Context, d *net.Dialer, to netip.AddrPort) (net.Conn, error) {
		if err := d.Control("tcp", to.String(), nil); err != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
		*reached = append(*reached, to)
		return nil, errReached
	}
	return reached
}

// call sends a request and returns its error.
func call(t *testing.T, g *Guard, url string) error {
	t.Helper()
	if err := g.CheckURL(url); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatalf("allowed by CheckURL, refused by net/http: %v", err)
	}
	resp, err := g.Client().Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

func TestVectors(t *testing.T) {
	for _, file := range []struct {
		name string
		tier Tier
	}{
		{"agent-gateway/ssrf-urls.jsonl", Public},
		{"egress/governed-urls.jsonl", Governed},
	} {
		t.Run(file.name, func(t *testing.T) {
			vectors := readVectors(t, file.name)
			for _, v := range vectors {
				t.Run(v.ID, func(t *testing.T) { checkVector(t, file.tier, v) })
			}
			fixtures.Ran(t, file.name, len(vectors))
		})
	}
}

func checkVector(t *testing.T, tier Tier, v vector) {
	g := New(Config{Tier: tier})
	reached := offline(g, v.DNS)
	err := call(t, g, v.URL)
	got := "blocked"
	if len(*reached) > 0 {
		got = "allowed"
	}
	if got != v.ShouldBe {
		t.Fatalf("%s: %s, should be %s: %v", v.URL, got, v.ShouldBe, err)
	}
	if got == "allowed" {
		return
	}
	var refusal *Refusal
	var dns *net.DNSError
	if !errors.As(err, &refusal) && !errors.As(err, &dns) {
		t.Errorf("%s: %v, want a Refusal or a failed lookup", v.URL, err)
	}
	if v.Rule != "" && (refusal == nil || !strings.Contains(refusal.Rule, v.Rule)) {
		t.Errorf("%s: %v, want rule %q", v.URL, err, v.Rule)
	}
	if refusal != nil && refusal.Reason() != "blocked" {
		t.Errorf("reason %q", refusal.Reason())
	}
}
