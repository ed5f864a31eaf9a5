package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/outbox"
)

// shelf is a delivery log that only takes in, and can refuse.
type shelf struct {
	events map[string][]delivery.Delivery
	err    error
}

func (s *shelf) Add(_ context.Context, in delivery.Intent) error {
	id := in.Deliveries[0].Event.ID
	switch {
	case s.err != nil:
		return s.err
	case s.events[id] != nil:
		return delivery.ErrExists
	}
	s.events[id] = in.Deliveries
	return nil
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func openOutbox(t *testing.T, dir string) *outbox.Outbox {
	t.Helper()
	o := outbox.New(outbox.Options{Path: dir, Create: func() error { return os.MkdirAll(dir, 0o700) }, Now: func() time.Time { return noon }})
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// leave puts one event with two deliveries into the outbox.
func leave(t *testing.T, o *outbox.Outbox, event string, s delivery.Status) []delivery.Delivery {
	t.Helper()
	var ds []delivery.Delivery
	for i := range 2 {
		d := delivery.Delivery{
			ID: fmt.Sprintf("%s.%d", event, i+1), Target: delivery.Target{File: "agentxchain.json", Channel: delivery.Webhook, Name: fmt.Sprintf("hook%d", i)},
			Label: fmt.Sprintf("hook%d", i), ContentType: "application/json", Status: s, Attempts: 1, Body: []byte(event),
			LastReason: delivery.ReasonServerError, LastMessage: "Webhook returned HTTP 503",
		}
		if s == delivery.Pending {
			d.NextAt = noon.Add(time.Minute)
		}
		d.Event.ID, d.Event.Type, d.Event.EmittedAt, d.Event.Body = event, "run_blocked", noon, []byte(event)
		ds = append(ds, d)
	}
	if err := o.Add(t.Context(), delivery.Intent{AuditOffset: 7, Deliveries: ds}); err != nil {
		t.Fatal(err)
	}
	return ds
}

func listed(t *testing.T, o *outbox.Outbox) []string {
	t.Helper()
	list, err := o.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range list {
		if !slices.Contains(ids, d.Event.ID) {
			ids = append(ids, d.Event.ID)
		}
	}
	return ids
}

func TestTakeOver(t *testing.T) {
	dir := t.TempDir()
	mine, theirs := openOutbox(t, dir), openOutbox(t, dir)
	leave(t, theirs, "notif_1", delivery.Pending)
	leave(t, theirs, "notif_2", delivery.Failed)
	leave(t, theirs, "notif_3", delivery.Sending) // is being sent
	log := &shelf{events: map[string][]delivery.Delivery{}}
	n, err := TakeOver(t.Context(), mine, log)
	if err != nil || n != 4 {
		t.Fatalf("took over %d (%v)", n, err)
	}
	if left := listed(t, mine); !slices.Equal(left, []string{"notif_3"}) {
		t.Errorf("left in the outbox: %v", left)
	}
	for _, d := range log.events["notif_1"] {
		if d.ID != delivery.NewID(d.Event, d.Target) || d.Status != delivery.Pending || !d.NextAt.Equal(noon.Add(time.Minute)) || string(d.Body) != "notif_1" {
			t.Errorf("%+v", d)
		}
	}
}

// TestTakeOverTwice is a crash between the two stores: both have the event.
func TestTakeOverTwice(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	ds := leave(t, o, "notif_1", delivery.Failed)
	log := &shelf{events: map[string][]delivery.Delivery{"notif_1": ds}}
	if _, err := TakeOver(t.Context(), o, log); err != nil {
		t.Fatal(err)
	}
	if left := listed(t, o); len(left) > 0 {
		t.Errorf("left in the outbox: %v", left)
	}
}

func TestTakeOverLosesNothingWhenTheLogRefuses(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	leave(t, o, "notif_1", delivery.Failed)
	away := errors.New("away")
	log := &shelf{events: map[string][]delivery.Delivery{}, err: away}
	if n, err := TakeOver(t.Context(), o, log); !errors.Is(err, away) || n != 0 {
		t.Errorf("took over %d (%v)", n, err)
	}
	log.err = nil
	if n, err := TakeOver(t.Context(), o, log); err != nil || n != 2 {
		t.Errorf("took over %d (%v)", n, err)
	}
}
