package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/delivery"
)

// explanation says what a reason of the closed list means, to somebody who
// does not know the list.
type explanation struct {
	// Short is two or three words, Text one sentence.
	Short, Text string
}

// explain returns the words of a reason; for one that is not known here, the
// reason itself.
func explain(r delivery.Reason) explanation {
	switch r {
	case "":
		return explanation{}
	case delivery.ReasonDelivered:
		return explanation{"Delivered", "The receiver took it."}
	case delivery.ReasonRejected:
		return explanation{"Rejected", "The receiver answered, and said no. Sending the same again will not help until something changes there or in the configuration."}
	case delivery.ReasonServerError:
		return explanation{"Receiver error", "The receiver failed while handling it."}
	case delivery.ReasonThrottled:
		return explanation{"Throttled", "The receiver asked for fewer requests."}
	case delivery.ReasonTimeout:
		return explanation{"Timed out", "The receiver did not answer in time. It may have taken it all the same."}
	case delivery.ReasonDNS:
		return explanation{"Unknown host", "The host's name could not be found. Check the spelling of the URL, or the name server."}
	case delivery.ReasonRefused:
		return explanation{"Connection refused", "Nothing accepted the connection at that address."}
	case delivery.ReasonReset:
		return explanation{"Connection broken", "The connection was made and then broke."}
	case delivery.ReasonTLS:
		return explanation{"TLS failed", "No secure connection could be made. Check the receiver's certificate."}
	case delivery.ReasonRedirect:
		return explanation{"Redirected", "The receiver sent us elsewhere, and redirects are never followed. Configure the final address."}
	case delivery.ReasonBlocked:
		return explanation{"Address blocked", "The address is not one that may be called, such as a private network or cloud metadata."}
	case delivery.ReasonProtocol:
		return explanation{"Not HTTP", "The answer was not HTTP, or the URL and headers make no valid request."}
	case delivery.ReasonTemplate:
		return explanation{"Template failed", "The body could not be made from its template."}
	case delivery.ReasonHeaderEnv:
		return explanation{"Variable missing", "A header names an environment variable that has no value."}
	case delivery.ReasonTooLarge:
		return explanation{"Too large", "The body is over the size limit."}
	case delivery.ReasonInterrupted:
		return explanation{"Interrupted", "The program was stopped, or its deadline passed, before the attempt ended."}
	}
	return explainEnd(r)
}

// explainEnd is the part of [explain] about ends that no receiver made.
func explainEnd(r delivery.Reason) explanation {
	switch r {
	case delivery.ReasonTargetGone:
		return explanation{"Target gone", "The target is no longer in the configuration."}
	case delivery.ReasonSuperseded:
		return explanation{"Superseded", "The run has moved on, so this notice would mislead now."}
	case delivery.ReasonExpired:
		return explanation{"Too old", "It grew older than it may before it could be delivered."}
	case delivery.ReasonDiscarded:
		return explanation{"Given up", "An operator gave it up."}
	case delivery.ReasonUnknownOutcome:
		return explanation{"Outcome unknown", "The program died between sending and recording. The receiver may have it."}
	}
	return explanation{short(string(r), 40), "There is no explanation for this reason here."}
}

// seen says how far an attempt came and what the receiver can know of it.
func seen(r delivery.Result) string {
	if r.Delivered {
		return "The receiver confirmed it."
	}
	switch r.Phase {
	case delivery.PhaseResolve:
		return "Ended while looking up the host. The receiver has not seen it."
	case delivery.PhaseConnect:
		return "Ended while connecting. The receiver has not seen it."
	case delivery.PhaseTLS:
		return "Ended while agreeing on encryption. The receiver has not seen it."
	case delivery.PhaseWrite:
		return "Ended while sending. The receiver may have seen it."
	case delivery.PhaseWait:
		return "Sent, then no answer came. The receiver may have seen it."
	case delivery.PhaseRead:
		return "The receiver saw it and answered."
	}
	if r.MaybeSeen() {
		return "The receiver may have seen it."
	}
	return "Nothing was sent. The receiver has not seen it."
}

// pill is how a state is shown.
type pill struct {
	// Class chooses colour and icon, Text is the word.
	Class, Text string
}

func statusPill(s delivery.Status) pill {
	switch s {
	case delivery.Delivered:
		return pill{"delivered", "Delivered"}
	case delivery.Failed:
		return pill{"failed", "Failed"}
	case delivery.Discarded:
		return pill{"discarded", "Discarded"}
	case delivery.Sending:
		return pill{"sending", "Sending"}
	}
	return pill{"pending", "Pending"}
}

// summary says in a sentence where a delivery stands.
func summary(r delivery.Record, now time.Time) string {
	tries := count(int64(r.Attempts), "attempt")
	switch r.Status {
	case delivery.Delivered:
		if r.Attempts <= 1 {
			return "Delivered at the first attempt."
		}
		return fmt.Sprintf("Delivered at attempt %d.", r.Attempts)
	case delivery.Sending:
		return fmt.Sprintf("Attempt %d is under way.", max(1, r.Attempts))
	case delivery.Failed:
		return fmt.Sprintf("Not delivered after %s. Nothing more happens by itself.", tries)
	case delivery.Discarded:
		return fmt.Sprintf("Given up after %s. It is not sent any more.", tries)
	}
	next := "Its next attempt is due now."
	if r.NextAt.After(now) {
		next = "Its next attempt is due in " + span(r.NextAt.Sub(now)) + "."
	}
	if r.Attempts == 0 {
		return "Waiting for its first attempt."
	}
	return fmt.Sprintf("Not delivered yet after %s. %s", tries, next)
}

// moment is a time as people and machines read it.
type moment struct {
	// Text is short, Title and Machine are RFC 3339 with milliseconds.
	Text, Title, Machine string
}

// at formats a time as the guide's dashboard does: "Feb 21, 16:30 UTC".
func at(t time.Time) moment {
	if t.IsZero() {
		return moment{Text: "-"}
	}
	exact := t.UTC().Format("2006-01-02T15:04:05.000Z")
	return moment{Text: t.UTC().Format("Jan 02, 15:04 UTC"), Title: exact, Machine: exact}
}

// toSecond is [at] with seconds, for attempts that follow each other closely.
func toSecond(t time.Time) moment {
	m := at(t)
	if !t.IsZero() {
		m.Text = t.UTC().Format("Jan 02, 15:04:05 UTC")
	}
	return m
}

// span says a duration with one or two units.
func span(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return two(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	case d < 24*time.Hour:
		return two(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	}
	return two(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
}

func two(a int, unit string, b int, part string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unit)
	}
	return fmt.Sprintf("%d %s %d %s", a, unit, b, part)
}

// number writes a count with separators: 1,000,000.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// count writes a number and its noun.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// size writes a number of bytes.
func size(n int) string {
	if n < 1024 {
		return count(int64(n), "byte")
	}
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KB (%s bytes)", float64(n)/1024, number(int64(n)))
	}
	return fmt.Sprintf("%.1f MB (%s bytes)", float64(n)/(1<<20), number(int64(n)))
}

// percent writes a share; neither 0 % nor 100 % unless it is so.
func percent(part, whole int64) string {
	switch {
	case whole == 0:
		return "–"
	case part == whole:
		return "100%"
	case part == 0:
		return "0%"
	}
	p := float64(part) / float64(whole) * 100
	return strconv.FormatFloat(min(99.9, max(0.1, p)), 'f', 1, 64) + "%"
}
