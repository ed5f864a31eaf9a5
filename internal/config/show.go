package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/secret"
)

// Setting is one value of the effective configuration, fit for printing.
type Setting struct {
	// Key is the value's place, such as "notifications.webhooks[0].url".
	Key string
	// Value is what is in effect; secrets are masked.
	Value string
	// Source is where the value comes from: FILE:LINE, "environment",
	// "default", or "not set".
	Source string
}

// Settings returns the effective configuration in the order of the format.
// Of a URL only scheme, host and port are shown; of a header the names of its
// variables and where each comes from; of a webhook's env only the names.
func (c *Config) Settings() []Setting {
	s := shower{cfg: c}
	for i, b := range c.src {
		if b == '\n' {
			s.ends = append(s.ends, i)
		}
	}
	project := c.Raw.Get("project")
	s.add("project.id", c.Project.ID, project.Get("id"))
	s.add("project.name", c.Project.Name, project.Get("name"))
	if c.Project.Goal != "" {
		s.add("project.goal", c.Project.Goal, project.Get("goal"))
	}
	s.add("template", c.Project.Template, c.Raw.Get("template"))
	notifications := c.Raw.Get("notifications")
	for i, v := range notifications.Get("webhooks").Items() {
		s.webhook(fmt.Sprintf("notifications.webhooks[%d]", i), v)
	}
	if c.ApprovalSLA != nil {
		v := notifications.Get("approval_sla")
		s.add("notifications.approval_sla.enabled", fmt.Sprint(c.ApprovalSLA.Enabled), v.Get("enabled"))
		s.add("notifications.approval_sla.reminder_after_seconds", list(v.Get("reminder_after_seconds")), v.Get("reminder_after_seconds"))
	}
	return s.settings
}

// shower collects settings.
type shower struct {
	cfg *Config
	// ends are the offsets of line ends in the file.
	ends     []int
	settings []Setting
}

// add adds a value that stands at v, or is a default when v is absent.
func (s *shower) add(key, value string, v *ecmajson.Value) {
	source := "default"
	if v != nil {
		source = s.line(v)
	}
	s.settings = append(s.settings, Setting{key, value, source})
}

func (s *shower) line(v *ecmajson.Value) string {
	n, _ := slices.BinarySearch(s.ends, v.Offset())
	return fmt.Sprintf("%s:%d", s.cfg.Root.ConfigFile(), n+1)
}

func (s *shower) webhook(name string, v *ecmajson.Value) {
	s.add(name+".name", v.Get("name").Str(), v.Get("name"))
	s.add(name+".url", maskURL(v.Get("url").Str()), v.Get("url"))
	s.add(name+".events", list(v.Get("events")), v.Get("events"))
	s.add(name+".timeout_ms", toString(v.Get("timeout_ms")), v.Get("timeout_ms"))
	for _, m := range ownMembers(v.Get("headers")) {
		s.add(name+".headers."+m.Key, maskHeader(m.Value.Str()), m.Value)
	}
	for _, m := range ownMembers(v.Get("env")) {
		s.add(name+".env."+m.Key, secret.Mask, m.Value)
	}
	s.variables(name, v)
}

// variables tells where each variable of a webhook's headers comes from.
func (s *shower) variables(name string, v *ecmajson.Value) {
	env, seen := v.Get("env"), map[string]bool{}
	for _, m := range ownMembers(v.Get("headers")) {
		for _, variable := range placeholders(m.Value.Str()) {
			if !seen[variable] {
				seen[variable] = true
				s.variable(name+".${"+variable+"}", variable, env)
			}
		}
	}
}

func (s *shower) variable(key, name string, env *ecmajson.Value) {
	value, source := secret.Mask, s.cfg.env.Origin(name)
	switch {
	case env.Has(name):
		source = s.line(env.Get(name))
	case source == "":
		value, source = "", "not set"
	}
	s.settings = append(s.settings, Setting{key, value, source})
}

// maskURL shows where a URL leads, not what it carries.
func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return secret.Mask
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += secret.Mask + "@"
	}
	shown += u.Host
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return shown + "/…"
	}
	return shown + u.Path
}

// maskHeader shows the placeholders of a header value and the authentication
// scheme in front of them, nothing else.
func maskHeader(value string) string {
	var b strings.Builder
	for i, p := range split(value) {
		scheme := slices.Contains([]string{"Bearer ", "Basic ", "Token "}, p.text)
		switch {
		case p.name != "":
			b.WriteString("${" + p.name + "}")
		case i == 0 && scheme && p.text != value:
			b.WriteString(p.text)
		default:
			b.WriteString(secret.Mask)
		}
	}
	return b.String()
}

func list(v *ecmajson.Value) string {
	texts := make([]string, v.Len())
	for i, item := range v.Items() {
		texts[i] = toString(item)
	}
	return strings.Join(texts, ", ")
}
