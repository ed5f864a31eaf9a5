//go:build unix && !darwin

package egress

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRootsFromEnv(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).StartTLS, ok)
	file := writeCertificate(t, srv.Server)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for _, c := range []struct {
		env  []string
		want string // part of the error; "" for a delivered request
	}{
		{[]string{"SSL_CERT_FILE=" + file}, ""},
		{[]string{"SSL_CERT_FILE=" + file, "SSL_CERT_DIR=/nonexistent"}, ""},
		{[]string{"SSL_CERT_DIR=" + filepath.Dir(file)}, ""},
		{[]string{"SSL_CERT_DIR=/nonexistent:" + filepath.Dir(file)}, ""},
		{nil, "certificate"},
		{[]string{"SSL_CERT_FILE=" + missing}, "SSL_CERT_FILE: stat "},
		{[]string{"SSL_CERT_FILE=/dev/zero"}, "is not a regular file"},
		{[]string{"SSL_CERT_FILE=" + empty}, "holds no certificate"},
	} {
		status, err := post(t, guard(t, Governed, c.env...), srv.URL)
		if c.want == "" && status != http.StatusNoContent || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %d %v, want %q", c.env, status, err, c.want)
		}
	}
}

// With SSL_CERT_FILE only that file counts, whatever the system trusts.
func TestRootsOfOneFile(t *testing.T) {
	srv := newCounting(t, (*httptest.Server).StartTLS, ok)
	pool, err := readRoots(writeCertificate(t, srv.Server), "")
	if err != nil || !pool.Equal(rootsOf(srv.Server)) {
		t.Errorf("the pool is not the file: %v", err)
	}
}
