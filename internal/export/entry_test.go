package export

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"agentxchain/internal/ecmajson"
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
