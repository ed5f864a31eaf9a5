package export

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"
)

func scanSeeds() []string {
	return []string{
		`{"a":[1,2.5e3,null,true,false,"x\ud83d\ude00\n"],"b":{}}`, `[]`, `{}`, `""`, `-0`, `01`, `1.`, `.1`, `1e`, `1e+`, `1E-7`, `-`,
		`[1,]`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `[}`, `{]`, `]`, `tru`, `truee`, `nul`, "\"\x1f\"", `"\x"`, `"\u12g4"`, `"\u12`,
		" \t\r\n1 \n", `1 2`, "\ufeff1", "\u00a01", "", " ", `"a`, `{"__proto__":1}`, `[[[[]]]]`, "\"\xe2\x98\"", "1\xff", `0e1`, `-01`, `1.5.5`, `1e5e5`, `"12345678\`, `"1234567"`,
		`{"a":0}`, `[0]`, `[-1.5e+10 , 2]`, `[1 2]`, `{"a" : 1 , "b" : 2}`, `{"a":1 "b":2}`, `{"a",1}`, `[true:1]`,
		strings.Repeat("[", ecmajson.MaxDepth) + strings.Repeat("]", ecmajson.MaxDepth),
		strings.Repeat("[", ecmajson.MaxDepth+1) + strings.Repeat("]", ecmajson.MaxDepth+1),
	}
}

// agree holds the scanner to the parser, whole and in pieces.
func agree(t *testing.T, src []byte, piece int) {
	t.Helper()
	_, err := ecmajson.Parse(src, ecmajson.Options{})
	var s scanner
	if got := s.valid(src); got != (err == nil) {
		t.Fatalf("valid(%.80q) = %v, but the parser says %v", src, got, err)
	}
	s.reset()
	for rest := src; len(rest) > 0; {
		n := min(piece, len(rest))
		s.feed(rest[:n])
		rest = rest[n:]
	}
	if got := s.complete(); got != (err == nil) {
		t.Fatalf("in pieces of %d: valid(%.80q) = %v, but the parser says %v", piece, src, got, err)
	}
}

func TestScannerAgreesWithParser(t *testing.T) {
	for _, src := range scanSeeds() {
		for _, piece := range []int{1, 2, 3, 7, 8, 9, 4096} {
			agree(t, []byte(src), piece)
		}
	}
}

func FuzzScanner(f *testing.F) {
	for i, src := range scanSeeds() {
		f.Add([]byte(src), i)
	}
	f.Fuzz(func(t *testing.T, src []byte, piece int) { agree(t, src, max(1, piece%64)) })
}

func BenchmarkScanner(b *testing.B) {
	line := []byte(auditLine(7))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var s scanner
	for b.Loop() {
		if !s.valid(line) {
			b.Fatal("refused")
		}
	}
}

// auditLine is the n-th record of a made-up audit file, with its line feed.
func auditLine(n int) string {
	return fmt.Sprintf(`{"event_id":"notif_%016x","event_type":"run_blocked","notification_name":"ops_webhook","transport":"webhook","delivered":true,"status_code":200,"timed_out":false,"duration_ms":%d,"message":"Delivered","emitted_at":"2026-01-02T03:04:05.%03dZ"}`+"\n", n, n%5000, n%1000)
}

func auditLines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.WriteString(auditLine(i))
	}
	return b.Bytes()
}
