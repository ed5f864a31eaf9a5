//go:build unix && !darwin

package egress

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// bundles are the places where systems keep all authorities in one file.
var bundles = [...]string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7
	"/etc/ssl/cert.pem",                                 // Alpine, the BSDs
	"/usr/local/share/certs/ca-root-nss.crt",            // FreeBSD
}

// folders are used when there is no bundle.
var folders = [...]string{"/etc/ssl/certs", "/etc/pki/tls/certs"}

// rootsFromEnv returns a function that reads the certificates of authorities
// once: SSL_CERT_FILE or else the first bundle, and the folders of
// SSL_CERT_DIR (separated by colons). The standard library also reads every
// file of the default folders, which hold the same certificates again: that
// costs more than everything else an https call does.
func rootsFromEnv(getenv func(string) string) func() (*x509.CertPool, error) {
	return sync.OnceValues(func() (*x509.CertPool, error) {
		return readRoots(getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR"))
	})
}

func readRoots(file, dirs string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	found, err := addBundle(pool, file)
	if err != nil {
		return nil, err
	}
	list := filepath.SplitList(dirs)
	if !found && dirs == "" {
		list = folders[:]
	}
	for _, dir := range list {
		if err := addFolder(pool, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if pool.Equal(x509.NewCertPool()) {
		return nil, errors.New("none found; name a file of them in SSL_CERT_FILE")
	}
	return pool, nil
}

// addBundle adds the named file, which must be usable, or else the first
// bundle that there is.
func addBundle(pool *x509.CertPool, file string) (found bool, err error) {
	if file != "" {
		pem, err := readCertificates(file)
		if err == nil && !pool.AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%q holds no certificate", file)
		}
		if err != nil {
			return false, fmt.Errorf("SSL_CERT_FILE: %w", err)
		}
		return true, nil
	}
	for _, bundle := range bundles {
		if pem, err := readCertificates(bundle); err == nil && pool.AppendCertsFromPEM(pem) {
			return true, nil
		}
	}
	return false, nil
}

// maxCertificates bounds one file of certificates, in bytes. The lists of
// today's systems have a quarter of a mebibyte.
const maxCertificates = 16 << 20

// readCertificates reads a regular file of bounded size: a pipe or a device
// would keep every delivery waiting, or fill the memory.
func readCertificates(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is not a regular file", path)
	case info.Size() > maxCertificates:
		return nil, fmt.Errorf("%q has %d bytes; at most %d are read", path, info.Size(), maxCertificates)
	}
	return os.ReadFile(path)
}

// addFolder adds every certificate of a folder. Links within the folder, the
// hashed names of OpenSSL, lead to files that are read anyway.
func addFolder(pool *x509.CertPool, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Type()&fs.ModeSymlink != 0 {
			if to, err := os.Readlink(path); err == nil && !strings.Contains(to, "/") {
				continue
			}
		}
		if pem, err := readCertificates(path); err == nil {
			pool.AppendCertsFromPEM(pem) // other files lie there too
		}
	}
	return nil
}
