package pyvalue

import "strings"

// Escape is markupsafe.escape(v): Markup stays as it is, everything else is
// printed and its & < > ' " written as references. Errors as of Text.
func Escape(m *Meter, v Value) (Markup, error) {
	if safe, ok := v.(Markup); ok {
		return safe, nil
	}
	s, err := Text(m, v)
	if err != nil {
		return "", err
	}
	return escapeText(m, s)
}

func escapeText(m *Meter, s string) (Markup, error) {
	if err := m.Step(len(s) / textStep); err != nil {
		return "", err
	}
	size := len(s)
	for i := range len(s) {
		size += max(len(reference(s[i]))-1, 0)
	}
	if size == len(s) {
		return Markup(s), nil
	}
	if err := m.Alloc(size); err != nil {
		return "", err
	}
	var out strings.Builder
	out.Grow(size)
	for i := range len(s) {
		if ref := reference(s[i]); ref != "" {
			out.WriteString(ref)
		} else {
			out.WriteByte(s[i])
		}
	}
	return Markup(out.String()), nil
}

// reference is what MarkupSafe writes for c, "" for c itself.
func reference(c byte) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '\'':
		return "&#39;"
	case '"':
		return "&#34;"
	}
	return ""
}

// Concat joins the str() of values, as "~" in templates does: if one of them is
// Markup the others are escaped and the result is Markup, else it is a Str.
// Errors as of Text.
func Concat(m *Meter, values ...Value) (Value, error) {
	for _, v := range values {
		if _, ok := v.(Markup); ok {
			s, err := joinEscaped(m, "", values)
			return Markup(s), err
		}
	}
	s, err := Join(m, "", values)
	return Str{s: s}, err
}

// Join is sep.join(str(v) for v in values). Errors as of Text.
func Join(m *Meter, sep string, values []Value) (string, error) {
	return joinTexts(m, sep, values, Text)
}

func joinEscaped(m *Meter, sep string, values []Value) (string, error) {
	return joinTexts(m, sep, values, func(m *Meter, v Value) (string, error) {
		s, err := Escape(m, v)
		return string(s), err
	})
}

func joinTexts(m *Meter, sep string, values []Value, text func(*Meter, Value) (string, error)) (string, error) {
	if len(values) == 1 {
		return text(m, values[0])
	}
	var dst []byte
	for i, v := range values {
		s, err := text(m, v)
		if err != nil {
			return "", err
		}
		if err := orStep(m.extend(len(dst), len(sep)+len(s)), m, 1); err != nil {
			return "", err
		}
		if i > 0 {
			dst = append(dst, sep...)
		}
		dst = append(dst, s...)
	}
	return string(dst), nil
}
