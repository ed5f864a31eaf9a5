package render

import (
	"strings"
	"sync"

	"agentxchain/internal/pyvalue"
)

// In Slack's text "<" begins a mention or a link (<!channel>, <https://…>) and
// three backticks begin and end a fence: only the author of a template may write
// those, not an agent. So the values of a message for Slack stand with other
// characters in the place of these, and what the template wrote is read back at
// the end: what is then a mark was part of a value, whichever macros and filters
// it came through, and a "<" is the author's.
//
// The marks are one character for one, so that nothing cuts or counts them
// otherwise, punctuation without case like what they stand for, and printable,
// as repr() escapes what is not: the punctuation of runes.
const (
	markLess    = "\u16eb"
	markGreater = "\u16ec"
	markTick    = "\u16ed"
)

// marks writes a text of an event with marks. Runes that are in it already are
// given what looks like them.
var marks = sync.OnceValue(func() *strings.Replacer {
	return strings.NewReplacer(markLess, "·", markGreater, ":", markTick, "+", "<", markLess, ">", markGreater, "`", markTick)
})

// entities writes marks as Slack shows them and does not obey them. tojson, in
// a text that is not read as JSON again, and urlencode leave them in ASCII.
var entities = sync.OnceValue(func() *strings.Replacer {
	const gap = "\u200b" // invisible
	return strings.NewReplacer(
		markLess, "&lt;", markGreater, "&gt;", markTick+markTick+markTick, "`"+gap+"`"+gap+"`", markTick, "`",
		`\u16eb`, "&lt;", `\u16ec`, "&gt;", `\u16ed`, "`",
		"%E1%9B%AB", "%3C", "%E1%9B%AC", "%3E", "%E1%9B%AD", "%60")
})

// percents is entities for addresses, which know none.
var percents = sync.OnceValue(func() *strings.Replacer {
	return strings.NewReplacer(markLess, "%3C", markGreater, "%3E", markTick, "%60",
		"%E1%9B%AB", "%3C", "%E1%9B%AC", "%3E", "%E1%9B%AD", "%60")
})

// originals writes what marks stand for, to be read by a template's author.
var originals = sync.OnceValue(func() *strings.Replacer {
	return strings.NewReplacer(markLess, "<", markGreater, ">", markTick, "`")
})

// mark writes everything that an event says with marks.
func (f *facts) mark() {
	r := marks()
	for _, text := range []*string{&f.agent, &f.execution, &f.kind, &f.status, &f.message} {
		*text = r.Replace(*text)
	}
	for _, value := range []*pyvalue.Value{&f.session, &f.output, &f.result, &f.failure} {
		*value = replaceTexts(*value, r, r)
	}
	if f.envelope != nil {
		f.envelope = replaceDict(f.envelope, r, r)
	}
}

// readBack replaces the marks in what a template wrote.
func readBack(v pyvalue.Value) pyvalue.Value { return replaceTexts(v, entities(), percents()) }

// replaceTexts returns v with every text and key in it replaced; urls replaces
// the members that are called url, image_url and so on. Lists are changed.
func replaceTexts(v pyvalue.Value, r, urls *strings.Replacer) pyvalue.Value {
	switch v := v.(type) {
	case pyvalue.Str:
		return pyvalue.NewStr(r.Replace(v.String()))
	case *pyvalue.List:
		for i := range v.Items {
			v.Items[i] = replaceTexts(v.Items[i], r, urls)
		}
	case *pyvalue.Dict:
		return replaceDict(v, r, urls)
	}
	return v
}

// replaceDict makes the dict of a JSON object anew, whose keys are all texts.
func replaceDict(d *pyvalue.Dict, r, urls *strings.Replacer) *pyvalue.Dict {
	replaced := pyvalue.NewDict(d.Len())
	for key, value := range d.All() {
		name, _ := pyvalue.AsStr(key)
		with := r
		if strings.HasSuffix(name, "url") {
			with = urls
		}
		replaced.SetStr(r.Replace(name), replaceTexts(value, with, urls))
	}
	return replaced
}
