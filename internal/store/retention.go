package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
)

// execer is the part of a transaction that Expire writes with.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// expire deletes what Expire may, with everything that belongs to it.
func (r *reader) expire(ctx context.Context, tx execer, before time.Time, batch int) (deleted int, err error) {
	ids, err := r.expired(ctx, tx, before, batch)
	if err != nil {
		return 0, err
	}
	for part := range slices.Chunk(ids, 500) {
		list := `(` + strings.TrimSuffix(strings.Repeat(`?, `, len(part)), `, `) + `)`
		for _, name := range []string{"notification_body", "notification_attempt", "notification_log"} {
			if _, err := tx.ExecContext(ctx, r.bind(`DELETE FROM `+r.table(name)+` WHERE id IN `+list), r.given(part)...); err != nil {
				return 0, err
			}
		}
	}
	key := r.table("notification_key")
	_, err = tx.ExecContext(ctx, r.bind(`DELETE FROM `+key+` WHERE key_hash IN (SELECT key_hash FROM `+key+
		` AS old WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM `+r.table("notification_log")+
		` AS log WHERE log.event_id = old.event_id) LIMIT ?)`), r.given([]any{r.moment(before), batch})...)
	return len(ids), err
}

// expired returns the ids of at most batch records that are delivered or
// discarded and old enough, the oldest first of each.
func (r *reader) expired(ctx context.Context, tx execer, before time.Time, batch int) (ids []any, err error) {
	for _, a := range []arm{
		{"nlog_done_created", clause{text: whenDone}},
		{"nlog_undone", clause{text: whenUndone + ` AND status = 'discarded'`}},
	} {
		rows, err := tx.QueryContext(ctx, r.bind(`SELECT id FROM `+r.table("notification_log")+r.by(a.index)+` WHERE `+a.where.text+
			` AND created_at < ? ORDER BY created_at, id LIMIT ?`), r.given([]any{r.moment(before), batch - len(ids)})...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id string // as stored
			if err := rows.Scan(&id); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
