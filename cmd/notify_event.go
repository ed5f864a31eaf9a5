package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
)

// mint builds the event from the flags and the project's state.
func (o emitOptions) mint(ctx context.Context, a *app, s *site, t events.Type) (events.Event, error) {
	in := events.Input{
		Type: t, Now: a.Now(), Entropy: a.Entropy,
		Project: events.Project{ID: s.config.Project.ID, Name: s.config.Project.Name, Root: s.root.Dir},
	}
	var err error
	if in.Facts, err = o.facts(ctx, a, s, t); err != nil {
		return events.Event{}, err
	}
	if t.Family() == events.Agent {
		if in.Agent, err = o.agent.run(ctx, a, o.status); err != nil {
			return events.Event{}, err
		}
	}
	event, warnings, err := events.Mint(in)
	if err != nil {
		return events.Event{}, cannot("payload", err)
	}
	a.warn(warnings)
	return event, nil
}

// warn prints the warnings about an event, those that say the same in one line.
func (a *app) warn(warnings []events.Warning) {
	fields := map[string][]string{}
	var messages []string
	for _, w := range warnings {
		if fields[w.Message] == nil {
			messages = append(messages, w.Message)
		}
		fields[w.Message] = append(fields[w.Message], w.Field)
	}
	for _, m := range messages {
		a.log.Warn(strings.Join(fields[m], ", ") + ": " + m)
	}
}

// facts reads run, turn and payload from the state, then lets the flags win.
func (o emitOptions) facts(ctx context.Context, a *app, s *site, t events.Type) (events.Facts, error) {
	state, err := project.ReadState(s.root)
	if err != nil {
		// An alert without its run is worth more than no alert.
		a.log.Warn("the state can't be read, so run and turn are unknown: " + err.Error())
	}
	facts, warnings, err := events.FromState(state.Value, events.Query{
		Type: t, Turn: events.TurnSelector(o.turn), Now: a.Now(), Config: s.config.Raw,
		Run:         events.Run{ID: o.runID, Status: o.status, Phase: o.phase},
		Escalations: a.records(s.root, "human-escalations.jsonl", t),
		Decisions:   a.records(s.root, "decision-ledger.jsonl", t),
	})
	if err != nil {
		return facts, cannot("unknown_turn", err)
	}
	a.warn(warnings)
	return facts, o.override(ctx, a, &facts)
}

// override applies --payload and --set.
func (o emitOptions) override(ctx context.Context, a *app, facts *events.Facts) error {
	if o.payload != "" {
		name, b, err := a.argument(ctx, "payload", o.payload, events.MaxBytes)
		if err != nil {
			return cannot("payload", err)
		}
		payload, err := events.ParsePayload(name, b)
		if err != nil {
			return cannot("payload", err)
		}
		facts.Payload, facts.Unknown = payload, nil
	}
	if facts.Payload == nil {
		facts.Payload = ecmajson.NewObject()
	}
	for _, assignment := range o.set {
		if err := events.SetPayload(facts.Payload, assignment); err != nil {
			return cannot("payload", fmt.Errorf("--set: %w", err))
		}
	}
	return nil
}

// recordsTail bounds how much of a growing file one emit looks at: what an
// event needs of it was written moments ago.
const recordsTail = 1 << 20

// records reads the last lines of one of the run's JSONL files, as far as the
// event needs them. What can't be read is not known: the event goes out.
func (a *app) records(root project.Root, name string, t events.Type) []*ecmajson.Value {
	if !events.NeedsRecords(t) {
		return nil
	}
	b, err := tail(filepath.Join(root.Dir, ".agentxchain", name), recordsTail)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.log.Warn(err.Error())
		}
		return nil
	}
	var list []*ecmajson.Value
	for line := range bytes.Lines(b) {
		if v, err := ecmajson.Parse(line, ecmajson.Options{}); err == nil {
			list = append(list, v)
		}
	}
	return list
}

// tail returns at most the last n bytes of a file, from the start of a line.
func tail(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-n)
	b, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if from == 0 || err != nil {
		return b, err
	}
	_, b, _ = bytes.Cut(b, []byte{'\n'})
	return b, nil
}

// run reads the fields of an agent run from the flags.
func (o agentOptions) run(ctx context.Context, a *app, status string) (*events.AgentRun, error) {
	run := &events.AgentRun{
		Name: o.name, ExecutionID: o.executionID, SessionID: o.sessionID, Status: status,
		Message: o.message, DurationMS: o.durationMS,
	}
	message, err := a.fileArgument(ctx, "error", o.err)
	if err != nil {
		return nil, err
	}
	run.Error = ecmajson.DecodeText(message)
	output, err := a.fileArgument(ctx, "output", o.output)
	if err != nil || len(output) == 0 {
		return run, err
	}
	if run.Output, err = ecmajson.Parse(output, ecmajson.Options{MaxDepth: events.MaxDepth}); err != nil {
		run.Output = ecmajson.NewString(ecmajson.DecodeText(output))
	}
	return run, nil
}

// fileArgument is argument for flags that take no stdin.
func (a *app) fileArgument(ctx context.Context, flag, value string) ([]byte, error) {
	if value == "-" {
		return []byte(value), nil
	}
	_, b, err := a.argument(ctx, flag, value, events.MaxBytes)
	if err != nil {
		return nil, cannot("usage", err)
	}
	if len(b) > events.MaxBytes {
		return nil, cannot("usage", &events.SizeError{What: flag, Size: len(b)})
	}
	return b, nil
}
