package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnreadableFiles: what is no regular file is named as a whole, without a
// line. A pipe in the place of a file is in the tests of Unix.
func TestUnreadableFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(write(t, map[string]string{"gateway.yaml": strings.Repeat("# \n", maxGatewayFile/3+1)}), "gateway.yaml")
	for file, want := range map[string]string{
		folder: folder + ": this is no regular file",
		large:  large + ": the file is larger than 1048576 bytes",
	} {
		g, problems := LoadGateway(file, GatewayOptions{})
		if g != nil || len(problems) != 1 || problems[0].String() != want || problems[0].Line != 0 {
			t.Errorf("got %v, want %s", problems, want)
		}
	}
}
