package webhook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/secret"
)

// signed is one recorded signature.
type signed struct {
	ID        string
	Key       []byte `json:"secret_b64"`
	Timestamp string
	Body      []byte `json:"body_b64"`
	Hex       string `json:"expected_hex"`
	Header    string `json:"signature_header"`
	Valid     bool
	Sent      *bool `json:"peer_sends_headers"`
}

func recordedSignatures(t testing.TB) []signed {
	t.Helper()
	f, err := os.Open(fixtures.Path(t, "agent-gateway/signature-vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []signed
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 8<<20); lines.Scan(); {
		var v signed
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// acceptable applies our rules to a recorded verdict. A timestamp that is no
// number cannot be told to be recent, nobody can be told apart by an empty
// secret, and the bare digest that the guide's receiver compares is a
// signature for us as well.
func (v signed) acceptable() bool {
	_, err := strconv.ParseInt(v.Timestamp, 10, 64)
	return err == nil && len(v.Key) > 0 && (v.Valid || v.Header == v.Hex)
}

// ownHeaders is what a receiver gets.
func ownHeaders(timestamp, signature string) http.Header {
	h := http.Header{}
	h.Set(timestampHeader, timestamp)
	h.Set(signatureHeader, signature)
	return h
}

// Every recorded signature is ours too, and is believed exactly when it should be.
func TestSignatureVectors(t *testing.T) {
	vectors := recordedSignatures(t)
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			if got := Sign(v.Key, v.Timestamp, v.Body); got != v.Hex {
				t.Errorf("signature %s, want %s", got, v.Hex)
			}
			seconds, _ := strconv.ParseInt(v.Timestamp, 10, 64)
			now, secrets := time.Unix(seconds, 0), []secret.Text{secret.New(string(v.Key))}
			err := Verify(secrets, ownHeaders(v.Timestamp, v.Header), v.Body, now)
			if (err == nil) != v.acceptable() {
				t.Errorf("verdict %v on %q", err, v.Header)
			}
			if v.acceptable() {
				checkTampered(t, secrets, v, now)
			}
		})
	}
	fixtures.Ran(t, "signature-vectors", len(vectors))
}

// checkTampered wants a good signature to fail once anything else changes.
func checkTampered(t *testing.T, secrets []secret.Text, v signed, now time.Time) {
	t.Helper()
	for name, err := range map[string]error{
		"bare":    Verify(secrets, ownHeaders(v.Timestamp, v.Hex), v.Body, now),
		"rotated": Verify(append([]secret.Text{secret.New("other")}, secrets...), ownHeaders(v.Timestamp, v.Header), v.Body, now),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := strconv.FormatInt(now.Unix()+1, 10)
	for name, err := range map[string]error{
		"body":     Verify(secrets, ownHeaders(v.Timestamp, v.Header), append(v.Body[:len(v.Body):len(v.Body)], ' '), now),
		"time":     Verify(secrets, ownHeaders(later, v.Header), v.Body, now),
		"capitals": Verify(secrets, ownHeaders(v.Timestamp, strings.ToUpper(v.Header)), v.Body, now),
		"secret":   Verify([]secret.Text{secret.New("other")}, ownHeaders(v.Timestamp, v.Header), v.Body, now),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("changed %s: %v", name, err)
		}
	}
}

func TestTimestampTolerance(t *testing.T) {
	now := time.Unix(1_772_006_400, 999_000_000)
	body, key := []byte("{}"), "s3cret"
	for timestamp, want := range map[string]error{
		"1772006400": nil, "1772006100": nil, "1772006700": nil, "01772006400": nil,
		"1772006099": ErrTimestamp, "1772006701": ErrTimestamp, "0": ErrTimestamp, "-1": ErrTimestamp,
		"": ErrTimestamp, "now": ErrTimestamp, "1772006400.5": ErrTimestamp, " 1772006400": ErrTimestamp,
		"9223372036854775807": ErrTimestamp, "-9223372036854775808": ErrTimestamp, "92233720368547758080": ErrTimestamp,
	} {
		h := http.Header{}
		h.Set(timestampHeader, timestamp)
		h.Set(signatureHeader, Sign([]byte(key), timestamp, body))
		if err := Verify([]secret.Text{secret.New(key)}, h, body, now); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", timestamp, err, want)
		}
	}
}

const (
	whsec      = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherWhsec = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// capture sends one delivery to a real server and returns the request as a
// receiver sees it.
func capture(t *testing.T, hook Config, at time.Time, body []byte) *http.Request {
	t.Helper()
	var got *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		// An answer before the end of the body would reset the connection.
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()
	hook.URL, hook.Timeout = secret.New(srv.URL), 10*time.Second
	s := NewSender(Options{Transport: newTransport(), Version: "test", EventID: true, Now: func() time.Time { return at }})
	d := delivery.Delivery{Event: events.Event{ID: "notif_01KCJ6N7Q8R9S0T1V2W3X4Y5Z6"}, ContentType: "application/json", Body: body}
	if res := s.SendTo(t.Context(), hook, d); !res.Delivered {
		t.Fatalf("%+v", res)
	}
	return got
}

func texts(list ...string) []secret.Text {
	out := make([]secret.Text, len(list))
	for i, s := range list {
		out[i] = secret.New(s)
	}
	return out
}

// What goes on the wire for each set of secrets, and who believes it.
func TestSignedRequests(t *testing.T) {
	at := time.Unix(1_772_006_400, 0)
	body := []byte(`{"a": 1}`)
	digest := func(key string) string { return Sign([]byte(key), "1772006400", body) }
	for _, c := range []struct {
		name      string
		secrets   []string
		format    SignatureFormat
		one, list string
		standard  int
	}{
		{"unsigned", nil, "", "", "", 0},
		{"prefixed", []string{"s3cret"}, "", "sha256=" + digest("s3cret"), "", 0},
		{"named format", []string{"s3cret"}, SignaturePrefixed, "sha256=" + digest("s3cret"), "", 0},
		{"hex", []string{"s3cret"}, SignatureHex, digest("s3cret"), "", 0},
		{"rotated", []string{"new", "old"}, "", "sha256=" + digest("new"), "sha256=" + digest("new") + ",sha256=" + digest("old"), 0},
		{"rotated hex", []string{"new", "old"}, SignatureHex, digest("new"), digest("new") + "," + digest("old"), 0},
		{"standard", []string{whsec}, "", "sha256=" + digest(whsec), "", 1},
		{"rotated standard", []string{whsec, otherWhsec}, "", "sha256=" + digest(whsec), "sha256=" + digest(whsec) + ",sha256=" + digest(otherWhsec), 2},
		{"to standard", []string{"old", whsec}, "", "sha256=" + digest("old"), "sha256=" + digest("old") + ",sha256=" + digest(whsec), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := capture(t, Config{Secrets: texts(c.secrets...), Signature: c.format}, at, body).Header
			if h.Get(standardIDHeader) != "notif_01KCJ6N7Q8R9S0T1V2W3X4Y5Z6" {
				t.Errorf("no event id in %v", h)
			}
			if h.Get(signatureHeader) != c.one || h.Get(signaturesHeader) != c.list || (h.Get(timestampHeader) != "") != (c.secrets != nil) {
				t.Errorf("headers %v", h)
			}
			if n := len(strings.Fields(h.Get(standardSignatureHeader))); n != c.standard || (h.Get(standardTimestampHeader) != "") != (n > 0) {
				t.Errorf("%d signatures of Standard Webhooks, want %d: %v", n, c.standard, h)
			}
			for _, s := range c.secrets {
				if err := Verify(texts(s), h, body, at.Add(time.Minute)); err != nil {
					t.Errorf("the receiver with %q: %v", s, err)
				}
			}
			if err := Verify(texts("other"), h, body, at); err == nil {
				t.Error("a receiver with another secret believes it")
			}
		})
	}
}

// A request is signed anew at each attempt, and with the time of that attempt.
func TestEachAttemptHasItsTime(t *testing.T) {
	for _, at := range []time.Time{time.Unix(1_772_006_400, 0), time.Unix(1_772_010_000, 0)} {
		h := capture(t, Config{Secrets: texts("s3cret")}, at, []byte("{}")).Header
		if got := h.Get(timestampHeader); got != strconv.FormatInt(at.Unix(), 10) {
			t.Errorf("timestamp %s at %d", got, at.Unix())
		}
	}
}

// The names go on the wire as documents spell them, and a configured header
// cannot take their place.
func TestSignatureHeadersOnTheWire(t *testing.T) {
	rcv := newReceiver(t, answering(status(204, "", "")))
	hook := at(rcv.addr)
	hook.Secrets = texts(whsec, "old")
	headers("x-agentgateway-signature", "forged", "Webhook-Id", "forged", "X-Mine", "1")(t, &hook, "")
	if res := sendWith(t.Context(), Options{Transport: newTransport(), EventID: true}, hook, "{}"); !res.Delivered {
		t.Fatalf("%+v", res)
	}
	raw := rcv.requests()[0]
	for _, name := range []string{timestampHeader, signatureHeader, signaturesHeader, standardIDHeader, standardTimestampHeader, standardSignatureHeader, "X-Mine"} {
		if strings.Count(raw, "\r\n"+name+": ") != 1 {
			t.Errorf("%s is not in %q once", name, raw)
		}
	}
	if strings.Contains(raw, "forged") {
		t.Errorf("a header was forged: %q", raw)
	}
}

// What cannot be signed is not sent, and what lacks a variable says which.
func TestUnsendable(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		reason delivery.Reason
		want   string
	}{
		{"no base64", func(c *Config) { c.Secrets = texts("ok", "whsec_hunter2!") }, delivery.ReasonProtocol, "The request cannot be signed: a secret is empty, or begins with whsec_ and is not base64"},
		{"empty key", func(c *Config) { c.Secrets = texts("whsec_") }, delivery.ReasonProtocol, "The request cannot be signed: a secret is empty, or begins with whsec_ and is not base64"},
		{"empty secret", func(c *Config) { c.Secrets = texts("") }, delivery.ReasonProtocol, "The request cannot be signed: a secret is empty, or begins with whsec_ and is not base64"},
		{"one variable", func(c *Config) { c.Missing, c.URL = []string{"HOOK"}, secret.Text{} }, delivery.ReasonHeaderEnv, "Environment variable '${HOOK}' is not defined. Set it or remove the reference from gateway.yaml."},
		{"two variables", func(c *Config) { c.Missing = []string{"A", "B"} }, delivery.ReasonHeaderEnv, "Environment variables '${A}', '${B}' are not defined. Set them or remove the references from gateway.yaml."},
	} {
		t.Run(c.name, func(t *testing.T) {
			rcv := newReceiver(t, answering(status(204, "", "")))
			hook := at(rcv.addr)
			c.change(&hook)
			res := send(t, hook)
			if res.Reason != c.reason || res.Message != c.want || res.Retry || res.Delivered {
				t.Errorf("%+v", res)
			}
			if n := len(rcv.requests()); n != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestCheckSecret(t *testing.T) {
	for s, ok := range map[string]bool{
		"s3cret": true, whsec: true, "whsec": true, "Whsec_x": true, " whsec_x": true, "é": true,
		"": false, "whsec_": false, "whsec_hunter2": false, "whsec_hunter2hunter2!": false, "whsec_aGk": false,
		"whsec_aGk=\n": false, "whsec_aG\r\nk=": false, "whsec_aGk=": true, "whsec__-_-": false,
	} {
		got := CheckSecret(s)
		if (got == "") != ok || strings.Contains(got, "hunter2") {
			t.Errorf("%q: %q", s, got)
		}
		if _, err := signatures(texts(s), "", "id", "1", nil); (err == nil) != ok {
			t.Errorf("signing with %q: %v", s, err)
		}
	}
}

// Standard Webhooks' own library believes our requests, and we believe its
// signatures.
func TestStandardWebhooksLibrary(t *testing.T) {
	now, n := time.Now(), 0
	for _, body := range [][]byte{[]byte("{}"), {}, []byte("{\"m\": \"\u00e9\x00\"}"), bytes.Repeat([]byte("x"), 1<<20)} {
		r := capture(t, Config{Secrets: texts(whsec, otherWhsec)}, now, body)
		for _, s := range []string{whsec, otherWhsec} {
			lib, err := standardwebhooks.NewWebhook(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := lib.Verify(body, r.Header); err != nil {
				t.Errorf("the library refuses ours: %v", err)
			}
			signature, err := lib.Sign("msg_1", now, body)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			h.Set(standardIDHeader, "msg_1")
			h.Set(standardTimestampHeader, strconv.FormatInt(now.Unix(), 10))
			h.Set(standardSignatureHeader, "v1a,AAAA v1,AAAA "+signature)
			if err := Verify(texts("plain", s), h, body, now); err != nil {
				t.Errorf("we refuse the library's: %v", err)
			}
			if err := Verify(texts(s), h, append(body, ' '), now); !errors.Is(err, ErrSignature) {
				t.Errorf("another body: %v", err)
			}
			if err := Verify(texts("plain"), h, body, now); !errors.Is(err, ErrUnsigned) {
				t.Errorf("no secret of the scheme: %v", err)
			}
			if err := Verify(texts(s), h, body, now.Add(Tolerance+time.Second)); !errors.Is(err, ErrTimestamp) {
				t.Errorf("too late: %v", err)
			}
			n += 2
		}
	}
	if err := Verify(texts("whsec_!"), http.Header{"Webhook-Id": {"a"}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {"v1,x"}}, nil, now); !errors.Is(err, ErrSecret) {
		t.Errorf("a broken secret: %v", err)
	}
	fixtures.Ran(t, "Standard Webhooks both ways", n)
}

// OpenSSL computes the same digests.
func TestOpenSSL(t *testing.T) {
	openssl := program(t, "openssl")
	n := 0
	for _, v := range recordedSignatures(t) {
		if len(v.Key) == 0 {
			continue // openssl takes no empty key
		}
		out := pipe(t, []byte(v.Timestamp+"."+string(v.Body)), openssl, "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString(v.Key), "-r")
		if digest, _, _ := strings.Cut(out, " "); digest != Sign(v.Key, v.Timestamp, v.Body) {
			t.Errorf("%s: openssl says %s", v.ID, out)
		}
		n++
	}
	fixtures.Ran(t, "signatures by OpenSSL", n)
}

// guideReceiver does what the guide's receiver does: it compares the header,
// as it is, with the digest over timestamp, dot and body.
const guideReceiver = `
import hashlib, hmac, json, sys
for key, timestamp, body, header in json.load(sys.stdin):
    mac = hmac.new(key.encode(), digestmod=hashlib.sha256)
    mac.update(timestamp.encode() + b"." + body.encode())
    print("yes" if hmac.compare_digest(mac.hexdigest(), header) else "no")
`

// The receiver of Agent Gateway's guide believes the format "hex" and no
// other, during a rotation as well.
func TestGuideReceiver(t *testing.T) {
	python := program(t, "python3")
	const body = `{"message": "h\u00e9llo é"}`
	var requests [][]string
	var want []string
	for _, secrets := range [][]string{{"s3cret"}, {"s3cret", "old"}, {"пароль"}, {whsec, "old"}} {
		for _, c := range []struct {
			format SignatureFormat
			answer string
		}{{SignatureHex, "yes"}, {SignaturePrefixed, "no"}} {
			h := capture(t, Config{Secrets: texts(secrets...), Signature: c.format}, time.Unix(1_772_006_400, 0), []byte(body)).Header
			requests = append(requests, []string{secrets[0], h.Get(timestampHeader), body, h.Get(signatureHeader)})
			want = append(want, c.answer)
		}
	}
	document, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(pipe(t, document, python, "-c", guideReceiver)); !slices.Equal(got, want) {
		t.Errorf("the guide's receiver says %v to %q, want %v", got, requests, want)
	}
	fixtures.Ran(t, "the guide's receiver", len(want))
}

// program finds a program; without it the test has nobody to ask.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

func pipe(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Stdin, c.Env = bytes.NewReader(stdin), append(os.Environ(), "PYTHONUTF8=1")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

// Whatever is signed is believed by who holds one of the secrets, and by
// nobody once a bit of it changes.
func TestSignAndVerify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfNDistinct(rapid.OneOf(
			rapid.StringN(1, 80, -1).Filter(func(s string) bool { return CheckSecret(s) == "" }),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 1, 64), func(b []byte) string {
				return standardPrefix + base64.StdEncoding.EncodeToString(b)
			}),
		), 1, 4, rapid.ID[string]).Draw(t, "secrets")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		format := rapid.SampledFrom([]SignatureFormat{"", SignaturePrefixed, SignatureHex}).Draw(t, "format")
		now := time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "now"), 0)
		raw, err := signatures(texts(secrets...), format, "notif_1", strconv.FormatInt(now.Unix(), 10), body)
		if err != nil {
			t.Fatal(err)
		}
		h := received(raw)
		for _, s := range secrets {
			if err := Verify(texts("another", s), h, body, now); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
		flipped := append([]byte(nil), body...)
		if len(flipped) == 0 {
			flipped = []byte{0}
		} else {
			flipped[rapid.IntRange(0, len(flipped)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		if err := Verify(texts(secrets...), h, flipped, now); !errors.Is(err, ErrSignature) {
			t.Errorf("another body: %v", err)
		}
		for name := range raw {
			if strings.Contains(fmt.Sprint(raw[name]), secrets[0]) && len(secrets[0]) > 8 {
				t.Errorf("%s shows a secret", name)
			}
		}
	})
}

// received spells header names as net/http gives them to a receiver.
func received(raw http.Header) http.Header {
	h := http.Header{}
	for name, values := range raw {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	return h
}

// FuzzVerify: no header is believed that does not carry the one signature.
func FuzzVerify(f *testing.F) {
	const timestamp = "1772006400"
	good := Sign([]byte("s3cret"), timestamp, []byte("{}"))
	f.Add("sha256="+good, "", "", "", timestamp, []byte("{}"))
	f.Add("", good+",sha256=00", "", "", timestamp, []byte("{}"))
	f.Add("", "", "notif_1", "v1,AAAA", timestamp, []byte{})
	f.Fuzz(func(t *testing.T, one, list, id, standard, timestamp string, body []byte) {
		h := ownHeaders(timestamp, one)
		h.Set(signaturesHeader, list)
		h.Set(standardIDHeader, id)
		h.Set(standardSignatureHeader, standard)
		h.Set(standardTimestampHeader, timestamp)
		err := Verify(texts("s3cret", whsec), h, body, time.Unix(1_772_006_400, 0))
		if err != nil {
			return
		}
		key, _, _ := standardKey(whsec)
		for _, want := range []string{Sign([]byte("s3cret"), timestamp, body), Sign([]byte(whsec), timestamp, body), signStandard(key, id, timestamp, body)} {
			if strings.Contains(one+","+list+" "+standard, want) {
				return
			}
		}
		t.Errorf("believed %q %q %q", one, list, standard)
	})
}

// Signing costs the same few allocations whatever the size of the body.
func TestSigningAllocations(t *testing.T) {
	key := []byte("s3cret")
	for _, size := range []int{2, 1 << 20} {
		body := make([]byte, size)
		if n := testing.AllocsPerRun(20, func() { Sign(key, "1772006400", body) }); n > 10 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	key, body := []byte("s3cret"), make([]byte, 500)
	b.ReportAllocs()
	for b.Loop() {
		Sign(key, "1772006400", body)
	}
}

// A webhook of agentxchain.json gets no header that it was not configured with.
func TestGovernedRequestsStayAsTheyAre(t *testing.T) {
	rcv := newReceiver(t, answering(status(204, "", "")))
	if res := sendWith(context.Background(), Options{Transport: newTransport()}, at(rcv.addr), "{}"); !res.Delivered {
		t.Fatalf("%+v", res)
	}
	if raw := strings.ToLower(rcv.requests()[0]); strings.Contains(raw, "webhook-") || strings.Contains(raw, "x-agentgateway") {
		t.Errorf("%q", raw)
	}
}
