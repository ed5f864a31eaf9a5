package delivery

// Reason classifies the outcome of an attempt. The list is closed: it is part
// of the audit line's contract.
type Reason string

// The reasons of the audit line.
const (
	// ReasonDelivered: the receiver answered 2xx.
	ReasonDelivered Reason = "delivered"
	// ReasonRejected: the receiver answered 4xx (or another final status that is none of ours).
	ReasonRejected Reason = "rejected"
	// ReasonServerError: the receiver answered 5xx.
	ReasonServerError Reason = "server_error"
	// ReasonThrottled: the receiver answered 429.
	ReasonThrottled Reason = "throttled"
	// ReasonTimeout: the attempt's time limit passed.
	ReasonTimeout Reason = "timeout"
	// ReasonDNS: the host name could not be resolved.
	ReasonDNS Reason = "dns"
	// ReasonRefused: nothing accepted the connection.
	ReasonRefused Reason = "refused"
	// ReasonReset: the connection broke after it was made.
	ReasonReset Reason = "reset"
	// ReasonTLS: the TLS handshake or the certificate failed.
	ReasonTLS Reason = "tls"
	// ReasonRedirect: the receiver answered 3xx; redirects are never followed.
	ReasonRedirect Reason = "redirect"
	// ReasonBlocked: the egress guard refused the address.
	ReasonBlocked Reason = "blocked"
	// ReasonProtocol: the answer was not HTTP, or the URL or headers make no valid request.
	ReasonProtocol Reason = "protocol"
	// ReasonTemplate: the body could not be rendered.
	ReasonTemplate Reason = "template"
	// ReasonHeaderEnv: a header names a variable that has no value.
	ReasonHeaderEnv Reason = "header_env"
	// ReasonTooLarge: the body is over the limit.
	ReasonTooLarge Reason = "too_large"
	// ReasonInterrupted: a signal or the command's deadline ended the attempt.
	ReasonInterrupted Reason = "interrupted"
	// ReasonTargetGone: the target is no longer in the configuration.
	ReasonTargetGone Reason = "target_gone"
	// ReasonSuperseded: the run has moved on, so the notice would mislead.
	ReasonSuperseded Reason = "superseded"
	// ReasonExpired: the delivery grew older than it may.
	ReasonExpired Reason = "expired"
	// ReasonDiscarded: an operator gave the delivery up.
	ReasonDiscarded Reason = "discarded"
	// ReasonUnknownOutcome: the process died between sending and recording.
	ReasonUnknownOutcome Reason = "unknown_outcome"
)

// Phase is how far an attempt came; with it the record says whether the
// receiver can have seen the event.
type Phase string

// The phases of one HTTP attempt, in order.
const (
	PhaseNone    Phase = ""
	PhaseResolve Phase = "resolve"
	PhaseConnect Phase = "connect"
	PhaseTLS     Phase = "tls"
	PhaseWrite   Phase = "write"
	PhaseWait    Phase = "wait"
	PhaseRead    Phase = "read"
)

// MaybeSeen reports whether the receiver can have seen the event: something
// was written to it, or nobody knows.
func (r Result) MaybeSeen() bool {
	switch r.Phase {
	case PhaseWrite, PhaseWait, PhaseRead:
		return true
	}
	return r.Reason == ReasonUnknownOutcome
}
