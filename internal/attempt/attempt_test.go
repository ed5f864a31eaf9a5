package attempt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"agentxchain/internal/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// attemptAt makes one attempt at a handler and returns what was judged.
func attemptAt(ctx context.Context, t *testing.T, h http.HandlerFunc, limit time.Duration) (delivery.Result, []Answer) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	var judged []Answer
	res := Do(ctx, &http.Transport{DisableKeepAlives: true}, req, limit, func(a Answer) delivery.Result {
		judged = append(judged, a)
		return delivery.Result{Delivered: true, StatusCode: a.Status}
	})
	return res, judged
}

// Who judges sees the status, the header and the beginning of the body.
func TestAnswer(t *testing.T) {
	for n, want := range map[int]int{0: 0, 5: 5, MaxAnswerBytes: MaxAnswerBytes, MaxAnswerBytes + 9: MaxAnswerBytes} {
		res, judged := attemptAt(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", "y")
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, strings.Repeat("b", n))
		}, time.Minute)
		if len(judged) != 1 || judged[0].Status != 202 || judged[0].Header.Get("X") != "y" || len(judged[0].Body) != want ||
			judged[0].Cut != (n >= MaxAnswerBytes) {
			t.Fatalf("%d bytes: %d answers", n, len(judged))
		}
		if !res.Delivered || res.Phase != delivery.PhaseRead || res.Duration <= 0 {
			t.Errorf("%+v", res)
		}
	}
}

// An answer that did not come whole is judged only where its status says more
// than its body could.
func TestBrokenAnswer(t *testing.T) {
	for code, want := range map[int]int{200: 0, 299: 0, 300: 1, 404: 1, 500: 1} {
		res, judged := attemptAt(t.Context(), t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "half")
		}, time.Minute)
		if len(judged) != want || want == 0 && res.Reason != delivery.ReasonReset {
			t.Errorf("%d: %d answers, %+v", code, len(judged), res)
		}
	}
}

// The end of the limit and the end of the caller are not the same.
func TestEnds(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or else the end of the client is not seen
		<-r.Context().Done()
	}
	res, judged := attemptAt(t.Context(), t, hang, 50*time.Millisecond)
	if !res.TimedOut || res.Reason != delivery.ReasonTimeout || len(judged) > 0 {
		t.Errorf("%+v", res)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if res, judged := attemptAt(ctx, t, hang, time.Minute); res.TimedOut || res.Reason != delivery.ReasonInterrupted || len(judged) > 0 {
		t.Errorf("%+v", res)
	}
}

// Every status has its class, and every class its answer to "again?".
func TestStatus(t *testing.T) {
	for code := 200; code <= 999; code++ {
		res := Status("Webhook", code, "7", time.Time{})
		reason, again := delivery.ReasonRejected, false
		switch {
		case code < 300:
			reason = delivery.ReasonDelivered
		case code < 400:
			reason = delivery.ReasonRedirect
		case code == 429:
			reason, again = delivery.ReasonThrottled, true
		case code == 408 || code == 425:
			again = true
		case code >= 500 && code < 600:
			reason, again = delivery.ReasonServerError, true
		}
		message := fmt.Sprintf("Webhook returned HTTP %d", code)
		if code < 300 {
			message = "Delivered"
		}
		if res.Reason != reason || res.Retry != again || res.Delivered != (code < 300) || res.StatusCode != code || res.Message != message {
			t.Errorf("%d: %+v", code, res)
		}
		if (res.RetryAfter == 7*time.Second) != again {
			t.Errorf("%d: Retry-After %v", code, res.RetryAfter)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                                 0,
		"0":                                0,
		"7":                                7 * time.Second,
		" 7 ":                              7 * time.Second,
		"-7":                               0,
		"+7":                               0,
		"7.5":                              0,
		"1e3":                              0,
		"soon":                             0,
		"86400":                            24 * time.Hour,
		"86401":                            24 * time.Hour,
		"315360000":                        24 * time.Hour,
		"99999999999999999999999999":       24 * time.Hour,
		"Sat, 21 Nov 2026 20:00:30 GMT":    30 * time.Second,
		"Saturday, 21-Nov-26 20:01:00 GMT": time.Minute,
		"Sat Nov 21 20:01:00 2026":         time.Minute,
		"Sat, 21 Nov 2026 19:00:00 GMT":    0,
		"Sat, 21 Nov 2036 20:00:00 GMT":    24 * time.Hour,
	} {
		if got := RetryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestNetworkFailureTexts(t *testing.T) {
	for _, c := range []struct {
		err    error
		phase  delivery.Phase
		reason delivery.Reason
		want   string
	}{
		{&net.DNSError{Err: "x", IsTimeout: true}, delivery.PhaseResolve, delivery.ReasonDNS, "no answer from the name server"},
		{&net.DNSError{Err: "server misbehaving"}, delivery.PhaseResolve, delivery.ReasonDNS, "the name server failed"},
		{&net.OpError{Op: "proxyconnect", Err: &net.DNSError{IsNotFound: true}}, delivery.PhaseResolve, delivery.ReasonDNS, "proxy: no such host"},
		{errors.New("x"), delivery.PhaseConnect, delivery.ReasonRefused, "no connection could be made"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, delivery.PhaseWait, delivery.ReasonTLS, "tls: certificate required"},
		{io.EOF, delivery.PhaseTLS, delivery.ReasonTLS, "connection closed during the TLS handshake"},
		{errors.New("x"), delivery.PhaseTLS, delivery.ReasonTLS, "the TLS handshake failed"},
		{errors.New("http: server closed idle connection"), delivery.PhaseWrite, delivery.ReasonReset, "connection closed before the end of the answer"},
	} {
		if got := networkFailure(c.err, c.phase); got.Reason != c.reason || got.Message != c.want {
			t.Errorf("%v in %s: %+v", c.err, c.phase, got)
		}
	}
	if got := oneLine("a\r\nb\u2028c" + strings.Repeat("é", 400)); strings.ContainsAny(got, "\r\n\u2028") || len(got) > maxMessage+4 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
