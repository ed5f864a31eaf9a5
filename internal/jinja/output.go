package jinja

import "agentxchain/internal/pyvalue"

// output is where a template writes: the result, or a capture.
type output struct {
	buf     []byte
	escaper Escaper // nil: none
	limit   int     // of buf
	what    string  // the limit's name in a budget error
	// wrong is the type of the first piece that is no string. Python finds out
	// when it joins the pieces.
	wrong string
}

// newOutput returns an output for the result of the render.
func (r *render) newOutput() *output {
	o := &output{limit: r.options.Budget.OutputBytes, what: ofOutput}
	if r.options.Escaper != nil {
		o.escaper = r.options.Escaper()
	}
	return o
}

// newCapture returns an output for text that becomes a value.
func (r *render) newCapture() *output {
	o := r.newOutput()
	o.limit, o.what = r.options.Budget.StringBytes, "string"
	return o
}

// literal writes text of the template.
func (o *output) literal(text string) error {
	if o.escaper != nil {
		o.escaper.Literal(text)
	}
	o.buf = append(o.buf, text...)
	return o.check()
}

// check makes sure that the output is not too long.
func (o *output) check() error {
	if len(o.buf) > o.limit {
		return &pyvalue.BudgetError{What: o.what, Limit: int64(o.limit)}
	}
	return nil
}

// value writes a printed value.
func (o *output) value(m *pyvalue.Meter, v pyvalue.Value, raw bool) (err error) {
	if o.escaper == nil {
		o.buf, err = pyvalue.AppendText(m, o.buf, v)
	} else {
		var text string
		text, err = pyvalue.Text(m, v)
		o.buf = append(o.buf, o.escaper.Value(text, raw)...)
	}
	if err != nil {
		return err
	}
	return o.check()
}

// print writes a value as {{ }} does.
func (f *frame) print(v pyvalue.Value, escape bool) error {
	_, markup := v.(pyvalue.Markup)
	raw := markup || pyvalue.IsJSON(v)
	if escape && !isModule(v) {
		safe, err := pyvalue.Escape(f.meter, v)
		if err != nil {
			return err
		}
		v = safe
	}
	return f.out.value(f.meter, v, raw)
}

// printText writes what a call or filter block made, which must be a string.
func (f *frame) printText(v pyvalue.Value) error {
	if pyvalue.IsString(v) {
		return f.print(v, false)
	}
	if f.out.wrong == "" {
		f.out.wrong = v.TypeName()
	}
	return nil
}

// capture runs statements with an output of their own and returns what they wrote.
func (f *frame) capture(body []stmt) (string, error) {
	outer := f.out
	f.out = f.newCapture()
	err := execAll(f, body)
	captured := f.out
	f.out = outer
	if err != nil {
		return "", err
	}
	return captured.text(f.meter)
}

// text is what was written, as a string that the budget counts.
func (o *output) text(m *pyvalue.Meter) (string, error) {
	if o.wrong != "" {
		return "", pyvalue.Errorf("TypeError", "sequence item 0: expected str instance, %s found", o.wrong)
	}
	return string(o.buf), m.Alloc(len(o.buf))
}
