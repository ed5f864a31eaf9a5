package jinja

import (
	"slices"
	"strings"

	"agentxchain/internal/pyvalue"
)

// striptagsFilter is value|striptags: without comments and tags.
func striptagsFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_striptags", required("value"))
	if err != nil {
		return nil, err
	}
	text, err := pyvalue.Text(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	text, err = pyvalue.StripTags(f.meter, text)
	return str(text), err
}

// xmlattrFilter is d|xmlattr(autospace=True): name="value" of what is not none.
func xmlattrFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_xmlattr", required("d"), optional("autospace", pyvalue.Bool(true)))
	if err != nil {
		return nil, err
	}
	view, err := method(f.meter, a[0], "items")
	if err != nil {
		return nil, err
	}
	var parts []string
	err = f.each(view, func(pair pyvalue.Value) error {
		kv, err := f.unpack(pair, 2)
		if err != nil || isNone(kv[1]) || isUndefinedValue(kv[1]) {
			return err
		}
		part, err := attributeText(f.meter, kv[0], kv[1])
		parts = append(parts, part)
		return err
	})
	if err != nil {
		return nil, err
	}
	text := strings.Join(parts, " ")
	if text != "" && pyvalue.Truth(a[1]) {
		text = " " + text
	}
	return textValue(text, *f.names.auto), f.meter.Alloc(len(text))
}

// attributeText is key="value".
func attributeText(m *pyvalue.Meter, key, value pyvalue.Value) (string, error) {
	name, ok := pyvalue.AsStr(key)
	if !ok {
		return "", pyvalue.Errorf("TypeError", "expected string or bytes-like object, got '%s'", key.TypeName())
	}
	if strings.ContainsAny(name, " \t\n\r\f\v/>=") {
		return "", pyvalue.Errorf("ValueError", "Invalid character in attribute name: %s", quoted(name))
	}
	safeName, err := pyvalue.Escape(m, key)
	if err != nil {
		return "", err
	}
	safeValue, err := pyvalue.Escape(m, value)
	return string(safeName) + `="` + string(safeValue) + `"`, err
}

// urlencodeFilter is value|urlencode: a text for a path, or pairs for a query.
func urlencodeFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	a, err := c.Bind("do_urlencode", required("value"))
	if err != nil {
		return nil, err
	}
	v := a[0]
	if _, err := pyvalue.Iterate(f.meter, v); pyvalue.IsString(v) || raised(err, "TypeError") {
		text, err := urlQuote(f.meter, v, false)
		return str(text), err
	}
	if d, ok := v.(*pyvalue.Dict); ok {
		v = &pyvalue.DictView{Dict: d, Of: pyvalue.ViewItems}
	}
	var pairs []string
	err = f.each(v, func(pair pyvalue.Value) error {
		kv, err := f.unpack(pair, 2)
		if err != nil {
			return err
		}
		key, err := urlQuote(f.meter, kv[0], true)
		if err != nil {
			return err
		}
		value, err := urlQuote(f.meter, kv[1], true)
		pairs = append(pairs, key+"="+value)
		return err
	})
	return str(strings.Join(pairs, "&")), err
}

// urlQuote percent-encodes str(v). In a query, slashes are encoded too and
// blanks become "+".
func urlQuote(m *pyvalue.Meter, v pyvalue.Value, query bool) (string, error) {
	text, err := pyvalue.Text(m, v)
	if err != nil {
		return "", err
	}
	if b, ok := v.(*pyvalue.Bytes); ok {
		text = string(b.B)
	}
	out := make([]byte, 0, len(text)+16)
	for i := range len(text) {
		ch := text[i]
		switch {
		case isLetterOrDigit(ch) || strings.IndexByte("_.-~", ch) >= 0 || ch == '/' && !query:
			out = append(out, ch)
		case ch == ' ' && query:
			out = append(out, '+')
		default:
			out = append(out, '%', "0123456789ABCDEF"[ch>>4], "0123456789ABCDEF"[ch&15])
		}
	}
	return string(out), m.Alloc(len(out))
}

// isLetterOrDigit is of ASCII.
func isLetterOrDigit(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

// urlizeFilter is value|urlize(trim_url_limit=None, nofollow=False, target=None,
// rel=None, extra_schemes=None): text with links.
func urlizeFilter(f *frame, c pyvalue.Call) (pyvalue.Value, error) {
	none := pyvalue.None{}
	a, err := c.Bind("do_urlize", required("value"), optional("trim_url_limit", none), optional("nofollow", pyvalue.Bool(false)),
		optional("target", none), optional("rel", none), optional("extra_schemes", none))
	if err != nil {
		return nil, err
	}
	u := &urlizer{m: f.meter, limit: -1}
	if err := u.setLimit(a[1]); err != nil {
		return nil, err
	}
	if err := u.setAttributes(a[4], a[3], pyvalue.Truth(a[2])); err != nil {
		return nil, err
	}
	if err := u.setSchemes(f, a[5]); err != nil {
		return nil, err
	}
	safe, err := pyvalue.Escape(f.meter, a[0])
	if err != nil {
		return nil, err
	}
	text, err := u.text(string(safe))
	return textValue(text, *f.names.auto), err
}

// setLimit reads trim_url_limit.
func (u *urlizer) setLimit(v pyvalue.Value) error {
	if isNone(v) {
		return nil
	}
	n, err := pyvalue.Index(v)
	if err != nil {
		return err
	}
	limit, ok := pyvalue.AsInt(n)
	if !ok {
		return pyvalue.Errorf("OverflowError", "Python int too large to convert to C ssize_t")
	}
	u.limited, u.limit = true, int(max(min(limit, 1<<31), -1<<31))
	return nil
}

// setAttributes prepares rel="" and target="" of the links.
func (u *urlizer) setAttributes(rel, target pyvalue.Value, nofollow bool) error {
	words := []string{"noopener"}
	if nofollow {
		words = append(words, "nofollow")
	}
	if pyvalue.Truth(rel) {
		list, err := method(u.m, rel, "split")
		if err != nil {
			return err
		}
		items, err := pyvalue.Items(u.m, list)
		if err != nil {
			return err
		}
		for _, item := range items {
			word, _ := pyvalue.AsStr(item)
			words = append(words, word)
		}
	}
	slices.Sort(words)
	escaped, err := pyvalue.Escape(u.m, str(strings.Join(slices.Compact(words), " ")))
	if err != nil {
		return err
	}
	u.attributes = ` rel="` + string(escaped) + `"`
	if pyvalue.Truth(target) {
		if escaped, err = pyvalue.Escape(u.m, target); err != nil {
			return err
		}
		u.attributes += ` target="` + string(escaped) + `"`
	}
	return nil
}

// setSchemes reads extra_schemes.
func (u *urlizer) setSchemes(f *frame, v pyvalue.Value) error {
	if isNone(v) {
		return nil
	}
	return f.each(v, func(item pyvalue.Value) error {
		scheme, ok := pyvalue.AsStr(item)
		if !ok {
			return pyvalue.Errorf("TypeError", "expected string or bytes-like object, got '%s'", item.TypeName())
		}
		if !isSchemePrefix(scheme) {
			return pyvalue.Errorf("FilterArgumentError", "%s is not a valid URI scheme prefix.", quoted(scheme))
		}
		u.schemes = append(u.schemes, scheme)
		return nil
	})
}

// isSchemePrefix reports whether s is like "tel:" or "git+ssh://".
func isSchemePrefix(s string) bool {
	name, slashes, ok := strings.Cut(s, ":")
	if !ok || len(slashes) > 2 || strings.Trim(slashes, "/") != "" {
		return false
	}
	n := 0
	for _, r := range name {
		if !isWord(r) && !strings.ContainsRune(".+-", r) {
			return false
		}
		n++
	}
	return n >= 2
}
