package slack

import (
	"fmt"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// maxTemplateDepth is how deeply the blocks of a template may be nested. The
// deepest of Slack's own, rich text in a table, need about ten.
const maxTemplateDepth = 64

// BodyFromTemplate returns the body that posts the blocks of a template, a
// JSON array, in which fields that are unknown here are passed on and the texts
// of headers, sections and contexts are cut to what Slack takes. The error says
// what else in them Slack would refuse, by its place and without its content; it
// begins with the place, so that the name of the template fits before it. The
// caller then posts [Body] and sets delivery.Delivery.FallbackBody.
func BodyFromTemplate(e events.Event, p Post, blocks []byte) ([]byte, error) {
	root, err := ecmajson.Parse(blocks, ecmajson.Options{MaxDepth: maxTemplateDepth, UniqueKeys: true, ValidUTF8: true})
	if err != nil {
		return nil, fmt.Errorf("blocks are not JSON: %w", err)
	}
	if err := checkBlocks(root); err != nil {
		return nil, err
	}
	return compose(p, Text(e), root), nil
}

// checkBlocks refuses what Slack is documented to refuse in the blocks that
// messages are made of, but for the length of texts, which it cuts. A type of
// block that is not known here may be newer than this program and passes.
func checkBlocks(root *ecmajson.Value) error {
	if !root.Is(ecmajson.Array) {
		return fmt.Errorf("blocks must be a list, not %s", root.Kind())
	}
	if n := root.Len(); n == 0 || n > maxBlocks {
		return fmt.Errorf("blocks must be 1 to %d, not %d", maxBlocks, n)
	}
	for i, b := range root.Items() {
		if err := checkBlock(b); err != nil {
			return fmt.Errorf("block %d: %w", i+1, err)
		}
	}
	if n := textLength(root); n > maxAllText {
		return fmt.Errorf("blocks hold %d characters of text; together they may have %d", n, maxAllText)
	}
	return nil
}

// textLength counts the characters of all texts in v.
func textLength(v *ecmajson.Value) int {
	n := 0
	for _, item := range v.Items() {
		n += textLength(item)
	}
	for _, m := range v.Members() {
		if m.Key == "text" {
			n += ecmajson.UTF16Len(m.Value.Str())
		}
		n += textLength(m.Value)
	}
	return n
}

func checkBlock(b *ecmajson.Value) error {
	if b.Get("type").Str() == "" {
		return fmt.Errorf("it must be an object with a type")
	}
	switch b.Get("type").Str() {
	case "header":
		return checkText(b.Get("text"), "text", maxHeader, "plain_text")
	case "section":
		return checkSection(b)
	case "context":
		return checkList(b.Get("elements"), "elements", func(v *ecmajson.Value, name string) error {
			if v.Get("type").Str() == "image" {
				return nil
			}
			return checkText(v, name, maxContext, "mrkdwn", "plain_text")
		})
	}
	return nil
}

func checkSection(b *ecmajson.Value) error {
	text, fields := b.Get("text"), b.Get("fields")
	if text == nil && fields == nil {
		return fmt.Errorf("a section needs text or fields")
	}
	if text != nil {
		if err := checkText(text, "text", maxText, "mrkdwn", "plain_text"); err != nil {
			return err
		}
	}
	if fields == nil {
		return nil
	}
	return checkList(fields, "fields", func(v *ecmajson.Value, name string) error {
		return checkText(v, name, maxField, "mrkdwn", "plain_text")
	})
}

// checkList checks fields or elements, of which there may be 1 to 10.
func checkList(list *ecmajson.Value, name string, check func(*ecmajson.Value, string) error) error {
	if n := list.Len(); !list.Is(ecmajson.Array) || n == 0 || n > maxFields {
		return fmt.Errorf("%s must be a list of 1 to %d", name, maxFields)
	}
	for i, v := range list.Items() {
		if err := check(v, fmt.Sprintf("%s[%d]", name, i)); err != nil {
			return err
		}
	}
	return nil
}

// checkText checks a text object of one of the given kinds, and cuts its text.
func checkText(v *ecmajson.Value, name string, limit int, kinds ...string) error {
	known := false
	for _, k := range kinds {
		known = known || v.Get("type").Str() == k
	}
	text := v.Get("text")
	switch {
	case !known:
		return fmt.Errorf("%s must be an object of type %s", name, kinds[0])
	case text.Str() == "":
		return fmt.Errorf("%s must have a text that is not empty", name)
	case ecmajson.UTF16Len(text.Str()) > limit:
		v.Set("text", ecmajson.NewString(shortened(text.Str(), limit)))
	}
	return nil
}
