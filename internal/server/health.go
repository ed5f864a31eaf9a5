package server

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"agentxchain/internal/delivery"
)

// healthAge is how long one look at the log serves all who ask, so that
// probes, which need no key, can't keep the log busy.
const healthAge = time.Second

// healthTime bounds how long a look may take: a probe wants an answer while it
// can still act on it.
const healthTime = 5 * time.Second

// healthCache looks at the log at most once a second, one look at a time.
type healthCache struct {
	overview Overview
	now      func() time.Time
	// turn holds one value; who has taken it may use the fields below.
	turn  chan struct{}
	at    time.Time
	known delivery.Health
}

func newHealthCache(overview Overview, now func() time.Time) *healthCache {
	c := &healthCache{overview: overview, now: now, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// look returns the health of the log, at most a second old.
func (c *healthCache) look(ctx context.Context) (delivery.Health, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return delivery.Health{}, ctx.Err()
	}
	if age := c.now().Sub(c.at); !c.at.IsZero() && age >= 0 && age < healthAge {
		return c.known, nil
	}
	h, err := c.overview.Health(ctx)
	if err != nil {
		return delivery.Health{}, err
	}
	c.at, c.known = c.now(), h
	return h, nil
}

// health is the answer of GET /v1/health. The words for states are those of
// the list, so that its totals and these numbers agree.
type health struct {
	Status               string  `json:"status"`
	Detail               *string `json:"detail"`
	Accepted             int64   `json:"accepted"`
	Attempted            int64   `json:"attempted"`
	Delivered            int64   `json:"delivered"`
	Pending              int64   `json:"pending"`
	Failed               int64   `json:"failed"`
	Overdue              int64   `json:"overdue"`
	OldestPendingSeconds *int64  `json:"oldest_pending_seconds"`
}

// showHealth answers GET /v1/health. An answer of 200 says that the log can be
// asked, "degraded" that what is due is not being attempted.
func (a *api) showHealth(w http.ResponseWriter, r *http.Request) error {
	answer := health{Status: "ok", Detail: textOrNull(a.Unkept)}
	if a.Unkept == "" {
		h, err := a.health.look(r.Context())
		if err != nil {
			return err
		}
		answer = newHealth(h, a.Now())
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
	return nil
}

func newHealth(h delivery.Health, now time.Time) health {
	out := health{
		Status: "ok", Accepted: h.Accepted, Attempted: h.Attempted, Overdue: h.Overdue,
		Delivered: h.ByStatus[delivery.Delivered],
		Pending:   h.ByStatus[delivery.Pending] + h.ByStatus[delivery.Sending],
		Failed:    h.ByStatus[delivery.Failed] + h.ByStatus[delivery.Discarded],
	}
	if h.Overdue > 0 {
		out.Status = "degraded"
		out.Detail = textOrNull("Deliveries that should have been attempted more than a minute ago: " +
			strconv.FormatInt(h.Overdue, 10) + ". Is a worker running?")
	}
	if !h.OldestPending.IsZero() {
		age := oldestAge(h, now)
		out.OldestPendingSeconds = &age
	}
	return out
}

// oldestAge is how many whole seconds the oldest undecided delivery has
// waited; a clock that went back gives 0.
func oldestAge(h delivery.Health, now time.Time) int64 {
	if h.OldestPending.IsZero() {
		return 0
	}
	return int64(math.Max(0, now.Sub(h.OldestPending).Seconds()))
}
