package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"

	"agentxchain/internal/ecmajson"

	"pgregory.net/rapid"
)

// content decodes the bytes of an entry.
func contentOf(e *ecmajson.Value) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(e.Get("content_base64").Str())
}

// checkContent recomputes bytes, sha256 and data from content_base64, in the
// simplest possible way.
func checkContent(e *ecmajson.Value) error {
	b, err := contentOf(e)
	if err != nil {
		return err
	}
	if n := e.Get("bytes").Num(); n != float64(len(b)) {
		return fmt.Errorf("bytes is %v, the content has %d", n, len(b))
	}
	if sum := sha256.Sum256(b); e.Get("sha256").Str() != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("sha256 is %s", e.Get("sha256").Str())
	}
	var want *ecmajson.Value
	switch e.Get("format").Str() {
	case formatText:
		want = ecmajson.NewString(ecmajson.DecodeText(b))
	case formatJSON:
		want, err = ecmajson.Parse(b, ecmajson.Options{})
	case formatJSONL:
		want, err = parseLines(b)
	}
	if err == nil && !ecmajson.Equal(want, e.Get("data")) {
		err = fmt.Errorf("data differs from the content")
	}
	return err
}

// parseLines parses a JSONL file; lines that are not JSON are left out.
func parseLines(b []byte) (*ecmajson.Value, error) {
	items := []*ecmajson.Value{}
	for len(b) > 0 {
		var line []byte
		line, b, _ = cutLine(b)
		if v, err := ecmajson.Parse(line, ecmajson.Options{}); err == nil {
			items = append(items, v)
		}
	}
	return ecmajson.NewArray(items...), nil
}

// FuzzEntry exports any bytes under any name and recomputes the entry.
func FuzzEntry(f *testing.F) {
	for _, s := range []string{
		"", "{}", "{\"a\": [1, \"\\\" x\"]}\n", "{}\r\n\r\n[1]\n\xef\xbb\xbf{}\nnull", "\xe2\x98A\x00\u2028\"\\", "\"\xff\"", "{\"a\":1,\"a\":2}", "{", "1\n2 ", "\ufeff\n", "\"a", "\n\n",
	} {
		for kind := range byte(4) {
			f.Add([]byte(s), kind)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, kind byte) {
		name := []string{auditPath, eventsPath, ".planning/x.json", "TALK.md"}[kind%4]
		root := project(t, minimal(map[string]string{name: string(content)}))
		compact, _ := buildBytes(t, testOptions(root))
		bundle := parseBundle(t, compact)
		checkEntries(t, bundle)
		saved, err := contentOf(bundle.Get("files").Get(name))
		if err != nil {
			t.Fatal(err)
		}
		tail, err := base64.StdEncoding.DecodeString(bundle.Get("evidence").Get("torn_tails").Get(name).Get("content_base64").Str())
		if err != nil || string(saved)+string(tail) != string(content) {
			t.Fatalf("%q became %q and %q, %v", content, saved, tail, err)
		}
		opts := testOptions(root)
		opts.Pretty = true
		if pretty, _ := buildBytes(t, opts); !ecmajson.Equal(bundle, parseBundle(t, pretty)) {
			t.Fatal("the indented form differs")
		}
	})
}

// TestBlocks reads in pieces of every size: nothing is lost, and no line or
// character is cut in two.
func TestBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := []byte(rapid.StringOf(rapid.SampledFrom([]rune("ab\n\ré☃😀\ufffd"))).Draw(t, "content"))
		if rapid.Bool().Draw(t, "damaged") && len(content) > 0 {
			content[rapid.IntRange(0, len(content)-1).Draw(t, "at")] = 0xE2
		}
		lines := rapid.Bool().Draw(t, "lines")
		cut := cutAtRunes
		if lines {
			cut = cutAtLines
		}
		buf := make([]byte, rapid.IntRange(1, 9).Draw(t, "buffer"))
		var whole []byte
		var text string
		ended := false
		err := blocks(context.Background(), bytes.NewReader(content), int64(len(content)), &buf, cut, func(block []byte, last bool) error {
			if ended || lines && !last && block[len(block)-1] != '\n' {
				t.Fatalf("block %q after %q", block, whole)
			}
			ended = last
			whole = append(whole, block...)
			text += ecmajson.DecodeText(block)
			return nil
		})
		if err != nil || !ended || !bytes.Equal(whole, content) {
			t.Fatalf("read %q of %q, %v", whole, content, err)
		}
		if !lines && text != ecmajson.DecodeText(content) {
			t.Fatalf("decoded %q", text)
		}
	})
}

func TestBase64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "content")
		var out bytes.Buffer
		o := &output{stream: &out, buf: make([]byte, 0, rapid.IntRange(4, 40).Draw(t, "buffer"))}
		w := base64Writer{o: o, pairs: newBase64Pairs()}
		for rest := content; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			_, _ = w.Write(rest[:n])
			rest = rest[n:]
		}
		w.close()
		if err := o.flush(); err != nil || out.String() != base64.StdEncoding.EncodeToString(content) {
			t.Fatalf("got %s, %v", out.String(), err)
		}
	})
}

// BenchmarkBuild exports 100,000 audit lines to a file and to nowhere, beside
// the floor: one SHA-256 of the same bytes in the same run.
func BenchmarkBuild(b *testing.B) {
	audit := auditLines(100_000)
	root := project(b, minimal(map[string]string{auditPath: string(audit)}))
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(audit)))
		for b.Loop() {
			sha256.Sum256(audit)
		}
	})
	for _, form := range []string{"file", "stream"} {
		b.Run(form, func(b *testing.B) {
			opts := testOptions(root)
			opts.Pretty = form == "file"
			if form == "file" {
				opts.Path = filepath.Join(b.TempDir(), "bundle.json")
			} else {
				opts.Out = discard{}
			}
			b.SetBytes(int64(len(audit)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Build(context.Background(), opts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
