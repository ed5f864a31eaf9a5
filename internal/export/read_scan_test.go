package export

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"agentxchain/internal/ecmajson"
)

// scanSmall scans a document that arrives byte by byte through the smallest
// window.
func scanSmall(doc []byte, unique *keyWatch) error {
	s := &jsonCursor{cursor: newCursor(iotest.OneByteReader(bytes.NewReader(doc)), 0, 16), unique: unique}
	s.space()
	if err := s.value(); err != nil {
		return err
	}
	return s.end()
}

// FuzzScan holds the scanner to the parser: they accept the same documents,
// in one piece and in small ones, and see the same repeated keys.
func FuzzScan(f *testing.F) {
	for _, doc := range []string{
		`{"a":[1,-0.5e+3,"x\u00e9\n",null,true,false],"a":{}}`, `[[],{},""]`, `"` + strings.Repeat("x", 40) + `"`,
		"[1,]", `{"a" 1}`, "01", "1.", "-", "1e", "\"\x01\"", `"\x"`, `"\u12g4"`, "nul", "{}{}", "\xef\xbb\xbf{}", "[1", `{"a`, "\"\xff\xe2\x98\"", "",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, want := ecmajson.Parse(doc, ecmajson.Options{})
		depth, err := checkJSON(doc)
		if (want == nil) != (err == nil) {
			t.Fatalf("the parser says %v, the scanner %v", want, err)
		}
		if small := scanSmall(doc, nil); (small == nil) != (err == nil) || err != nil && small.Error() != err.Error() {
			t.Fatalf("in one piece %v, in small ones %v", err, small)
		}
		repeated := false
		scanSmall(doc, &keyWatch{found: func(string, int64) { repeated = true }})
		if _, unique := ecmajson.Parse(doc, ecmajson.Options{UniqueKeys: true}); want == nil && (unique != nil) != repeated {
			t.Fatalf("repeated keys: the parser says %v, the scanner %v", unique, repeated)
		}
		if want == nil {
			checkQuick(t, doc, depth)
			checkSame(t, doc)
		}
	})
}

// checkQuick holds the quick scan to the careful one on a valid document.
func checkQuick(t *testing.T, doc []byte, depth int) {
	t.Helper()
	start := len(doc) - len(bytes.TrimLeft(doc, " \t\r\n"))
	end, deepest := quickEnd(doc, start, 0)
	if end < 0 {
		return
	}
	if len(bytes.TrimLeft(doc[end:], " \t\r\n")) > 0 || deepest != depth {
		t.Fatalf("the quick scan ends at %d of %d, depth %d, want %d", end, len(doc), deepest, depth)
	}
}

// checkSame holds the comparison of texts to that of values: what it calls
// equal is equal.
func checkSame(t *testing.T, doc []byte) {
	t.Helper()
	v, err := ecmajson.Parse(doc, ecmajson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	respelt := ecmajson.Append(nil, v)
	if sameJSON(textScanner(doc), textScanner(respelt)) {
		w, err := ecmajson.Parse(respelt, ecmajson.Options{})
		if err != nil || !ecmajson.Equal(v, w) {
			t.Fatalf("%q and %q are not equal", doc, respelt)
		}
	}
}

func FuzzSameJSON(f *testing.F) {
	f.Add([]byte(`{"a":1.0,"b":"\u0061"}`), []byte(`{ "a" : 1, "b" : "a" }`))
	f.Add([]byte(`[0]`), []byte(`[-0]`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if !sameJSON(textScanner(a), textScanner(b)) {
			return
		}
		v, errA := ecmajson.Parse(a, ecmajson.Options{})
		w, errB := ecmajson.Parse(b, ecmajson.Options{})
		if errA != nil || errB != nil || !ecmajson.Equal(v, w) {
			t.Errorf("%q and %q are not equal: %v %v", a, b, errA, errB)
		}
	})
}

// TestScanWords checks what the scanner says where it disagrees.
func TestScanWords(t *testing.T) {
	for doc, want := range map[string]string{
		"":           "unexpected end of input at byte 0",
		"[1,]":       "trailing comma before ']' at byte 3",
		`{"a":1,}`:   "trailing comma before '}' at byte 7",
		"{} x":       "unexpected 'x' after the end of the document at byte 3",
		`{1:2}`:      "expected a key in double quotes, found '1' at byte 1",
		`{"a" 1}`:    "expected ':' after a key, found '1' at byte 5",
		"[1 2]":      "expected ',' or ']', found '2' at byte 3",
		`["abc`:      "string without a closing quote at byte 1",
		"[\"\n\"]":   "control character 0x0a in a string at byte 2",
		`["\q"]`:     "invalid escape in a string at byte 2",
		`["\u12"]`:   "invalid \\u escape in a string at byte 2",
		"-":          "expected a digit, found end of input at byte 1",
		"1.x":        "expected a digit after the decimal point, found 'x' at byte 2",
		"1e":         "expected a digit in the exponent, found end of input at byte 2",
		"\xff":       "unexpected byte 0xff at byte 0",
		"// comment": "unexpected '/' at byte 0",
	} {
		var syntax *ecmajson.SyntaxError
		if _, err := checkJSON([]byte(doc)); !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("%q: %v, want %s", doc, err, want)
		}
	}
	var depth *depthError
	if _, err := checkJSON(bytes.Repeat([]byte("["), maxDepth+1)); !errors.As(err, &depth) {
		t.Errorf("%d brackets: %v", maxDepth+1, err)
	}
}
