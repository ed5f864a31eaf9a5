package pyvalue

import (
	"strings"
	"unicode"
)

// strMethod are the methods of str. Those that return a str return Markup when
// bound to Markup.
func strMethod(name string) (method, bool) {
	if change := changeMethod(name); change != nil {
		return method{run: func(b *bound) (Value, error) { return b.changed(change) }}, true
	}
	if is := isMethod(name); is != nil {
		return method{run: func(b *bound) (Value, error) {
			s := b.text()
			return Bool(is(s)), b.m.Step(len(s) / textStep)
		}}, true
	}
	if me, found := searchMethod(name); found {
		return me, true
	}
	return partMethod(name)
}

// changed is self after a change that may make it three times as long (one code
// point becomes three at most).
func (b *bound) changed(change func(string) string) (Value, error) {
	s := b.text()
	if err := b.m.fits(len(s)); err != nil {
		return nil, err
	}
	if err := b.m.Step(len(s) / 16); err != nil {
		return nil, err
	}
	out := change(s)
	return b.like(out), b.m.Alloc(len(out))
}

// changeMethod are the methods that change each character and take nothing.
func changeMethod(name string) func(string) string {
	switch name {
	case "capitalize":
		return capitalize
	case "casefold":
		return casefold
	case "lower":
		return lower
	case "swapcase":
		return swapcase
	case "title":
		return title
	case "upper":
		return upper
	}
	return nil
}

// isMethod are the methods that judge and take nothing.
func isMethod(name string) func(string) bool {
	every := func(want func(rune) bool) func(string) bool {
		return func(s string) bool { return all(s, want) }
	}
	switch name {
	case "isalnum":
		return every(isAlnum)
	case "isalpha":
		return every(unicode.IsLetter)
	case "isascii":
		return isASCII
	case "isdecimal":
		return every(isDecimal)
	case "isdigit":
		return every(isDigit)
	case "isidentifier":
		return isIdentifier
	case "islower":
		return func(s string) bool { return allCased(s, isLower, isUpper) }
	case "isnumeric":
		return every(isNumeric)
	case "isprintable":
		return func(s string) bool { return s == "" || all(s, isPrintable) }
	case "isspace":
		return every(isSpace)
	case "istitle":
		return isTitle
	case "isupper":
		return func(s string) bool { return allCased(s, isUpper, isLower) }
	}
	return nil
}

func isIdentifier(s string) bool {
	if s == "" {
		return false
	}
	first, size := decodeRune(s)
	rest := s[size:]
	return isIDStart(first) && (rest == "" || all(rest, isIDContinue))
}

// searchMethod are the methods that look for something.
func searchMethod(name string) (method, bool) {
	search := func(run func(*bound) (Value, error)) (method, bool) {
		return method{arity: variable, min: 1, max: 3, run: run}, true
	}
	switch name {
	case "count":
		return search(strCount)
	case "endswith":
		return search(func(b *bound) (Value, error) { return strAffix(b, strings.HasSuffix) })
	case "find":
		return search(func(b *bound) (Value, error) { return strFind(b, strings.Index, false) })
	case "index":
		return search(func(b *bound) (Value, error) { return strFind(b, strings.Index, true) })
	case "rfind":
		return search(func(b *bound) (Value, error) { return strFind(b, strings.LastIndex, false) })
	case "rindex":
		return search(func(b *bound) (Value, error) { return strFind(b, strings.LastIndex, true) })
	case "startswith":
		return search(func(b *bound) (Value, error) { return strAffix(b, strings.HasPrefix) })
	}
	return method{}, false
}

// view is the part of self that the arguments at 1 and 2 leave, and its index;
// false if they cross.
func (b *bound) view() (part string, low int, ok bool, err error) {
	s := b.text()
	if err := b.m.Step(len(s) / textStep); err != nil {
		return "", 0, false, err
	}
	if b.arg(1) == nil && b.arg(2) == nil {
		return s, 0, true, nil
	}
	low, high, err := b.window(1, RuneLen(s))
	if err != nil || low > high {
		return "", 0, false, err
	}
	return substring(s, low, high), low, true, nil
}

func strFind(b *bound, index func(s, sub string) int, must bool) (Value, error) {
	sub, err := b.str(0, "must be str, not %s")
	if err != nil {
		return nil, err
	}
	s, low, ok, err := b.view()
	if err != nil {
		return nil, err
	}
	at := -1
	if ok {
		at = index(s, sub)
	}
	switch {
	case at >= 0:
		return Int(low + RuneLen(s[:at])), nil
	case must:
		return nil, notFound("substring not found")
	}
	return Int(-1), nil
}

func strCount(b *bound) (Value, error) {
	sub, err := b.str(0, "must be str, not %s")
	if err != nil {
		return nil, err
	}
	s, _, ok, err := b.view()
	switch {
	case err != nil || !ok:
		return Int(0), err
	case sub == "":
		return Int(RuneLen(s) + 1), nil
	}
	return Int(strings.Count(s, sub)), nil
}

func strAffix(b *bound, has func(s, affix string) bool) (Value, error) {
	s, _, ok, err := b.view()
	if err != nil {
		return nil, err
	}
	t, isTuple := b.args[0].(*Tuple)
	if !isTuple {
		affix, isText := AsStr(b.args[0])
		if !isText {
			return nil, typeError("%s first arg must be str or a tuple of str, not %s", b.name, b.args[0].TypeName())
		}
		return Bool(ok && has(s, affix)), nil
	}
	for _, item := range t.Items {
		affix, isText := AsStr(item)
		if !isText {
			return nil, typeError("tuple for %s must only contain str, not %s", b.name, item.TypeName())
		}
		if ok && has(s, affix) {
			return Bool(true), nil
		}
		if err := b.m.Step(1 + min(len(s), len(affix))/textStep); err != nil {
			return nil, err
		}
	}
	return Bool(false), nil
}

// partMethod are the methods that take strings apart and put them together.
func partMethod(name string) (method, bool) {
	switch name {
	case "center", "ljust", "rjust":
		return method{arity: positional, min: 1, max: 2, run: strJustify}, true
	case "encode":
		return method{arity: keywords, max: 2, names: []string{"encoding", "errors"}, run: strEncode}, true
	case "expandtabs":
		return method{arity: keywords, max: 1, names: []string{"tabsize"}, run: strExpandTabs}, true
	case "join":
		return method{arity: one, run: strJoin}, true
	case "lstrip", "rstrip", "strip":
		return method{arity: positional, max: 1, run: strStrip}, true
	case "maketrans":
		return method{arity: positional, min: 1, max: 3, run: strMakeTrans}, true
	case "partition", "rpartition":
		return method{arity: one, run: strPartition}, true
	case "removeprefix", "removesuffix":
		return method{arity: one, run: strRemove}, true
	case "replace":
		return method{arity: positional, min: 2, max: 3, run: strReplace}, true
	case "rsplit", "split":
		return method{arity: keywords, max: 2, names: []string{"sep", "maxsplit"}, run: strSplit}, true
	case "splitlines":
		return method{arity: keywords, max: 1, names: []string{"keepends"}, run: strSplitLines}, true
	case "translate":
		return method{arity: one, run: strTranslate}, true
	case "zfill":
		return method{arity: one, run: strZeroFill}, true
	}
	return method{}, false
}

func strJustify(b *bound) (Value, error) {
	width, err := b.size(0, 0)
	if err != nil {
		return nil, err
	}
	fill, err := b.fillCharacter()
	if err != nil {
		return nil, err
	}
	s, missing, err := b.missing(width)
	if err != nil {
		return nil, err
	}
	if missing <= 0 {
		return b.like(s), nil
	}
	var left int64
	switch b.name {
	case "rjust":
		left = missing
	case "center":
		left = missing/2 + missing&width&1
	}
	out, err := surround(b.m, s, fill, left, missing-left)
	return b.like(out), err
}

// missing is self and how many characters it lacks to be of a width.
func (b *bound) missing(width int64) (string, int64, error) {
	s := b.text()
	return s, width - int64(RuneLen(s)), b.m.Step(len(s) / textStep)
}

func (b *bound) fillCharacter() (string, error) {
	v := b.arg(1)
	if v == nil {
		return " ", nil
	}
	if _, safe := b.self.(Markup); safe {
		escaped, err := Escape(b.m, v)
		if err != nil {
			return "", err
		}
		v = escaped
	}
	fill, ok := AsStr(v)
	if !ok {
		return "", typeError("The fill character must be a unicode character, not %s", v.TypeName())
	}
	if RuneLen(fill) != 1 {
		return "", typeError("The fill character must be exactly one character long")
	}
	return fill, nil
}

// surround is s with fill so many times before and after it.
func surround(m *Meter, s, fill string, before, after int64) (string, error) {
	size, err := product(m, len(fill), before+after)
	if err != nil {
		return "", err
	}
	if err := m.Alloc(size + len(s)); err != nil {
		return "", err
	}
	return strings.Repeat(fill, int(before)) + s + strings.Repeat(fill, int(after)), nil
}

func strZeroFill(b *bound) (Value, error) {
	width, err := b.size(0, 0)
	if err != nil {
		return nil, err
	}
	s, missing, err := b.missing(width)
	if err != nil {
		return nil, err
	}
	if missing <= 0 {
		return b.like(s), nil
	}
	sign := ""
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		sign, s = s[:1], s[1:]
	}
	out, err := surround(b.m, s, "0", missing, 0)
	return b.like(sign + out), err
}

func strExpandTabs(b *bound) (Value, error) {
	size, err := b.size(0, 8)
	if err != nil {
		return nil, err
	}
	var out []byte
	var column int64
	for _, r := range runes(b.text()) {
		switch r {
		case '\t':
			n := int64(0)
			if size > 0 {
				n = size - column%size
			}
			blanks, err := repeatText(b.m, " ", n)
			if err != nil {
				return nil, err
			}
			out = append(out, blanks...)
			column += n
			if err := b.m.fits(len(out)); err != nil {
				return nil, err
			}
			continue
		case '\n', '\r':
			column = -1
		}
		column++
		out = appendRune(out, r)
	}
	return b.like(string(out)), b.m.extend(0, len(out))
}

func strJoin(b *bound) (Value, error) {
	items, err := Items(b.m, b.args[0])
	if err != nil {
		if e, ok := err.(*Error); ok && e.Class == "TypeError" { //nolint:errorlint // it is made by Items
			return nil, typeError("can only join an iterable")
		}
		return nil, err
	}
	if sep, safe := b.self.(Markup); safe {
		s, err := joinEscaped(b.m, string(sep), items)
		return Markup(s), err
	}
	for i, item := range items {
		if !IsString(item) {
			return nil, typeError("sequence item %d: expected str instance, %s found", i, item.TypeName())
		}
	}
	s, err := Join(b.m, b.text(), items)
	return Str{s: s}, err
}

func strStrip(b *bound) (Value, error) {
	in := isSpace
	if v := b.arg(0); v != nil && v != (None{}) {
		chars, ok := AsStr(v)
		if !ok {
			return nil, typeError("%s arg must be None or str", b.name)
		}
		in = inSet(chars)
		if err := b.m.Step(len(chars) / textStep * (1 + len(b.text())/textStep)); err != nil {
			return nil, err
		}
	}
	s := b.text()
	if b.name != "rstrip" {
		s = trimLeft(s, in)
	}
	if b.name != "lstrip" {
		s = trimRight(s, in)
	}
	return b.like(s), b.m.Step(len(b.text()) / textStep)
}

func strPartition(b *bound) (Value, error) {
	sep, err := b.str(0, "must be str, not %s")
	if err != nil {
		return nil, err
	}
	if sep == "" {
		return nil, valueError("empty separator")
	}
	s := b.text()
	at := strings.Index(s, sep)
	parts := []string{s, "", ""}
	if b.name == "rpartition" {
		at = strings.LastIndex(s, sep)
		parts = []string{"", "", s}
	}
	if at >= 0 {
		parts = []string{s[:at], sep, s[at+len(sep):]}
	}
	return NewTuple(b.like(parts[0]), b.like(parts[1]), b.like(parts[2])), b.m.Step(1 + len(s)/textStep)
}

func strRemove(b *bound) (Value, error) {
	affix, err := b.str(0, b.name+"() argument must be str, not %s")
	if err != nil {
		return nil, err
	}
	if b.name == "removeprefix" {
		return b.like(strings.TrimPrefix(b.text(), affix)), nil
	}
	return b.like(strings.TrimSuffix(b.text(), affix)), nil
}

func strReplace(b *bound) (Value, error) {
	old, err := b.str(0, "replace() argument 1 must be str, not %s")
	if err != nil {
		return nil, err
	}
	replacement, err := b.replacement()
	if err != nil {
		return nil, err
	}
	limit, err := b.size(2, -1)
	if err != nil {
		return nil, err
	}
	s, err := Replace(b.m, b.text(), old, replacement, limit)
	return b.like(s), err
}

// replacement is the second argument of replace, escaped for Markup.
func (b *bound) replacement() (string, error) {
	if _, safe := b.self.(Markup); safe {
		s, err := Escape(b.m, b.args[1])
		return string(s), err
	}
	return b.str(1, "replace() argument 2 must be str, not %s")
}

// Replace is s.replace(from, to, limit); a negative limit is none. The error is a
// *BudgetError.
func Replace(m *Meter, s, from, to string, limit int64) (string, error) {
	if err := m.Step(1 + len(s)/textStep); err != nil {
		return "", err
	}
	n := int64(strings.Count(s, from))
	if from == "" {
		n = int64(RuneLen(s)) + 1
	}
	if limit >= 0 {
		n = min(n, limit)
	}
	if n == 0 {
		return s, nil
	}
	growth, err := product(m, max(len(to)-len(from), 0), n)
	if err != nil {
		return "", err
	}
	if err := m.Alloc(len(s) + growth); err != nil {
		return "", err
	}
	if from == "" {
		return interleave(s, to, n), nil
	}
	return strings.Replace(s, from, to, int(n)), nil
}

// interleave puts sep before each of the first n characters, the end being one.
func interleave(s, sep string, n int64) string {
	out := make([]byte, 0, len(s)+len(sep)*int(n))
	for _, r := range runes(s) {
		if n > 0 {
			out = append(out, sep...)
			n--
		}
		out = appendRune(out, r)
	}
	if n > 0 {
		out = append(out, sep...)
	}
	return string(out)
}
