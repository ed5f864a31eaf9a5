//go:build unix

package main

import (
	"context"
	"time"

	"agentxchain/internal/secret"
	"agentxchain/internal/store"
)

// openStore opens the database at url, a relative one in dir, for the project
// of that site.
func openStore(ctx context.Context, url, dir, site string) (*ledger, error) {
	s, err := store.Open(ctx, store.Options{URL: secret.New(url), Dir: dir, Site: site, Lease: 30 * time.Second, Now: time.Now})
	if err != nil {
		return nil, err
	}
	return &ledger{RunLedger: s, close: s.Close}, nil
}
