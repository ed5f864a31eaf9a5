package project

import (
	"errors"
	"testing"
)

func TestLocks(t *testing.T) {
	r := Root{Dir: tree(t, map[string]string{ConfigName: "{}"}), Kind: Run}
	take := func(name string, m Mode, want error) func() error {
		t.Helper()
		l, err := r.TryLock(name, m)
		if !errors.Is(err, want) {
			t.Fatalf("lock %s: %v, want %v", name, err, want)
		}
		return l
	}
	give := func(ls ...func() error) {
		t.Helper()
		for _, l := range ls {
			if err := l(); err != nil {
				t.Fatal(err)
			}
		}
	}
	one, two := take("serve", Shared, nil), take("serve", Shared, nil)
	take("serve", Exclusive, ErrLocked)
	other := take("other", Exclusive, nil)
	take("other", Shared, ErrLocked)
	give(one)
	take("serve", Exclusive, ErrLocked)
	give(two, other)
	give(take("serve", Exclusive, nil))
}
