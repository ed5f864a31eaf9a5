package attempt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"agentxchain/internal/delivery"
)

// maxRetryAfter caps what a receiver can ask for. Who asks for more than a day
// has a wrong clock or a grudge.
const maxRetryAfter = 24 * time.Hour

// Status judges a final HTTP status by its class: 200 to 299 delivers, a
// redirect is never followed, and 408, 425, 429 and 500 to 599 may pass by
// themselves. Who names the receiver in the message and is one line; retryAfter
// is the answer's Retry-After as it came, see [RetryAfter].
func Status(who string, code int, retryAfter string, now time.Time) delivery.Result {
	res := delivery.Result{StatusCode: code, Message: who + " returned HTTP " + strconv.Itoa(code)}
	switch {
	case code >= 200 && code <= 299:
		res.Delivered, res.Message, res.Reason = true, "Delivered", delivery.ReasonDelivered
		return res
	case code >= 300 && code <= 399:
		res.Reason = delivery.ReasonRedirect
	case code == http.StatusTooManyRequests:
		res.Reason = delivery.ReasonThrottled
	case code >= 500 && code <= 599:
		res.Reason = delivery.ReasonServerError
	default:
		res.Reason = delivery.ReasonRejected
	}
	// Two statuses of the 400s blame the moment, not the request.
	res.Retry = retryable(res.Reason) || code == http.StatusRequestTimeout || code == http.StatusTooEarly
	if res.Retry {
		res.RetryAfter = RetryAfter(retryAfter, now)
	}
	return res
}

// Failure returns a failed attempt. The message is made fit for one line; it
// must be free of secrets already. Whether another attempt could help follows
// from the reason.
func Failure(reason delivery.Reason, message string) delivery.Result {
	return delivery.Result{Reason: reason, Message: oneLine(message), Retry: retryable(reason)}
}

// retryable reports whether an attempt that ended so could end differently
// without anybody changing anything.
func retryable(r delivery.Reason) bool {
	switch r {
	case delivery.ReasonServerError, delivery.ReasonThrottled, delivery.ReasonTimeout, delivery.ReasonDNS,
		delivery.ReasonRefused, delivery.ReasonReset, delivery.ReasonInterrupted:
		return true
	}
	return false
}

// RetryAfter reads a header Retry-After: seconds or an HTTP date (RFC 9110
// section 10.2.3). It returns 0 for what is neither, or lies in the past, and
// at most 24 hours.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.Trim(value, " \t")
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), maxRetryAfter))
}

// reasoner is an error that knows its reason, such as a refusal of the guard
// in the dialer. Its text is free of secrets.
type reasoner interface {
	error
	Reason() string
}

// networkFailure judges an attempt that ended without a usable answer. The
// errors of net/http quote URLs and answers, so none of their texts is used
// beyond those of the operating system and of certificates.
func networkFailure(err error, phase delivery.Phase) delivery.Result {
	res := classify(err, phase)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		res.Message = "proxy: " + res.Message
	}
	return res
}

func classify(err error, phase delivery.Phase) delivery.Result {
	var known reasoner
	var dns *net.DNSError
	switch {
	case errors.As(err, &known):
		return Failure(delivery.Reason(known.Reason()), known.Error())
	case errors.As(err, &dns):
		return Failure(delivery.ReasonDNS, dnsCause(dns))
	case phase == delivery.PhaseResolve || phase == delivery.PhaseConnect:
		return Failure(delivery.ReasonRefused, systemCause(err, "no connection could be made"))
	}
	if cause, again, ok := tlsCause(err, phase); ok {
		res := Failure(delivery.ReasonTLS, cause)
		res.Retry = again
		return res
	}
	if broken(err) || phase != delivery.PhaseRead {
		return Failure(delivery.ReasonReset, systemCause(err, "connection closed before the end of the answer"))
	}
	// An answer that was cut short can look like garbage, so it is worth
	// another try, unlike a request that cannot be made.
	res := Failure(delivery.ReasonProtocol, protocolCause(err))
	res.Retry = true
	return res
}

func dnsCause(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return "no answer from the name server"
	}
	return "the name server failed"
}

// systemCause words an error of a system call, such as "connection refused".
func systemCause(err error, otherwise string) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errnoText(errno)
	}
	return otherwise
}

// broken reports whether the connection ended before the answer did.
func broken(err error) bool {
	var errno syscall.Errno
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &errno)
}

// tlsCause words a failure of TLS and says whether it could pass by itself,
// which a certificate does not. Since TLS 1.3 a receiver can refuse the
// handshake after we believe it done, with an alert.
func tlsCause(err error, phase delivery.Phase) (cause string, again, ok bool) {
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &cert):
		return certificateCause(cert.Err), false, true
	case errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return op.Err.Error(), false, true
	case phase != delivery.PhaseTLS:
		return "", false, false
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the receiver does not speak TLS on this port", false, true
	case broken(err):
		return "connection closed during the TLS handshake", true, true
	}
	return "the TLS handshake failed", true, true
}

// certificateCause words what is wrong with a certificate. Names in it are
// the receiver's and are not repeated.
func certificateCause(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return "certificate signed by unknown authority"
	case errors.As(err, &host):
		return "certificate is not valid for " + host.Host
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate has expired or is not yet valid"
	}
	return "certificate is not valid"
}

// protocolCause words an answer that is no HTTP. The standard library has no
// value for the one cause that is worth telling apart.
func protocolCause(err error) string {
	if strings.Contains(err.Error(), "response headers exceeded") {
		return "the answer's headers are too large"
	}
	return "the answer is not valid HTTP"
}

// maxMessage bounds a message, in bytes.
const maxMessage = 500

// oneLine makes a message fit for one line of a log.
func oneLine(s string) string {
	s = strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s), "?")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
