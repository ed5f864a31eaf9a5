package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"agentxchain/internal/dispatch"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/project"
	"agentxchain/internal/queue"
	"agentxchain/internal/routing"
	"agentxchain/internal/suggest"

	"github.com/spf13/cobra"
)

// emitOptions are the flags of `notify emit`.
type emitOptions struct {
	payload         string
	set             []string
	turn            string
	runID           string
	status          string
	phase           string
	agent           agentOptions
	targets         []string
	attempts        int
	deadline        time.Duration
	requireDelivery bool
	dryRun          bool
	json            bool
}

// agentOptions are the fields of an agent run.
type agentOptions struct {
	name, executionID, sessionID string
	message, output, err         string
	durationMS                   int64
}

func newEmit(a *app) *cobra.Command {
	var o emitOptions
	c := &cobra.Command{
		Use:   "emit EVENT",
		Short: "Send one event to every target that is to have it",
		Long: `Send one event to the webhooks of agentxchain.json that are subscribed to it and
to the channels of gateway.yaml that its agent's rules or the defaults name, all
side by side, and record every attempt in .agentxchain/notification-audit.jsonl.

Payload, run and turn come from .agentxchain/state.json, which is only read; the
fields of an agent run come from flags. What stays undelivered is kept for ` + "`agentxchain notify retry`" + `.

EVENT is one of run_blocked, operator_escalation_raised, escalation_resolved,
human_escalation_raised, human_escalation_resolved, phase_transition_pending,
run_completion_pending, run_completed, approval_sla_reminder; or, for an agent
run, on_complete, on_error, on_timeout.
` + exitStatus(`0  emitted, delivered or not
  1  --require-delivery was not met
  2  usage or configuration, after what a gateway.yaml with an error leaves was
     still sent; or evidence that could not be written, after every target was
     still called once and each audit line printed to stderr`),
		Example: `  agentxchain notify emit run_blocked || true
  agentxchain notify emit run_blocked --payload @blocked.json --set owner=human
  agentxchain notify emit run_completed --require-delivery --json
  agentxchain notify emit on_error --agent report-agent --execution-id abc --error "it broke"`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeEvents,
		RunE: func(c *cobra.Command, args []string) error {
			eventType, err := events.ParseType(args[0])
			if err != nil {
				return cannot("unknown_event", err)
			}
			if err := o.check(c, eventType); err != nil {
				return err
			}
			return runEmit(c.Context(), a, eventType, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.payload, "payload", "", "the event's payload, an object: `JSON`, @FILE, or - for stdin (default: from state.json)")
	f.StringArrayVar(&o.set, "set", nil, "set one payload key, `KEY=VALUE`, after --payload (repeatable; VALUE is JSON if it parses, else text)")
	f.StringVar(&o.turn, "turn", "", "the turn the event is about: its `ID`, or none (default: the one the state names)")
	f.StringVar(&o.runID, "run-id", "", "the run, instead of state.json's")
	f.StringVar(&o.status, "status", "", "the run's status, instead of state.json's; of an agent run, how it ended")
	f.StringVar(&o.phase, "phase", "", "the run's phase, instead of state.json's")
	f.StringVar(&o.agent.name, "agent", "", "agent run: the agent's `NAME`")
	f.StringVar(&o.agent.executionID, "execution-id", "", "agent run: the execution")
	f.StringVar(&o.agent.sessionID, "session-id", "", "agent run: the session")
	f.StringVar(&o.agent.message, "message", "", "agent run: what the agent was asked")
	f.StringVar(&o.agent.output, "output", "", "agent run: what it answered, `TEXT` or @FILE (JSON if it parses)")
	f.StringVar(&o.agent.err, "error", "", "agent run: what went wrong, `TEXT` or @FILE")
	f.Int64Var(&o.agent.durationMS, "duration-ms", 0, "agent run: how long it took, in milliseconds")
	f.StringArrayVar(&o.targets, "target", nil, "only this target, by `NAME` (repeatable)")
	f.IntVar(&o.attempts, "attempts", 0, "attempts per target in this process (default: 1, at channels of gateway.yaml 3)")
	f.DurationVar(&o.deadline, "deadline", 35*time.Second, "upper bound for the whole command")
	f.BoolVar(&o.requireDelivery, "require-delivery", false, "exit 1 unless every target was delivered")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the envelope and the targets; send nothing, write nothing")
	f.BoolVar(&o.json, "json", false, "print a JSON document")
	return c
}

func completeEvents(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return eventNames(), cobra.ShellCompDirectiveNoFileComp
}

func eventNames() []string {
	var names []string
	for _, t := range slices.Concat(events.Types(events.Governed), events.Types(events.Agent)) {
		names = append(names, string(t))
	}
	return names
}

// check finds contradictions before any file is opened.
func (o emitOptions) check(c *cobra.Command, t events.Type) error {
	for _, name := range foreignFlags(t) {
		if c.Flags().Changed(name) {
			return usagef("--%s has no meaning for %s", name, t).hint("see `agentxchain notify emit --help`")
		}
	}
	switch {
	case c.Flags().Changed("attempts") && (o.attempts < 1 || o.attempts > 100):
		return usagef("--attempts must be between 1 and 100, not %d", o.attempts)
	case o.deadline <= 0:
		return usagef("--deadline must be positive, not %s", o.deadline)
	case o.dryRun && o.requireDelivery:
		return usagef("--dry-run sends nothing, so --require-delivery can't be met")
	case o.agent.durationMS < 0:
		return usagef("--duration-ms must not be negative, but is %d", o.agent.durationMS)
	case c.Flags().Changed("payload") && o.payload == "":
		return usagef("--payload is empty").hint("give JSON, @FILE or - for stdin")
	}
	return nil
}

// foreignFlags are the flags that belong to events of the other family.
func foreignFlags(t events.Type) []string {
	if t.Family() == events.Agent {
		return []string{"payload", "set", "turn", "phase"}
	}
	return []string{"agent", "execution-id", "session-id", "message", "output", "error", "duration-ms"}
}

func runEmit(ctx context.Context, a *app, eventType events.Type, o emitOptions) error {
	ctx, cancel := context.WithTimeout(ctx, o.deadline)
	defer cancel()
	a.advisory = !o.json && !o.dryRun
	return a.withPipeline(func(s *site, p *pipeline.Pipeline) error {
		event, err := o.mint(ctx, a, s, eventType)
		if err != nil {
			return err
		}
		routes, filtered, err := o.routes(s, p, event)
		if err != nil {
			return err
		}
		if o.dryRun {
			return a.answerDryRun(event, routes, filtered, o.json)
		}
		report, warnings := p.Emit(ctx, event, routes, o.attempts)
		a.warnAll(warnings)
		return a.answerEmit(report, filtered, o)
	})
}

// orBroken is the end of a command that did what it could without the
// gateway.yaml, which can't be used: exit 2 unless something worse is to be said.
func (s *site) orBroken(err error) error {
	var f *failure
	if !s.broken || errors.As(err, &f) && !f.silent {
		return err
	}
	return verdict(exitCannot)
}

// answerEmit prints what became of the event and picks the exit code.
func (a *app) answerEmit(r queue.Report, filtered int, o emitOptions) error {
	if o.json {
		a.printJSON(withError(resultDocument(r, filtered), r.Err))
	} else {
		a.printOutcomes(r)
	}
	if len(r.Outcomes) == 0 {
		among := ""
		if filtered > 0 {
			among = " among those that --target names"
		}
		fmt.Fprintf(a.Stderr, "agentxchain: no target%s is subscribed to %s\n", among, r.Event.Type)
	}
	a.warnReport(r)
	a.sayUnwritable(r)
	switch {
	case r.Err != nil:
		return verdict(exitCannot)
	case o.requireDelivery && (len(r.Outcomes) == 0 || r.Count(queue.StateDelivered) < len(r.Outcomes)):
		return verdict(exitBad)
	}
	return nil
}

// routes lists where the event goes. filtered counts what --target left out.
func (o emitOptions) routes(s *site, p *pipeline.Pipeline, event events.Event) (routes []routing.Route, filtered int, err error) {
	all := p.Routes(events.Type(event.Type), dispatch.Agent(event))
	if err := o.checkTargets(s, p); err != nil {
		return nil, 0, err
	}
	for _, r := range all {
		switch {
		case r.Skip != "":
		case len(o.targets) > 0 && !named(o.targets, r.Target.Name):
			filtered++
		default:
			routes = append(routes, r)
		}
	}
	return routes, filtered, nil
}

// checkTargets refuses a --target that does not exist. One that exists and is
// not to be told of the event is no mistake: there is nothing to tell it.
func (o emitOptions) checkTargets(s *site, p *pipeline.Pipeline) error {
	if len(o.targets) == 0 {
		return nil
	}
	names := s.targetNames(p)
	for _, name := range o.targets {
		if named(names, name) {
			continue
		}
		f := cannot("unknown_target", fmt.Errorf("no target of %s is named %q", s.files(), name))
		if near := suggest.Nearest(name, names); near != "" {
			return f.hint("did you mean %q?", near)
		}
		return f.hint("there are %s", strings.Join(names, ", "))
	}
	return nil
}

// named reports whether one of names is a target's, a Slack channel's with or
// without "#".
func named(names []string, target string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.TrimPrefix(name, "#") == strings.TrimPrefix(target, "#")
	})
}

// targetNames lists what can be told of some event, each once.
func (s *site) targetNames(p *pipeline.Pipeline) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, h := range s.config.Webhooks {
		add(h.Name)
	}
	if s.gateway != nil {
		for _, h := range s.gateway.Webhooks {
			add(h.Name)
		}
		if s.gateway.Slack.Enabled {
			add(s.gateway.Slack.DefaultChannel)
		}
	}
	for _, t := range eventNames() {
		for _, agent := range s.agentNames() {
			for _, r := range p.Routes(events.Type(t), agent) {
				add(r.Target.Name)
			}
		}
	}
	return names
}

// agentNames lists the agents with rules, and "" for all others.
func (s *site) agentNames() []string {
	names := []string{""}
	if s.gateway != nil {
		for _, a := range s.gateway.Routing.Agents {
			names = append(names, a.Name)
		}
	}
	return names
}

// files names the configuration that targets come from.
func (s *site) files() string {
	var names []string
	if s.root.Kind == project.Run {
		names = append(names, s.root.ConfigFile())
	}
	if s.gateway != nil {
		names = append(names, s.gateway.File)
	}
	return strings.Join(names, " and ")
}

// answerDryRun shows what would be sent, and where to.
func (a *app) answerDryRun(e events.Event, routes []routing.Route, filtered int, asJSON bool) error {
	doc, err := dryRunDocument(e, routes)
	if err != nil {
		return err
	}
	if !asJSON {
		a.printDryRun(doc, routes)
		return nil
	}
	a.printJSON(ecmajson.NewObject().
		Set("dry_run", ecmajson.NewBool(true)).
		Set("envelope", doc.Get("envelope")).
		Set("targets", doc.Get("targets")).
		Set("skipped", ecmajson.NewInt(int64(filtered))))
	return nil
}

// dryRunDocument is the envelope and the targets of an event that is not sent.
func dryRunDocument(e events.Event, routes []routing.Route) (*ecmajson.Value, error) {
	envelope, err := ecmajson.Parse(e.Body, ecmajson.Options{})
	if err != nil {
		return nil, cannot("internal", err)
	}
	names := make([]string, len(routes))
	for i, r := range routes {
		names[i] = r.Target.Name
	}
	return ecmajson.NewObject().Set("envelope", envelope).Set("targets", ecmajson.NewStrings(names)), nil
}

// printDryRun prints a dry run for people.
func (a *app) printDryRun(doc *ecmajson.Value, routes []routing.Route) {
	fmt.Fprintf(a.Stdout, "%s\n", ecmajson.AppendIndent(nil, doc.Get("envelope"), ""))
	for _, r := range routes {
		if r.Problem != "" {
			fmt.Fprintf(a.Stdout, "%s  would fail  %s\n", r.Target.Name, r.Problem)
			continue
		}
		fmt.Fprintf(a.Stdout, "%s  would be called\n", r.Target.Name)
	}
}

// argument returns the bytes of a flag that is text, @FILE or - for stdin. Of a
// file it takes limit bytes at most. It gives up when ctx ends: whoever writes
// to a pipe may never finish.
func (a *app) argument(ctx context.Context, flag, value string, limit int64) (name string, b []byte, err error) {
	switch {
	case value == "@":
		return "", nil, fmt.Errorf("--%s: the file's name is missing after @", flag)
	case value != "-" && !strings.HasPrefix(value, "@"):
		return "--" + flag, []byte(value), nil
	}
	name, open := "stdin", func() (io.ReadCloser, error) { return io.NopCloser(a.Stdin), nil }
	if value != "-" {
		name = value[1:]
		open = func() (io.ReadCloser, error) { return os.Open(a.path(name)) }
	}
	if b, err = readUntil(ctx, open, limit); err != nil {
		err = fmt.Errorf("--%s: %w", flag, err)
	}
	return name, b, err
}

// readUntil opens and reads one input. When ctx ends first it leaves the
// reading goroutine behind: nothing can wake it, and the process is about to
// end.
func readUntil(ctx context.Context, open func() (io.ReadCloser, error), limit int64) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := open()
		if err != nil {
			done <- result{err: err}
			return
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, limit+1))
		if err == nil && int64(len(b)) > limit {
			err = fmt.Errorf("it is longer than %d bytes", limit)
		}
		done <- result{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("gave up waiting for the input: %w", context.Cause(ctx))
	}
}
