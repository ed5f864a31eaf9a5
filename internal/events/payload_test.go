package events_test

import (
	"errors"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
)

// Each mistake has a message of its own, with its place.
func TestParsePayloadRefuses(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"empty", "", "p.json:1:1: unexpected end of input"},
		{"array", "\n [1]", "p.json:2:2: the payload must be an object, not an array"},
		{"null", "null", "p.json:1:1: the payload must be an object, not null"},
		{"text", `"x"`, "p.json:1:1: the payload must be an object, not a string"},
		{"duplicate", "{\"a\":1,\n\"a\":2}", `p.json:2:1: duplicate key "a"`},
		{"duplicate spelled otherwise", `{"a":1,"\u0061":2}`, `p.json:1:8: duplicate key "a"`},
		{"duplicate inside", `{"a":[{"b":1,"b":1}]}`, `p.json:1:14: duplicate key "b"`},
		{"not UTF-8", "{\"é\":\"\xff\"}", "p.json:1:7: byte 0xff is not UTF-8"},
		{"not UTF-8 in a key", "{\"\xc3\x28\":1}", "p.json:1:3: byte 0xc3 is not UTF-8"},
		{"surrogate bytes", "{\"a\":\"\xed\xa0\x80\"}", "p.json:1:7: byte 0xed is not UTF-8"},
		{"nested arrays", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), "p.json:1:513: nested more than 512 levels deep"},
		{"nested in an object", `{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}", "p.json:1:517: nested more than 512 levels deep"},
		{"two documents", "{}{}", "p.json:1:3: unexpected '{' after the end of the document"},
		{"trailing comma", `{"a":1,}`, "p.json:1:8: trailing comma before '}'"},
		{"comment", `{} // x`, "p.json:1:4: unexpected '/' after the end of the document"},
		{"byte order mark", "\ufeff{}", `p.json:1:1: unexpected '\ufeff'`},
		{"NaN", `{"a":NaN}`, "p.json:1:6: unexpected 'N'"},
		{"cut short", `{"a":"b`, "p.json:1:6: string without a closing quote"},
		{"too long", `{"a":"` + strings.Repeat("x", events.MaxBytes) + `"}`, "the payload is 8388616 bytes long; at most 8388608 are allowed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := events.ParsePayload("p.json", []byte(test.src))
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
			var input *events.InputError
			var size *events.SizeError
			if !errors.As(err, &input) && !errors.As(err, &size) {
				t.Errorf("error of type %T", err)
			}
		})
	}
}

// What people wrote is what is sent, but for white space.
func TestParsePayloadKeepsMeaning(t *testing.T) {
	tests := []struct{ src, want string }{
		{`{}`, `{}`},
		{"{ \"b\" : 1.0 ,\n\"a\":[ 1e400, -0, 12345678901234567890 ] }", `{"b":1.0,"a":[1e400,-0,12345678901234567890]}`},
		{`{"10":1,"9":2,"__proto__":3}`, `{"10":1,"9":2,"__proto__":3}`},
		{`{"a":"\u00e9\u2028<\/script>&\u0007\ud800"}`, "{\"a\":\"é\u2028</script>&\\u0007\\ud800\"}"},
		{`{"":null}`, `{"":null}`},
	}
	for _, test := range tests {
		if got := string(ecmajson.Append(nil, payload(t, test.src))); got != test.want {
			t.Errorf("%s became %s, want %s", test.src, got, test.want)
		}
	}
	deepest := `{"a":` + strings.Repeat("[", events.MaxDepth-1) + strings.Repeat("]", events.MaxDepth-1) + "}"
	if got := string(ecmajson.Append(nil, payload(t, deepest))); got != deepest {
		t.Error("the deepest payload changed")
	}
}

func TestSetPayload(t *testing.T) {
	tests := []struct {
		assignments []string
		want        string
	}{
		{[]string{"c=new"}, `{"a":1,"b":2,"c":"new"}`},
		{[]string{"a=x", "a=y"}, `{"a":"y","b":2}`},
		{[]string{"a=1.0", "b=true"}, `{"a":1.0,"b":true}`},
		{[]string{"a=null", `b="3"`}, `{"a":null,"b":"3"}`},
		{[]string{`a={"k":[1, 2]}`}, `{"a":{"k":[1,2]},"b":2}`},
		{[]string{"a=k=v", "b="}, `{"a":"k=v","b":""}`},
		{[]string{"a= 5 ", "b= five "}, `{"a":5,"b":" five "}`},
		{[]string{"a=01", "b={", "c=NaN", "d=\n"}, `{"a":"01","b":"{","c":"NaN","d":"\n"}`},
		{[]string{"a.b=1", "\"q\"=1"}, `{"a":1,"b":2,"a.b":1,"\"q\"":1}`},
	}
	for _, test := range tests {
		p := payload(t, `{"a":1,"b":2}`)
		for _, assignment := range test.assignments {
			if err := events.SetPayload(p, assignment); err != nil {
				t.Errorf("%q: %v", assignment, err)
			}
		}
		if got := string(ecmajson.Append(nil, p)); got != test.want {
			t.Errorf("%q gave %s, want %s", test.assignments, got, test.want)
		}
	}
}

func TestSetPayloadRefuses(t *testing.T) {
	tests := []struct{ assignment, want string }{
		{"a", `"a" is no assignment; write KEY=VALUE`},
		{"=1", `"=1" is no assignment; write KEY=VALUE`},
		{"", `"" is no assignment; write KEY=VALUE`},
		{"a=\xff", `the assignment "a=\xff" is not UTF-8`},
		{`a={"x":1,"x":2}`, `value of "a":1:8: duplicate key "x"`},
		{"a=" + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), `value of "a":1:512: nested more than 511 levels deep`},
	}
	for _, test := range tests {
		p := payload(t, `{"a":1}`)
		if err := events.SetPayload(p, test.assignment); err == nil || err.Error() != test.want {
			t.Errorf("%.40q: error %v, want %s", test.assignment, err, test.want)
		}
		if got := string(ecmajson.Append(nil, p)); got != `{"a":1}` {
			t.Errorf("%.40q changed the payload to %s", test.assignment, got)
		}
	}
}
