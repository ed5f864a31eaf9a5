package store

import (
	"context"
	"fmt"
	"time"
)

// reading returns the reading side of an open store.
func (s *Store) reading() *reader {
	postgres := s.addr.engine != sqliteEngine
	schema := ""
	if postgres && s.opts.Schema != "" {
		schema = `"` + s.opts.Schema + `".`
	}
	return newReader(s.db, postgres, schema, s.opts.Prefix, s.opts.Now, s.clean)
}

// Expire deletes records of what was delivered or discarded and was created
// before the given time, with their attempts and bytes, at most batch of them,
// and returns how many. What is undelivered stays, however old.
func (s *Store) Expire(ctx context.Context, before time.Time, batch int) (deleted int, err error) {
	err = s.alone(ctx, func(ctx context.Context, t *tx) error {
		deleted, err = s.expire(ctx, t.q, before, batch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete old deliveries: %w", err)
	}
	return deleted, nil
}
