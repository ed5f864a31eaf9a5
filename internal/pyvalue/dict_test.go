package pyvalue_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"agentxchain/internal/pyvalue"

	"pgregory.net/rapid"
)

func TestEqualKeys(t *testing.T) {
	d := pyvalue.NewDict(0)
	big70 := pyvalue.NewInt(new(big.Int).Lsh(big.NewInt(1), 70))
	fill := func() {
		for i := range 20 { // more than are searched from end to end
			d.SetStr(fmt.Sprint("key", i), pyvalue.None{})
		}
	}
	same := [][]pyvalue.Value{
		{pyvalue.Int(1), pyvalue.Float(1), pyvalue.Bool(true)},
		{pyvalue.Float(0), pyvalue.Int(0), pyvalue.Float(math.Copysign(0, -1)), pyvalue.Bool(false)},
		{big70, pyvalue.Float(math.Pow(2, 70))},
		{pyvalue.NewStr("a"), pyvalue.Markup("a"), pyvalue.MarkJSON(pyvalue.NewStr("a"))},
		{pyvalue.NewTuple(pyvalue.Int(1), pyvalue.None{}), pyvalue.NewTuple(pyvalue.Float(1), pyvalue.None{})},
		{&pyvalue.Range{Stop: 3, Step: 2}, &pyvalue.Range{Stop: 4, Step: 2}},
		{&pyvalue.Undefined{Name: pyvalue.NewStr("a")}, &pyvalue.Undefined{}},
		{pyvalue.None{}},
		{pyvalue.Float(0.5)},
		{pyvalue.NewStr("1")},
	}
	for _, full := range []bool{false, true} {
		d = pyvalue.NewDict(0)
		if full {
			fill()
		}
		before := d.Len()
		for _, keys := range same {
			for i, key := range keys {
				if err := d.Set(nil, key, pyvalue.Int(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if d.Len() != before+len(same) {
			t.Errorf("full %v: %d keys, want %d", full, d.Len()-before, len(same))
		}
	}
}

// TestDictIsOrdered compares a dict with a slice of pairs.
func TestDictIsOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := pyvalue.NewDict(0)
		var keys []int
		values := map[int]int{}
		for i := range rapid.IntRange(0, 60).Draw(t, "operations") {
			key := rapid.IntRange(0, 20).Draw(t, "key")
			boxed := pyvalue.Value(pyvalue.Int(key))
			if rapid.Bool().Draw(t, "delete") {
				if _, _, err := d.Delete(nil, boxed); err != nil {
					t.Fatal(err)
				}
				keys = slices.DeleteFunc(keys, func(k int) bool { return k == key })
				delete(values, key)
				continue
			}
			if err := d.Set(nil, boxed, pyvalue.Int(i)); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
			values[key] = i
		}
		want := "{"
		for i, key := range keys {
			if i > 0 {
				want += ", "
			}
			want += fmt.Sprintf("%d: %d", key, values[key])
		}
		if got, err := pyvalue.Repr(nil, d); err != nil || got != want+"}" || d.Len() != len(keys) {
			t.Fatalf("got %s (%d), want %s}", got, d.Len(), want)
		}
	})
}

func TestChangedWhileIterated(t *testing.T) {
	d := pyvalue.NewDict(0)
	d.SetStr("a", pyvalue.None{})
	it, err := pyvalue.Iterate(nil, d)
	if err != nil {
		t.Fatal(err)
	}
	d.SetStr("b", pyvalue.None{})
	if _, _, err := it.Next(nil); kindOfError(err) != "RuntimeError" {
		t.Errorf("dict: %v", err)
	}
	l := pyvalue.NewList(pyvalue.Int(1))
	it, err = pyvalue.Iterate(nil, l)
	if err != nil {
		t.Fatal(err)
	}
	l.Items = append(l.Items, pyvalue.Int(2))
	for want := range 2 {
		if v, more, err := it.Next(nil); v != pyvalue.Value(pyvalue.Int(want+1)) || !more || err != nil {
			t.Errorf("list: %v, %v, %v", v, more, err)
		}
	}
	if _, more, _ := it.Next(nil); more {
		t.Error("list does not end")
	}
	if l.Items = append(l.Items, pyvalue.Int(3)); true {
		if _, more, _ := it.Next(nil); more {
			t.Error("list goes on after its end")
		}
	}
}

// TestCollisions fills a dict so that keys are found by hash, and takes all out
// again, from both ends.
func TestCollisions(t *testing.T) {
	d := pyvalue.NewDict(0)
	for i := range 1000 {
		if err := d.Set(nil, pyvalue.Int(i), pyvalue.Int(-i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 {
		for _, key := range []int{i, 999 - i} {
			v, found, err := d.Delete(nil, pyvalue.Float(key))
			if v != pyvalue.Value(pyvalue.Int(-key)) || !found || err != nil {
				t.Fatalf("%d: %v, %v, %v", key, v, found, err)
			}
		}
		if _, found, _ := d.Get(nil, pyvalue.Int(i)); found {
			t.Fatalf("%d is still there", i)
		}
	}
	if d.Len() != 0 || len(d.Keys()) != 0 {
		t.Errorf("%d left", d.Len())
	}
}
