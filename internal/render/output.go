package render

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pyvalue"
)

const (
	// MaxDepth is how deeply what a template writes may be nested.
	MaxDepth = events.MaxDepth
	// MaxBytes is how long a body made by a template may be, an envelope's limit.
	MaxBytes = events.MaxBytes
)

// shape is what a body has to be besides JSON.
type shape int

const (
	anyJSON shape = iota
	// aList is what Slack takes as blocks; the marks in it are read back.
	aList
)

// finish checks what a template wrote and writes it anew as Python does. known
// is what the error may repeat of it.
func finish(text string, want shape, known vocabulary) ([]byte, error) {
	src := []byte(text)
	v, err := ecmajson.Parse(src, ecmajson.Options{MaxDepth: MaxDepth, UniqueKeys: true, ValidUTF8: true})
	if err != nil {
		return nil, notJSON(src, err, known)
	}
	if want == aList && !v.Is(ecmajson.Array) {
		return nil, fmt.Errorf("the output is %s; Slack takes a list of blocks", v.Kind())
	}
	if at := tooLarge(v); at != nil {
		return nil, outputError(src, at.Offset(), "the number is too large")
	}
	body, err := python(src, want)
	if err != nil {
		return nil, errors.New("the output cannot be written anew: " + known.scrub(err.Error()))
	}
	if len(body) > MaxBytes {
		return nil, fmt.Errorf("the output is %d bytes long; at most %d are allowed", len(body), MaxBytes)
	}
	return body, nil
}

// python writes a JSON document as json.dumps(json.loads(src)) does.
func python(src []byte, want shape) ([]byte, error) {
	v, err := pyvalue.FromJSON(src, pyvalue.JSONLimits{Depth: MaxDepth})
	if err != nil {
		return nil, err
	}
	if want == aList {
		v = readBack(v)
	}
	return pyvalue.AppendJSON(nil, make([]byte, 0, len(src)+len(src)/8), v, pyvalue.JSONOptions{})
}

func notJSON(src []byte, err error, known vocabulary) error {
	var syntax *ecmajson.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	return outputError(src, syntax.Offset, known.scrubQuotes(syntax.Message))
}

func outputError(src []byte, offset int, message string) error {
	line, column := ecmajson.Position(src, offset)
	return fmt.Errorf("the output is not JSON that can be sent: line %d, column %d: %s", line, column, message)
}

// maxDigits is how many digits of an int Python reads.
const maxDigits = 4300

// tooLarge returns a number that Python cannot read, or would write as the word
// Infinity; nil if there is none.
func tooLarge(v *ecmajson.Value) *ecmajson.Value {
	if literal := v.Literal(); isInteger(literal) && len(literal) > maxDigits || !isInteger(literal) && math.IsInf(v.Num(), 0) {
		return v
	}
	for _, item := range v.Items() {
		if found := tooLarge(item); found != nil {
			return found
		}
	}
	for _, m := range v.Members() {
		if found := tooLarge(m.Value); found != nil {
			return found
		}
	}
	return nil
}

// isInteger reports whether Python reads the number as an int, which has any
// size, and not as a double.
func isInteger(literal string) bool { return !strings.ContainsAny(literal, ".eE") }
