package export

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"

	"github.com/google/go-cmp/cmp"
)

// difference is one line of testdata/differences.json: where our bundle of a
// fixture differs from the Node CLI's, and which decision says so.
type difference struct{ Area, Case, Field, Ours, Peer, Decision string }

func readDifferences(t *testing.T) map[string]difference {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(fixtures.Root(t), "testdata", "differences.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatalf("differences.json: %v", err)
	}
	found := map[string]difference{}
	for _, entry := range list {
		var area struct{ Area string }
		if err := json.Unmarshal(entry, &area); err != nil {
			t.Fatalf("differences.json: %v", err)
		}
		if area.Area != "export" {
			continue
		}
		var d difference
		if err := json.Unmarshal(entry, &d); err != nil {
			t.Fatalf("differences.json: %v", err)
		}
		found[d.Case+" "+d.Field] = d
	}
	return found
}

// TestPeerExports holds our bundles of the fixture projects to the Node CLI's.
func TestPeerExports(t *testing.T) {
	base := "agentxchain/exports/valid/"
	var manifest struct {
		Exports []struct{ File, Project string }
	}
	b, err := os.ReadFile(fixtures.Path(t, base+"manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	differences, ran := readDifferences(t), 0
	for _, c := range manifest.Exports {
		root, ok := fixtures.Lookup(t, "agentxchain/projects/"+c.Project)
		file, ok2 := fixtures.Lookup(t, base+c.File)
		if !ok || !ok2 {
			continue
		}
		ran++
		t.Run(c.File, func(t *testing.T) {
			peer, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compareWithPeer(t, root, c.File, parseBundle(t, peer), differences)
		})
	}
	fixtures.Ran(t, "exports of the fixture projects against the Node CLI's", ran)
}

func compareWithPeer(t *testing.T, root, name string, peer *ecmajson.Value, differences map[string]difference) {
	opts := testOptions(root)
	opts.Kind, opts.Pretty = Kind(peer.Get("export_kind").Str()), strings.Contains(name, ".output.")
	written, res := buildBytes(t, opts)
	ours := parseBundle(t, written)
	if n := ours.Get("files").Len(); opts.Kind == Run && n != res.Files {
		t.Errorf("Result.Files = %d, the bundle has %d", res.Files, n)
	}
	c := comparison{t: t, expected: map[string]difference{}}
	for key, d := range differences {
		if d.Case == name {
			c.expected[key] = d
		}
	}
	c.name = name
	c.bundle("", ours, peer)
	for key := range c.expected {
		t.Errorf("differences.json lists %q, which does not differ", key)
	}
}

// comparison walks two bundles; expected loses each difference it meets.
type comparison struct {
	t        *testing.T
	name     string
	expected map[string]difference
}

func (c *comparison) bundle(at string, ours, peer *ecmajson.Value) {
	want := append(keysOf(peer), "evidence")
	if d := cmp.Diff(want, keysOf(ours)); d != "" {
		c.t.Errorf("%skeys: %s", at, d)
	}
	for _, m := range peer.Members() {
		field, v := at+m.Key, ours.Get(m.Key)
		switch m.Key {
		case "exported_at", "workspace":
			if m.Key == "workspace" && !slices.Equal(keysOf(v.Get("git")), keysOf(m.Value.Get("git"))) {
				c.t.Errorf("%s.git: keys %v", field, keysOf(v.Get("git")))
			}
		case "summary":
			c.object(field+".", v, m.Value)
		case "files":
			c.files(field+".", v, m.Value)
		case "repos":
			if d := cmp.Diff(keysOf(m.Value), keysOf(v)); d != "" {
				c.t.Errorf("%s: keys: %s", field, d)
			}
			for _, repo := range m.Value.Members() {
				c.repo(field+"."+repo.Key+".", v.Get(repo.Key), repo.Value)
			}
		default:
			c.equal(field, v, m.Value)
		}
	}
}

func (c *comparison) repo(at string, ours, peer *ecmajson.Value) {
	if d := cmp.Diff(keysOf(peer), keysOf(ours)); d != "" {
		c.t.Errorf("%skeys: %s", at, d)
	}
	c.equal(at+"path", ours.Get("path"), peer.Get("path"))
	c.equal(at+"ok", ours.Get("ok"), peer.Get("ok"))
	if peer.Get("ok").True() {
		c.bundle(at+"export.", ours.Get("export"), peer.Get("export"))
	}
}

func (c *comparison) object(at string, ours, peer *ecmajson.Value) {
	if d := cmp.Diff(keysOf(peer), keysOf(ours)); d != "" {
		c.t.Errorf("%skeys: %s", at, d)
	}
	for _, m := range peer.Members() {
		c.equal(at+m.Key, ours.Get(m.Key), m.Value)
	}
}

// files compares entries. One that the peer cut must be complete in ours.
func (c *comparison) files(at string, ours, peer *ecmajson.Value) {
	keys := slices.DeleteFunc(keysOf(ours), func(key string) bool {
		extra := !peer.Has(key)
		if extra {
			c.equal(at+key, ecmajson.NewString("present"), ecmajson.NewString("absent"))
		}
		return extra
	})
	if d := cmp.Diff(keysOf(peer), keys); d != "" {
		c.t.Errorf("%skeys: %s", at, d)
	}
	for _, m := range peer.Members() {
		mine, entry := ours.Get(m.Key), m.Value
		if entry.Get("content_base64").Is(ecmajson.Null) {
			for _, key := range []string{"format", "bytes", "sha256"} {
				c.equal(at+m.Key+"."+key, mine.Get(key), entry.Get(key))
			}
			if err := checkEntry(mine); err != nil {
				c.t.Errorf("%s%s: %v", at, m.Key, err)
			}
			continue
		}
		c.object(at+m.Key+".", mine, entry)
	}
}

func (c *comparison) equal(field string, ours, peer *ecmajson.Value) {
	if ecmajson.Equal(ours, peer) {
		return
	}
	key := c.name + " " + field
	d, listed := c.expected[key]
	got, want := string(ecmajson.Append(nil, ours)), string(ecmajson.Append(nil, peer))
	if !listed {
		c.t.Errorf("%s: ours %.300s, the peer's %.300s", field, got, want)
		return
	}
	delete(c.expected, key)
	if got != d.Ours || want != d.Peer {
		c.t.Errorf("%s: ours %.300s, the peer's %.300s; listed are %s and %s", field, got, want, d.Ours, d.Peer)
	}
}

func keysOf(v *ecmajson.Value) []string {
	keys := make([]string, 0, v.Len())
	for _, m := range v.Members() {
		keys = append(keys, m.Key)
	}
	return keys
}

// checkEntry recomputes everything that an entry says about its content.
func checkEntry(e *ecmajson.Value) error {
	if d := cmp.Diff([]string{"format", "bytes", "sha256", "content_base64", "data"}, keysOf(e)); d != "" {
		return fmt.Errorf("keys: %s", d)
	}
	return checkContent(e)
}
