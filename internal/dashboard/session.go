package dashboard

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"agentxchain/internal/secret"
)

const (
	// cookieName is Agent Gateway's (contract, section 1.8).
	cookieName = "agw_dashboard_session"
	// sessionLife is how long a login lasts.
	sessionLife = 24 * time.Hour
	// maxRevoked bounds how many logged-out sessions are remembered.
	maxRevoked = 10_000
	// maxCookie bounds the cookie that is looked at, in bytes.
	maxCookie = 2048
	// linkName is what a session begun by a login link is called.
	linkName = "operator"
)

// Account is somebody who may log in.
type Account struct {
	// Name and Password are what is typed at login. Two accounts may share a
	// name; which of them logs in is then decided by the password.
	Name     string
	Password secret.Text
	// Admin accounts may retry.
	Admin bool
}

// LoginLink is a way in that works once. Only a digest of its token is kept.
type LoginLink struct {
	digest [sha256.Size]byte

	mu   sync.Mutex
	used bool
}

// NewLoginLink returns a link and its token, 43 characters of base64url made
// from 32 bytes of entropy. /dashboard/login?token=TOKEN begins an
// administrator's session, the first time it is opened.
func NewLoginLink(entropy io.Reader) (*LoginLink, secret.Text, error) {
	var raw [32]byte
	if _, err := io.ReadFull(entropy, raw[:]); err != nil {
		return nil, secret.Text{}, fmt.Errorf("make a login link: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	return &LoginLink{digest: sha256.Sum256([]byte(token))}, secret.New(token), nil
}

// use spends the link if the token is its own.
func (l *LoginLink) use(token string) bool {
	given := sha256.Sum256([]byte(token))
	l.mu.Lock()
	defer l.mu.Unlock()
	if subtle.ConstantTimeCompare(given[:], l.digest[:]) != 1 || l.used {
		return false
	}
	l.used = true
	return true
}

// viewer is who looks at a page.
type viewer struct {
	// Name is the account's, Admin its role.
	Name  string
	Admin bool
	// In says that somebody logged in, so that there is something to log out of.
	In bool

	// session is checked again while a live stream lasts; nil without login.
	session *claims
}

// claims are the content of a session's cookie.
type claims struct {
	Name   string `json:"name"`
	Admin  bool   `json:"admin"`
	Issued int64  `json:"issued"`
	Nonce  []byte `json:"nonce"`
	Link   bool   `json:"link,omitempty"`
}

// identity is an account without its password.
type identity struct {
	name        string
	admin, link bool
	nameDigest  []byte
	passDigest  []byte
}

// sessions begins, reads and ends sessions.
type sessions struct {
	key        []byte
	identities []identity
	entropy    io.Reader
	now        func() time.Time
	secure     bool

	mu      sync.Mutex
	revoked map[string]int64 // nonce to time of issue
	floor   int64            // sessions issued up to here are refused
}

// newSessions digests the accounts. What was typed into a configuration stays
// in memory as an HMAC only.
func newSessions(o Options) (*sessions, error) {
	s := &sessions{entropy: o.Entropy, now: o.Now, secure: o.Secure, revoked: map[string]int64{}}
	material := []byte(o.SessionSecret.Reveal())
	if len(material) == 0 {
		material = make([]byte, 32)
		if _, err := io.ReadFull(o.Entropy, material); err != nil {
			return nil, fmt.Errorf("dashboard: make a session secret: %w", err)
		}
	}
	key := sha256.Sum256(append([]byte("agentxchain dashboard session 1\x00"), material...))
	s.key = key[:]
	for _, a := range o.Accounts {
		if err := s.add(a); err != nil {
			return nil, err
		}
	}
	if o.LoginLink != nil {
		s.identities = append(s.identities, identity{name: linkName, admin: true, link: true, passDigest: o.LoginLink.digest[:]})
	}
	return s, nil
}

func (s *sessions) add(a Account) error {
	if a.Name == "" {
		return fmt.Errorf("dashboard: an account has no name")
	}
	if a.Password.IsZero() {
		return nil // an empty password never logs in
	}
	id := identity{name: a.Name, admin: a.Admin, nameDigest: s.digest("name", a.Name), passDigest: s.digest("password", a.Password.Reveal())}
	for _, other := range s.identities {
		if other.name != id.name {
			continue
		}
		if other.admin == id.admin || hmac.Equal(other.passDigest, id.passDigest) {
			return fmt.Errorf("dashboard: two accounts are named %q and can't be told apart", a.Name)
		}
	}
	s.identities = append(s.identities, id)
	return nil
}

func (s *sessions) digest(kind, text string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(kind + "\x00" + text))
	return mac.Sum(nil)
}

// enter finds the account of a name and a password. It compares both with
// every account, so that how long it takes tells nothing.
func (s *sessions) enter(name, password string) (identity, bool) {
	nameDigest, passDigest := s.digest("name", name), s.digest("password", password)
	found := -1
	for i, id := range s.identities {
		same := subtle.ConstantTimeCompare(nameDigest, id.nameDigest) & subtle.ConstantTimeCompare(passDigest, id.passDigest)
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 || password == "" {
		return identity{}, false
	}
	return s.identities[found], true
}

// link returns the identity of a login link; there is one when the link exists.
func (s *sessions) link() (identity, bool) {
	for _, id := range s.identities {
		if id.link {
			return id, true
		}
	}
	return identity{}, false
}

// begin sets the cookie of a new session.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, id identity) error {
	c := claims{Name: id.name, Admin: id.admin, Link: id.link, Issued: s.now().Unix(), Nonce: make([]byte, 16)}
	if _, err := io.ReadFull(s.entropy, c.Nonce); err != nil {
		return fmt.Errorf("make a session: %w", err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("make a session: %w", err)
	}
	value := base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(s.mac(payload, id))
	s.setCookie(w, r, cookieName, value, int(sessionLife/time.Second))
	return nil
}

// setCookie writes a cookie that scripts can't read; maxAge is in seconds, and
// a negative one deletes it.
func (s *sessions) setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/dashboard", MaxAge: maxAge,
		HttpOnly: true, Secure: s.secure || r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// mac binds the claims to the account as it is configured now.
func (s *sessions) mac(payload []byte, id identity) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("session\x00" + strconv.Itoa(len(payload)) + "\x00"))
	mac.Write(payload)
	mac.Write(id.passDigest)
	return mac.Sum(nil)
}

// read returns the session of a request.
func (s *sessions) read(r *http.Request) (claims, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil || len(cookie.Value) > maxCookie {
		return claims{}, false
	}
	return s.parse(cookie.Value)
}

// parse checks a cookie's value.
func (s *sessions) parse(value string) (claims, bool) {
	encoded, signature, ok := strings.Cut(value, ".")
	if !ok {
		return claims{}, false
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return claims{}, false
	}
	given, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil {
		return claims{}, false
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return claims{}, false
	}
	for _, id := range s.identities {
		if id.name == c.Name && id.admin == c.Admin && id.link == c.Link && hmac.Equal(given, s.mac(payload, id)) {
			return c, s.valid(c)
		}
	}
	return claims{}, false
}

// valid reports whether a session that was signed here still holds.
func (s *sessions) valid(c claims) bool {
	age := s.now().Unix() - c.Issued
	if age < -60 || age >= int64(sessionLife/time.Second) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, gone := s.revoked[string(c.Nonce)]
	return !gone && (s.floor == 0 || c.Issued > s.floor)
}

// end revokes a session until it would have expired by itself. When too many
// are remembered the oldest is forgotten, and with it every session as old as
// that one: better a login too many than a session that comes back.
func (s *sessions) end(c claims) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.revoked) >= maxRevoked {
		s.forget()
	}
	s.revoked[string(c.Nonce)] = c.Issued
}

// forget drops the expired revocations, or the oldest one.
func (s *sessions) forget() {
	expired := s.now().Add(-sessionLife).Unix()
	oldest, at := "", int64(0)
	for nonce, issued := range s.revoked {
		if issued <= expired {
			delete(s.revoked, nonce)
		} else if oldest == "" || issued < at {
			oldest, at = nonce, issued
		}
	}
	if len(s.revoked) >= maxRevoked {
		delete(s.revoked, oldest)
		s.floor = max(s.floor, at)
	}
}
