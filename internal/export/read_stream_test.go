package export

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"
)

// temporaryFolder makes dir the place of temporary files.
func temporaryFolder(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
}

// noise returns n bytes that are different at every place.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

// TestStreams keeps streams of sizes around every limit, with and without a
// place for temporary files, and reads them back.
func TestStreams(t *testing.T) {
	limits := streamLimits{held: blockSize, memory: 3 * blockSize}
	nowhere := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		name   string
		dir    string
		size   int
		inFile bool
		want   string // in the error
	}{
		{"empty", nowhere, 0, false, ""},
		{"small", nowhere, 100, false, ""},
		{"just held", nowhere, blockSize - 1, false, ""},
		{"to a file", t.TempDir(), blockSize + 1, true, ""},
		{"beyond memory to a file", t.TempDir(), 4 * blockSize, true, ""},
		{"no file", nowhere, blockSize + 1, false, ""},
		{"no file, just held", nowhere, 3*blockSize - 1, false, ""},
		{"no file, too long", nowhere, 3 * blockSize, false, "it has 3 MiB or more, which needs a temporary file: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			temporaryFolder(t, c.dir)
			b := noise(c.size)
			src, err := keepStream(context.Background(), iotest.HalfReader(bytes.NewReader(b)), limits)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, os.ErrNotExist) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, inFile := src.reader.(*os.File); inFile != c.inFile {
				t.Errorf("kept in a file: %t", inFile)
			}
			got, err := io.ReadAll(io.NewSectionReader(src.reader, 0, src.size+1))
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("read back %d bytes, %v; want the %d written", len(got), err, len(b))
			}
			if err := src.Close(); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(c.dir); len(left) > 0 {
				t.Errorf("%v stays behind", left)
			}
		})
	}
	goleak.VerifyNone(t)
}

// TestStreamWithoutTemporaryFile pipes bundles through [SpoolSource] where no
// file can be made.
func TestStreamWithoutTemporaryFile(t *testing.T) {
	temporaryFolder(t, filepath.Join(t.TempDir(), "none"))
	large := append(bytes.Repeat([]byte(" "), 9<<20), made(12)...)
	for _, b := range [][]byte{made(12), large} {
		src, err := SpoolSource(context.Background(), io.MultiReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		if r := Verify(context.Background(), src, VerifyOptions{}); r.Overall != Pass {
			t.Errorf("%d bytes: %s %s %v", len(b), r.Overall, r.Message, r.Findings)
		}
	}
}

// TestStreamFaults checks that what goes wrong while a stream is read is
// reported, in memory and in a file, and leaves nothing behind.
func TestStreamFaults(t *testing.T) {
	dir := t.TempDir()
	temporaryFolder(t, dir)
	for _, fault := range []error{errors.New("input/output error"), io.ErrUnexpectedEOF} {
		for _, size := range []int{0, 100, blockSize, 2*blockSize + 5} {
			r := io.MultiReader(bytes.NewReader(noise(size)), iotest.ErrReader(fault))
			if _, err := keepStream(context.Background(), r, streamLimits{held: blockSize, memory: blockSize}); !errors.Is(err, fault) {
				t.Errorf("after %d bytes: error %v, want %v", size, err, fault)
			}
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v stays behind", left)
	}
	goleak.VerifyNone(t)
}

// TestInterruptedStream ends the context while a Read blocks, as that of
// standard input does, with little and with much read before.
func TestInterruptedStream(t *testing.T) {
	dir := t.TempDir()
	temporaryFolder(t, dir)
	cause := errors.New("interrupt")
	for _, size := range []int{0, 100, 9 << 20} {
		ctx, cancel := context.WithCancelCause(context.Background())
		in, out := io.Pipe()
		blocks := readerFunc(func(p []byte) (int, error) {
			cancel(cause)
			return in.Read(p)
		})
		_, err := SpoolSource(ctx, io.MultiReader(bytes.NewReader(make([]byte, size)), blocks))
		if err != cause { //nolint:errorlint // it has to be the cause itself
			t.Errorf("after %d bytes: error %v, want %v", size, err, cause)
		}
		out.Close() // as the end of the process does
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v stays behind", left)
	}
	if r := ErrorReport("stdin", context.Canceled); r.ErrorCode != "interrupted" || r.ExitCode() != 2 {
		t.Errorf("code %q, exit %d", r.ErrorCode, r.ExitCode())
	}
	goleak.VerifyNone(t)
}

// readerFunc is a function as an [io.Reader].
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
