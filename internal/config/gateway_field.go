package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/pyyaml"
	"agentxchain/internal/secret"
)

// section is one mapping of gateway.yaml while its values are taken out. Each
// of the methods that take a value checks it as pydantic does in its lax mode,
// notes it for [Gateway.Settings], and returns the fallback when the value is
// absent or wrong.
type section struct {
	r *gatewayReader
	// v is nil when the section is absent.
	v *pyyaml.Node
	// name and pointer are the section's place, for people and for programs.
	name, pointer string
	// missing collects variables that have no value; fails says what they fail.
	missing *[]string
	fails   string
}

// path is the name of a key, as people read it.
func (s section) path(key string) string {
	if s.name == "" {
		return key
	}
	return s.name + "." + key
}

// at is the pointer of a key.
func (s section) at(key string) string { return s.pointer + "/" + escape(key) }

// section takes a mapping out, absent when it is one or wrong.
func (s section) section(key string) section {
	sub := section{r: s.r, v: s.v.Get(key), name: s.path(key), pointer: s.at(key), missing: s.missing, fails: s.fails}
	if sub.v != nil && sub.v.Kind != pyyaml.Mapping {
		s.r.wrong(sub.v, sub.pointer, "model_type", sub.name+" must be a mapping, not "+sub.v.Kind.String(), emptyHint(sub.v))
		sub.v = nil
	}
	return sub
}

// optional is [section.section] for one that may be null.
func (s section) optional(key string) section {
	if s.v.Get(key).Is(pyyaml.Null) {
		return section{r: s.r, name: s.path(key), pointer: s.at(key), missing: s.missing}
	}
	return s.section(key)
}

// list takes a list out, nil when it is absent or wrong.
func (s section) list(key string) []*pyyaml.Node {
	v := s.v.Get(key)
	if v != nil && v.Kind != pyyaml.Sequence {
		hint := emptyHint(v)
		if v.Kind == pyyaml.String {
			hint = "write it as [value]"
		}
		s.r.wrong(v, s.at(key), "list_type", s.path(key)+" must be a list, not "+v.Kind.String(), hint)
		return nil
	}
	if v == nil {
		return nil
	}
	return v.Items
}

// entries takes a list of mappings out; entries that are none are left out.
func (s section) entries(key string) []section {
	var list []section
	for i, v := range s.list(key) {
		if e, ok := s.entry(key, i, v); ok {
			list = append(list, e)
		}
	}
	return list
}

// entry is an element of a list of mappings; ok is false when it is none.
func (s section) entry(key string, i int, v *pyyaml.Node) (e section, ok bool) {
	e = section{r: s.r, v: v, name: fmt.Sprintf("%s[%d]", s.path(key), i), pointer: index(s.at(key), i), missing: s.missing, fails: s.fails}
	if v.Kind != pyyaml.Mapping {
		s.r.wrong(v, e.pointer, "model_type", e.name+" must be a mapping, not "+v.Kind.String(), emptyHint(v))
		return e, false
	}
	return e, true
}

// emptyHint knows why people write null.
func emptyHint(v *pyyaml.Node) string {
	if v.Kind == pyyaml.Null {
		return "remove the key when there is nothing to say"
	}
	return ""
}

// text takes a string out. mask makes of it what may be shown.
func (s section) text(key, fallback string, mask func(string) string) string {
	v := s.v.Get(key)
	if v == nil {
		s.r.show(s.path(key), mask(fallback), nil)
		return fallback
	}
	text, ok := s.str(v, s.path(key), s.at(key))
	if !ok {
		return fallback
	}
	s.r.show(s.path(key), mask(text), v)
	s.r.showVariables(s.path(key), v)
	return text
}

// nullable is [section.text] for a key that may be null, which means "".
func (s section) nullable(key string, mask func(string) string) string {
	if s.v.Get(key).Is(pyyaml.Null) {
		s.r.show(s.path(key), "", s.v.Get(key))
		return ""
	}
	return s.text(key, "", mask)
}

// required is [section.text] for a key that must be there; hint says what for.
func (s section) required(key, hint string, mask func(string) string) string {
	if !s.v.Has(key) {
		s.r.wrong(s.v, s.at(key), "missing", s.path(key)+" is missing", hint)
		return ""
	}
	return s.text(key, "", mask)
}

// secret is [section.text] for what must not be printed.
func (s section) secret(key string) secret.Text { return secret.New(s.text(key, "", masked)) }

// texts takes a list of strings out; elements that are none are left out.
func (s section) texts(key string, fallback []string) []string {
	if !s.v.Has(key) {
		s.r.show(s.path(key), strings.Join(fallback, ", "), nil)
		return fallback
	}
	list := []string{}
	for i, v := range s.list(key) {
		if text, ok := s.str(v, fmt.Sprintf("%s[%d]", s.path(key), i), index(s.at(key), i)); ok {
			list = append(list, text)
		}
	}
	s.r.show(s.path(key), strings.Join(list, ", "), s.v.Get(key))
	return list
}

// str checks that a value is a string and fills its placeholders. name and
// pointer are its place.
func (s section) str(v *pyyaml.Node, name, pointer string) (string, bool) {
	switch {
	case v.Kind != pyyaml.String && v.Kind != pyyaml.Binary:
		s.r.wrong(v, pointer, "string_type", name+" must be a string, not "+v.Kind.String(), stringHint(v))
		return "", false
	case !utf8.ValidString(v.Text):
		s.r.wrong(v, pointer, "string_unicode", name+" must be text, and its bytes are not UTF-8", "")
		return "", false
	}
	text, _ := s.fill(v, name, pointer, func(value string) string { return value })
	return text, true
}

// stringHint knows what YAML makes of strings without quotes.
func stringHint(v *pyyaml.Node) string {
	switch v.Kind {
	case pyyaml.Null:
		return `give it a value; one that begins with "#" needs quotes, because that begins a comment`
	case pyyaml.Sequence, pyyaml.Mapping:
		return `a value that begins with "{" or "[" needs quotes`
	}
	return "put it in quotes"
}

// flag takes a boolean out.
func (s section) flag(key string, fallback bool) bool {
	v := s.v.Get(key)
	if v == nil {
		s.r.show(s.path(key), fmt.Sprint(fallback), nil)
		return fallback
	}
	truth, code := s.boolean(v, key)
	if code != "" {
		s.r.wrong(v, s.at(key), code, s.path(key)+" must be true or false", emptyHint(v))
		return fallback
	}
	s.r.show(s.path(key), fmt.Sprint(truth), v)
	s.r.showVariables(s.path(key), v)
	return truth
}

// boolean reads a boolean as pydantic does: strings and the numbers 1 and 0
// will do. What depends on a variable without a value is true, so that it
// fails in the open. code is pydantic's name of the fault, or "".
func (s section) boolean(v *pyyaml.Node, key string) (truth bool, code string) {
	switch v.Kind {
	case pyyaml.Bool:
		return v.True(), ""
	case pyyaml.Int:
		if !v.Int().IsInt64() {
			return false, "bool_type"
		}
		return numberTruth(float64(v.Int().Int64()))
	case pyyaml.Float:
		if f := v.Float(); f != float64(int64(f)) {
			return false, "bool_type"
		}
		return numberTruth(v.Float())
	case pyyaml.String, pyyaml.Binary:
		text, known := s.fill(v, s.path(key), s.at(key), func(value string) string { return value })
		if !known {
			return true, ""
		}
		return textTruth(text)
	}
	return false, "bool_type"
}

// whole takes an integer out. Digits in a string will do, because variables
// have no other values. Above and below its bounds it is wrong; hint says what
// to do. fallback 0 stands for what is not limited, and is not shown.
func (s section) whole(key string, fallback, least, most int, hint string) int {
	v := s.v.Get(key)
	if v == nil {
		text := ""
		if fallback != 0 {
			text = strconv.Itoa(fallback)
		}
		s.r.show(s.path(key), text, nil)
		return fallback
	}
	text := v.Text
	if v.Is(pyyaml.String) {
		filled, known := s.fill(v, s.path(key), s.at(key), func(value string) string { return value })
		if !known {
			s.r.showVariables(s.path(key), v)
			return fallback
		}
		text = filled
	} else if v.Is(pyyaml.Int) {
		text = v.Int().String()
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most || !v.Is(pyyaml.String) && !v.Is(pyyaml.Int) {
		s.r.wrong(v, s.at(key), "int_range", fmt.Sprintf("%s must be a whole number from %d to %d", s.path(key), least, most), hint)
		return fallback
	}
	s.r.show(s.path(key), strconv.Itoa(n), v)
	s.r.showVariables(s.path(key), v)
	return n
}

func numberTruth(f float64) (truth bool, code string) {
	if f != 0 && f != 1 {
		return false, "bool_parsing"
	}
	return f == 1, ""
}

func textTruth(text string) (truth bool, code string) {
	switch strings.ToLower(text) {
	case "true", "t", "yes", "y", "on", "1":
		return true, ""
	case "false", "f", "no", "n", "off", "0":
		return false, ""
	}
	return false, "bool_parsing"
}

// template takes a Jinja2 template out. The values of variables are escaped
// for a JSON string and cannot begin a tag of the template, so that none of
// them can add a key (contract, section 10, gap 11).
func (s section) template(key string) string {
	v := s.v.Get(key)
	if !v.Is(pyyaml.String) {
		return s.nullable(key, lines)
	}
	text, _ := s.fill(v, s.path(key), s.at(key), jsonText)
	s.r.show(s.path(key), lines(text), v)
	s.r.showVariables(s.path(key), v)
	return text
}

// jsonText is what stands for a value inside the quotes of a JSON string.
func jsonText(value string) string {
	quoted := ecmajson.AppendString(nil, value)
	return strings.ReplaceAll(string(quoted[1:len(quoted)-1]), "{", `\u007b`)
}

// fill replaces each ${NAME} of a string (contract, section 1.2); how says
// what stands for a value. A name without a value leaves the text as it is,
// fails what the section configures, and known is false. Values of environment
// variables are taken as they are.
func (s section) fill(v *pyyaml.Node, name, pointer string, how func(value string) string) (text string, known bool) {
	if s.r.variables[v] != "" || !strings.Contains(v.Text, "${") {
		return v.Text, true
	}
	var b strings.Builder
	known = true
	for _, p := range split(v.Text) {
		if p.name == "" {
			b.WriteString(p.text)
			continue
		}
		value, ok := s.r.lookup(p.name)
		if !ok {
			known = false
			s.unset(v, p.name, name, pointer)
		}
		b.WriteString(how(value))
	}
	if !known {
		return v.Text, false
	}
	return b.String(), true
}

// unknown names the first variable without a value in a string, "" when all
// have one.
func (s section) unknown(v *pyyaml.Node) string {
	if v == nil || s.r.variables[v] != "" {
		return ""
	}
	for _, name := range placeholders(v.Text) {
		if _, ok := s.r.lookup(name); !ok {
			return name
		}
	}
	return ""
}

// unset records a variable without a value.
func (s section) unset(v *pyyaml.Node, variable, name, pointer string) {
	severity := Warning
	if s.r.opts.RequireEnv {
		severity = Error
	}
	hint := fmt.Sprintf("%s uses it; until it is set %s", name, s.fails)
	if why := oddVariable(variable); why != "" {
		hint += "; " + why
	}
	s.r.report(nodeProblem(v, severity, pointer, "unset_variable",
		fmt.Sprintf("Environment variable '${%s}' is not defined. Set it or remove the reference from gateway.yaml.", variable), hint), v)
	if s.missing != nil && !slices.Contains(*s.missing, variable) {
		*s.missing = append(*s.missing, variable)
	}
}

// oddVariable knows what people write who take ${…} for that of a shell.
func oddVariable(name string) string {
	switch {
	case strings.TrimSpace(name) != name:
		return "blanks inside the braces are part of the name"
	case strings.ContainsAny(name, ":-+?=") && isVariable(word(name)):
		return "there are no defaults: all up to the brace is the name"
	}
	return ""
}

// only warns about keys other than those known.
func (s section) only(known ...string) {
	if s.v == nil {
		return
	}
	for _, m := range s.v.Members {
		if m.Key.Kind == pyyaml.String && slices.Contains(known, m.Key.Text) {
			continue
		}
		s.r.remark(m.Key, s.at(m.Key.Text), "unknown_key",
			fmt.Sprintf("%s has the unknown key %q, which has no effect", s.name, m.Key.Text), s.r.suggest(m.Key.Text, known))
	}
}
