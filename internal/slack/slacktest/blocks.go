package slacktest

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// The limits of the Block Kit reference and of "chat.postMessage".
const (
	maxMessageText = 40_000 // longer is cut; an error here
	maxBlocks      = 50     // "Blocks"
	maxAllText     = 13_000 // not documented; seen as msg_blocks_too_long by those who tried
	maxHeader      = 150    // "Header block"
	maxSection     = 3000   // "Section block"
	maxField       = 2000
	maxFields      = 10
	maxElements    = 10   // "Context block"
	maxElement     = 2000 // stricter than the 3000 of "Text object"
	maxBlockID     = 255
)

// Problem is why Slack would refuse a message.
type Problem struct {
	// Word is Slack's error.
	Word string
	// Message says where and why, as Slack's response_metadata does.
	Message string
}

func messages(problems []Problem) []string {
	var list []string
	for _, p := range problems {
		list = append(list, "[ERROR] "+p.Message)
	}
	return list
}

// Check returns everything that Slack would refuse in a message of the given
// text and blocks, which may be nil.
func Check(text string, blocks json.RawMessage) []Problem {
	c := checker{ids: map[string]bool{}}
	if length(text) > maxMessageText {
		c.refuse("msg_too_long", "text")
	}
	if blocks == nil {
		if text == "" {
			c.refuse("no_text", "text and blocks are missing")
		}
		return c.problems
	}
	var list []any
	if err := json.Unmarshal(blocks, &list); err != nil {
		c.refuse("invalid_blocks_format", err.Error())
		return c.problems
	}
	if len(list) > maxBlocks {
		c.refuse("invalid_blocks", "no more than 50 items allowed")
	}
	for i, b := range list {
		c.block(fmt.Sprintf("/blocks/%d", i), b)
	}
	if c.total > maxAllText {
		c.refuse("msg_blocks_too_long", fmt.Sprintf("%d characters", c.total))
	}
	return c.problems
}

type checker struct {
	problems []Problem
	ids      map[string]bool
	total    int
}

func (c *checker) refuse(word, message string) {
	c.problems = append(c.problems, Problem{word, message})
}

func (c *checker) invalid(at, why string) { c.refuse("invalid_blocks", why+" [json-pointer:"+at+"]") }

// block checks one block: only the fields that its page lists, the required
// ones among them.
func (c *checker) block(at string, v any) {
	b, _ := v.(map[string]any)
	kind, _ := b["type"].(string)
	switch kind {
	case "header":
		c.keys(at, b, "text")
		c.text(at+"/text", b["text"], maxHeader, "plain_text")
	case "divider":
		c.keys(at, b)
	case "section":
		c.section(at, b)
	case "context":
		c.keys(at, b, "elements")
		c.list(at+"/elements", b["elements"], maxElements, func(at string, v any) {
			c.text(at, v, maxElement, "mrkdwn", "plain_text")
		})
	default:
		c.invalid(at, fmt.Sprintf("unsupported type: %q", kind)) // stricter: what we do not send
		return
	}
	c.id(at, b["block_id"])
}

func (c *checker) section(at string, b map[string]any) {
	c.keys(at, b, "text", "fields", "accessory", "expand")
	if b["text"] == nil && b["fields"] == nil {
		c.invalid(at, "missing required field: text or fields")
	}
	if b["text"] != nil {
		c.text(at+"/text", b["text"], maxSection, "mrkdwn", "plain_text")
	}
	if b["fields"] != nil {
		c.list(at+"/fields", b["fields"], maxFields, func(at string, v any) {
			c.text(at, v, maxField, "mrkdwn", "plain_text")
		})
	}
}

// id: "block_id" is unique in a message.
func (c *checker) id(at string, v any) {
	if v == nil {
		return
	}
	id, ok := v.(string)
	if !ok || length(id) > maxBlockID || c.ids[id] {
		c.invalid(at+"/block_id", "must be a unique string of at most 255 characters")
	}
	c.ids[id] = true
}

func (c *checker) keys(at string, object map[string]any, allowed ...string) {
	for key := range object {
		known := key == "type" || key == "block_id"
		for _, a := range allowed {
			known = known || key == a
		}
		if !known {
			c.invalid(at, fmt.Sprintf("additional property %q", key))
		}
	}
}

func (c *checker) list(at string, v any, most int, each func(string, any)) {
	items, ok := v.([]any)
	if !ok || len(items) == 0 || len(items) > most {
		c.invalid(at, fmt.Sprintf("must be a list of 1 to %d", most))
		return
	}
	for i, item := range items {
		each(fmt.Sprintf("%s/%d", at, i), item)
	}
}

// text checks a "Text object": emoji only in plain text, verbatim only in
// mrkdwn, at least one character.
func (c *checker) text(at string, v any, most int, kinds ...string) {
	object, _ := v.(map[string]any)
	kind, _ := object["type"].(string)
	known := false
	for _, k := range kinds {
		known = known || k == kind
	}
	if !known {
		c.invalid(at+"/type", fmt.Sprintf("unsupported type: %q", kind))
		return
	}
	flag := "emoji"
	if kind == "mrkdwn" {
		flag = "verbatim"
	}
	c.keys(at, object, "text", flag)
	if _, ok := object[flag].(bool); object[flag] != nil && !ok {
		c.invalid(at+"/"+flag, "must be a boolean")
	}
	text, ok := object["text"].(string)
	switch n := length(text); {
	case !ok || n == 0:
		c.invalid(at+"/text", "must be more than 0 characters")
	case n > most:
		c.invalid(at+"/text", fmt.Sprintf("must be less than %d characters", most+1))
	case !utf8.ValidString(text):
		c.invalid(at+"/text", "must be UTF-8")
	}
	c.total += length(text)
}
