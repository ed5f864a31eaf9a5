package jinja

import (
	"strings"

	"agentxchain/internal/pyvalue"
)

// exec finds the parent. It is run when this template has come to its end.
func (s *extendsStmt) exec(f *frame) error {
	if s.known || s.before && f.root.parent != nil {
		return f.raise(s.place, "TemplateRuntimeError", "extended multiple times")
	}
	name, err := s.template.eval(f)
	if err != nil {
		return err
	}
	p, err := f.template(name)
	if err != nil {
		return f.fail(s.place, err)
	}
	f.root.parent = p
	f.names.extend(p)
	return nil
}

// template returns the template with a name that a template gave.
func (f *frame) template(name pyvalue.Value) (*program, error) {
	if u, ok := name.(*pyvalue.Undefined); ok {
		return nil, u.Err()
	}
	if err := pyvalue.Hashable(f.meter, name); err != nil {
		return nil, err
	}
	text, ok := pyvalue.AsStr(name)
	if !ok && f.options.Loader != nil {
		// Jinja2's loaders split names at slashes before they look.
		return nil, pyvalue.Errorf("AttributeError", "'%s' object has no attribute 'split'", name.TypeName())
	}
	if !ok {
		var err error
		if text, err = pyvalue.Text(f.meter, name); err != nil {
			return nil, err
		}
	}
	return f.load(text)
}

// templateOf is template for {% include %}, which takes the first of several
// names that is there.
func (f *frame) templateOf(v pyvalue.Value) (*program, error) {
	if _, undefined := v.(*pyvalue.Undefined); undefined || pyvalue.IsString(v) {
		return f.template(v)
	}
	if !pyvalue.Truth(v) {
		return nil, pyvalue.Errorf("TemplatesNotFound", "Tried to select from an empty list of templates.")
	}
	candidates, err := pyvalue.Items(f.meter, v)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, name := range candidates {
		p, err := f.template(name)
		if err == nil || !isAbsent(err) && !raised(err, "UndefinedError") {
			return p, err
		}
		text, err := candidateText(f.meter, name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return nil, pyvalue.Errorf("TemplatesNotFound", "none of the templates given were found: %s", strings.Join(texts, ", "))
}

// candidateText is how the error names a template that was looked for.
func candidateText(m *pyvalue.Meter, name pyvalue.Value) (string, error) {
	if u, ok := name.(*pyvalue.Undefined); ok {
		return u.Err().Message, nil
	}
	return pyvalue.Text(m, name)
}

// isAbsent reports whether err says that a template was not found.
func isAbsent(err error) bool { return raised(err, "TemplateNotFound", "TemplatesNotFound") }

// exec forgives an absent template if told to, and nothing else.
func (s *includeStmt) exec(f *frame) error {
	name, err := s.template.eval(f)
	if err != nil {
		return err
	}
	p, err := f.templateOf(name)
	if s.ignoreMissing && isAbsent(err) {
		return nil
	}
	if err == nil {
		err = f.include(p, s)
	}
	return f.fail(s.place, err)
}

// include runs a template into the output, with all variables or with none.
func (f *frame) include(p *program, s *includeStmt) error {
	if s.context {
		given, err := f.all(s.locals)
		if err != nil {
			return err
		}
		return f.runRoot(p, newNames(p, given), f.out)
	}
	m, err := f.module(p)
	if err != nil {
		return err
	}
	text, err := m.Print(f.meter)
	if err != nil {
		return err
	}
	// It does not go into the capture of a set or filter block: Jinja2 yields it
	// from the function that the include is in.
	return f.stream.literal(text)
}

// module returns a template run without context. It runs once in a render,
// however often it is imported.
func (f *frame) module(p *program) (*pyvalue.Object, error) {
	if m := f.modules[p]; m != nil {
		return m, nil
	}
	m, err := f.newModule(p, nil)
	if err != nil {
		return nil, err
	}
	if f.modules == nil {
		f.modules = map[*program]*pyvalue.Object{}
	}
	f.modules[p] = m
	return m, nil
}

// moduleType is the type of imported templates.
const moduleType = "TemplateModule"

// isModule reports whether v is an imported template, which prints as it is
// where others are escaped.
func isModule(v pyvalue.Value) bool {
	o, ok := v.(*pyvalue.Object)
	return ok && o.Type == moduleType && o.Module == "jinja2.environment"
}

// newModule runs a template and returns what it exports.
func (f *frame) newModule(p *program, given *layer) (*pyvalue.Object, error) {
	n, out := newNames(p, given), f.newCapture()
	if err := f.runRoot(p, n, out); err != nil {
		return nil, err
	}
	text, err := out.text(f.meter)
	if err != nil {
		return nil, err
	}
	attrs := pyvalue.NewDict(len(n.exported))
	for name, yes := range n.exported {
		if yes {
			attrs.SetStr(name, n.vars[name])
		}
	}
	return &pyvalue.Object{
		Type:   moduleType,
		Module: "jinja2.environment",
		Attrs:  attrs,
		Print:  func(m *pyvalue.Meter) (string, error) { return text, m.Alloc(len(text)) },
	}, nil
}

// imported returns the module of an import.
func (f *frame) imported(template expr, context bool, locals []local) (*program, *pyvalue.Object, error) {
	name, err := template.eval(f)
	if err != nil {
		return nil, nil, err
	}
	p, err := f.template(name)
	if err != nil {
		return nil, nil, err
	}
	if !context {
		m, err := f.module(p)
		return p, m, err
	}
	given, err := f.all(locals)
	if err != nil {
		return nil, nil, err
	}
	m, err := f.newModule(p, given)
	return p, m, err
}

func (s *importStmt) exec(f *frame) error {
	_, m, err := f.imported(s.template, s.context, s.locals)
	if err != nil {
		return f.fail(s.place, err)
	}
	f.set(s.ref, m)
	f.keep(s.toplevel, s.target, m)
	return nil
}

// keep puts a name that was imported at the top of a template into its context,
// which does not export it.
func (f *frame) keep(toplevel bool, name string, v pyvalue.Value) {
	if !toplevel {
		return
	}
	f.names.set(name, v)
	if name[0] != '_' {
		f.names.export(name, false)
	}
}

func (s *fromStmt) exec(f *frame) error {
	p, m, err := f.imported(s.template, s.context, s.locals)
	if err != nil {
		return f.fail(s.place, err)
	}
	for _, n := range s.names {
		v, ok := m.Attrs.GetStr(n.name)
		if !ok {
			v = s.missing(p, n.name)
		}
		f.set(n.ref, v)
		f.keep(s.toplevel, n.alias, v)
	}
	return nil
}

// missing is a name that a template does not export.
func (s *fromStmt) missing(p *program, name string) pyvalue.Value {
	return &pyvalue.Undefined{
		Hint: "the template " + templateName(p.name) + " (imported on " + position(s.program, s.place) +
			") does not export the requested name " + quoted(name),
		Name: pyvalue.NewStr(name),
	}
}

// templateName is the name of a template as Jinja2 prints it.
func templateName(name string) string {
	if name == "" {
		return "None"
	}
	return quoted(name)
}
