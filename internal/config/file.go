package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"agentxchain/internal/ecmajson"
)

// parse reports whether the file holds a JSON document.
func (c *checker) parse() bool {
	doc, err := ecmajson.Parse(c.src, ecmajson.Options{MaxDepth: maxDepth})
	if err != nil {
		c.syntax(err)
		return false
	}
	c.doc = doc
	return true
}

func readHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "run this inside a governed project, or name its folder with --dir"
	case errors.Is(err, fs.ErrPermission):
		return "give the user who runs this the right to read it"
	}
	return "a configuration is a regular JSON file"
}

func (c *checker) syntax(err error) {
	var syntax *ecmajson.SyntaxError
	if !errors.As(err, &syntax) {
		c.whole(err, "")
		return
	}
	c.add(Problem{
		Offset:  syntax.Offset,
		Message: "invalid JSON: " + syntax.Message,
		Hint:    c.syntaxHint(syntax),
		Err:     err,
	})
}

// syntaxHint recognises what people write when they take JSON for something else.
func (c *checker) syntaxHint(e *ecmajson.SyntaxError) string {
	rest := string(c.src[e.Offset:min(len(c.src), e.Offset+3)])
	switch {
	case ecmajson.IsBlank(c.src) && !strings.HasPrefix(string(c.src), bom):
		return "the file is empty"
	case rest == bom:
		return "save the file as UTF-8 without a byte order mark"
	case strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "/*"), strings.HasPrefix(rest, "#"):
		return "JSON has no comments"
	case strings.HasPrefix(rest, "'"):
		return "JSON quotes with \", not with '"
	case strings.HasPrefix(e.Message, "trailing comma"):
		return "remove the comma"
	case strings.HasPrefix(e.Message, "nested"):
		return "no setting is nested this deeply; look for brackets that were never closed"
	case strings.HasPrefix(rest, "<<<"), strings.HasPrefix(rest, "==="), strings.HasPrefix(rest, ">>>"):
		return "resolve the merge conflict"
	}
	return ""
}

const bom = "\uFEFF"

// generation applies the Node CLI's detectConfigVersion. It reports whether
// the document is a governed configuration.
func (c *checker) generation() bool {
	version := c.doc.Get("schema_version")
	if version.Str() == "1.0" || version.Num() == 4 {
		return true
	}
	if c.doc.Get("version").Num() == 3 {
		c.add(Problem{
			Offset: c.doc.Get("version").Offset(), Pointer: "/version",
			Message: `a project of generation 3 ("version": 3) is not governed`,
			Hint:    "only governed projects, with \"schema_version\": \"1.0\", have notifications and exports",
			Err:     ErrLegacy,
		})
		return false
	}
	hint := `set "schema_version": "1.0"`
	if !c.doc.Is(ecmajson.Object) {
		hint = fmt.Sprintf("the file must hold an object, not %s", c.doc.Kind())
	}
	c.fail(child(c.doc, "", "schema_version"), `Unrecognized config format. Expected version: 3 or schema_version: "1.0" / 4`, hint)
	return false
}

// encoding warns about the first byte that is not UTF-8, which reads as
// U+FFFD here and in the Node CLI.
func (c *checker) encoding() {
	if utf8.Valid(c.src) {
		return
	}
	for i := 0; i < len(c.src); {
		r, n := utf8.DecodeRune(c.src[i:])
		if r == utf8.RuneError && n == 1 {
			c.advice(place{offset: i}, fmt.Sprintf("byte 0x%02x is not UTF-8 and is read as U+FFFD", c.src[i]),
				"save the file as UTF-8")
			return
		}
		i += n
	}
}

// duplicates warns about the first repeated key; ECMAScript takes the last value.
func (c *checker) duplicates() {
	_, err := ecmajson.Parse(c.src, ecmajson.Options{MaxDepth: maxDepth, UniqueKeys: true})
	var syntax *ecmajson.SyntaxError
	if errors.As(err, &syntax) {
		c.advice(place{offset: syntax.Offset}, syntax.Message+", whose last value counts", "remove one of them")
	}
}
