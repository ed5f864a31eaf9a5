//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// sink is a receiver on loopback that answers 200 after a delay.
type sink struct {
	url  string
	env  []string
	stop func()
}

// systemBundles are the usual places of the one file of root certificates.
var systemBundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

func startSink(ctx context.Context, dir string, secure bool, delay time.Duration) (sink, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return sink{}, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			time.Sleep(delay)
		}
		w.WriteHeader(http.StatusOK)
	}), ReadHeaderTimeout: time.Minute}
	s := sink{url: "http://" + l.Addr().String() + "/events"}
	if secure {
		s.url = "https://" + l.Addr().String() + "/events"
		if s.env, err = trust(dir, server); err != nil {
			return sink{}, err
		}
	}
	done := make(chan error, 1)
	go func() {
		if secure {
			done <- server.ServeTLS(l, "", "")
			return
		}
		done <- server.Serve(l)
	}()
	s.stop = func() {
		server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "bench: receiver:", err)
		}
	}
	return s, nil
}

// trust gives the server a certificate of its own and writes a file of roots
// that holds the system's and this one, which both programs are told to use:
// each then pays for the whole list, as it would on the open network.
func trust(dir string, server *http.Server) ([]string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	var roots []byte
	for _, p := range systemBundles {
		if roots, err = os.ReadFile(p); err == nil {
			break
		}
	}
	if len(roots) == 0 {
		fmt.Fprintln(os.Stderr, "bench: no list of the system's root certificates; the https row is smaller than in the field")
	}
	roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	file := filepath.Join(dir, "roots.pem")
	return []string{"SSL_CERT_FILE=" + file, "CURL_CA_BUNDLE=" + file}, os.WriteFile(file, roots, 0o600)
}

// fillOutbox leaves so many undelivered events in the project, by emitting to
// a port that nobody may call. Two processes at a time: it is only preparation.
func fillOutbox(ctx context.Context, bin, dir string, n int) error {
	if n == 0 {
		return nil
	}
	config := filepath.Join(dir, "agentxchain.json")
	good, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	if err := writeProject(dir, 1, "http://127.0.0.1:9/closed"); err != nil {
		return err
	}
	halves := make(chan error, 2)
	for range 2 {
		go func() { halves <- emitTimes(ctx, bin, dir, n/2) }()
	}
	if err := errors.Join(<-halves, <-halves); err != nil {
		return err
	}
	return os.WriteFile(config, good, 0o600)
}

func emitTimes(ctx context.Context, bin, dir string, n int) error {
	for range n {
		x := exec.CommandContext(ctx, bin, "notify", "emit", "run_completed")
		x.Dir = dir
		if out, err := x.CombinedOutput(); err != nil {
			return fmt.Errorf("fill the outbox: %w\n%s", err, bytes.TrimSpace(out))
		}
	}
	return nil
}
