package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/ecmajson"
)

// timeLayout is the only form of time in the file: UTC, milliseconds, "Z".
const timeLayout = "2006-01-02T15:04:05.000Z"

// Line returns the audit line of one attempt, its final newline included. The
// ten keys of the contract come first and in the contract's order, so that
// its readers find what they expect where they expect it; ours follow. The
// line holds no newline but the last byte, whatever the attempt's texts hold.
func Line(a delivery.Attempt) []byte {
	d, r := &a.Delivery, &a.Result
	// 640 bytes hold everything but the free text of a usual line.
	b := make([]byte, 0, 640+len(r.Message)+len(d.Event.RunID)+2*len(d.Target.Name))
	b = appendString(b, `{"event_id":`, d.Event.ID)
	b = appendString(b, `,"event_type":`, d.Event.Type)
	b = appendString(b, `,"notification_name":`, d.Target.Name)
	b = appendString(b, `,"transport":`, string(d.Target.Channel))
	b = strconv.AppendBool(append(b, `,"delivered":`...), r.Delivered)
	b = appendStatus(append(b, `,"status_code":`...), r.StatusCode)
	b = strconv.AppendBool(append(b, `,"timed_out":`...), r.TimedOut)
	b = strconv.AppendInt(append(b, `,"duration_ms":`...), r.Duration.Milliseconds(), 10)
	b = appendString(b, `,"message":`, r.Message)
	b = appendTime(b, `,"emitted_at":`, d.Event.EmittedAt)

	b = appendTime(b, `,"attempted_at":`, a.At)
	b = appendStringOrNull(b, `,"run_id":`, d.Event.RunID)
	b = strconv.AppendInt(append(b, `,"attempt":`...), int64(a.Number), 10)
	b = appendString(b, `,"reason":`, string(r.Reason))
	b = appendStringOrNull(b, `,"phase":`, string(r.Phase))
	body := d.Body
	if d.Unmade {
		body = nil // what was not made was not sent
	}
	b = appendDigest(append(b, `,"body_sha256":`...), body)
	b = appendString(b, `,"target_id":`, d.Target.ID())
	if d.FallbackBody {
		b = append(b, `,"fallback_body":true`...)
	}
	return append(b, "}\n"...)
}

func appendString(b []byte, key, value string) []byte {
	return ecmajson.AppendString(append(b, key...), value)
}

func appendStringOrNull(b []byte, key, value string) []byte {
	if value == "" {
		return append(append(b, key...), "null"...)
	}
	return appendString(b, key, value)
}

func appendTime(b []byte, key string, t time.Time) []byte {
	b = append(append(b, key...), '"')
	return append(t.UTC().AppendFormat(b, timeLayout), '"')
}

func appendStatus(b []byte, code int) []byte {
	if code == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, int64(code), 10)
}

// appendDigest writes what was sent as a SHA-256 in lower-case hex, or null
// when the attempt ended before there was a body (reason "template").
func appendDigest(b, body []byte) []byte {
	if len(body) == 0 {
		return append(b, "null"...)
	}
	sum := sha256.Sum256(body)
	return append(hex.AppendEncode(append(b, '"'), sum[:]), '"')
}
