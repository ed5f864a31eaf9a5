package pyvalue

import (
	"hash/maphash"
	"iter"
)

// smallDict is the number of entries up to which a dict is searched from end to
// end, which is faster than hashing and allocates nothing.
const smallDict = 8

// Dict is a dict: in order of insertion, keys equal as Python has it (1, 1.0
// and True are one key). The zero Dict is empty and ready.
type Dict struct {
	entries []dictEntry
	live    int

	// index leads from a hash to the first entry that has it, once there are
	// more than smallDict entries; entries of one hash are chained.
	index map[uint64]int32
	seed  maphash.Seed
}

type dictEntry struct {
	key, value Value // both nil in an entry that was deleted
	hash       uint64
	next       int32 // entry with the same hash, -1 for none
}

// NewDict returns an empty dict with room for n entries.
func NewDict(n int) *Dict { return &Dict{entries: make([]dictEntry, 0, n)} }

// Len is the number of entries.
func (d *Dict) Len() int { return d.live }

// Get returns the value under key, and whether there is one. The error is a
// TypeError if key is unhashable, or a *BudgetError.
func (d *Dict) Get(m *Meter, key Value) (Value, bool, error) {
	at, _, err := d.find(m, key)
	if err != nil || at < 0 {
		return nil, false, err
	}
	return d.entries[at].value, true, nil
}

// GetStr returns the value under a text key, and whether there is one.
func (d *Dict) GetStr(key string) (Value, bool) {
	if d.index == nil {
		for i := range d.entries {
			if s, ok := d.entries[i].key.(Str); ok && s.s == key {
				return d.entries[i].value, true
			}
		}
	}
	v, found, err := d.Get(nil, Str{s: key})
	return v, found && err == nil
}

// Set puts value under key; a key that is there already keeps its place and its
// kind. Errors as of Get.
func (d *Dict) Set(m *Meter, key, value Value) error {
	at, hash, err := d.find(m, key)
	if err != nil {
		return err
	}
	if at >= 0 {
		d.entries[at].value = value
		return nil
	}
	if err := m.Alloc(4 * itemBytes); err != nil {
		return err
	}
	return d.add(m, dictEntry{key, value, hash, -1})
}

// SetStr puts value under a text key.
func (d *Dict) SetStr(key string, value Value) {
	_ = d.Set(nil, Str{s: key}, value) // text is hashable, and nobody counts
}

// Delete takes key out; it returns its value and whether there was one. Errors
// as of Get.
func (d *Dict) Delete(m *Meter, key Value) (Value, bool, error) {
	at, _, err := d.find(m, key)
	if err != nil || at < 0 {
		return nil, false, err
	}
	value := d.entries[at].value
	d.entries[at].key, d.entries[at].value = nil, nil
	d.live--
	for n := len(d.entries); n > 0 && d.entries[n-1].key == nil; n-- {
		d.unlink(n - 1)
		d.entries = d.entries[:n-1]
	}
	if len(d.entries) > 2*d.live+smallDict {
		return value, true, d.compact(m)
	}
	return value, true, nil
}

// last returns the key and value of the newest entry of a dict that has one.
func (d *Dict) last() (key, value Value) {
	e := d.entries[len(d.entries)-1]
	return e.key, e.value
}

// clear takes everything out.
func (d *Dict) clear() { *d = Dict{} }

// All yields the entries in order.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(key, value Value) bool) {
		for i := 0; i < len(d.entries); i++ {
			e := d.entries[i]
			if e.key != nil && !yield(e.key, e.value) {
				return
			}
		}
	}
}

// Keys returns the keys in order, as a new slice.
func (d *Dict) Keys() []Value {
	out := make([]Value, 0, d.live)
	for key := range d.All() {
		out = append(out, key)
	}
	return out
}

// Copy returns a shallow copy.
func (d *Dict) Copy() *Dict {
	out := &Dict{entries: make([]dictEntry, 0, d.live), live: d.live, seed: d.seed}
	for _, e := range d.entries {
		if e.key != nil {
			out.entries = append(out.entries, e)
		}
	}
	if d.index != nil {
		out.relink() // the hashes are known
	}
	return out
}

// find returns the place of key, or -1 and its hash if one was needed.
func (d *Dict) find(m *Meter, key Value) (at int, hash uint64, err error) {
	if d.index == nil {
		at, err = d.scan(m, key)
		return at, 0, err
	}
	if hash, err = hashValue(m, d.seed, key); err != nil {
		return -1, 0, err
	}
	at32, found := d.index[hash]
	for found && at32 >= 0 {
		e := &d.entries[at32]
		if e.key != nil {
			if same, err := same(m, e.key, key); err != nil || same {
				return int(at32), hash, err
			}
		}
		at32 = e.next
	}
	return -1, hash, nil
}

func (d *Dict) scan(m *Meter, key Value) (int, error) {
	if err := Hashable(m, key); err != nil {
		return -1, err
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.key == nil {
			continue
		}
		if same, err := same(m, e.key, key); err != nil || same {
			return i, err
		}
	}
	return -1, nil
}

func (d *Dict) add(m *Meter, e dictEntry) error {
	d.entries = append(d.entries, e)
	d.live++
	switch {
	case d.index != nil:
		d.link(len(d.entries) - 1)
	case len(d.entries) > smallDict:
		return d.reindex(m)
	}
	return nil
}

func (d *Dict) link(at int) {
	e := &d.entries[at]
	e.next = -1
	if first, taken := d.index[e.hash]; taken {
		e.next = first
	}
	d.index[e.hash] = int32(at)
}

// unlink takes the last entry, which is the first of its chain, out of the index.
func (d *Dict) unlink(at int) {
	if d.index == nil {
		return
	}
	e := d.entries[at]
	if e.next < 0 {
		delete(d.index, e.hash)
	} else {
		d.index[e.hash] = e.next
	}
}

func (d *Dict) reindex(m *Meter) error {
	d.seed = maphash.MakeSeed()
	for i := range d.entries {
		if d.entries[i].key == nil {
			continue
		}
		hash, err := hashValue(m, d.seed, d.entries[i].key)
		if err != nil {
			return err
		}
		d.entries[i].hash = hash
	}
	d.relink()
	return nil
}

func (d *Dict) relink() {
	d.index = make(map[uint64]int32, len(d.entries))
	for i := range d.entries {
		d.link(i)
	}
}

// compact drops the entries that were deleted.
func (d *Dict) compact(m *Meter) error {
	if err := m.Step(len(d.entries) / 8); err != nil {
		return err
	}
	kept := make([]dictEntry, 0, d.live)
	for _, e := range d.entries {
		if e.key != nil {
			kept = append(kept, e)
		}
	}
	d.entries = kept
	if d.index != nil {
		d.relink()
	}
	return nil
}

// DictView is a live view of a dict.
type DictView struct {
	Dict *Dict
	Of   ViewOf
}

// ViewOf says what a DictView shows.
type ViewOf uint8

// A view shows keys, values, or pairs as tuples.
const (
	ViewKeys ViewOf = iota
	ViewValues
	ViewItems
)

// items returns what the view shows now.
func (v *DictView) items() []Value {
	out := make([]Value, 0, v.Dict.live)
	for key, value := range v.Dict.All() {
		out = append(out, v.show(key, value))
	}
	return out
}

func (v *DictView) show(key, value Value) Value {
	switch v.Of {
	case ViewKeys:
		return key
	case ViewValues:
		return value
	}
	return NewTuple(key, value)
}

// Set is a set, printed in order of insertion (in Python in order of hashes).
// Templates meet one only as the difference of two views of keys.
type Set struct{ d Dict }

// TypeName is "dict".
func (*Dict) TypeName() string { return "dict" }

// TypeName is "dict_keys", "dict_values" or "dict_items".
func (v *DictView) TypeName() string {
	switch v.Of {
	case ViewKeys:
		return "dict_keys"
	case ViewValues:
		return "dict_values"
	}
	return "dict_items"
}

// TypeName is "set".
func (*Set) TypeName() string { return "set" }

func (*Dict) sealed()     {}
func (*DictView) sealed() {}
func (*Set) sealed()      {}
