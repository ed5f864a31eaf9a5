package pipeline

import (
	"sync"
	"sync/atomic"
	"testing"

	"agentxchain/internal/project"
)

// Who asks must not be taken for who serves, nor keep it from beginning.
func TestServing(t *testing.T) {
	root := project.Root{Dir: t.TempDir(), Kind: project.Run}
	ask := func(want bool, meanwhile func()) {
		t.Helper()
		var wrong atomic.Int64
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				for range 50 {
					if served(t.Context(), root) != want {
						wrong.Add(1)
					}
				}
			})
		}
		meanwhile()
		asking.Wait()
		if n := wrong.Load(); n > 0 {
			t.Errorf("%d of 400 answers are not %v", n, want)
		}
	}
	ask(false, func() {})
	quit, err := Serving(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	ask(true, func() {
		for range 50 {
			another, err := Serving(t.Context(), root)
			if err != nil {
				t.Fatal(err)
			}
			if err := another(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := quit(); err != nil {
		t.Fatal(err)
	}
	ask(false, func() {})
}
