package slack

import (
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/attempt"
	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/secret"
)

// answer is what Slack said. Its zero value is an answer without a word that
// could be used.
type answer struct {
	// complete says that the body was one JSON object with a boolean "ok".
	complete bool
	// cut says that the answer is longer than what is read of it.
	cut bool
	ok  bool
	// word is the error, such as "channel_not_found".
	word string
	// warnings are words such as "missing_charset".
	warnings []string
	// ts identifies the message that was posted.
	ts string
}

// maxWarnings bounds how many warnings a message repeats.
const maxWarnings = 5

// readAnswer reads the body of an answer. Only words are taken from it, and
// none that is a part of the token in some disguise: an address that is not
// Slack's could send that back.
func readAnswer(body []byte, token secret.Text) answer {
	root, err := ecmajson.Parse(body, ecmajson.Options{})
	if err != nil || !root.Get("ok").Is(ecmajson.Bool) {
		return answer{}
	}
	a := answer{complete: true, ok: root.Get("ok").True(), word: safeWord(root.Get("error").Str(), token)}
	if ts := root.Get("ts").Str(); validTS(ts) {
		a.ts = ts
	}
	// One text with commas, and since the warnings in the metadata a list too.
	for _, w := range strings.SplitN(root.Get("warning").Str(), ",", maxWarnings+1) {
		a.warn(safeWord(w, token))
	}
	for _, w := range root.Get("response_metadata").Get("warnings").Items() {
		a.warn(safeWord(w.Str(), token))
	}
	return a
}

// beginning reads an answer that was cut. Slack puts "ok" first.
func beginning(body []byte) answer {
	const enough = 64
	const space = " \t\r\n"
	rest := string(body[:min(len(body), enough)])
	for _, token := range [...]string{"{", `"ok"`, ":"} {
		var found bool
		if rest, found = strings.CutPrefix(strings.TrimLeft(rest, space), token); !found {
			return answer{cut: true}
		}
	}
	rest = strings.TrimLeft(rest, space)
	ok := strings.HasPrefix(rest, "true")
	return answer{complete: ok || strings.HasPrefix(rest, "false"), cut: true, ok: ok}
}

// warn adds a warning once.
func (a *answer) warn(word string) {
	if word == "" || len(a.warnings) == maxWarnings {
		return
	}
	for _, w := range a.warnings {
		if w == word {
			return
		}
	}
	a.warnings = append(a.warnings, word)
}

// safeWord returns s where it is one of the words that Slack's documentation
// uses for errors, lower-case letters, digits and underscores, else "".
func safeWord(s string, token secret.Text) string {
	const longest = 64
	s = strings.TrimSpace(s)
	if len(s) > longest || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" ||
		strings.Contains(alphanumeric(token.Reveal()), alphanumeric(s)) {
		return ""
	}
	return s
}

// alphanumeric returns the letters and digits of s, in lower case.
func alphanumeric(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// validTS reports whether s identifies a message: seconds, a point, a counter.
func validTS(s string) bool {
	const longest = 32
	seconds, counter, ok := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return ok && len(s) <= longest && digits(seconds) && digits(counter)
}

// judge classifies the answer. At any status but 200 the status decides, and
// the word only replaces its number in the message.
func (a answer) judge(status int, retryAfter string, now time.Time) delivery.Result {
	if status == 200 {
		return a.judgeBody(retryAfter, now)
	}
	res := attempt.Status("Slack", status, retryAfter, now)
	switch {
	case res.Delivered:
		res = attempt.Failure(delivery.ReasonProtocol, "Slack returned HTTP "+strconv.Itoa(status))
		res.StatusCode = status
	case a.word != "":
		res.Message = a.word
	}
	return res
}

// judgeBody classifies an answer of status 200.
func (a answer) judgeBody(retryAfter string, now time.Time) delivery.Result {
	res := delivery.Result{StatusCode: 200, Message: a.word}
	switch {
	case !a.complete && a.cut:
		// The message may have been posted; a second one helps nobody.
		res.Reason, res.Message = delivery.ReasonProtocol, "Slack's answer is too long to tell whether the message was posted"
	case !a.complete:
		// Cut short, or the page of a proxy; either may pass.
		res.Reason, res.Retry, res.Message = delivery.ReasonProtocol, true, "Slack's answer is not the JSON it should be"
	case a.ok:
		res.Delivered, res.Reason, res.Message = true, delivery.ReasonDelivered, "Delivered"
		if len(a.warnings) > 0 {
			res.Message += "; Slack warns: " + strings.Join(a.warnings, ", ")
		}
	case a.word == "":
		res.Reason, res.Retry, res.Message = delivery.ReasonProtocol, true, "Slack refused the message without a usable word"
	default:
		res.Reason, res.Retry = classify(a.word)
		if res.Retry {
			res.RetryAfter = attempt.RetryAfter(retryAfter, now)
		}
	}
	return res
}

// classify says what an error's word means for another try. The words are
// those of the page "chat.postMessage", which adds that others may come "in
// the case where the service is down": a word that is not on it is a refusal
// that another try may change, because an alert that is lost weighs more than
// a few requests in vain.
func classify(word string) (reason delivery.Reason, retry bool) {
	switch word {
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return delivery.ReasonThrottled, true
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error",
		"team_added_to_org", "org_login_required", "external_channel_migrating", "messaging_processing_failed":
		return delivery.ReasonServerError, true
	}
	return delivery.ReasonRejected, !permanent(word)
}

// permanent reports whether only a person can change what Slack refuses: the
// token, the channel, the workspace's rules or the message itself.
func permanent(word string) bool {
	switch word {
	case "account_inactive", "token_revoked", "token_expired", "no_permission", "ekm_access_denied", "access_denied",
		"accesslimited", "enterprise_is_restricted", "two_factor_setup_required", "team_access_not_granted",
		"method_deprecated", "deprecated_endpoint", "as_user_not_supported",
		"channel_not_found", "is_archived", "user_not_in_channel", "channel_type_not_supported", "messages_tab_disabled",
		"msg_too_long", "msg_blocks_too_long", "no_text", "json_not_object", "block_mismatch", "too_many_attachments",
		"attachment_payload_limit_exceeded", "too_many_contact_cards":
		return true
	}
	return hasPrefix(word, "invalid_", "missing_", "not_", "restricted_action", "slack_connect_", "metadata_") || threadGone(word)
}

// threadGone reports whether the thread that a message continues is the cause.
// The documentation of replies names these words; a message posted to a thread
// that was deleted is usually accepted.
func threadGone(word string) bool {
	switch word {
	case "thread_not_found", "message_not_found", "cannot_reply_to_message", "invalid_thread_ts":
		return true
	}
	return hasPrefix(word, "restricted_action_thread_locked", "restricted_action_non_threadable")
}

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
