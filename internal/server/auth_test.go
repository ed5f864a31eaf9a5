package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"agentxchain/internal/secret"
)

// TestEveryRouteAsksForItsScope over all routes, keys and none.
func TestEveryRouteAsksForItsScope(t *testing.T) {
	w := start(t, func(o *Options) { o.PublicPaths = []string{} })
	n := 0
	for _, rt := range (&api{}).routes() {
		path := strings.ReplaceAll(rt.path, "{id}", "01A")
		if rt.scope == "" {
			if got := w.do(rt.method, path, "", header("Authorization")); got.status != http.StatusOK {
				t.Errorf("%s: %d", path, got.status)
			}
			continue
		}
		for _, tt := range []struct {
			key    string
			change with
			status int
			code   code
		}{
			{"none", header("Authorization"), 401, authRequired},
			{"unknown", bearerKey("agw_unknown"), 401, invalidCredentials},
			{"of another program", bearerKey(otherKey), 403, insufficientScope},
			{"reader", bearerKey(readKey), 403, insufficientScope},
			{"writer", bearerKey(writeKey), 403, insufficientScope},
		} {
			if tt.key == "reader" && rt.scope == ScopeRead || tt.key == "writer" && rt.scope == ScopeWrite {
				if got := w.do(rt.method, path, "", tt.change); got.status == 401 || got.status == 403 {
					t.Errorf("%s %s: %d", tt.key, path, got.status)
				}
				continue
			}
			got := w.do(rt.method, path, "", tt.change)
			got.problem(t, tt.status, tt.code)
			challenge := map[int]string{
				401: "Bearer", 403: `Bearer error="insufficient_scope", scope="` + rt.scope + `"`,
			}[tt.status]
			if got.header.Get("WWW-Authenticate") != challenge {
				t.Errorf("%s %s: %v", tt.key, path, got.header)
			}
			n++
		}
	}
	if n != 24 {
		t.Errorf("%d refusals, want 24", n)
	}
	if w.log.minted != 0 || w.log.looks != 1 {
		t.Errorf("%d minted, %d looks", w.log.minted, w.log.looks)
	}
}

// TestWordsOfThePackage are what clients of the Python package know.
func TestWordsOfThePackage(t *testing.T) {
	w := start(t, nil)
	for _, tt := range []struct {
		change with
		detail string
	}{
		{header("Authorization"), "Missing or invalid Authorization header. Expected: Bearer <token>"},
		{bearerKey("agw_unknown"), "Invalid API key"},
		{bearerKey(writeKey), "Insufficient scopes. Missing: ['notifications:read']"},
	} {
		got := w.get("/v1/notifications", tt.change)
		if !strings.Contains(got.body, `"detail":"`+tt.detail+`"`) {
			t.Errorf("%s, want %s", got.body, tt.detail)
		}
	}
}

func TestAuthorizationHeader(t *testing.T) {
	w := start(t, nil)
	for _, tt := range []struct {
		values []string
		status int
	}{
		{[]string{"Bearer " + allKey}, 200},
		{[]string{"bearer " + allKey}, 200},
		{[]string{"BEARER   " + allKey}, 200},
		{[]string{"Bearer " + allKey + "x"}, 401},
		{[]string{"Bearer " + strings.ToUpper(allKey)}, 401},
		{[]string{"Bearer " + allKey + ", Bearer " + allKey}, 401},
		{[]string{"Bearer " + allKey, "Bearer " + allKey}, 401},
		{[]string{"Basic " + allKey}, 401},
		{[]string{"Bearer"}, 401},
		{[]string{"Bearer "}, 401},
		{[]string{"Bearer\t" + allKey}, 401},
		{[]string{allKey}, 401},
		{[]string{""}, 401},
		{nil, 401},
	} {
		if got := w.get("/v1/notifications", header("Authorization", tt.values...)); got.status != tt.status {
			t.Errorf("%q: %d %s", tt.values, got.status, got.body)
		}
	}
}

func TestKeys(t *testing.T) {
	sum := sha256.Sum256([]byte(readKey))
	fromDigest, err := KeyFromDigest("reader", strings.ToUpper(hex.EncodeToString(sum[:])), ScopeRead)
	if fromText := key(t, "reader", readKey, ScopeRead); err != nil || fromText.Digest != fromDigest.Digest {
		t.Errorf("%v: the digests differ", err)
	}
	const hidden = "hunter2 hunter2"
	for _, text := range []string{"", hidden, "hunter2\n", "hünter2", "hunter2\x7f"} {
		if _, err := KeyFromText("ci", secret.New(text)); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), `"ci"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, digest := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("g", 64)} {
		if _, err := KeyFromDigest("ci", digest); err == nil {
			t.Errorf("the digest %q is accepted", digest)
		}
	}
	// One key under two names has the scopes of both.
	w := start(t, func(o *Options) {
		o.Keys = []Key{key(t, "a", readKey, ScopeRead), key(t, "b", readKey, ScopeWrite)}
	})
	for _, rt := range []string{"GET /v1/notifications", "POST /v1/events"} {
		method, path, _ := strings.Cut(rt, " ")
		if got := w.do(method, path, "", bearerKey(readKey)); got.status == 401 || got.status == 403 {
			t.Errorf("%s: %d", rt, got.status)
		}
	}
}

func TestOpenAndPublic(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Options)
		path   string
		status int
	}{
		{"health by default", nil, "/v1/health", 200},
		{"health when not public", func(o *Options) { o.PublicPaths = []string{} }, "/v1/health", 401},
		{"metrics by default", nil, "/metrics", 401},
		{"public metrics", func(o *Options) { o.PublicPaths = []string{"/metrics"} }, "/metrics", 200},
		{"public is one path, not what lies below", func(o *Options) { o.PublicPaths = []string{"/v1/notifications"} }, "/v1/notifications/01A", 401},
		{"no keys is closed", func(o *Options) { o.Keys = nil }, "/v1/notifications", 401},
		{"open", func(o *Options) { o.Keys, o.Open = nil, true }, "/v1/notifications", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := start(t, tt.change).get(tt.path, header("Authorization")); got.status != tt.status {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// TestKeysAreNeverShown neither in logs nor in answers, known or not.
func TestKeysAreNeverShown(t *testing.T) {
	w := start(t, nil)
	var shown strings.Builder
	for _, k := range []string{allKey, readKey, "agw_unknown-secret"} {
		for _, rt := range (&api{}).routes() {
			path := strings.ReplaceAll(rt.path, "{id}", "01A")
			got := w.do(rt.method, path, "", bearerKey(k))
			shown.WriteString(got.body + fmt.Sprint(got.header))
			got = w.do(rt.method, path+"?api_key="+k, "", header("Authorization", "Token "+k))
			shown.WriteString(got.body + fmt.Sprint(got.header))
		}
	}
	shown.WriteString(w.talk.String())
	sum := sha256.Sum256([]byte(allKey))
	for _, s := range []string{allKey, readKey, "agw_unknown-secret", hex.EncodeToString(sum[:])} {
		if strings.Contains(shown.String(), s) {
			t.Errorf("%q is shown", s)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"Bearer x", "bearer  x ", "Bearer", "Basic eA==", "Bearer a b", "Bearer \x00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := bearer([]string{value})
		if err == nil && (!visible(token.Reveal()) || !strings.HasSuffix(strings.TrimRight(value, " "), token.Reveal()) ||
			!strings.EqualFold(value[:7], "bearer ")) {
			t.Errorf("%q gives %q", value, token.Reveal())
		}
		a := &api{Options: Options{Keys: []Key{{Name: "k", Digest: sha256.Sum256([]byte("right")), Scopes: []string{ScopeAll}}}}}
		if err == nil && (len(a.matching(token)) == 1) != (token.Reveal() == "right") {
			t.Errorf("%q matches", value)
		}
	})
}
