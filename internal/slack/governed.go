package slack

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// How much of a governed event is shown, in characters. Together they stay
// below maxAllText.
const (
	maxName    = 80
	maxWhy     = 1400
	maxTodo    = 1000
	maxCommand = 1000
)

// notice is what a governed event tells a person: finished texts in the order
// in which they are shown. Empty parts are left out.
type notice struct {
	emoji, title string
	// project is its name, as the event has it.
	project string
	// lead is one sentence.
	lead string
	// facts are fields about the event, where about the run.
	facts, where []string
	// why and todo are texts of the event, not finished yet.
	why, todo string
	// gist stands for why in one line, where there is no why.
	gist string
	// commands go on from here; the first is the one to use.
	commands []labelled
	footer   string
}

// labelled is a command, not finished yet, and what it is for.
type labelled struct{ label, command string }

// noticeOf tells an event. Of one whose envelope cannot be read, it tells what
// is known beside it.
func noticeOf(e events.Event) notice {
	env, err := events.Parse(e.Body)
	if err != nil {
		env = events.Envelope{ID: e.ID, Type: events.Type(e.Type), EmittedAt: e.EmittedAt, Run: events.Run{ID: e.RunID}}
	}
	n := notice{project: cmp.Or(env.Project.Name, env.Project.ID, "unknown project")}
	n.tell(env, payload{env.Payload})
	n.locate(env)
	n.footer = "agentxchain | " + line(env.ID, maxName) + " | " + env.EmittedAt.UTC().Format(timeLayout)
	return n
}

// tell fills in what the type of the event says.
func (n *notice) tell(env events.Envelope, p payload) {
	switch env.Type {
	case events.RunBlocked:
		n.runBlocked(env, p)
	case events.OperatorEscalationRaised:
		n.operatorEscalation(env, p)
	case events.EscalationResolved:
		n.escalationResolved(p)
	case events.HumanEscalationRaised:
		n.humanEscalation(env, p)
	case events.HumanEscalationResolved:
		n.humanEscalationResolved(p)
	case events.PhaseTransitionPending:
		n.phaseTransition(env, p)
	case events.RunCompletionPending:
		n.runCompletion(env, p)
	case events.RunCompleted:
		n.runCompleted(p)
	case events.ApprovalSLAReminder:
		n.reminder(p)
	default:
		n.emoji, n.title, n.lead = ":bell:", line(string(env.Type), maxName), "Something happened in "+n.bold()+"."
	}
}

func (n *notice) runBlocked(env events.Envelope, p payload) {
	n.emoji, n.title = ":no_entry:", "Run Blocked"
	n.lead = n.bold() + " cannot go on by itself."
	if owner := p.text("owner"); owner != "" {
		n.lead += " The " + bold(owner) + " has to act."
	}
	n.fact("Blocked on", span(p.text("blocked_on"), maxID))
	n.fact("Category", span(p.text("category"), maxID))
	if reason := p.text("typed_reason"); reason != p.text("category") {
		n.fact("Reason", span(reason, maxID))
	}
	n.fact("Owner", line(p.text("owner"), maxID))
	n.since(env, p)
	n.why = cmp.Or(p.text("detail"), p.text("typed_reason"), p.text("blocked_on"))
	n.recovery(p.text("recovery_action"))
	n.escalation(p.object("human_escalation"))
}

func (n *notice) operatorEscalation(env events.Envelope, p payload) {
	n.emoji, n.title = ":rotating_light:", "Operator Escalation"
	n.lead = "An operator stopped " + n.bold() + "."
	n.fact("Blocked on", span(p.text("blocked_on"), maxID))
	n.fact("Source", line(p.text("source"), maxID))
	n.since(env, p)
	n.why = p.text("reason")
	if detail := p.text("detail"); detail != n.why {
		n.why = joined(n.why, detail)
	}
	n.recovery(p.text("recovery_action"))
}

func (n *notice) humanEscalation(env events.Envelope, p payload) {
	n.emoji, n.title = ":rotating_light:", "Human Escalation Raised"
	n.lead = n.bold() + " waits for a person."
	n.since(env, p)
	n.escalation(p)
}

func (n *notice) escalationResolved(p payload) {
	n.emoji, n.title = ":white_check_mark:", "Escalation Resolved"
	n.lead = "The escalation that stopped " + n.bold() + " is over, and the run goes on."
	n.fact("Was blocked on", span(p.text("blocked_on"), maxID))
	n.fact("Resolved via", span(p.text("resolved_via"), maxID))
	n.why = p.object("previous_escalation").text("reason")
}

func (n *notice) humanEscalationResolved(p payload) {
	n.emoji, n.title = ":white_check_mark:", "Human Escalation Resolved"
	n.lead = "What " + n.bold() + " asked of a person is done."
	n.record(p)
	n.fact("Resolved via", span(p.text("resolved_via"), maxID))
}

func (n *notice) phaseTransition(env events.Envelope, p payload) {
	n.emoji, n.title = ":hourglass_flowing_sand:", "Approval Pending: Phase Transition"
	n.lead = n.bold() + " waits for approval to go on to the next phase."
	n.step(p.text("from"), p.text("to"))
	n.gate(p)
	n.since(env, p)
	n.command(approveWith, approveTransition)
}

func (n *notice) runCompletion(env events.Envelope, p payload) {
	n.emoji, n.title = ":hourglass_flowing_sand:", "Approval Pending: Run Completion"
	n.lead = n.bold() + " waits for approval to complete."
	n.gate(p)
	n.since(env, p)
	n.command(approveWith, approveCompletion)
}

func (n *notice) runCompleted(p payload) {
	n.emoji, n.title = ":white_check_mark:", "Run Completed"
	n.lead = n.bold() + " is complete."
	n.fact("Completed at", p.time("completed_at"))
	n.fact("Completed via", span(p.text("completed_via"), maxID))
	n.gate(p)
}

func (n *notice) reminder(p payload) {
	n.emoji, n.title = ":alarm_clock:", "Approval Overdue"
	n.lead = n.bold() + " still waits for approval."
	if waited := p.seconds("elapsed_seconds"); waited != "" {
		n.lead = n.bold() + " has been waiting for approval for *" + waited + "*."
		n.gist = "waiting for " + waited
	}
	n.step(p.text("from_phase"), p.text("to_phase"))
	n.gate(p)
	n.fact("Since", p.time("requested_at"))
	n.fact("Threshold", p.seconds("threshold_seconds"))
	n.fact("Reminder", joinWith(" of ", line(p.text("reminder_index"), maxName), line(p.text("total_thresholds"), maxName)))
	switch p.text("approval_type") {
	case "pending_phase_transition":
		n.command(approveWith, approveTransition)
	case "pending_run_completion":
		n.command(approveWith, approveCompletion)
	}
}

// The commands that give an approval, and what they are called.
const (
	approveWith       = "Approve with"
	approveTransition = "agentxchain approve-transition"
	approveCompletion = "agentxchain approve-completion"
)

// step adds the phases that a gate lies between.
func (n *notice) step(from, to string) {
	n.fact("Transition", joinWith(" → ", span(from, maxName), span(to, maxName)))
	n.gist = cmp.Or(n.gist, joinWith(" → ", from, to))
}

// gate adds the gate and who asked for it to be passed.
func (n *notice) gate(p payload) {
	n.fact("Gate", span(p.text("gate"), maxID))
	n.fact("Requested by", span(p.text("requested_by_turn"), maxID))
}

// since adds the time from which somebody waits. Where the payload has none, the
// event's own is no more than when it was reported: a run can have been blocked
// long before.
func (n *notice) since(env events.Envelope, p payload) {
	if asked := p.time("requested_at"); asked != "" {
		n.fact("Since", asked)
		return
	}
	n.fact("Reported", clock(env.EmittedAt))
}

// recovery adds what the runner says should be done, and the command in it.
func (n *notice) recovery(action string) {
	c := commandIn(action)
	if action != c {
		n.todo = action
	}
	n.command("Recovery command", c)
}

// escalation adds a record that waits for a person.
func (n *notice) escalation(p payload) {
	n.record(p)
	n.todo = joined(n.todo, p.text("action"))
	label := "Recovery command"
	if len(n.commands) > 0 {
		label = "Once it is done"
	}
	n.command(label, p.text("resolution_command"))
}

// record adds what identifies a record.
func (n *notice) record(p payload) {
	n.fact("Escalation", span(p.text("escalation_id"), maxID))
	n.fact("Kind", span(p.text("type"), maxID))
	n.fact("Service", line(p.text("service"), maxID))
}

// locate adds where the event happened.
func (n *notice) locate(env events.Envelope) {
	n.where = appendFact(n.where, "Project", span(cmp.Or(env.Project.ID, env.Project.Name), maxID))
	n.where = appendFact(n.where, "Run", span(env.Run.ID, maxID))
	n.where = appendFact(n.where, "Phase", span(env.Run.Phase, maxID))
	if t := env.Turn; t != nil {
		n.where = appendFact(n.where, "Role", span(t.Role, maxID))
		n.where = appendFact(n.where, "Turn", joinWith(" ", span(t.ID, maxID), attemptOf(t)))
	}
	n.where = appendFact(n.where, "Folder", span(env.Project.Root, maxID))
}

func attemptOf(t *events.Turn) string {
	if t.Attempt == nil {
		return ""
	}
	return "(attempt " + strconv.FormatInt(*t.Attempt, 10) + ")"
}

func (n *notice) fact(label, text string) { n.facts = appendFact(n.facts, label, text) }

// command adds a command, once.
func (n *notice) command(label, c string) {
	if c != "" && (len(n.commands) == 0 || n.commands[0].command != c) {
		n.commands = append(n.commands, labelled{label, c})
	}
}

// appendFact adds a finished text under a label. More than Slack takes are
// left out; no event of ours has as many.
func appendFact(facts []string, label, text string) []string {
	if text == "" || len(facts) == maxFields {
		return facts
	}
	return append(facts, "*"+label+"*\n"+text)
}

func (n *notice) bold() string { return bold(n.project) }

func bold(s string) string { return "*" + strings.ReplaceAll(line(s, maxName), "*", "∗") + "*" }

// blocks lays the notice out.
func (n *notice) blocks() []*ecmajson.Value {
	blocks := []*ecmajson.Value{header(n.emoji + "  " + n.title), section(verbatim(n.lead))}
	add := func(label, text string) {
		if text != "" {
			blocks = append(blocks, section(verbatim("*"+label+"*\n"+text)))
		}
	}
	grid := func(facts []string) {
		if len(facts) > 0 {
			blocks = append(blocks, fieldSection(verbatims(facts)))
		}
	}
	grid(n.facts)
	add("Why", quote(n.why))
	add("What to do", plain(n.todo, maxTodo))
	for _, c := range n.commands {
		add(c.label, command(c.command, maxCommand))
	}
	blocks = append(blocks, divider())
	grid(n.where)
	return append(blocks, contextBlock(verbatim(n.footer)))
}

// text is the notice in one line.
func (n *notice) text() string {
	s := n.title + " in " + line(n.project, maxName)
	if why := cmp.Or(n.why, n.gist, n.todo); why != "" {
		s += ": " + line(why, maxNotice/2)
	}
	if len(n.commands) > 0 {
		s += " | " + line(n.commands[0].command, maxNotice/5)
	}
	return s
}

func verbatims(texts []string) []*ecmajson.Value {
	values := make([]*ecmajson.Value, len(texts))
	for i, t := range texts {
		values[i] = verbatim(t)
	}
	return values
}

// quote writes text with Slack's mark of a quotation before each line.
func quote(s string) string {
	s = plain(strings.TrimSpace(s), maxWhy)
	if s == "" {
		return ""
	}
	return ">" + strings.ReplaceAll(s, "\n", "\n>")
}

// commandIn returns the command that a sentence ends with, such as "Resolve
// the issue, then run agentxchain step --resume"; "" when it has none.
func commandIn(action string) string {
	const program = "agentxchain "
	at := strings.LastIndex(action, program)
	if at < 0 || at > 0 && strings.IndexByte(" `'\"(\n", action[at-1]) < 0 {
		return ""
	}
	c, _, _ := strings.Cut(action[at:], "\n")
	return strings.TrimRight(c, " .,;`'\")")
}

// joined puts two texts on lines of their own.
func joined(a, b string) string { return joinWith("\n", a, b) }

// joinWith joins two texts, of which each may be missing.
func joinWith(sep, a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + sep + b
}

func clock(t time.Time) string { return t.UTC().Format(timeLayout) }

// payload reads the payload of an event, in which everything may be missing or
// of another type than it should be.
type payload struct{ v *ecmajson.Value }

// text returns a value as people read it: a string as it is, nothing for null,
// and anything else as JSON.
func (p payload) text(key string) string {
	v := p.v.Get(key)
	switch {
	case v == nil || v.Is(ecmajson.Null):
		return ""
	case v.Is(ecmajson.String):
		return strings.TrimSpace(v.Str())
	}
	return string(ecmajson.Append(nil, v))
}

// object returns a member to read in turn; of anything but an object nothing
// can be read.
func (p payload) object(key string) payload { return payload{p.v.Get(key)} }

// time returns a time as people read it, and what is none as it is.
func (p payload) time(key string) string {
	s := p.text(key)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return clock(t)
	}
	return line(s, maxID)
}

// seconds returns a number of seconds in the two largest units that it has,
// and what is none as it is.
func (p payload) seconds(key string) string {
	v := p.v.Get(key)
	const forever = 1e12
	if n := v.Num(); v.Is(ecmajson.Number) && n >= 0 && n < forever {
		return elapsed(int64(n))
	}
	return line(p.text(key), maxID)
}

// elapsed writes seconds such as "45 s", "11 min 41 s", "2 h", "3 d 4 h".
func elapsed(s int64) string {
	unit := func(n int64, name string) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10) + " " + name
	}
	switch {
	case s < 60:
		return strconv.FormatInt(s, 10) + " s"
	case s < 3600:
		return joinWith(" ", unit(s/60, "min"), unit(s%60, "s"))
	case s < 86400:
		return joinWith(" ", unit(s/3600, "h"), unit(s/60%60, "min"))
	}
	return joinWith(" ", unit(s/86400, "d"), unit(s/3600%24, "h"))
}
