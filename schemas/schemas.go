// Package schemas holds the JSON Schemas (draft 2020-12) of the formats we
// read and write, as files that can be published as they are, and is the one
// place that compiles them. Nothing is compiled before it is asked for.
package schemas

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"agentxchain/internal/ecmajson"
)

//go:embed *.schema.json
var files embed.FS

const (
	suffix = ".schema.json"
	// scheme begins the identifier of each schema: "agentxchain:" and its name.
	// References between schemas use it; none leads to the network.
	scheme = "agentxchain:"
)

// Names returns the names of all schemas, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // An embedded folder is always readable.
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), suffix)
	}
	return names
}

// Source returns the text of a schema as it is published. An unknown name is
// an error.
func Source(name string) ([]byte, error) {
	src, err := files.ReadFile(name + suffix)
	if err != nil {
		return nil, fmt.Errorf("no schema is named %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return src, nil
}

// Schema is a compiled schema. It may be used by several goroutines.
type Schema struct{ compiled *jsonschema.Schema }

// Compile compiles a schema, which takes about a millisecond; keep it for many
// documents. An unknown name or a schema that is not valid is an error.
func Compile(name string) (*Schema, error) {
	if _, err := Source(name); err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.Draft = jsonschema.Draft2020
	compiler.LoadURL = load
	compiled, err := compiler.Compile(scheme + name)
	if err != nil {
		return nil, fmt.Errorf("compile schema %q: %w", name, err)
	}
	return &Schema{compiled}, nil
}

// load resolves references to the embedded files, never to the network.
func load(url string) (io.ReadCloser, error) {
	name, ok := strings.CutPrefix(url, scheme)
	if !ok {
		return nil, fmt.Errorf("schema %q is not one of ours", url)
	}
	src, err := Source(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(src)), nil
}

// Issue is one place where a document breaks its schema.
type Issue struct {
	// Pointer is the place in the document (RFC 6901); "" is the document.
	Pointer string
	// Message says what the schema wants there.
	Message string
}

// Validate compiles the schema of that name and judges one document by it.
func Validate(name string, document *ecmajson.Value) ([]Issue, error) {
	schema, err := Compile(name)
	if err != nil {
		return nil, err
	}
	return schema.Validate(document)
}

// Validate returns the document's issues sorted by place, none when it is
// valid. The error says that the schema could not be applied, never that the
// document is wrong.
func (s *Schema) Validate(document *ecmajson.Value) ([]Issue, error) {
	err := s.compiled.Validate(plain(document))
	var invalid *jsonschema.ValidationError
	if err == nil {
		return nil, nil
	}
	if !errors.As(err, &invalid) {
		return nil, fmt.Errorf("validate: %w", err)
	}
	issues := leaves(nil, invalid)
	slices.SortFunc(issues, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(issues), nil
}

// leaves collects the errors at the ends of the tree; those above them only
// say that something below is wrong.
func leaves(issues []Issue, e *jsonschema.ValidationError) []Issue {
	if len(e.Causes) == 0 {
		return append(issues, Issue{Pointer: e.InstanceLocation, Message: e.Message})
	}
	for _, cause := range e.Causes {
		issues = leaves(issues, cause)
	}
	return issues
}

// infinity stands for what 1e400 is to ECMAScript: JSON has no such number, so
// one takes its place that is as large as doubles get and no integer.
func infinity(sign int) json.Number {
	digits := "1" + strings.Repeat("0", 308) + ".5"
	if sign < 0 {
		return json.Number("-" + digits)
	}
	return json.Number(digits)
}

// plain converts a document to what the library validates.
func plain(v *ecmajson.Value) any {
	switch v.Kind() {
	case ecmajson.Bool:
		return v.True()
	case ecmajson.Number:
		if sign := cmp.Compare(v.Num(), 0); math.IsInf(v.Num(), sign) {
			return infinity(sign)
		}
		return v.Num()
	case ecmajson.String:
		return v.Str()
	case ecmajson.Array:
		items := make([]any, 0, v.Len())
		for _, item := range v.Items() {
			items = append(items, plain(item))
		}
		return items
	case ecmajson.Object:
		members := make(map[string]any, v.Len())
		for _, m := range v.Members() {
			members[m.Key] = plain(m.Value)
		}
		return members
	}
	return nil
}
