package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/secret"
	"agentxchain/internal/slack/slacktest"
)

const token = "xoxb-1-planted-hunter2"

func workspace() *slacktest.Slack {
	return slacktest.New(token,
		slacktest.Channel{ID: "C0ALERTS", Name: "alerts"},
		slacktest.Channel{ID: "C0OLD", Name: "old", Archived: true},
		slacktest.Channel{ID: "C0CLOSED", Name: "closed", Closed: true})
}

// options are those of a sender to a handler.
func options(t *testing.T, h http.Handler) Options {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return Options{
		Config:    Config{Enabled: true, BotToken: secret.New(token)},
		BaseURL:   srv.URL + "/api/",
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		Version:   "test",
	}
}

func post(channel string) delivery.Delivery {
	e := governed("run_blocked", nil)
	return delivery.Delivery{Event: e, Body: Body(e, Post{Channel: channel})}
}

// answering gives fixed answers of status 200.
func answering(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
}

func status(code int, header, value, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(header, value)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	})
}

func TestSend(t *testing.T) {
	slack := workspace()
	s := NewSender(options(t, slack))
	for _, c := range []struct {
		channel, message string
		reason           delivery.Reason
	}{
		{"#alerts", "Delivered", delivery.ReasonDelivered},
		{"alerts", "Delivered", delivery.ReasonDelivered},
		{"C0ALERTS", "Delivered", delivery.ReasonDelivered},
		{"#nobody", "channel_not_found", delivery.ReasonRejected},
		{"#old", "is_archived", delivery.ReasonRejected},
		{"#closed", "not_in_channel", delivery.ReasonRejected},
		{"", "channel_not_found", delivery.ReasonRejected},
	} {
		d := post(c.channel)
		res := s.Send(t.Context(), d)
		if res.Reason != c.reason || res.Message != c.message || res.Delivered != (c.message == "Delivered") || res.Retry || res.StatusCode != http.StatusOK {
			t.Errorf("%q: %+v", c.channel, res)
		}
		if res.Phase != delivery.PhaseRead || res.Duration <= 0 {
			t.Errorf("%q: %+v", c.channel, res)
		}
	}
	sent := slack.Messages()
	if len(sent) != 3 || string(sent[0].Body) != string(post("#alerts").Body) {
		t.Errorf("%d messages, %q", len(sent), sent)
	}
}

// What stands in the request besides the body.
func TestRequest(t *testing.T) {
	got := make(chan *http.Request, 1)
	o := options(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	o.Config.BotToken = secret.New(" " + token + "\n")
	if res := NewSender(o).Send(t.Context(), post("#a")); !res.Delivered {
		t.Fatalf("%+v", res)
	}
	r := <-got
	for name, want := range map[string]string{
		"Authorization": "Bearer " + token, "Content-Type": ContentType, "Accept": "application/json", "User-Agent": "agentxchain/test",
	} {
		if r.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, r.Header.Get(name), want)
		}
	}
	if r.Method != http.MethodPost || r.RequestURI != "/api/chat.postMessage" || r.ContentLength != int64(len(post("#a").Body)) {
		t.Errorf("%s %s, %d bytes", r.Method, r.RequestURI, r.ContentLength)
	}
}

func TestMethodURL(t *testing.T) {
	for base, want := range map[string]string{
		DefaultBaseURL:            "https://slack.com/api/chat.postMessage",
		"https://slack.com/api":   "https://slack.com/api/chat.postMessage",
		"http://h.example:8/x/y/": "http://h.example:8/x/y/chat.postMessage",
		"https://h.example":       "https://h.example/chat.postMessage",
		"ftp://h.example/":        "",
		"h.example":               "",
		"https://u:p@h.example/":  "",
		"https://h.example/?x":    "",
		"https://h.example/#x":    "",
		"https:///api":            "",
		"http://[::1":             "",
	} {
		u, ok := methodURL(base)
		if ok != (want != "") || ok && u.String() != want {
			t.Errorf("%q: %v", base, u)
		}
	}
}

// What ends an attempt before anything is sent.
func TestNoRequest(t *testing.T) {
	for _, c := range []struct {
		change  func(*Options)
		reason  delivery.Reason
		message string
	}{
		{func(o *Options) { o.Config.Enabled = false }, delivery.ReasonTargetGone, "Slack is no longer enabled in the configuration"},
		{func(o *Options) { o.Config.Missing = []string{"SLACK_BOT_TOKEN", "X"} }, delivery.ReasonHeaderEnv, "Unresolved variables: SLACK_BOT_TOKEN, X"},
		{func(o *Options) { o.Config.BotToken = secret.New(" ") }, delivery.ReasonRejected, "not_authed"},
		{func(o *Options) { o.Config.BotToken = secret.New("xoxb-hunter2\r\nX: 1") }, delivery.ReasonProtocol, "bot_token holds characters that no token has"},
		{func(o *Options) { o.BaseURL = "https://u:hunter2@h/" }, delivery.ReasonProtocol, "SLACK_API_URL cannot be used: it must be an http or https URL without credentials, query or fragment"},
	} {
		slack := workspace()
		o := options(t, slack)
		c.change(&o)
		res := NewSender(o).Send(t.Context(), post("#alerts"))
		if res != (delivery.Result{Reason: c.reason, Message: c.message}) || slack.Requests() != 0 {
			t.Errorf("%+v after %d requests", res, slack.Requests())
		}
	}
}

// How every kind of answer is taken.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name    string
		h       http.Handler
		reason  delivery.Reason
		retry   bool
		message string
	}{
		{"ok", answering(`{"ok":true,"ts":"1.2"}`), delivery.ReasonDelivered, false, "Delivered"},
		{"warnings", answering(`{"ok":true,"warning":"missing_charset,other","response_metadata":{"warnings":["missing_charset","A b","third"]}}`), delivery.ReasonDelivered, false, "Delivered; Slack warns: missing_charset, other, third"},
		{"word", answering(`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] hunter2"]}}`), delivery.ReasonRejected, false, "invalid_blocks"},
		{"unknown word", answering(`{"ok":false,"error":"brand_new_word"}`), delivery.ReasonRejected, true, "brand_new_word"},
		{"server", answering(`{"ok":false,"error":"internal_error"}`), delivery.ReasonServerError, true, "internal_error"},
		{"throttled, 200", status(200, "Retry-After", "3", `{"ok":false,"error":"ratelimited"}`), delivery.ReasonThrottled, true, "ratelimited"},
		{"throttled, 429", status(429, "Retry-After", "3", `{"ok":false,"error":"ratelimited"}`), delivery.ReasonThrottled, true, "ratelimited"},
		{"throttled, no body", status(429, "Retry-After", "3", ""), delivery.ReasonThrottled, true, "Slack returned HTTP 429"},
		{"no word", answering(`{"ok":false}`), delivery.ReasonProtocol, true, "Slack refused the message without a usable word"},
		{"no safe word", answering(`{"ok":false,"error":"Hunter2 <b>"}`), delivery.ReasonProtocol, true, "Slack refused the message without a usable word"},
		{"page", answering(`<html>hunter2`), delivery.ReasonProtocol, true, "Slack's answer is not the JSON it should be"},
		{"empty", answering(``), delivery.ReasonProtocol, true, "Slack's answer is not the JSON it should be"},
		{"list", answering(`[true]`), delivery.ReasonProtocol, true, "Slack's answer is not the JSON it should be"},
		{"no bool", answering(`{"ok":"true"}`), delivery.ReasonProtocol, true, "Slack's answer is not the JSON it should be"},
		{"more behind", answering(`{"ok":true} {}`), delivery.ReasonProtocol, true, "Slack's answer is not the JSON it should be"},
		{"long", answering(`{"ts":"1.2","x":"` + strings.Repeat("x", 70<<10) + `","ok":true}`), delivery.ReasonDelivered, false, "Delivered"},
		{"too long", answering(`{"x":"` + strings.Repeat("x", maxAnswer) + `","ok":true}`), delivery.ReasonProtocol, false, "Slack's answer is too long to tell whether the message was posted"},
		{"too long, ok", answering(` { "ok" : true,"x":"` + strings.Repeat("x", maxAnswer) + `"}`), delivery.ReasonDelivered, false, "Delivered"},
		{"too long, not ok", answering(`{"ok":false,"x":"` + strings.Repeat("x", maxAnswer) + `"}`), delivery.ReasonProtocol, true, "Slack refused the message without a usable word"},
		{"too long, throttled", status(429, "Retry-After", "3", strings.Repeat("x", maxAnswer+1)), delivery.ReasonThrottled, true, "Slack returned HTTP 429"},
		{"as long as is read", answering(`{"ok":false,"error":"is_archived","x":"` + strings.Repeat("x", maxAnswer-41) + `"}`), delivery.ReasonRejected, false, "is_archived"},
		{"nested", answering(`{"ok":true,"x":` + strings.Repeat("[", 30_000)), delivery.ReasonProtocol, true, "Slack's answer is not the JSON it should be"},
		{"cut", status(200, "Content-Length", "100", `{"ok":true}`), delivery.ReasonReset, true, "connection closed before the end of the answer"},
		{"201", status(201, "X", "", `{"ok":true}`), delivery.ReasonProtocol, false, "Slack returned HTTP 201"},
		{"204", status(204, "X", "", ""), delivery.ReasonProtocol, false, "Slack returned HTTP 204"},
		{"redirect", status(302, "Location", "https://x.example/", ""), delivery.ReasonRedirect, false, "Slack returned HTTP 302"},
		{"403", status(403, "X", "", `{"ok":false,"error":"invalid_auth"}`), delivery.ReasonRejected, false, "invalid_auth"},
		{"404", status(404, "X", "", `hunter2`), delivery.ReasonRejected, false, "Slack returned HTTP 404"},
		{"500 that says ok", status(500, "X", "", `{"ok":true}`), delivery.ReasonServerError, true, "Slack returned HTTP 500"},
		{"503", status(503, "Retry-After", "3", `{"ok":false,"error":"service_unavailable"}`), delivery.ReasonServerError, true, "service_unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := NewSender(options(t, c.h)).Send(t.Context(), post("#a"))
			if res.Reason != c.reason || res.Retry != c.retry || res.Message != c.message || res.Delivered != (c.reason == delivery.ReasonDelivered) {
				t.Errorf("%+v", res)
			}
			if strings.HasPrefix(c.name, "throttled") && res.RetryAfter != 3*time.Second {
				t.Errorf("Retry-After: %v", res.RetryAfter)
			}
		})
	}
}

// Every word that the documentation has, and what it means for another try.
func TestClassify(t *testing.T) {
	again := map[delivery.Reason][]string{
		delivery.ReasonThrottled: {"ratelimited", "rate_limited", "message_limit_exceeded"},
		delivery.ReasonServerError: {
			"internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error",
			"team_added_to_org", "org_login_required", "external_channel_migrating", "messaging_processing_failed",
		},
	}
	for want, words := range again {
		for _, w := range words {
			if reason, retry := classify(w); reason != want || !retry {
				t.Errorf("%s: %s, %v", w, reason, retry)
			}
		}
	}
	for _, w := range strings.Fields(`
		channel_not_found not_in_channel is_archived invalid_auth account_inactive token_revoked token_expired no_permission missing_scope
		not_authed invalid_blocks invalid_blocks_format msg_too_long msg_blocks_too_long no_text restricted_action
		restricted_action_read_only_channel restricted_action_thread_only_channel restricted_action_non_threadable_channel
		restricted_action_thread_locked too_many_attachments as_user_not_supported ekm_access_denied invalid_arguments invalid_arg_name
		invalid_charset invalid_form_data invalid_post_type missing_post_type invalid_json json_not_object access_denied accesslimited
		not_allowed_token_type method_deprecated deprecated_endpoint two_factor_setup_required enterprise_is_restricted
		metadata_too_large slack_connect_file_link_sharing_blocked messages_tab_disabled user_not_in_channel team_access_not_granted
		attachment_payload_limit_exceeded too_many_contact_cards cannot_reply_to_message thread_not_found message_not_found`) {
		if reason, retry := classify(w); reason != delivery.ReasonRejected || retry {
			t.Errorf("%s: %s, %v", w, reason, retry)
		}
	}
	if reason, retry := classify("never_heard_of"); reason != delivery.ReasonRejected || !retry {
		t.Errorf("unknown: %s, %v", reason, retry)
	}
}

// The double throttles, refuses and recovers, and the sender with it.
func TestDouble(t *testing.T) {
	slack := workspace()
	s := NewSender(options(t, slack))
	slack.Throttle(1, 7)
	if res := s.Send(t.Context(), post("#alerts")); res.Reason != delivery.ReasonThrottled || res.RetryAfter != 7*time.Second || !res.Retry {
		t.Errorf("%+v", res)
	}
	slack.Refuse("fatal_error")
	if res := s.Send(t.Context(), post("#alerts")); res.Message != "fatal_error" || !res.Retry {
		t.Errorf("%+v", res)
	}
	if res := s.Send(t.Context(), post("#alerts")); !res.Delivered {
		t.Errorf("%+v", res)
	}
	o := options(t, slack)
	o.Config.BotToken = secret.New("xoxb-other")
	if res := NewSender(o).Send(t.Context(), post("#alerts")); res.Message != "invalid_auth" || res.Retry {
		t.Errorf("%+v", res)
	}
	if len(slack.Messages()) != 1 {
		t.Errorf("%d messages", len(slack.Messages()))
	}
}

// The attempt's own limit is a timeout, the caller's end an interruption.
func TestLimitOfTime(t *testing.T) {
	block := make(chan struct{})
	hang := http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { <-block })
	o := options(t, hang)
	t.Cleanup(func() { close(block) }) // before the server closes
	o.Timeout = 50 * time.Millisecond
	res := NewSender(o).Send(t.Context(), post("#a"))
	if !res.TimedOut || res.Reason != delivery.ReasonTimeout || res.Message != "Timed out after 50ms" || !res.Retry {
		t.Errorf("%+v", res)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res := NewSender(o).Send(ctx, post("#a")); res.Reason != delivery.ReasonInterrupted || res.TimedOut {
		t.Errorf("%+v", res)
	}
}

// blocked is a refusal as the guard in the dialer makes it.
type blocked struct{}

func (blocked) Error() string  { return "egress refused 10.0.0.1: private use" }
func (blocked) Reason() string { return "blocked" }

func TestGuard(t *testing.T) {
	o := options(t, workspace())
	o.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: blocked{}}
	}}
	res := NewSender(o).Send(t.Context(), post("#alerts"))
	if res.Reason != delivery.ReasonBlocked || res.Message != (blocked{}).Error() || res.Retry || res.MaybeSeen() {
		t.Errorf("%+v", res)
	}
}

// echoing answers with what it was sent, in every place that is read.
func echoing(w http.ResponseWriter, r *http.Request) {
	got := r.Header.Get("Authorization")
	w.Header().Set("Retry-After", got)
	w.Header().Set("Location", got)
	code := 200
	_, _ = fmt.Sscanf(r.URL.Path, "/%d/", &code)
	w.WriteHeader(code)
	bare := strings.ReplaceAll(strings.TrimPrefix(got, "Bearer "), "-", "_")
	_, _ = fmt.Fprintf(w, `{"ok":%v,"error":%q,"warning":%q,"ts":%q,"response_metadata":{"warnings":[%q,"hunter2","planted"],"messages":[%q]}}`,
		code == 201, strings.ToLower(bare), "hunter2", got, got, got)
}

// The token gets into no message, whatever the other side does with it.
func TestTokenStaysSecret(t *testing.T) {
	o := options(t, http.HandlerFunc(echoing))
	base := strings.TrimSuffix(o.BaseURL, "/api/")
	for _, path := range []string{"/200/", "/201/", "/302/", "/401/", "/429/", "/500/"} {
		for _, channel := range []string{"#a", token} {
			o.BaseURL = base + path
			o.Threads = NewThreads(ThreadsOptions{Path: t.TempDir() + "/t", Create: func() error { return errors.New("no folder") }})
			res := NewSender(o).Send(t.Context(), post(channel))
			for _, planted := range []string{"hunter2", "planted"} {
				if strings.Contains(res.Message, planted) {
					t.Errorf("%s: %+v", path, res)
				}
			}
			if strings.Contains(res.Message, token) || strings.ContainsAny(res.Message, "\r\n") {
				t.Errorf("%s: %+v", path, res)
			}
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", o, o, o.Config); strings.Contains(text, "hunter2") {
		t.Errorf("options print the token: %s", text)
	}
}

func TestConcurrentSends(t *testing.T) {
	slack := workspace()
	s := NewSender(options(t, slack))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if res := s.Send(t.Context(), post("#alerts")); !res.Delivered {
				t.Errorf("%+v", res)
			}
		})
	}
	all.Wait()
	if n := len(slack.Messages()); n != 16 {
		t.Errorf("%d messages", n)
	}
}

// FuzzAnswer: whatever comes back is judged, in words that are safe to keep.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"ok":true,"ts":"1760000000.000100","channel":"C1"}`, `{"ok":false,"error":"channel_not_found"}`, `{"ok":true,"warning":"a,b"}`,
		`{"ok":false,"error":"planted"}`, `{"ok":true,"response_metadata":{"warnings":["x",1,null]}}`, `<html>`, `{"ok":1}`, `{"ok":true,"ok":false}`,
	} {
		f.Add([]byte(seed), 200, "3")
		f.Add([]byte(seed), 429, "x")
	}
	f.Fuzz(func(t *testing.T, body []byte, code int, after string) {
		code = 200 + int(uint(code)%800)
		a := readAnswer(body, secret.New(token))
		res := a.judge(code, after, noon())
		if res.Delivered && (code != 200 || !a.ok || res.Reason != delivery.ReasonDelivered || res.Retry) {
			t.Fatalf("%+v", res)
		}
		if !res.Delivered && res.Reason == delivery.ReasonDelivered || res.Reason == "" || res.Message == "" || res.StatusCode != code {
			t.Fatalf("%+v", res)
		}
		if strings.Trim(res.Message, "abcdefghijklmnopqrstuvwxyzDHPNOSTJ0123456789_ ,;:'") != "" || len(res.Message) > 500 {
			t.Fatalf("%q", res.Message)
		}
		if a.ts != "" && !validTS(a.ts) {
			t.Fatalf("%q", a.ts)
		}
	})
}
