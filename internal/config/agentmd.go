package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"agentxchain/internal/events"
	"agentxchain/internal/pyyaml"
	"agentxchain/internal/routing"
)

const agentFile = "AGENT.md"

// loadAgents reads every agents/*/AGENT.md of the workspace that belongs to a
// gateway.yaml, sorted by folder. A workspace without agents is none.
func loadAgents(g *Gateway, o GatewayOptions) ([]routing.Agent, Problems) {
	dir := filepath.Join(workspace(g.File), "agents")
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, Problems{{File: dir, Message: err.Error(), Err: err}}
	}
	var agents []routing.Agent
	var problems Problems
	for _, e := range entries {
		a := agentReader{checker: checker{file: filepath.Join(dir, e.Name(), agentFile)}, gateway: g, opts: o}
		if agent := a.load(e); agent != nil {
			agents = append(agents, *agent)
		}
		problems = append(problems, a.problems...)
	}
	return agents, problems
}

// workspace is the folder that holds the agents: the one of gateway.yaml when
// it is called workspace or has a folder agents and no workspace, and else the
// folder workspace beside the file.
func workspace(file string) string {
	dir := filepath.Dir(file)
	beside := filepath.Join(dir, "workspace")
	if filepath.Base(dir) == "workspace" || !isDir(beside) && isDir(filepath.Join(dir, "agents")) {
		return dir
	}
	return beside
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// agentReader reads one AGENT.md.
type agentReader struct {
	checker
	gateway *Gateway
	opts    GatewayOptions
}

// load reads the agent of a folder, nil when Agent Gateway would not load one.
func (a *agentReader) load(e fs.DirEntry) *routing.Agent {
	if !e.IsDir() || strings.HasPrefix(e.Name(), ".") { // A symbolic link is none.
		return nil
	}
	src, err := readSmall(a.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !isAgentID(e.Name()):
		a.add(Problem{
			Severity: Warning, Code: "agent_id", Message: fmt.Sprintf("the folder %q is no name of an agent, so it is not loaded", e.Name()),
			Hint: "use up to 64 lower-case letters, digits, _ and -, the first a letter or digit",
		})
		return nil
	}
	agent := &routing.Agent{Name: e.Name(), File: a.relative()}
	if err != nil {
		agent.Problem = a.inFile(a.unreadable(err, ""))
		return agent
	}
	return a.parse(agent, src)
}

// inFile is a problem in the words of a delivery that fails for it.
func (a *agentReader) inFile(p Problem) string {
	p.File = a.relative()
	return p.String()
}

// isAgentID is ^[a-z0-9][a-z0-9_-]{0,63}$.
func isAgentID(name string) bool {
	return isName(name) && len(name) <= 64 && name[0] != '_' && name[0] != '-'
}

// parse reads the content of an AGENT.md, nil when there is none. Without a
// prompt the package does not load the agent, but its rules stand in the file.
func (a *agentReader) parse(agent *routing.Agent, src []byte) *routing.Agent {
	if !utf8.Valid(src) {
		p := Problem{Code: "encoding", Message: "the file is not UTF-8, so Agent Gateway does not load the agent", Hint: "save the file as UTF-8"}
		a.add(p)
		agent.Problem = a.inFile(p)
		return agent
	}
	m := splitMarkdown(src)
	if m.empty {
		a.add(Problem{Severity: Warning, Code: "empty", Message: "the file holds no prompt, so Agent Gateway does not load the agent"})
	}
	switch {
	case m.matter == nil && m.empty:
		return nil
	case m.matter == nil:
		a.strayRules(agent, src, m.unclosed)
		return agent
	}
	doc, err := pyyaml.Parse(m.matter, pyyaml.Limits{Bytes: maxGatewayFile})
	if err != nil { // The package then takes the whole file for the prompt.
		agent.Problem = a.inFile(a.invalidYAML(err, m.matter))
		return agent
	}
	a.src = m.matter
	a.repeatedKeys(doc)
	a.matter(agent, doc.Root)
	return agent
}

// relative is the file's name in targets.
func (a *agentReader) relative() string {
	if rel, err := filepath.Rel(a.opts.root(a.gateway.File), a.file); err == nil {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(a.file)
}

// strayRules looks for rules in a file that has no frontmatter: nobody would
// follow them, and nobody would say so. Behind frontmatter that begins and
// does not end they were meant to be rules.
func (a *agentReader) strayRules(agent *routing.Agent, src []byte, unclosed bool) {
	for i, line := range strings.Split(string(src), "\n") {
		if !strings.HasPrefix(line, "notifications:") {
			continue
		}
		p := Problem{Line: i + 1, Column: 1, Severity: Warning, Code: "no_frontmatter", Message: "these notifications have no effect: the file has no frontmatter"}
		p.Hint = `frontmatter begins with "---" in the very first line, and ends with another "---"`
		if unclosed {
			p.Severity, p.Message = Error, `the frontmatter is never closed, so these notifications have no effect`
			p.Hint = `end it with a line "---"`
			agent.Problem = a.inFile(p)
		}
		a.add(p)
		return
	}
}

// matter reads the frontmatter.
func (a *agentReader) matter(agent *routing.Agent, root *pyyaml.Node) {
	if root.Kind != pyyaml.Mapping {
		if root.Kind != pyyaml.Null {
			a.remark(root, "", "mapping", "the frontmatter is "+root.Kind.String()+", not a mapping, so it has no effect", "")
		}
		return
	}
	agent.Title = root.Get("name").Str()
	if a.opts.Advise {
		a.adviseMatter(agent, root)
	}
	notifications := root.Get("notifications")
	switch {
	case notifications == nil, notifications.Kind == pyyaml.Null:
	case notifications.Kind != pyyaml.Mapping:
		p := nodeProblem(notifications, Error, "/notifications", "model_type", "notifications must be a mapping, not "+notifications.Kind.String(), `for example "on_error: [{channel: slack}]"`)
		a.add(p)
		agent.Problem = a.inFile(p)
	default:
		a.rules(agent, notifications)
	}
}

// adviseMatter looks for names that will not be found.
func (a *agentReader) adviseMatter(agent *routing.Agent, root *pyyaml.Node) {
	if v := root.Get("name"); agent.Title != "" && agent.Title != agent.Name {
		a.remark(v, "/name", "other_name", fmt.Sprintf("the name %q is not that of the folder, %q, which Agent Gateway goes by", agent.Title, agent.Name), "call them alike")
	}
	for _, m := range root.Members {
		if !root.Has("notifications") && m.Key.Is(pyyaml.String) && a.near(m.Key.Text, []string{"notifications"}) != "" {
			a.remark(m.Key, "/"+escape(m.Key.Text), "unknown_key", fmt.Sprintf("%q has no effect", m.Key.Text), `did you mean "notifications"?`)
		}
	}
}

// ruleEvents are the keys of notifications: one spelling of each event.
func ruleEvents() []string {
	var names []string
	for _, t := range slices.Concat(events.Types(events.Agent), events.Types(events.Governed)) {
		names = append(names, string(t))
	}
	return names
}

// rules reads the rules of every event.
func (a *agentReader) rules(agent *routing.Agent, v *pyyaml.Node) {
	agent.Rules = map[events.Type][]routing.Rule{}
	for _, m := range v.Members {
		name, pointer := m.Key.Text, "/notifications/"+escape(m.Key.Text)
		if m.Key.Kind != pyyaml.String || !slices.Contains(ruleEvents(), name) {
			a.remark(m.Key, pointer, "unknown_key", fmt.Sprintf("notifications has the unknown key %q, which has no effect", name), a.keyHint(name))
			continue
		}
		agent.Rules[events.Type(name)] = a.eventRules(events.Type(name), pointer, m.Value)
	}
}

// eventRules reads the rules of one event. What is no list is one rule that
// cannot be followed.
func (a *agentReader) eventRules(event events.Type, pointer string, v *pyyaml.Node) []routing.Rule {
	if v.Kind != pyyaml.Sequence {
		message := fmt.Sprintf("notifications.%s must be a list, not %s", event, v.Kind)
		a.wrong(v, pointer, "list_type", message, `begin each rule with "- "`)
		return []routing.Rule{{Problem: message}}
	}
	var rules []routing.Rule
	for i, item := range v.Items {
		r := ruleReader{agentReader: a, event: event, name: fmt.Sprintf("notifications.%s[%d]", event, i), pointer: index(pointer, i)}
		rule := r.rule(item)
		rule.Index = i
		if a.opts.Advise && rule.Problem == "" {
			r.advise(item, rule, rules)
		}
		rules = append(rules, rule)
	}
	return rules
}

func (a *agentReader) keyHint(name string) string {
	if t, err := events.ParseType(name); err == nil {
		return fmt.Sprintf("did you mean %q?", t)
	}
	return a.suggest(name, ruleEvents())
}

// markdown is an AGENT.md in its parts.
type markdown struct {
	// matter is the source up to the end of the frontmatter, all before it
	// blanked, so that places stay what they are; nil when there is none.
	matter []byte
	// unclosed says that frontmatter begins and does not end.
	unclosed bool
	// empty says that there is no prompt.
	empty bool
}

// splitMarkdown cuts a file as python-frontmatter does: behind blanks, a line
// of three or more dashes begins the frontmatter, and the next one ends it
// (contract, section 6.1).
func splitMarkdown(src []byte) markdown {
	if len(bytes.TrimSpace(src)) == 0 {
		return markdown{empty: true}
	}
	begin := len(src) - len(bytes.TrimLeftFunc(src, unicode.IsSpace))
	line, next := lineFrom(src, begin)
	if !isFence(line) {
		return markdown{}
	}
	for at := next; at < len(src); {
		line, after := lineFrom(src, at)
		if isFence(line) {
			return markdown{matter: blank(src[:at], next), empty: len(bytes.TrimSpace(src[after:])) == 0}
		}
		at = after
	}
	return markdown{unclosed: true}
}

// lineFrom returns the rest of the line at an offset, and where the next begins.
func lineFrom(src []byte, at int) (line []byte, next int) {
	n := bytes.IndexAny(src[at:], "\r\n")
	if n < 0 {
		return src[at:], len(src)
	}
	next = at + n + 1
	if src[at+n] == '\r' && next < len(src) && src[next] == '\n' {
		next++
	}
	return src[at : at+n], next
}

// isFence reports whether a line is three or more dashes.
func isFence(line []byte) bool {
	line = bytes.TrimRightFunc(line, unicode.IsSpace)
	return len(line) >= 3 && len(bytes.Trim(line, "-")) == 0
}

// blank returns a copy of src whose first n bytes, line ends excepted, are spaces.
func blank(src []byte, n int) []byte {
	src = bytes.Clone(src)
	for i := range n {
		if src[i] != '\n' && src[i] != '\r' {
			src[i] = ' '
		}
	}
	return src
}
