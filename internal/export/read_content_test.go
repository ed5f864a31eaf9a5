package export

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"agentxchain/internal/ecmajson"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// decodeLiteral decodes the base64 text of a JSON string.
func decodeLiteral(t testing.TB, literal []byte) (content []byte, canonical bool) {
	t.Helper()
	src := NewSource(bytes.NewReader(literal), int64(len(literal)))
	d := src.newDecoded(context.Background(), span{kind: ecmajson.String, end: src.size})
	content, err := io.ReadAll(iotest.OneByteReader(d))
	if err != nil {
		t.Fatal(err)
	}
	if d.size != int64(len(content)) {
		t.Errorf("measured %d bytes, decoded %d", d.size, len(content))
	}
	return content, !d.base64.lenient
}

// TestReadBase64 compares with what Buffer.from(text, "base64") of Node 20 gave,
// and whether encoding that again gave the text.
func TestReadBase64(t *testing.T) {
	for _, c := range []struct {
		text, hex string
		canonical bool
	}{
		{"", "", true},
		{"QUJD", "414243", true},
		{"QUJDRA==", "41424344", true},
		{"QUJDRA", "41424344", false},
		{"QUJDR", "414243", false},
		{"QUJD=RA==", "414243", false},
		{"QQ==QQ==", "41", false},
		{"=QUJD", "", false},
		{"Q", "", false},
		{"QU", "41", false},
		{"Q U J D", "414243", false},
		{"QUJD\nRA==\n", "41424344", false},
		{"QŁJD", "400243", false},
		{"QUJD☃RA==", "41424344", false},
		{"QU-_", "414fbf", false},
		{"QUÁD", "4140", false},
		{"Q=UJD", "", false},
		{"QUJDR===", "414243", false},
		{"QUJDRA==xxxx", "41424344", false},
		{"QUJDRB==", "41424344", false},
		{"!!!!", "", false},
		{"QUJŁRA==", "41424044", false},
		{"😀QUJD", "", false},
		{"QU👂JD", "41", false},
		{"QUJDQUJDQUJDQUJDQUJD*QUJDQUJDQUJDQUJDQUJD", "414243414243414243414243414243414243414243414243414243414243", false},
	} {
		for _, literal := range [][]byte{ecmajson.AppendString(nil, c.text), escapeAll(c.text)} {
			got, canonical := decodeLiteral(t, literal)
			if hex.EncodeToString(got) != c.hex || canonical != c.canonical {
				t.Errorf("%s gives %x, canonical %v, want %s, %v", literal, got, canonical, c.hex, c.canonical)
			}
		}
	}
}

// escapeAll spells every code unit of a text as a \u escape.
func escapeAll(s string) []byte {
	out := []byte{'"'}
	for _, unit := range utf16.Encode([]rune(s)) {
		out = fmt.Appendf(out, `\u%04X`, unit)
	}
	return append(out, '"')
}

func TestReadBase64RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOf(rapid.Byte()).Draw(t, "content")
		literal := ecmajson.AppendString(nil, base64.StdEncoding.EncodeToString(content))
		src := NewSource(bytes.NewReader(literal), int64(len(literal)))
		d := src.newDecoded(context.Background(), span{kind: ecmajson.String, end: src.size})
		got, err := io.ReadAll(d)
		if err != nil || !bytes.Equal(got, content) || d.base64.lenient {
			t.Fatalf("%x became %x (%v, lenient %v)", content, got, err, d.base64.lenient)
		}
	})
}

// TestReadAheadReportsErrors shows that a fault is not taken for an end, and
// that stop ends the goroutine at any time.
func TestReadAheadReportsErrors(t *testing.T) {
	broken := errors.New("broken")
	r := newReadAhead(io.MultiReader(strings.NewReader(strings.Repeat("x", 3*aheadSize)), iotest.ErrReader(broken)), 4*aheadSize)
	b, err := io.ReadAll(r)
	if len(b) != 3*aheadSize || !errors.Is(err, broken) {
		t.Errorf("read %d bytes, %v", len(b), err)
	}
	r.stop()
	r = newReadAhead(neverEnding{}, 4*aheadSize)
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	r.stop()
	goleak.VerifyNone(t)
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// FuzzStringReader compares the decoding of strings and of text, in small
// pieces, with the parser.
func FuzzStringReader(f *testing.F) {
	f.Add([]byte(`"a\ud83d\ude00\ud800\u0041\n\/`+"\xE2\x98A\xFF"+`"`), []byte("a\xE2\x98A\xF0\x9F"))
	f.Fuzz(func(t *testing.T, literal, text []byte) {
		if got, err := io.ReadAll(&roomy{decode: &textReader{newCursor(iotest.OneByteReader(bytes.NewReader(text)), 0, 16)}}); err != nil || string(got) != ecmajson.DecodeText(text) {
			t.Errorf("text %q became %q (%v)", text, got, err)
		}
		v, err := ecmajson.Parse(literal, ecmajson.Options{})
		if err != nil || !v.Is(ecmajson.String) {
			return
		}
		inner := bytes.TrimSpace(literal)
		inner = inner[1 : len(inner)-1]
		r := &stringReader{newCursor(iotest.OneByteReader(bytes.NewReader(inner)), 0, 16)}
		if got, err := io.ReadAll(&roomy{decode: r}); err != nil || string(got) != v.Str() {
			t.Errorf("%q became %q, want %q (%v)", literal, got, v.Str(), err)
		}
	})
}
