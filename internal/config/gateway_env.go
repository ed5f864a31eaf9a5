package config

import (
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/pyyaml"
)

// envPrefix begins the variables that fill what gateway.yaml leaves out;
// upper and lower case do not matter (contract, section 1.3).
const envPrefix = "agent_gateway_"

// overEnvironment lays the file over the environment: where both have a
// mapping its keys are merged, and otherwise the file wins.
func (r *gatewayReader) overEnvironment(file *pyyaml.Node) *pyyaml.Node {
	env := &pyyaml.Node{Kind: pyyaml.Mapping}
	for _, whole := range []bool{true, false} {
		for _, assignment := range r.opts.Environ {
			name, value, _ := strings.Cut(assignment, "=")
			if path, ok := envPath(name); ok && (len(path) == 1) == whole {
				r.assign(env, path, name, value)
			}
		}
	}
	env.Members = slices.DeleteFunc(env.Members, func(m pyyaml.Member) bool { return m.Value.Kind == pyyaml.Null })
	return r.merge(env, file)
}

// envPath is the place that a variable is about, in sections that we read.
func envPath(name string) ([]string, bool) {
	rest, ok := strings.CutPrefix(strings.ToLower(name), envPrefix)
	path := strings.Split(rest, "__")
	return path, ok && slices.Contains(readSections(), path[0])
}

// assign puts the value of a variable into a tree. A variable for a whole
// section comes before those for its parts, which have no effect when it is
// no mapping; null is the same as no variable at all.
func (r *gatewayReader) assign(env *pyyaml.Node, path []string, name, value string) {
	for at, i := env, 0; i < len(path)-1; i++ {
		if at = at.Get(path[i]); at != nil && at.Kind != pyyaml.Mapping {
			return
		}
	}
	node := r.variable(path, name, value)
	if node == nil {
		return
	}
	for _, key := range slices.Backward(path) {
		outer := &pyyaml.Node{Kind: pyyaml.Mapping}
		setMember(outer, key, node)
		r.variables[outer] = name
		node = outer
	}
	*env = *r.merge(env, node)
}

// variable makes a value of a variable's text: JSON where a list or a section
// belongs, and a string elsewhere. It is nil when the JSON is broken.
func (r *gatewayReader) variable(path []string, name, value string) *pyyaml.Node {
	if !takesJSON(strings.Join(path, ".")) {
		node := &pyyaml.Node{Kind: pyyaml.String, Text: value}
		r.variables[node] = name
		return node
	}
	v, err := ecmajson.Parse([]byte(value), ecmajson.Options{MaxDepth: maxDepth})
	if err != nil {
		r.add(Problem{
			File: "environment variable " + name, Code: "settings_error", Pointer: "/" + strings.Join(path, "/"),
			Message: fmt.Sprintf("the value for %s is no JSON", strings.Join(path, ".")),
			Hint:    "lists and sections are given as JSON, for example [{\"name\": \"ops\", \"url\": \"https://…\"}]",
		})
		return nil
	}
	return r.fromJSON(v, name)
}

// takesJSON reports whether a list or a section belongs at a path.
func takesJSON(path string) bool {
	switch path {
	case "notifications", "notifications.slack", "notifications.webhooks",
		"persistence", "queue", "server", "server.allowed_hosts", "auth", "auth.api_keys", "auth.oauth2", "auth.oauth2.algorithms", "auth.public_paths",
		"dashboard", "dashboard.auth", "dashboard.auth.oauth2", "dashboard.auth.oauth2.scopes", "dashboard.theme", "dashboard.theme.colors":
		return true
	}
	return false
}

// fromJSON makes a tree of a variable's JSON.
func (r *gatewayReader) fromJSON(v *ecmajson.Value, name string) *pyyaml.Node {
	node := &pyyaml.Node{}
	r.variables[node] = name
	switch v.Kind() {
	case ecmajson.Bool:
		node.Kind, node.Text = pyyaml.Bool, fmt.Sprint(v.True())
	case ecmajson.Number:
		node.Kind, node.Text = pyyaml.Int, v.Literal()
		if strings.ContainsAny(v.Literal(), ".eE") {
			node.Kind = pyyaml.Float
		}
	case ecmajson.String:
		node.Kind, node.Text = pyyaml.String, v.Str()
	case ecmajson.Array:
		node.Kind = pyyaml.Sequence
		for _, item := range v.Items() {
			node.Items = append(node.Items, r.fromJSON(item, name))
		}
	case ecmajson.Object:
		node.Kind = pyyaml.Mapping
		for _, m := range v.Members() {
			setMember(node, m.Key, r.fromJSON(m.Value, name))
		}
	default:
		node.Kind = pyyaml.Null
	}
	return node
}

func setMember(node *pyyaml.Node, key string, value *pyyaml.Node) {
	node.Members = append(node.Members, pyyaml.Member{Key: &pyyaml.Node{Kind: pyyaml.String, Text: key}, Value: value})
}

// merge lays one tree over another. Neither is changed.
func (r *gatewayReader) merge(under, over *pyyaml.Node) *pyyaml.Node {
	if under.Kind != pyyaml.Mapping || over.Kind != pyyaml.Mapping || len(under.Members) == 0 {
		return over
	}
	merged := *over
	merged.Members = slices.Clone(over.Members)
	for _, m := range under.Members {
		at := slices.IndexFunc(merged.Members, func(o pyyaml.Member) bool { return o.Key.Is(pyyaml.String) && o.Key.Text == m.Key.Text })
		if at < 0 {
			merged.Members = append(merged.Members, m)
			continue
		}
		merged.Members[at].Value = r.merge(m.Value, merged.Members[at].Value)
	}
	if name := r.variables[over]; name != "" {
		r.variables[&merged] = name
	}
	return &merged
}
