package events_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
)

// These tests hold our events to the ones that the Node CLI sent and that were
// captured on the wire, and to the projects it left behind.

type capture struct {
	file string
	body []byte
	events.Envelope
}

func captures(t *testing.T) []capture {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(fixtures.Path(t, "agentxchain/envelopes"), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []capture
	for _, file := range files {
		if filepath.Base(file) == "index.json" {
			continue
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e, err := events.Parse(body)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		list = append(list, capture{filepath.Base(file), body, e})
	}
	return list
}

func TestCapturedEnvelopesAreReproduced(t *testing.T) {
	n := 0
	for _, c := range captures(t) {
		n++
		if got := c.Append(nil); !bytes.Equal(got, c.body) {
			t.Errorf("%s: parsed and written again:\n%s\nwant\n%s", c.file, got, c.body)
		}
		facts := events.Facts{Run: c.Run, Turn: c.Turn, Payload: c.Payload}
		sameButID(t, c, mint(t, events.Input{Type: c.Type, Now: c.EmittedAt, Project: c.Project, Facts: facts}))
	}
	fixtures.Ran(t, "envelopes minted from the captured facts", n)
}

// The state that each captured event was made from, rebuilt from the envelope,
// gives the same envelope.
func TestCapturedEnvelopesFromState(t *testing.T) {
	n := 0
	for _, c := range captures(t) {
		if !complete(c) {
			continue
		}
		n++
		state, query := stateBehind(c)
		facts, warnings, err := events.FromState(state, query)
		if err != nil || len(warnings) > 0 || len(facts.Unknown) > 0 {
			t.Errorf("%s: error %v, warnings %v, unknown %v", c.file, err, warnings, facts.Unknown)
		}
		sameButID(t, c, mint(t, events.Input{Type: c.Type, Now: c.EmittedAt, Project: c.Project, Facts: facts}))
	}
	fixtures.Ran(t, "envelopes minted from the state behind them", n)
}

// complete leaves out what a library call sent, whose payload is made up.
func complete(c capture) bool {
	_, warnings, err := events.Mint(events.Input{
		Type: c.Type, Now: c.EmittedAt, Facts: events.Facts{Payload: c.Payload},
	})
	return err == nil && len(warnings) == 0
}

// sameButID compares a minted event with a captured one, byte for byte apart
// from the identity.
func sameButID(t *testing.T, c capture, e events.Event) {
	t.Helper()
	got := bytes.Replace(e.Body, []byte(e.ID), []byte(c.ID), 1)
	if !bytes.Equal(got, c.body) {
		t.Errorf("%s: minted\n%s\nwant\n%s", c.file, got, c.body)
	}
}

func mint(t *testing.T, in events.Input) events.Event {
	t.Helper()
	e, _, err := events.Mint(in)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stateBehind rebuilds what the project held when an event was emitted.
func stateBehind(c capture) (*ecmajson.Value, events.Query) {
	p := c.Payload
	state := object(
		"run_id", text(c.Run.ID), "status", text(c.Run.Status), "phase", text(c.Run.Phase),
		"active_turns", activeTurns(c.Turn), "blocked_on", p.Get("blocked_on"))
	q := events.Query{Type: c.Type, Now: c.EmittedAt}
	switch c.Type {
	case events.RunBlocked:
		state.Set("blocked_reason", object("category", p.Get("category"), "recovery", p))
		if e := p.Get("human_escalation"); e.Is(ecmajson.Object) {
			q.Escalations = records(c, e, p, nil)
		}
	case events.HumanEscalationRaised:
		q.Escalations = records(c, p, p, nil)
	case events.HumanEscalationResolved:
		q.Escalations = records(c, p, p, p.Get("resolved_via"))
	case events.OperatorEscalationRaised:
		state.Set("escalation", p)
	case events.EscalationResolved:
		// The state no longer says what the run was blocked on.
		state.Set("blocked_on", ecmajson.NewNull()).Set("escalation", p.Get("previous_escalation"))
		q.Escalations = records(c, object("escalation_id", text("hesc_1")), p, p.Get("resolved_via"))
	case events.PhaseTransitionPending:
		state.Set("pending_phase_transition", p)
	case events.RunCompletionPending:
		state.Set("pending_run_completion", p)
	case events.RunCompleted:
		completed(c, state, &q)
	case events.ApprovalSLAReminder:
		state.Set(p.Get("approval_type").Str(), object("from", p.Get("from_phase"), "to", p.Get("to_phase"),
			"gate", p.Get("gate"), "requested_at", p.Get("requested_at")))
		q.Config = thresholds(p.Get("threshold_seconds"), p.Get("total_thresholds"))
	}
	return state, q
}

func completed(c capture, state *ecmajson.Value, q *events.Query) {
	p := c.Payload
	state.Set("created_at", text("2026-01-01T00:00:00.000Z"))
	state.Set("completed_at", p.Get("completed_at")).Set("last_completed_turn_id", p.Get("requested_by_turn"))
	if gate := p.Get("gate"); gate != nil {
		state.Set("pending_run_completion", ecmajson.NewNull())
		q.Config = object("routing", object(c.Run.Phase, object("exit_gate", gate)))
	}
	via := p.Get("completed_via").Str()
	if via == "accept_turn_direct" || strings.HasPrefix(via, "approval_policy") {
		q.Decisions = []*ecmajson.Value{object("type", text("approval_policy"), "gate_type", text("run_completion"),
			"action", text("auto_approve"), "timestamp", p.Get("completed_at"))}
	}
}

// records is an escalation file: one record raised, and resolved if via says so.
func records(c capture, escalation, wording, via *ecmajson.Value) []*ecmajson.Value {
	raised := object("kind", text("raised"), "run_id", text(c.Run.ID), "blocked_on", wording.Get("blocked_on"))
	for _, from := range []*ecmajson.Value{wording, escalation} {
		for _, m := range from.Members() {
			raised.Set(m.Key, m.Value)
		}
	}
	if via == nil {
		return []*ecmajson.Value{raised}
	}
	return []*ecmajson.Value{raised, object("kind", text("resolved"),
		"escalation_id", escalation.Get("escalation_id"), "resolved_via", via)}
}

func activeTurns(turn *events.Turn) *ecmajson.Value {
	if turn == nil {
		return object()
	}
	return object(turn.ID, object("turn_id", text(turn.ID), "assigned_role", text(turn.Role),
		"attempt", ecmajson.NewInt(*turn.Attempt), "assigned_sequence", ecmajson.NewInt(*turn.Sequence)))
}

// thresholds is a configuration whose first reminder is due after first.
func thresholds(first, total *ecmajson.Value) *ecmajson.Value {
	list := []*ecmajson.Value{first}
	for len(list) < int(total.Num()) {
		list = append(list, ecmajson.NewInt(1_000_000+int64(len(list))))
	}
	return object("notifications", object("approval_sla", object("reminder_after_seconds", ecmajson.NewArray(list...))))
}

// object makes an object of keys and values in turn; nil values are left out.
func object(pairs ...any) *ecmajson.Value {
	o := ecmajson.NewObject()
	for i := 0; i < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1].(*ecmajson.Value))
	}
	return o
}

func text(s string) *ecmajson.Value { return ecmajson.NewStringOrNull(s) }

// listed returns the first column of the table of projects.
func listed(t *testing.T) []string {
	t.Helper()
	path, found := fixtures.Lookup(t, "agentxchain/projects-README.md")
	if !found {
		return nil
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(src)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			names = append(names, strings.TrimSpace(cells[1]))
		}
	}
	return names
}

type project struct {
	name  string
	state *ecmajson.Value
	query events.Query
}

// projects reads every governed project of the fixtures.
func projects(t *testing.T) []project {
	t.Helper()
	var list []project
	for _, state := range projectFiles(t, "state.json") {
		own := filepath.Dir(state)
		list = append(list, project{
			name:  filepath.Base(filepath.Dir(own)),
			state: document(t, state),
			query: events.Query{
				Now:         time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
				Config:      document(t, filepath.Join(own, "..", "agentxchain.json")),
				Escalations: lines(t, filepath.Join(own, "human-escalations.jsonl")),
				Decisions:   lines(t, filepath.Join(own, "decision-ledger.jsonl")),
			},
		})
	}
	return list
}

// projectFiles finds a file of .agentxchain in every project. A few projects
// are part of the module and the rest lies beside it, so that their names come
// from the folder, from the captured events and from the list of projects.
func projectFiles(t *testing.T, name string) []string {
	t.Helper()
	var list []string
	for _, folder := range projectNames(t) {
		root, found := fixtures.Lookup(t, "agentxchain/projects/"+folder)
		if !found {
			continue
		}
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Base(path) == name && filepath.Base(filepath.Dir(path)) == ".agentxchain" {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func projectNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for name := range fixtures.Entries(t, "agentxchain/projects") {
		names = append(names, name)
	}
	for _, c := range captures(t) {
		names = append(names, c.Project.Name)
	}
	names = append(names, listed(t)...)
	slices.Sort(names)
	return slices.Compact(names)
}

func document(t *testing.T, path string) *ecmajson.Value {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ecmajson.Parse(src, ecmajson.Options{})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// lines reads the lines that parse; some fixtures hold broken ones.
func lines(t *testing.T, path string) []*ecmajson.Value {
	t.Helper()
	src, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []*ecmajson.Value
	for line := range bytes.Lines(src) {
		if v, err := ecmajson.Parse(line, ecmajson.Options{}); err == nil {
			list = append(list, v)
		}
	}
	return list
}

// Whatever state a project is in, every event can be made of it, with the keys
// of the contract in the contract's order.
func TestEveryEventOfEveryProject(t *testing.T) {
	n := 0
	for _, p := range projects(t) {
		before := ecmajson.Append(nil, p.state)
		for _, typ := range events.Types(events.Governed) {
			n++
			p.query.Type = typ
			facts, _, err := events.FromState(p.state, p.query)
			if err != nil {
				t.Errorf("%s: %s: %v", p.name, typ, err)
				continue
			}
			e, warnings, err := events.Mint(events.Input{Type: typ, Now: p.query.Now, Facts: facts})
			if err != nil {
				t.Errorf("%s: %s: %v", p.name, typ, err)
			}
			if len(warnings) != len(facts.Unknown) {
				t.Errorf("%s: %s: warnings %v, but unknown are %v", p.name, typ, warnings, facts.Unknown)
			}
			if _, err := events.Parse(e.Body); err != nil {
				t.Errorf("%s: %s: %v in %s", p.name, typ, err, e.Body)
			}
			if faults := validate(t, "event-"+string(typ), facts.Payload); faults != nil {
				t.Errorf("%s: %s: payload against its schema: %v", p.name, typ, faults)
			}
			checkOrder(t, fmt.Sprintf("%s: %s", p.name, typ), facts.Payload, schemaKeys(t, "event-"+string(typ)))
		}
		if after := ecmajson.Append(nil, p.state); !bytes.Equal(before, after) {
			t.Errorf("%s: the state was changed", p.name)
		}
	}
	fixtures.Ran(t, "events from the states of projects", n)
}

// checkOrder checks that the keys of v come in the order of want.
func checkOrder(t *testing.T, what string, v *ecmajson.Value, want []string) {
	t.Helper()
	at := 0
	for _, m := range v.Members() {
		for at < len(want) && want[at] != m.Key {
			at++
		}
		if at == len(want) {
			t.Errorf("%s: key %q is unknown or out of order", what, m.Key)
			return
		}
	}
}

// Where a project still is in the state in which the Node CLI sent an event,
// we fill in the very same payload.
func TestPayloadsOfProjectsAsCaptured(t *testing.T) {
	n, all := 0, projects(t)
	for _, c := range captures(t) {
		for _, p := range all {
			if !sameMoment(c, p) {
				continue
			}
			n++
			p.query.Type = c.Type
			facts, _, err := events.FromState(p.state, p.query)
			if err != nil {
				t.Fatal(err)
			}
			got, want := ecmajson.Append(nil, facts.Payload), ecmajson.Append(nil, c.Payload)
			if !bytes.Equal(got, want) {
				t.Errorf("%s from %s:\n%s\nwant\n%s", c.file, p.name, got, want)
			}
			if facts.Run != c.Run {
				t.Errorf("%s from %s: run %v, want %v", c.file, p.name, facts.Run, c.Run)
			}
		}
	}
	if n == 0 {
		t.Skip("no project is in the state in which an event was captured")
	}
	fixtures.Ran(t, "payloads from projects as captured", n)
}

func sameMoment(c capture, p project) bool {
	if p.name != c.Project.Name || p.state.Get("run_id").Str() != c.Run.ID || p.state.Get("status").Str() != c.Run.Status {
		return false
	}
	switch c.Type {
	case events.RunBlocked:
		return ecmajson.Equal(p.state.Get("blocked_on"), c.Payload.Get("blocked_on"))
	case events.HumanEscalationRaised:
		raised := lastRaised(p.query.Escalations)
		return ecmajson.Equal(raised.Get("escalation_id"), c.Payload.Get("escalation_id"))
	case events.RunCompleted:
		return true
	}
	return false
}

func lastRaised(records []*ecmajson.Value) *ecmajson.Value {
	var last *ecmajson.Value
	for _, r := range records {
		if r.Get("kind").Str() == "raised" {
			last = r
		}
	}
	return last
}
