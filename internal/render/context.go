package render

import (
	"errors"
	"fmt"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/pyvalue"
)

// Context replaces variables, to try a template out. It is one JSON object,
// every key of every object unique. Each member replaces the variable of its
// name, or adds one; numbers, strings, null and so on become Python's. An object
// under event or target replaces or adds attributes and leaves the others; a
// string under event becomes what event prints as and equals, and leaves its
// attributes. Nothing is derived: agent_name alone does not change
// event.agent_id.
type Context struct {
	// Name is what messages call it, such as a file's name.
	Name string
	// Text is the JSON, at most [MaxBytes] long.
	Text []byte
}

// override replaces variables; for Slack their texts are marked as an event's
// are. The error is an [*Error].
func (c *Context) override(vars *pyvalue.Dict, forSlack bool) error {
	root, err := c.parse()
	if err != nil {
		return err
	}
	r := strings.NewReplacer()
	if forSlack {
		r = marks()
	}
	for _, m := range root.Members() {
		value, err := fromJSON(m.Value)
		if err == nil {
			err = replace(vars, m.Key, replaceTexts(value, r, r))
		}
		if err != nil {
			return c.fail(m.Value.Offset(), err.Error())
		}
	}
	return nil
}

func (c *Context) parse() (*ecmajson.Value, error) {
	if len(c.Text) > MaxBytes {
		return nil, &Error{File: c.Name, Message: fmt.Sprintf("the context is longer than %d bytes", MaxBytes), Always: true}
	}
	root, err := ecmajson.Parse(c.Text, ecmajson.Options{MaxDepth: MaxDepth, UniqueKeys: true, ValidUTF8: true})
	var syntax *ecmajson.SyntaxError
	if errors.As(err, &syntax) {
		return nil, c.fail(syntax.Offset, syntax.Message)
	}
	if !root.Is(ecmajson.Object) {
		return nil, c.fail(root.Offset(), "the context must be an object, not "+root.Kind().String())
	}
	return root, nil
}

func (c *Context) fail(offset int, message string) *Error {
	line, column := ecmajson.Position(c.Text, offset)
	return &Error{File: c.Name, Line: line, Column: column, Message: message, Always: true}
}

// replace sets one variable.
func replace(vars *pyvalue.Dict, name string, value pyvalue.Value) error {
	old, _ := vars.GetStr(name)
	object, isObject := old.(*pyvalue.Object)
	attributes, isDict := value.(*pyvalue.Dict)
	like, isText := value.(pyvalue.Str)
	switch {
	case isObject && isDict:
		return setAttributes(object, attributes)
	case isObject && isText && object.Like != nil:
		object.Like = &like
	default:
		vars.SetStr(name, value)
	}
	return nil
}

func setAttributes(object *pyvalue.Object, values *pyvalue.Dict) error {
	// An object makes its attributes when the first is asked for.
	if _, _, err := object.Get(nil, ""); err != nil {
		return err
	}
	for key, value := range values.All() {
		if err := object.Attrs.Set(nil, key, value); err != nil {
			return err
		}
	}
	return nil
}
