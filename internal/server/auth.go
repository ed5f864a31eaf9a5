package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"agentxchain/internal/secret"
)

// The scopes, compared literally: none implies another, but [ScopeAll] all
// (contract/agent-gateway.md, section 1.7).
const (
	// ScopeRead is to see the delivery log, health and metrics.
	ScopeRead = "notifications:read"
	// ScopeWrite is to retry and to emit.
	ScopeWrite = "notifications:write"
	// ScopeAll is everything.
	ScopeAll = "*"
)

// Key opens the API. It holds no secret: only what the caller sends could make
// the digest again.
type Key struct {
	// Name says whose key it is. Idempotency keys are each name's own.
	Name string
	// Digest is the SHA-256 of what the caller sends.
	Digest [sha256.Size]byte
	// Scopes are what the key may do; those of other programs may be among them.
	Scopes []string
}

// has reports whether the key may do what scope names.
func (k Key) has(scope string) bool {
	return slices.Contains(k.Scopes, scope) || slices.Contains(k.Scopes, ScopeAll)
}

// KeyFromText returns the key for what a caller sends as bearer token. A text
// that no request can carry, because it is empty or holds anything but visible
// ASCII, is an error that does not show it.
func KeyFromText(name string, text secret.Text, scopes ...string) (Key, error) {
	if !visible(text.Reveal()) {
		return Key{}, fmt.Errorf("the API key %q is empty or holds a blank or another character that no header can carry", name)
	}
	return Key{Name: name, Digest: sha256.Sum256([]byte(text.Reveal())), Scopes: scopes}, nil
}

// KeyFromDigest returns the key whose SHA-256 is given as 64 hexadecimal digits.
func KeyFromDigest(name, digest string, scopes ...string) (Key, error) {
	k := Key{Name: name, Scopes: scopes}
	sum, err := hex.DecodeString(digest)
	if err != nil || len(sum) != len(k.Digest) {
		return Key{}, fmt.Errorf("the digest of the API key %q is not 64 hexadecimal digits", name)
	}
	copy(k.Digest[:], sum)
	return k, nil
}

// visible reports whether s is one word of visible ASCII.
func visible(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != ""
}

// authenticate returns the problem of a request whose key does not give scope.
func (a *api) authenticate(w http.ResponseWriter, r *http.Request, scope string) error {
	token, err := bearer(r.Header.Values("Authorization"))
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return newProblem(authRequired, "Missing or invalid Authorization header. Expected: Bearer <token>")
	}
	keys := a.matching(token)
	if len(keys) == 0 {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return newProblem(invalidCredentials, "Invalid API key")
	}
	if !slices.ContainsFunc(keys, func(k Key) bool { return k.has(scope) }) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+scope+`"`)
		return newProblem(insufficientScope, fmt.Sprintf("Insufficient scopes. Missing: ['%s']", scope))
	}
	return nil
}

// matching returns the keys of a token. It looks at all of them, whether or
// not one was found, so that the time it takes tells nothing.
func (a *api) matching(token secret.Text) []Key {
	digest := sha256.Sum256([]byte(token.Reveal()))
	var found []Key
	for _, k := range a.Keys {
		if subtle.ConstantTimeCompare(digest[:], k.Digest[:]) == 1 {
			found = append(found, k)
		}
	}
	return found
}

// client names whom a request comes from, "" when nobody has to say.
func (a *api) client(r *http.Request) string {
	token, err := bearer(r.Header.Values("Authorization"))
	if err != nil {
		return ""
	}
	if keys := a.matching(token); len(keys) > 0 {
		return keys[0].Name
	}
	return ""
}

// errNoBearer says that a request has no usable Authorization.
var errNoBearer = errors.New("no bearer token")

// bearer reads the values of the Authorization header: one, of the scheme
// Bearer in any case, blanks, and a token (RFC 9110, section 11.4; RFC 6750).
func bearer(values []string) (secret.Text, error) {
	if len(values) != 1 {
		return secret.Text{}, errNoBearer
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || !visible(token) {
		return secret.Text{}, errNoBearer
	}
	return secret.New(token), nil
}
