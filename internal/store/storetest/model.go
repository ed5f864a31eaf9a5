package storetest

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
)

// nobody owns a free event; the dead owned an orphan.
const (
	nobody = -1
	dead   = -2
)

// entry is an event as the contract says it must be.
type entry struct {
	owner int // index of a store, nobody or dead
	ds    []delivery.Delivery
	open  map[string]bool
}

// model drives some owners of one store and knows what each must find.
type model struct {
	h      Harness
	place  string
	stores []Store
	all    map[string]*entry
	made   int
}

// testModel does random things to a store and to a model of it, and compares
// what both say.
func testModel(t *testing.T, h Harness) {
	fewer(t, "rapid.checks", "30")
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{h: h, place: h.Fresh(t), all: make(map[string]*entry)}
		for range 2 {
			m.stores = append(m.stores, m.open(rt))
		}
		defer func() {
			for _, s := range m.stores {
				if err := s.Close(); err != nil {
					rt.Errorf("close: %v", err)
				}
			}
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"add":     m.add,
			"claim":   m.claim,
			"begin":   m.begin,
			"finish":  m.finish,
			"die":     m.die,
			"orphans": m.orphans,
			"":        m.check,
		})
	})
}

// fewer sets a flag of rapid, whose defaults are for checks that touch no
// files, unless the command line sets it.
func fewer(t *testing.T, name, value string) {
	f := flag.Lookup(name)
	if f == nil || f.Value.String() != f.DefValue {
		return
	}
	ok(t, f.Value.Set(value))
	t.Cleanup(func() { ok(t, f.Value.Set(f.DefValue)) })
}

func (m *model) open(rt *rapid.T) Store {
	s, err := m.h.Open(m.place)
	if err != nil {
		rt.Fatalf("open: %v", err)
	}
	return s
}

func (m *model) store(rt *rapid.T) int { return rapid.IntRange(0, len(m.stores)-1).Draw(rt, "store") }

// event draws an event, now and then one that is not in the store.
func (m *model) event(rt *rapid.T) (string, *entry) {
	if m.made == 0 {
		rt.Skip("no events yet")
	}
	id := fmt.Sprintf("notif_%03d", rapid.IntRange(1, m.made).Draw(rt, "event"))
	return id, m.all[id]
}

func (m *model) add(rt *rapid.T) {
	i := m.store(rt)
	m.made++
	in := intent(fmt.Sprintf("notif_%03d", m.made), rapid.IntRange(1, 3).Draw(rt, "deliveries"))
	e := &entry{owner: nobody, open: make(map[string]bool)}
	for j := range in.Deliveries {
		if rapid.Bool().Draw(rt, "sending") {
			e.owner, e.open[in.Deliveries[j].ID] = i, true
		} else {
			in.Deliveries[j].Status, in.Deliveries[j].Attempts = delivery.Pending, 0
		}
	}
	e.ds = slices.Clone(in.Deliveries)
	if err := m.stores[i].Add(rt.Context(), in); err != nil {
		rt.Fatalf("add: %v", err)
	}
	m.all[in.Deliveries[0].Event.ID] = e
}

func (m *model) claim(rt *rapid.T) {
	i := m.store(rt)
	id, e := m.event(rt)
	in, err := m.stores[i].Claim(rt.Context(), id)
	switch {
	case e == nil:
		mustBe(rt, err, delivery.ErrUnknown)
	case e.owner >= 0:
		mustBe(rt, err, delivery.ErrBusy)
	default:
		mustBe(rt, err, nil)
		m.took(rt, i, e, in)
	}
}

// took enters that store i claimed e and compares what it got.
func (m *model) took(rt *rapid.T, i int, e *entry, in delivery.Intent) {
	wantSame(rt, "claimed", in.Deliveries, e.ds)
	e.owner = i
	for _, d := range e.ds {
		e.open[d.ID] = true
	}
}

func (m *model) begin(rt *rapid.T) {
	i := m.store(rt)
	id, e := m.event(rt)
	if e == nil {
		mustBe(rt, m.stores[i].Begin(rt.Context(), intent(id, 1)), delivery.ErrLost)
		return
	}
	j := rapid.IntRange(0, len(e.ds)-1).Draw(rt, "delivery")
	d := e.ds[j]
	d.Status, d.LastReason = delivery.Sending, delivery.ReasonTimeout
	d.Attempts++
	err := m.stores[i].Begin(rt.Context(), delivery.Intent{Deliveries: []delivery.Delivery{d}})
	if e.owner != i || !e.open[d.ID] {
		mustBe(rt, err, delivery.ErrLost)
		return
	}
	mustBe(rt, err, nil)
	e.ds[j] = d
}

func (m *model) finish(rt *rapid.T) {
	i := m.store(rt)
	id, e := m.event(rt)
	if e == nil {
		mustBe(rt, m.stores[i].Finish(rt.Context(), intent(id, 1).Deliveries...), delivery.ErrLost)
		return
	}
	j := rapid.IntRange(0, len(e.ds)-1).Draw(rt, "delivery")
	states := []delivery.Status{delivery.Delivered, delivery.Discarded, delivery.Failed, delivery.Pending, delivery.Sending}
	d := as(rapid.SampledFrom(states).Draw(rt, "status"), e.ds[j])[0]
	if d.Status == delivery.Sending && e.ds[j].Status != delivery.Sending {
		rt.Skip("nothing is given back as Sending that was not")
	}
	err := m.stores[i].Finish(rt.Context(), d)
	if e.owner != i || !e.open[d.ID] {
		mustBe(rt, err, delivery.ErrLost)
		return
	}
	mustBe(rt, err, nil)
	e.ds[j] = d
	delete(e.open, d.ID)
	if d.Status == delivery.Delivered || d.Status == delivery.Discarded {
		e.ds = slices.Delete(e.ds, j, j+1)
	}
	if len(e.open) == 0 {
		m.free(id, e)
	}
}

// free enters that nobody has open deliveries of e any more.
func (m *model) free(id string, e *entry) {
	e.owner = nobody
	for _, d := range e.ds {
		if d.Status == delivery.Sending {
			e.owner = dead
		}
	}
	if len(e.ds) == 0 {
		delete(m.all, id)
	}
}

func (m *model) die(rt *rapid.T) {
	i := m.store(rt)
	if err := m.stores[i].Close(); err != nil {
		rt.Fatalf("close: %v", err)
	}
	for _, e := range m.all {
		if e.owner == i {
			e.owner, e.open = dead, make(map[string]bool)
		}
	}
	m.stores[i] = m.open(rt)
}

// orphans wants exactly the events of the dead. An orphan without a delivery
// that is Sending may also have become free.
func (m *model) orphans(rt *rapid.T) {
	i := m.store(rt)
	found, err := m.stores[i].Orphans(rt.Context())
	mustBe(rt, err, nil)
	for _, in := range found {
		id := in.Deliveries[0].Event.ID
		e := m.all[id]
		if e == nil || e.owner != dead {
			rt.Fatalf("%s is no orphan", id)
		}
		m.took(rt, i, e, in)
	}
	for id, e := range m.all {
		if e.owner != dead {
			continue
		}
		if slices.ContainsFunc(e.ds, func(d delivery.Delivery) bool { return d.Status == delivery.Sending }) {
			rt.Fatalf("the orphan %s was not found", id)
		}
	}
}

func (m *model) check(rt *rapid.T) {
	var want []delivery.Delivery
	for _, id := range slices.Sorted(maps.Keys(m.all)) {
		want = append(want, m.all[id].ds...)
	}
	for i := range want {
		want[i].Body, want[i].Event.Body = nil, nil
	}
	got, err := m.stores[0].List(rt.Context())
	mustBe(rt, err, nil)
	wantSame(rt, "listed", got, want)
}

func mustBe(rt *rapid.T, err, want error) {
	rt.Helper()
	if !errors.Is(err, want) {
		rt.Fatalf("error is %v, want %v", err, want)
	}
}
