package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"agentxchain/internal/pyvalue"
)

// urlizer makes links of the URLs and addresses in text that is escaped already.
type urlizer struct {
	m          *pyvalue.Meter
	limited    bool // links show limit characters
	limit      int
	attributes string // of a link
	schemes    []string
}

// text makes links in words, which have white space between them.
func (u *urlizer) text(s string) (string, error) {
	if err := u.m.Step(len(s) / 8); err != nil {
		return "", err
	}
	var b strings.Builder
	for s != "" {
		gap := untilFunc(s, func(r rune) bool { return !isSpace(r) })
		b.WriteString(gap)
		s = s[len(gap):]
		word := untilFunc(s, isSpace)
		s = s[len(word):]
		linked := u.word(word)
		if err := u.m.Alloc(len(linked)); err != nil {
			return "", err
		}
		b.WriteString(linked)
	}
	return b.String(), nil
}

// word makes a link of a word if it is one. Brackets before it and brackets and
// punctuation behind it do not belong to it.
func (u *urlizer) word(word string) string {
	middle := strings.TrimLeft(word, "(<")
	for strings.HasPrefix(middle, "&lt;") {
		middle = strings.TrimLeft(middle[len("&lt;"):], "(<")
	}
	head := word[:len(word)-len(middle)]
	end := trailing(middle)
	for _, pair := range [...][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		end = balanced(middle, end, pair[0], pair[1])
	}
	return head + u.link(middle[:end]) + middle[end:]
}

// trailing is where the brackets and punctuation at the end of s begin.
func trailing(s string) int {
	for {
		switch {
		case strings.HasSuffix(s, "&gt;"):
			s = s[:len(s)-len("&gt;")]
		case s != "" && strings.IndexByte(")>.,", s[len(s)-1]) >= 0:
			s = s[:len(s)-1]
		default:
			return len(s)
		}
	}
}

// balanced moves the end of a word behind as many closing brackets as it has
// opening ones, if it has more of these.
func balanced(word string, end int, open, closing string) int {
	opened := strings.Count(word[:end], open)
	if opened <= strings.Count(word[:end], closing) {
		return end
	}
	for range opened {
		i := strings.Index(word[end:], closing)
		if i < 0 {
			break
		}
		end += i + len(closing)
	}
	return end
}

// link makes a link of s if it is a URL or an address.
func (u *urlizer) link(s string) string {
	address, mail := strings.CutPrefix(s, "mailto:")
	switch {
	case isWebAddress(s) && (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")):
		return `<a href="` + s + `"` + u.attributes + `>` + u.trim(s) + `</a>`
	case isWebAddress(s):
		return `<a href="https://` + s + `"` + u.attributes + `>` + u.trim(s) + `</a>`
	case mail && isMailAddress(address):
		return `<a href="` + s + `">` + address + `</a>`
	case !strings.Contains(s, ":") && !strings.HasPrefix(s, "www.") && !strings.HasPrefix(s, "@") && isMailAddress(s):
		return `<a href="mailto:` + s + `">` + s + `</a>`
	}
	for _, scheme := range u.schemes {
		if s != scheme && strings.HasPrefix(s, scheme) {
			s = `<a href="` + s + `"` + u.attributes + `>` + s + `</a>`
		}
	}
	return s
}

// trim shortens what a link shows.
func (u *urlizer) trim(s string) string {
	if n := utf8.RuneCountInString(s); !u.limited || n <= u.limit {
		return s
	}
	runes := []rune(s)
	if u.limit < 0 {
		return string(runes[:max(len(runes)+u.limit, 0)]) + "..."
	}
	return string(runes[:u.limit]) + "..."
}

// isWord reports whether r matches \w of Python.
func isWord(r rune) bool {
	return r == '_' || isLetter(r) || unicode.IsNumber(r)
}

func isHostRune(r rune) bool { return isWord(r) || r == '%' || r == '-' }

// isWebAddress reports whether s is an http(s) URL, begins with "www." or is a
// name under one of the old top-level domains.
func isWebAddress(s string) bool {
	lower := strings.ToLower(s)
	rest, web := cutScheme(lower)
	if web {
		if tail, ok := cutAddress(rest); ok && isAfterHost(tail) {
			return true
		}
	}
	if !web {
		rest, web = strings.CutPrefix(lower, "www.")
	}
	if web && isNamedHost(rest, isTopLevel, 1, len(s)) {
		return true
	}
	return isNamedHost(lower, isOldTopLevel, 2, 63) && strings.Contains(untilFunc(lower, notHost), ".")
}

// cutScheme takes http:// or https:// off s.
func cutScheme(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, "http://"); ok {
		return rest, true
	}
	return strings.CutPrefix(s, "https://")
}

func notHost(r rune) bool { return !isHostRune(r) && r != '.' }

// isNamedHost reports whether s is labels with dots between them, the last one a
// top-level domain, perhaps with a port and a path behind.
func isNamedHost(s string, top func(string) bool, least, most int) bool {
	host := untilFunc(s, notHost)
	if !isAfterHost(s[len(host):]) {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels[:len(labels)-1] {
		if n := utf8.RuneCountInString(label); n < least || n > most {
			return false
		}
	}
	return top(labels[len(labels)-1])
}

// isTopLevel reports whether s may be a top-level domain.
func isTopLevel(s string) bool {
	if coded, ok := strings.CutPrefix(s, "xn--"); ok {
		n := utf8.RuneCountInString(coded)
		return n >= 2 && n <= 59 && !strings.Contains(coded, "-")
	}
	return len(s) >= 2 && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

// isOldTopLevel reports whether s is one of those that make a link of a bare name.
func isOldTopLevel(s string) bool {
	switch s {
	case "com", "net", "int", "edu", "gov", "org", "info", "mil":
		return true
	}
	return false
}

// isAfterHost reports whether s is a port, a path, both or nothing.
func isAfterHost(s string) bool {
	if port, ok := strings.CutPrefix(s, ":"); ok {
		rest := strings.TrimLeft(port, "0123456789")
		if n := len(port) - len(rest); n < 1 || n > 5 {
			return false
		}
		s = rest
	}
	return s == "" || strings.IndexByte("/?#", s[0]) >= 0
}

// cutAddress takes an IPv4 address or an IPv6 address in brackets off s.
func cutAddress(s string) (tail string, ok bool) {
	if inner, bracket := strings.CutPrefix(s, "["); bracket {
		address, tail, closed := strings.Cut(inner, "]")
		return tail, closed && isIPv6(address)
	}
	tail = strings.TrimLeft(s, "0123456789.")
	parts := strings.Split(s[:len(s)-len(tail)], ".")
	for _, p := range parts {
		if len(p) < 1 || len(p) > 3 {
			return "", false
		}
	}
	return tail, len(parts) == 4
}

// isIPv6 reports whether s looks like an IPv6 address: two groups, each up to
// four digits and a colon, and up to six groups more, with or without colons.
func isIPv6(s string) bool {
	groups := strings.Split(s, ":")
	if len(groups) < 3 || len(groups[0]) > 4 || len(groups[1]) > 4 {
		return false
	}
	if strings.Trim(s, "0123456789abcdef:") != "" {
		return false
	}
	n := 0
	for i, g := range groups[2:] {
		n += (len(g) + 3) / 4
		if g == "" && i < len(groups)-3 {
			n++
		}
	}
	return n <= 6
}

// isMailAddress reports whether s is like "name@host.domain".
func isMailAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 {
		return false
	}
	host := s[at+1:]
	dot := strings.LastIndexByte(host, '.')
	if dot < 1 || dot == len(host)-1 {
		return false
	}
	first, _ := utf8.DecodeRuneInString(host)
	notWord := func(r rune) bool { return !isWord(r) }
	inside := func(r rune) bool { return !isWord(r) && r != '.' && r != '-' }
	return isWord(first) && strings.IndexFunc(host[:dot], inside) < 0 && strings.IndexFunc(host[dot+1:], notWord) < 0
}
