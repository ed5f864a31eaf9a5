package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"agentxchain/internal/secret"
)

// The headers of a signed request. Agent Gateway's receivers read the first
// two (contract/agent-gateway.md, section 4.4), the receivers of Standard
// Webhooks the last three.
//
// A receiver of Agent Gateway compares the whole value of its header, so there
// is always exactly one signature in it: that of the first secret. While
// secrets are rotated, a list of all of them stands beside it. In the header
// itself a list would be refused by every receiver that was written after the
// guide; and repeated lines would, too, because Node and WSGI join them, while
// Go and ASGI show the first one only.
const (
	timestampHeader  = "X-AgentGateway-Timestamp"
	signatureHeader  = "X-AgentGateway-Signature"
	signaturesHeader = "X-AgentGateway-Signatures"

	standardIDHeader        = "webhook-id"
	standardTimestampHeader = "webhook-timestamp"
	standardSignatureHeader = "webhook-signature"
)

const (
	digestPrefix = "sha256="
	// standardPrefix begins a secret of Standard Webhooks; the key follows in base64.
	standardPrefix = "whsec_"
	// standardVersion begins each symmetric signature of Standard Webhooks.
	standardVersion = "v1,"
)

// Tolerance is how far the timestamp of a request may lie from the receiver's
// clock, into the past or the future. Standard Webhooks and the guide of Agent
// Gateway ("a few minutes") agree on it.
const Tolerance = 5 * time.Minute

// Why [Verify] refuses a request.
var (
	// ErrUnsigned: there is no signature of a kind that the secrets can verify.
	ErrUnsigned = errors.New("the request is not signed")
	// ErrTimestamp: the timestamp is no number of seconds, or more than
	// Tolerance away from now, so the request may be a replay.
	ErrTimestamp = errors.New("the timestamp is missing, or more than five minutes away from this clock")
	// ErrSignature: no signature was made with one of the secrets over this
	// timestamp and this body.
	ErrSignature = errors.New("no signature matches")
	// ErrSecret: a secret cannot be used, see [CheckSecret].
	ErrSecret = errors.New("a signing secret cannot be used")
)

// Sign returns the signature of Agent Gateway: HMAC-SHA256 over timestamp, a
// dot and the body, as 64 lower-case hexadecimal digits. The key is the text of
// the secret, untrimmed and not decoded. Timestamp is the value of
// X-AgentGateway-Timestamp, seconds since 1970 in decimal.
func Sign(key []byte, timestamp string, body []byte) string {
	var digest [sha256.Size]byte
	return hex.EncodeToString(appendMAC(digest[:0], key, timestamp, body))
}

// signStandard returns one entry of webhook-signature. Its id has no dot in it.
func signStandard(key []byte, id, timestamp string, body []byte) string {
	var digest [sha256.Size]byte
	sum := appendMAC(digest[:0], key, id+"."+timestamp, body)
	return standardVersion + base64.StdEncoding.EncodeToString(sum)
}

// appendMAC appends HMAC-SHA256 over head, a dot and the body.
func appendMAC(dst, key []byte, head string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(append([]byte(head), '.'))
	h.Write(body)
	return h.Sum(dst)
}

// CheckSecret says why nothing can be signed with a secret, in a text without
// the secret, or "" when it can be used. Every text that is not empty is a
// key, except what begins with whsec_: base64 must follow, with padding and on
// one line, as Standard Webhooks has it.
func CheckSecret(s string) string {
	if _, _, err := standardKey(s); err != nil {
		return "begins with whsec_, but no base64 follows: it is no key of Standard Webhooks"
	}
	if s == "" {
		return "is empty"
	}
	return ""
}

// standardKey returns the key of a secret of Standard Webhooks; for any other
// secret ok is false. The error is [ErrSecret].
func standardKey(s string) (key []byte, ok bool, err error) {
	encoded, ok := strings.CutPrefix(s, standardPrefix)
	if !ok {
		return nil, false, nil
	}
	key, err = base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 || strings.ContainsAny(encoded, "\r\n") {
		return nil, true, ErrSecret // the decoder's error quotes the place, and it skips line ends
	}
	return key, true, nil
}

// signatures returns the headers that sign a body with every secret, or none
// when there is no secret. Their names are spelled as they go on the wire. The
// error is [ErrSecret]; nothing is sent unsigned because a secret is broken.
func signatures(secrets []secret.Text, format SignatureFormat, id, timestamp string, body []byte) (http.Header, error) {
	var own, standard []string
	for _, s := range secrets {
		key, ok, err := standardKey(s.Reveal())
		if err != nil || s.IsZero() {
			return nil, ErrSecret
		}
		if ok {
			standard = append(standard, signStandard(key, id, timestamp, body))
		}
		own = append(own, format.write(Sign([]byte(s.Reveal()), timestamp, body)))
	}
	if len(own) == 0 {
		return nil, nil
	}
	h := http.Header{timestampHeader: {timestamp}, signatureHeader: {own[0]}}
	if len(own) > 1 {
		h[signaturesHeader] = []string{strings.Join(own, ",")}
	}
	if len(standard) > 0 {
		h[standardIDHeader] = []string{id}
		h[standardTimestampHeader] = []string{timestamp}
		h[standardSignatureHeader] = []string{strings.Join(standard, " ")}
	}
	return h, nil
}

// write returns a digest as the format has it.
func (f SignatureFormat) write(digest string) string {
	if f == SignatureHex {
		return digest
	}
	return digestPrefix + digest
}

// Verify reports whether a request that came with these headers and this body
// was signed with one of the secrets, at most [Tolerance] away from now. It
// takes what Agent Gateway sends, with "sha256=" before the digest or without,
// one of several signatures during a rotation, and, with a secret that begins
// with whsec_, the signatures of Standard Webhooks. An empty secret verifies
// nothing. Signatures are compared in constant time.
//
// The error is nil, [ErrUnsigned], [ErrTimestamp], [ErrSignature] or
// [ErrSecret]; where the two schemes fail for different reasons it is Agent
// Gateway's.
func Verify(secrets []secret.Text, h http.Header, body []byte, now time.Time) error {
	own := verifyOwn(secrets, h, body, now)
	if own == nil {
		return nil
	}
	standard := verifyStandard(secrets, h, body, now)
	if standard == nil || errors.Is(own, ErrUnsigned) {
		return standard
	}
	return own
}

// verifyOwn verifies the headers of Agent Gateway.
func verifyOwn(secrets []secret.Text, h http.Header, body []byte, now time.Time) error {
	given := append([]string(nil), h.Values(signatureHeader)...)
	for _, list := range h.Values(signaturesHeader) {
		for one := range strings.SplitSeq(list, ",") {
			given = append(given, strings.Trim(one, " \t"))
		}
	}
	timestamp := h.Get(timestampHeader)
	switch {
	case len(given) == 0:
		return ErrUnsigned
	case !fresh(timestamp, now):
		return ErrTimestamp
	}
	for i, one := range given {
		given[i] = strings.TrimPrefix(one, digestPrefix)
	}
	for _, s := range secrets {
		if !s.IsZero() && anyEqual(given, Sign([]byte(s.Reveal()), timestamp, body)) {
			return nil
		}
	}
	return ErrSignature
}

// verifyStandard verifies the headers of Standard Webhooks.
func verifyStandard(secrets []secret.Text, h http.Header, body []byte, now time.Time) error {
	given := strings.Fields(strings.Join(h.Values(standardSignatureHeader), " "))
	id, timestamp := h.Get(standardIDHeader), h.Get(standardTimestampHeader)
	switch {
	case len(given) == 0 || id == "":
		return ErrUnsigned
	case !fresh(timestamp, now):
		return ErrTimestamp
	}
	result := ErrUnsigned // none of the secrets is of this scheme
	for _, s := range secrets {
		key, ok, err := standardKey(s.Reveal())
		switch {
		case err != nil:
			return err
		case ok && anyEqual(given, signStandard(key, id, timestamp, body)):
			return nil
		case ok:
			result = ErrSignature
		}
	}
	return result
}

// anyEqual compares in constant time, one by one.
func anyEqual(given []string, want string) bool {
	for _, g := range given {
		if hmac.Equal([]byte(g), []byte(want)) {
			return true
		}
	}
	return false
}

// fresh reports whether a timestamp in seconds is at most [Tolerance] away.
func fresh(timestamp string, now time.Time) bool {
	at, err := strconv.ParseInt(timestamp, 10, 64)
	const limit = int64(Tolerance / time.Second)
	// No difference is taken, which could overflow.
	return err == nil && at >= now.Unix()-limit && at <= now.Unix()+limit
}
