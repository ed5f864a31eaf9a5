package config

import (
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
)

const (
	defaultTemplate = "generic"
	// maxGoal is a length in UTF-16 code units, as the Node CLI counts.
	maxGoal = 500
)

// governed applies the rules outside notifications (contract, section 1.2).
// Sections that notifications and exports do not use are the Node CLI's business.
func (c *checker) governed() {
	c.project(c.doc.Get("project"))
	runtimes := c.section("runtimes")
	for _, m := range ownMembers(c.section("roles")) {
		c.role(m, runtimes)
	}
	for _, m := range ownMembers(runtimes) {
		c.runtime(m)
	}
	c.routing(c.doc.Get("routing"))
}

// section returns a required object, or nil with the problem recorded.
func (c *checker) section(name string) *ecmajson.Value {
	v := c.doc.Get(name)
	if v.Is(ecmajson.Object) {
		return v
	}
	c.fail(child(c.doc, "", name), name+" must be an object", fmt.Sprintf(`"%s": {} is enough to send notifications`, name))
	return nil
}

func (c *checker) project(v *ecmajson.Value) {
	if !v.Is(ecmajson.Object) {
		c.fail(child(c.doc, "", "project"), "project must be an object", `write "project": {"id": "…", "name": "…"}`)
		return
	}
	for _, name := range []string{"id", "name"} {
		if isBlank(v.Get(name)) {
			c.fail(child(v, "/project", name), "project."+name+" must be a non-empty string", "events and exports name the project by it")
		}
	}
	goal := v.Get("goal")
	if goal == nil || goal.Is(ecmajson.Null) {
		return
	}
	switch {
	case isBlank(goal):
		c.fail(child(v, "/project", "goal"), "project.goal must be a non-empty string", "remove the key when there is no goal")
	case ecmajson.UTF16Len(ecmajson.Trim(goal.Str())) > maxGoal:
		c.fail(child(v, "/project", "goal"), fmt.Sprintf("project.goal must be at most %d characters", maxGoal), "")
	}
}

func (c *checker) role(m ecmajson.Member, runtimes *ecmajson.Value) {
	pointer, who := "/roles/"+escape(m.Key), `Role "`+m.Key+`"`
	if !m.Value.Is(ecmajson.Object) {
		c.fail(at(m.Value, pointer), who+" must be an object", "")
		return
	}
	for _, name := range []string{"title", "mandate"} {
		if isBlank(m.Value.Get(name)) {
			c.fail(child(m.Value, pointer, name), who+": "+name+" required", "")
		}
	}
	authorities := []string{"authoritative", "proposed", "review_only"}
	if !oneOf(m.Value.Get("write_authority"), authorities) {
		c.fail(child(m.Value, pointer, "write_authority"),
			who+": write_authority must be one of: "+strings.Join(authorities, ", "),
			c.suggest(m.Value.Get("write_authority").Str(), authorities))
	}
	runtime := m.Value.Get("runtime")
	switch {
	case isBlank(runtime):
		c.fail(child(m.Value, pointer, "runtime"), who+": runtime required", runtimeHint(m.Value))
	case runtimes != nil && !runtimes.Has(runtime.Str()):
		c.fail(at(runtime, pointer+"/runtime"), fmt.Sprintf(`%s: runtime "%s" is not in runtimes`, who, runtime.Str()),
			c.suggest(runtime.Str(), runtimes.OwnKeys()))
	}
}

// runtimeHint knows the folder that "agentxchain demo" leaves behind
// (contract, section 9, B32).
func runtimeHint(role *ecmajson.Value) string {
	if role.Has("runtime_id") {
		return `rename "runtime_id" to "runtime"`
	}
	return "name a key of runtimes"
}

func (c *checker) runtime(m ecmajson.Member) {
	pointer, who := "/runtimes/"+escape(m.Key), `Runtime "`+m.Key+`"`
	if !m.Value.Is(ecmajson.Object) {
		c.fail(at(m.Value, pointer), who+" must be an object", "")
		return
	}
	types := []string{"manual", "local_cli", "api_proxy", "mcp", "remote_agent"}
	if v := m.Value.Get("type"); !oneOf(v, types) {
		c.fail(child(m.Value, pointer, "type"), who+": type must be one of: "+strings.Join(types, ", "), c.suggest(v.Str(), types))
	}
}

func (c *checker) routing(v *ecmajson.Value) {
	if !v.Truthy() {
		return
	}
	if !v.Is(ecmajson.Object) {
		c.fail(at(v, "/routing"), "routing must be an object", "")
		return
	}
	for _, m := range ownMembers(v) {
		if !isPhaseName(m.Key) {
			c.fail(key(m, "/routing"), fmt.Sprintf(`routing key "%s" must match ^[a-z][a-z0-9_-]*$`, m.Key), "")
		}
	}
}

// isPhaseName is ^[a-z][a-z0-9_-]*$.
func isPhaseName(s string) bool { return isName(s) && s[0] >= 'a' && s[0] <= 'z' }

// isName is ^[a-z0-9_-]+$, where $ does not match before a final line end.
func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// isBlank reports whether v is anything but a string with a visible character.
func isBlank(v *ecmajson.Value) bool { return ecmajson.Trim(v.Str()) == "" }

func oneOf(v *ecmajson.Value, names []string) bool {
	return v.Is(ecmajson.String) && slices.Contains(names, v.Str())
}
