package export

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// ad hoc: DUMP_ROOT, DUMP_OUT
func TestZZDump(t *testing.T) {
	root := os.Getenv("DUMP_ROOT")
	if root == "" {
		t.Skip()
	}
	opts := testOptions(root)
	if _, err := os.Stat(filepath.Join(root, configPath)); err != nil {
		opts.Kind = Coordinator
	}
	opts.Path = os.Getenv("DUMP_OUT")
	opts.Pretty = os.Getenv("DUMP_PRETTY") != ""
	res, err := Build(context.Background(), opts)
	t.Logf("%+v %v", res, err)
}
