package reminder

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// peer is a project where two programs remind and people approve.
type peer struct {
	*world
	t *rapid.T
	// waits has the approvals that wait, by kind; told counts the messages per
	// approval and threshold, by either program.
	waits map[string]*waiting
	told  map[string]int
	n     int
	// torn says that we died between book and list. The Node CLI is not told
	// of that, and sends; the package comment admits it.
	torn bool
}

// waiting is one approval.
type waiting struct {
	id      string
	pending *ecmajson.Value
	// since is when it was requested, or when we first looked at it; zero
	// before that.
	since time.Time
	dated bool
	// highest is the last threshold that somebody told of.
	highest int64
}

func thresholds() []int64 { return []int64{300, 3600, 14400} }

func kinds() []string {
	return []string{events.PendingPhaseTransition, events.PendingRunCompletion}
}

// save writes the state.
func (p *peer) save() {
	text := ""
	for _, kind := range kinds() {
		if w := p.waits[kind]; w != nil {
			text += fmt.Sprintf(",%q:%s", kind, ecmajson.Append(nil, w.pending))
		}
	}
	p.state(text)
}

// begin makes a run wait for an approval, in the place of one that waits.
func (p *peer) begin(kind string) {
	p.n++
	w := &waiting{id: fmt.Sprint("turn_", p.n), pending: ecmajson.NewObject()}
	w.pending.Set("requested_by_turn", ecmajson.NewString(w.id))
	if kind == events.PendingRunCompletion || rapid.Bool().Draw(p.t, "dated") {
		w.dated, w.since = true, p.now
		w.pending.Set("requested_at", ecmajson.NewString(p.now.Format(timeLayout)))
	}
	p.waits[kind] = w
	p.save()
}

// clear removes what the Node CLI removes when an approval is granted.
func (p *peer) clear(kind string) {
	delete(p.waits, kind)
	p.save()
	p.rewrite(func(item string) bool { return len(item) <= len(kind) || item[:len(kind)+1] != kind+":" })
}

// rewrite writes the list in place, with the items to be kept and more.
func (p *peer) rewrite(keep func(string) bool, more ...string) {
	b, err := os.ReadFile(p.root.RemindersFile())
	if err != nil {
		b = []byte("[]")
	}
	list, err := parseList(b)
	if err != nil {
		p.t.Fatal(err)
	}
	var items []string
	for _, v := range list.Items() {
		if keep(v.Str()) {
			items = append(items, v.Str())
		}
	}
	p.world.write("sla-reminders.json", keys(append(items, more...)...))
}

func (p *peer) tell(kind string, threshold int64) {
	w := p.waits[kind]
	name := fmt.Sprint(w.id, ":", threshold)
	if p.told[name]++; p.told[name] > 1 {
		p.t.Fatalf("%s told %d times", name, p.told[name])
	}
	w.highest = max(w.highest, threshold)
}

// node evaluates the reminders as the Node CLI does (contract, section 5).
func (p *peer) node() {
	if p.torn {
		return
	}
	var sent []string
	list, err := readList(p.root)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, kind := range kinds() {
		w := p.waits[kind]
		if w == nil || !w.dated {
			continue
		}
		for _, threshold := range thresholds() {
			if events.Elapsed(w.since, p.now) >= threshold && !contains(list, key(kind, threshold)) {
				p.tell(kind, threshold)
				sent = append(sent, key(kind, threshold))
			}
		}
	}
	p.rewrite(func(string) bool { return true }, sent...)
}

// ours evaluates the reminders with this package. It may die on the way.
func (p *peer) ours() {
	steps := []func(*round) error{(*round).write, (*round).remember}
	if die := rapid.IntRange(0, 4).Draw(p.t, "die"); die < len(steps) {
		r := p.look()
		if err := steps[die](r); err != nil {
			p.t.Fatal(err)
		}
		p.seen()
		p.torn = die == 0
		return
	}
	p.torn, p.fail = false, nil
	if rapid.IntRange(0, 4).Draw(p.t, "full") == 0 {
		p.fail = errors.New("disk full")
	}
	before := len(p.stored)
	if _, err := p.trySend(); err != nil && !errors.Is(err, p.fail) {
		p.t.Fatal(err)
	}
	p.seen()
	for _, r := range p.stored[before:] {
		e, err := events.Parse(r.Event.Body)
		if err != nil {
			p.t.Fatal(err)
		}
		p.tell(r.Approval, int64(e.Payload.Get("threshold_seconds").Num()))
	}
	if p.fail == nil {
		p.nothingIsForgotten()
	}
}

// seen notes since when phase transitions wait for us.
func (p *peer) seen() {
	for _, w := range p.waits {
		if w.since.IsZero() {
			w.since = p.now
		}
	}
}

// nothingIsForgotten holds after a look that had no trouble: somebody told of
// the last threshold that has passed.
func (p *peer) nothingIsForgotten() {
	for kind, w := range p.waits {
		var last int64
		for _, threshold := range thresholds() {
			if events.Elapsed(w.since, p.now) >= threshold {
				last = threshold
			}
		}
		if w.highest < last {
			p.t.Fatalf("%s %s waits for %d s, told of %d", kind, w.id, last, w.highest)
		}
	}
}

// Whatever two programs, people and crashes do in whatever order, no threshold
// is told of twice, and after a look without trouble the last one that passed
// has been told of.
func TestTwoProgramsAndCrashes(t *testing.T) {
	told := 0
	rapid.Check(t, func(rt *rapid.T) {
		p := &peer{world: newWorld(t), t: rt, waits: map[string]*waiting{}, told: map[string]int{}}
		p.save()
		rt.Repeat(map[string]func(*rapid.T){
			"wait": func(rt *rapid.T) {
				p.now = p.now.Add(time.Duration(rapid.SampledFrom([]int{1, 299, 300, 3600, 20000}).Draw(rt, "seconds")) * time.Second)
			},
			"approval": func(rt *rapid.T) {
				if kind := rapid.SampledFrom(kinds()).Draw(rt, "kind"); p.waits[kind] == nil {
					p.begin(kind)
				}
			},
			"granted":      func(rt *rapid.T) { p.clear(rapid.SampledFrom(kinds()).Draw(rt, "kind")) },
			"the Node CLI": func(*rapid.T) { p.node() },
			"we":           func(*rapid.T) { p.ours() },
			"":             func(*rapid.T) {},
		})
		for range p.told {
			told++
		}
	})
	if told == 0 {
		t.Error("nothing was ever told")
	}
	t.Logf("%d reminders, none twice", told)
}

// What was formatted is parsed, and nothing else.
func FuzzBook(f *testing.F) {
	w := newWorld(f)
	w.state(completion + transition)
	f.Add([]byte(nil))
	f.Add(w.look().after.format())
	f.Add(book(nil).format())
	f.Fuzz(func(t *testing.T, src []byte) {
		b, err := parseBook(src)
		if err == nil && string(b.format()) != string(src) {
			t.Errorf("%q is formatted as %q", src, b.format())
		}
	})
}

// Adding and removing keys leaves everything else as it was, in order.
func FuzzList(f *testing.F) {
	for _, seed := range []string{`[]`, keys("a:1", "b:2"), `["a:1",null,{"a":["a:1"]},"a:1"]`, `{}`, `[1e400,"\ud800"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		list, err := parseList(src)
		if err != nil {
			return
		}
		changed := change(list, []string{"a:1", "c:3"}, []string{"b:2"})
		if !contains(changed, "a:1") || !contains(changed, "c:3") || contains(changed, "b:2") {
			t.Fatalf("%q became %q", src, formatList(changed))
		}
		again, err := parseList(formatList(changed))
		if err != nil || !ecmajson.Equal(again, changed) {
			t.Fatalf("%q is read as %v, %v", formatList(changed), again, err)
		}
		others := func(l *ecmajson.Value) []*ecmajson.Value {
			return slices.DeleteFunc(slices.Clone(l.Items()), func(v *ecmajson.Value) bool {
				return slices.Contains([]string{"a:1", "b:2", "c:3"}, v.Str())
			})
		}
		if !slices.EqualFunc(others(list), others(changed), ecmajson.Equal) {
			t.Fatalf("%q became %q", src, formatList(changed))
		}
	})
}
