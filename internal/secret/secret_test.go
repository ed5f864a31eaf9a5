package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"agentxchain/internal/secret"
)

// No printer, encoder or logger shows the value, alone or inside other values.
func TestTextIsNotPrinted(t *testing.T) {
	const value = "hunter2"
	text := secret.New(value)
	type holder struct {
		Text secret.Text
		Map  map[string]secret.Text
		Ptr  *secret.Text
	}
	h := holder{text, map[string]secret.Text{"k": text}, &text}
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T"} {
		out = append(out, fmt.Sprintf(verb, text), fmt.Sprintf(verb, h), fmt.Sprintf(verb, []secret.Text{text}))
	}
	j, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	type document struct{ Text secret.Text }
	x, err := xml.Marshal(document{text})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("m", "text", text, "holder", h)
	}
	out = append(out, string(j), string(x), log.String(), text.String(), text.GoString(), fmt.Errorf("e: %v", text).Error())
	for _, s := range out {
		if strings.Contains(s, value) || strings.Contains(s, fmt.Sprintf("%x", value)) {
			t.Errorf("shown: %s", s)
		}
	}
	if text.Reveal() != value || text.IsZero() || !secret.New("").IsZero() || !(secret.Text{}).IsZero() ||
		!text.Equal(secret.New(value)) || text.Equal(secret.Text{}) {
		t.Error("the value is lost")
	}
}
