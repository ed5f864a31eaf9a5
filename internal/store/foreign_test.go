package store

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForeignFileStays refuses the database of another program without having
// changed a byte of it, the journal mode in its header included.
func TestForeignFileStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.db")
	db, err := sql.Open("sqlite", sqliteDSN(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `CREATE TABLE notification_log (id INTEGER PRIMARY KEY, status TEXT);
		CREATE TABLE alembic_version (version_num TEXT); INSERT INTO notification_log VALUES (1, 'delivered')`)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openAt("sqlite:////"+strings.TrimPrefix(path, "/"), Options{})
	if err == nil {
		_ = s.Close() // not what is tested
		t.Fatal("the database of another program was opened")
	}
	if !strings.Contains(err.Error(), "table_prefix") {
		t.Errorf("the error names no remedy: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the database of another program was changed")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the file there is something: %v, %v", left, err)
	}
}
