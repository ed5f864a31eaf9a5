package project

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestSiteIsMadeOnce(t *testing.T) {
	r := Root{Dir: tree(t, map[string]string{ConfigName: "{}"}), Kind: Run}
	names := make([]string, 16)
	var making sync.WaitGroup
	for i := range names {
		making.Go(func() {
			var err error
			if names[i], err = r.Site(); err != nil {
				t.Error(err)
			}
		})
	}
	making.Wait()
	for _, name := range names {
		if len(name) != 26 || name != names[0] {
			t.Fatalf("names: %q", names)
		}
	}
	entries, err := os.ReadDir(r.OwnPath())
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 { // .gitignore and site
		t.Errorf("left behind: %v", entries)
	}
	other := Root{Dir: tree(t, map[string]string{ConfigName: "{}"}), Kind: Run}
	if name, err := other.Site(); err != nil || name == names[0] {
		t.Errorf("another project is %q too (%v)", name, err)
	}
}

func TestSiteRefusesWhatItDidNotMake(t *testing.T) {
	for _, text := range []string{"", "short\n", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz\n", "ABCDEFGHIJKLMNOPQRSTUVWXYZ\n\n"} {
		r := Root{Dir: tree(t, map[string]string{ConfigName: "{}"}), Kind: Run}
		if _, err := r.OwnDir(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.OwnPath(), "site"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if name, err := r.Site(); err == nil {
			t.Errorf("%q was taken for the name %q", text, name)
		}
	}
}
