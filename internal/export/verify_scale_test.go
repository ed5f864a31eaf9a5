package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// madeAuditLine is line i of a made-up notification audit; every tenth holds
// escapes, as texts in other languages do when other programs write them.
func madeAuditLine(i int) string {
	message := "Delivered"
	if i%10 == 0 {
		message = `Zugestellt \u00fcber \u003crelay\u003e`
	}
	return fmt.Sprintf(`{"event_id":"notif_%016x","event_type":"run_blocked","notification_name":"ops_webhook_%d","transport":"webhook",`+
		`"delivered":true,"status_code":204,"timed_out":false,"duration_ms":%d,"message":"%s","emitted_at":"2026-01-01T00:00:00.000Z"}`, i, i%8, i%900, message)
}

func madeHistoryLine(i int) string {
	return fmt.Sprintf(`{"turn_id":"turn_%d","role":"dev","status":"completed","notes":"%0800d"}`, i, i)
}

// makeJSONLEntry writes a file entry for n lines, twice over: the lines are
// made again for each of its parts.
func makeJSONLEntry(w io.Writer, path string, n int, line func(int) string) {
	sum, size := sha256.New(), 0
	for i := range n {
		k, _ := io.WriteString(sum, line(i)+"\n")
		size += k
	}
	fmt.Fprintf(w, `%q:{"format":"jsonl","bytes":%d,"sha256":"%s","content_base64":"`, path, size, hex.EncodeToString(sum.Sum(nil)))
	enc := base64.NewEncoder(base64.StdEncoding, w)
	for i := range n {
		io.WriteString(enc, line(i)+"\n")
	}
	enc.Close()
	io.WriteString(w, `","data":[`)
	for i := range n {
		if i > 0 {
			io.WriteString(w, ",")
		}
		io.WriteString(w, line(i))
	}
	io.WriteString(w, "]}")
}

func makeJSONEntry(w io.Writer, path, content string) {
	sum := sha256.Sum256([]byte(content))
	fmt.Fprintf(w, `%q:{"format":"json","bytes":%d,"sha256":"%x","content_base64":"%s","data":%s}`,
		path, len(content), sum, base64.StdEncoding.EncodeToString([]byte(content)), content)
}

// makeBundle writes a run export that verifies, with n audit lines and a
// tenth as many turns.
func makeBundle(w io.Writer, n int) {
	const config = `{"schema_version":"1.0","project":{"id":"p","name":"P"},"roles":{},"runtimes":{}}`
	const state = `{"schema_version":"1.1","run_id":"run_1","project_id":"p","status":"active","phase":"planning","active_turns":{}}`
	fmt.Fprintf(w, `{"schema_version":"0.3","export_kind":"agentxchain_run_export","exported_at":"2026-01-01T00:00:00.000Z","project_root":".",`+
		`"project":{"id":"p","name":"P","template":"generic","protocol_mode":"governed"},`+
		`"summary":{"run_id":"run_1","status":"active","phase":"planning","workflow_phase_order":null,"active_turn_ids":[],"retained_turn_ids":[],`+
		`"history_entries":%d,"decision_entries":0,"hook_audit_entries":0,"notification_audit_entries":%d,"dispatch_artifact_files":0,"staging_artifact_files":0,`+
		`"intake_present":false,"coordinator_present":false,"delegation_summary":{"total_delegations_issued":0,"delegation_chains":[]},"repo_decisions":null},"files":{`, n/10, n)
	makeJSONLEntry(w, historyPath, n/10, madeHistoryLine)
	io.WriteString(w, ",")
	makeJSONLEntry(w, auditPath, n, madeAuditLine)
	io.WriteString(w, ",")
	makeJSONEntry(w, statePath, state)
	io.WriteString(w, ",")
	makeJSONEntry(w, configPath, config)
	fmt.Fprintf(w, `},"config":%s,"state":%s}`+"\n", config, state)
}

func madeBundleFile(tb testing.TB, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bundle.json")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	makeBundle(w, n)
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// allocated returns how many bytes are allocated while f runs.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func passes(tb testing.TB, path string) {
	tb.Helper()
	src, err := OpenSource(context.Background(), path)
	if err != nil {
		tb.Fatal(err)
	}
	defer src.Close()
	if r := Verify(context.Background(), src, VerifyOptions{}); r.Overall != Pass {
		tb.Fatalf("overall %s %s %v", r.Overall, r.Message, r.Findings)
	}
}

// benchLines gives the number of audit lines: AGENTXCHAIN_BENCH_LINES or a
// size that suits every machine.
func benchLines(b *testing.B) int {
	n := 100_000
	if s := os.Getenv("AGENTXCHAIN_BENCH_LINES"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// BenchmarkVerify verifies a bundle; BenchmarkHash is what it is measured by.
func BenchmarkVerify(b *testing.B) {
	path := madeBundleFile(b, benchLines(b))
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		passes(b, path)
	}
}

// BenchmarkHash computes the SHA-256 of the same bundle.
func BenchmarkHash(b *testing.B) {
	path := madeBundleFile(b, benchLines(b))
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		hashFile(b, path, sha256.New())
	}
}

func hashFile(tb testing.TB, path string, h hash.Hash) {
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		tb.Fatal(err)
	}
}

// TestVerifyMemoryIsFlat shows that forty times the lines need no more
// memory: verification allocates the same few buffers.
func TestVerifyMemoryIsFlat(t *testing.T) {
	small, large := madeBundleFile(t, 1000), madeBundleFile(t, 40_000)
	verify := func(path string) uint64 { return allocated(func() { passes(t, path) }) }
	verify(small)
	few, many := verify(small), verify(large)
	t.Logf("1,000 lines: %d bytes allocated; 40,000 lines: %d", few, many)
	if many > few+4<<20 {
		t.Errorf("40,000 lines allocate %d bytes, 1,000 lines %d", many, few)
	}
}
