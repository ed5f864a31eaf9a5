package slacktest

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask sends one request and returns the error's word, or "ok".
func ask(t *testing.T, s *Slack, path, kind, auth, body string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Authorization", auth)
	if kind == "" {
		r.Header.Del("Content-Type")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	switch {
	case a.OK && a.Warning != "":
		return a.Warning
	case a.OK:
		return "ok"
	}
	return a.Error
}

// The double refuses what Slack refuses, in Slack's words.
func TestWords(t *testing.T) {
	const good = "application/json; charset=utf-8"
	const path, bot = "/api/chat.postMessage", "Bearer xoxb-1"
	for want, c := range map[string][4]string{
		"ok":                  {path, good, bot, `{"channel":"#a","text":"x"}`},
		"missing_charset":     {path, "application/json", bot, `{"channel":"#a","text":"x"}`},
		"unknown_method":      {"/api/chat.update", good, bot, `{}`},
		"missing_post_type":   {path, "", bot, `{}`},
		"invalid_post_type":   {path, "text/html", bot, `{}`},
		"invalid_charset":     {path, "application/json; charset=utf-16", bot, `{}`},
		"not_authed":          {path, good, "Basic x", `{}`},
		"invalid_auth":        {path, good, "Bearer xoxb-2", `{}`},
		"invalid_json":        {path, good, bot, `{`},
		"channel_not_found":   {path, good, bot, `{"channel":"#b","text":"x"}`},
		"is_archived":         {path, good, bot, `{"channel":"old","text":"x"}`},
		"not_in_channel":      {path, good, bot, `{"channel":"C3","text":"x"}`},
		"no_text":             {path, good, bot, `{"channel":"#a"}`},
		"msg_too_long":        {path, good, bot, `{"channel":"#a","text":"` + strings.Repeat("x", 40_001) + `"}`},
		"thread_not_found":    {path, good, bot, `{"channel":"#a","text":"x","thread_ts":"1.2"}`},
		"invalid_blocks":      {path, good, bot, `{"channel":"#a","text":"x","blocks":[{"type":"other"}]}`},
		"msg_blocks_too_long": {path, good, bot, `{"channel":"#a","text":"x","blocks":[` + strings.TrimSuffix(strings.Repeat(`{"type":"section","text":{"type":"mrkdwn","text":"`+strings.Repeat("x", 3000)+`"}},`, 5), ",") + `]}`},
	} {
		s := New("xoxb-1", Channel{ID: "C1", Name: "a"}, Channel{ID: "C2", Name: "old", Archived: true}, Channel{ID: "C3", Name: "in", Closed: true})
		if got := ask(t, s, c[0], c[1], c[2], c[3]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if n := len(s.Messages()); (n == 1) != (want == "ok" || want == "missing_charset") {
			t.Errorf("%s: %d messages", want, n)
		}
	}
}

// Blocks that break a rule, one each.
func TestCheck(t *testing.T) {
	for _, b := range []string{
		`{"type":"divider","text":"x"}`,
		`{"type":"header","text":{"type":"plain_text","text":"x","verbatim":true}}`,
		`{"type":"header","text":{"type":"plain_text","text":"x","emoji":"yes"}}`,
		`{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`,
		`{"type":"section","text":{"type":"mrkdwn","text":""}}`,
		`{"type":"section"}`,
		`{"type":"context","elements":[]}`,
		`{"type":"divider","block_id":""},{"type":"divider","block_id":""}`,
		`{"type":"divider","block_id":7}`,
		`7`,
	} {
		if problems := Check("x", []byte("["+b+"]")); len(problems) != 1 || problems[0].Word != "invalid_blocks" {
			t.Errorf("%s: %v", b, problems)
		}
	}
	const good = `[{"type":"divider","block_id":"a"},{"type":"section","fields":[{"type":"plain_text","text":"x","emoji":false}],"expand":true}]`
	if problems := Check("", []byte(good)); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
}
