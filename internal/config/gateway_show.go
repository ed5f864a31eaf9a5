package config

import (
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/pyyaml"
	"agentxchain/internal/secret"
)

// Settings returns what is in effect, in the order of the sections: secrets
// masked, of a URL only scheme, host and port, of a template only its size,
// and for each variable that a value uses where it comes from.
func (g *Gateway) Settings() []Setting { return slices.Clone(g.settings) }

// show notes a value that stands at v, or is a default when v is nil.
func (r *gatewayReader) show(key, value string, v *pyyaml.Node) {
	source := "default"
	switch {
	case v != nil && r.variables[v] != "":
		source = "environment"
	case v != nil:
		source = fmt.Sprintf("%s:%d", r.file, v.Line)
	}
	r.settings = append(r.settings, Setting{key, value, source})
}

// showVariables notes where each variable of a value comes from.
func (r *gatewayReader) showVariables(key string, v *pyyaml.Node) {
	if r.variables[v] != "" {
		return
	}
	for _, name := range placeholders(v.Text) {
		setting := Setting{Key: key + ".${" + name + "}", Source: "not set"}
		if _, ok := r.lookup(name); ok {
			setting.Value, setting.Source = secret.Mask, "environment"
		}
		if !slices.Contains(r.settings, setting) {
			r.settings = append(r.settings, setting)
		}
	}
}

// The masks say what may be shown of a value.

func shown(text string) string { return text }

func masked(text string) string {
	if text == "" {
		return ""
	}
	return secret.Mask
}

// lines shows the size of a template.
func lines(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf("(%d characters)", len([]rune(text)))
}

// maskDatabase shows the file of an SQLite database, and where another one is.
func maskDatabase(url string) string {
	if strings.HasPrefix(url, "sqlite") && !strings.Contains(url, "?") {
		return url
	}
	return maskURL(url)
}
