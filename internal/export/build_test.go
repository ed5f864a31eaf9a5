package export

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"agentxchain/internal/ecmajson"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)

func testOptions(root string) Options {
	return Options{Root: root, Kind: Run, At: testTime, Generator: "agentxchain test", Getenv: os.Getenv}
}

// buildBytes builds to a stream.
func buildBytes(t testing.TB, opts Options) ([]byte, Result) {
	t.Helper()
	var out bytes.Buffer
	opts.Out = &out
	res, err := Build(context.Background(), opts)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	if res.Bytes != int64(out.Len()) {
		t.Errorf("Result.Bytes = %d, written %d", res.Bytes, out.Len())
	}
	return out.Bytes(), res
}

func parseBundle(t testing.TB, b []byte) *ecmajson.Value {
	t.Helper()
	v, err := ecmajson.Parse(b, ecmajson.Options{ValidUTF8: true})
	if err != nil {
		t.Fatalf("the bundle is not JSON: %v", err)
	}
	return v
}

// project writes files into a new folder.
func project(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		writeFile(t, filepath.Join(root, filepath.FromSlash(name)), content)
	}
	return root
}

func writeFile(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	testConfig = `{"schema_version":"1.0","project":{"id":"p","name":"P"},"roles":{},"runtimes":{}}`
	testState  = `{"schema_version":"1.1","run_id":"run_1","project_id":"p","status":"active","phase":"planning","active_turns":{}}`
)

// minimal returns the files of the smallest project, and others.
func minimal(more map[string]string) map[string]string {
	files := map[string]string{configPath: testConfig, statePath: testState}
	for name, content := range more {
		files[name] = content
	}
	return files
}
