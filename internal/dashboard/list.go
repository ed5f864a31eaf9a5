package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
)

// listView is the page of deliveries.
type listView struct {
	page
	Query query
	// Options of the form.
	Statuses, Channels, Sinces []option
	EventTypes                 []eventGroup
	Targets, Agents            []string
	// Chips are filters that have no field in the form.
	Chips []chip
	// State is "rows", "empty", "nomatch", "past", "bad", "unkept" or "error".
	State string
	// Unkept and Error* are texts of those states.
	Unkept, ErrorHeading, ErrorText string

	Counts []countView
	Chart  *chartView
	Rows   []rowView
	Pager  *pagerView
	Clear  string
	// Last is the address of the last page, for "past".
	Last string
}

// option is one choice of a select.
type option struct {
	Value, Text string
	Chosen      bool
}

type eventGroup struct {
	Label   string
	Options []option
}

// chip is a filter that is set, and the address without it.
type chip struct{ Key, Label, Value, Without string }

// countView is a count by state, a link to those records.
type countView struct {
	Class, Label, Number, Note, URL string
	Current                         bool
}

// rowView is one record in the list.
type rowView struct {
	ID, URL                        string
	Pill                           pill
	Agent, AgentURL                string
	Event                          string
	Channel                        delivery.Channel
	Target, TargetURL              string
	Attempts                       int
	Time                           moment
	Execution, ExecutionURL        string
	ExecutionShort                 string
	Reason                         explanation
	Error                          string
	Next                           string
	CanRetry, Imported, ShowReason bool
}

// pagerView leads through the pages.
type pagerView struct {
	From, To, Total string
	Previous, Next  string
}

// list shows the page of deliveries, or the part of it that changes.
func (h *handler) list(w http.ResponseWriter, r *http.Request, v viewer) {
	q := parseQuery(r.URL.RawQuery)
	view := &listView{page: h.page(r, v, "Notifications"), Query: q, Unkept: h.options.Unkept, Clear: home}
	view.Live = h.options.Unkept == ""
	view.Flash = h.takeFlash(w, r)
	status := h.fillList(r.Context(), view)
	if fromScript(r) {
		h.render(w, status, "list-live", view)
		return
	}
	h.fillForm(r.Context(), view)
	h.render(w, status, "list", view)
}

// fillList looks the records up and returns the status of the answer.
func (h *handler) fillList(ctx context.Context, view *listView) int {
	switch {
	case view.Unkept != "":
		view.State = "unkept"
		return http.StatusOK
	case len(view.Query.Problems) > 0:
		view.State = "bad"
		return http.StatusBadRequest
	}
	if err := h.lookUp(ctx, view); err != nil {
		if ctx.Err() == nil {
			h.log.Error("dashboard: the delivery log can't be read", "error", err)
		}
		view.State, view.ErrorHeading, view.ErrorText = "error", unreadableHeading, unreadableText
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// lookUp asks the log for everything that the page shows.
func (h *handler) lookUp(ctx context.Context, view *listView) error {
	q, now := &view.Query, h.now().UTC()
	health, err := h.options.Overview.Health(ctx)
	if err != nil {
		return wrap("read the health of the log", err)
	}
	total, err := h.options.Log.Total(ctx, q.filter(now))
	if err != nil {
		return wrap("count the records", err)
	}
	records, err := h.options.Log.Page(ctx, q.filter(now), delivery.Page{Limit: pageSize, Offset: q.Offset})
	if err != nil {
		return wrap("read a page of records", err)
	}
	if view.Chart, err = h.chart(ctx, q.Since, now); err != nil {
		return err
	}
	view.Counts = counts(health, q, now)
	for _, record := range records {
		view.Rows = append(view.Rows, newRow(record, view.Viewer.Admin, now))
	}
	view.Pager = newPager(q, len(records), total)
	view.State = listState(len(records), total, q)
	if view.State == "past" {
		view.Last = q.at(int((total - 1) / pageSize * pageSize))
	}
	return nil
}

func listState(shown int, total int64, q *query) string {
	switch {
	case shown > 0:
		return "rows"
	case total > 0:
		return "past"
	case q.Active():
		return "nomatch"
	}
	return "empty"
}

// chart reads and draws the outcomes over time of the whole log.
func (h *handler) chart(ctx context.Context, since string, now time.Time) (*chartView, error) {
	total, width, words := chartSpan(since)
	start := now.Add(-total).Truncate(width).Add(width)
	buckets, err := h.options.Overview.Chart(ctx, start, width)
	if err != nil {
		return nil, wrap("read the outcomes over time", err)
	}
	c := newChart(buckets, start, width, int(total/width), words)
	return c, nil
}

// counts are the numbers on top, each a link to its records.
func counts(health delivery.Health, q *query, now time.Time) []countView {
	by := health.ByStatus
	pending := by[delivery.Pending] + by[delivery.Sending]
	note := ""
	switch {
	case health.Overdue > 0:
		note = number(health.Overdue) + " overdue"
	case pending > 0 && !health.OldestPending.IsZero():
		note = "oldest waits " + span(max(0, now.Sub(health.OldestPending)))
	}
	failed := by[delivery.Failed] + by[delivery.Discarded]
	list := []countView{
		{Class: "all", Label: "All", Number: number(health.Accepted), Note: number(health.Attempted) + " attempted"},
		{Class: "delivered", Label: "Delivered", Number: number(by[delivery.Delivered]), Note: percent(by[delivery.Delivered], by[delivery.Delivered]+failed) + " of those that ended"},
		{Class: "failed", Label: "Failed", Number: number(failed)},
		{Class: "pending", Label: "Pending", Number: number(pending), Note: note},
	}
	if n := by[delivery.Discarded]; n > 0 {
		list[2].Note = number(n) + " given up"
	}
	for i, status := range []string{"", "delivered", "failed", "pending"} {
		// They count the whole log, so that is where they lead.
		list[i].URL = home
		if status != "" {
			list[i].URL = only("status", status)
		}
		list[i].Current = list[i].URL == q.at(0)
	}
	return list
}

// newRow arranges a record for the list.
func newRow(r delivery.Record, admin bool, now time.Time) rowView {
	row := rowView{
		ID: r.ID, URL: home + "/" + url.PathEscape(r.ID), Pill: statusPill(r.Status), Agent: r.Agent, Event: r.Event.Type,
		Channel: r.Target.Channel, Target: r.LabelOrName(), Attempts: r.Attempts, Time: at(r.CreatedAt),
		Execution: r.ExecutionID, ExecutionShort: short(r.ExecutionID, 22), Imported: r.Imported,
		CanRetry: admin && r.Status == delivery.Failed && !r.Imported,
	}
	row.TargetURL = only("target", row.Target)
	if r.Agent != "" {
		row.AgentURL = only("agent_id", r.Agent)
	}
	if r.ExecutionID != "" {
		row.ExecutionURL = only("execution_id", r.ExecutionID)
	}
	if r.Status != delivery.Delivered && r.LastReason != "" {
		row.ShowReason, row.Reason, row.Error = true, explain(r.LastReason), r.LastMessage
	}
	if r.Status == delivery.Pending && r.Attempts > 0 && r.NextAt.After(now) {
		row.Next = "next attempt in " + span(r.NextAt.Sub(now))
	}
	return row
}

// newPager is nil when everything fits a page.
func newPager(q *query, shown int, total int64) *pagerView {
	if total <= pageSize && q.Offset == 0 || shown == 0 {
		return nil
	}
	p := &pagerView{From: number(int64(q.Offset) + 1), To: number(int64(q.Offset + shown)), Total: number(max(total, int64(q.Offset+shown)))}
	if q.Offset > 0 {
		p.Previous = q.at(max(0, q.Offset-pageSize))
	}
	if int64(q.Offset+pageSize) < total {
		p.Next = q.at(q.Offset + pageSize)
	}
	return p
}

// fillForm adds what the filter form offers. Its suggestions are a comfort:
// without them the form still works.
func (h *handler) fillForm(ctx context.Context, view *listView) {
	q := &view.Query
	view.Statuses = choose(q.Status, [][2]string{{"", "All"}, {"delivered", "Delivered"}, {"failed", "Failed"}, {"pending", "Pending"}})
	view.Channels = choose(q.Channel, [][2]string{{"", "All"}, {"webhook", "Webhook"}, {"slack", "Slack"}})
	view.Sinces = choose(q.Since, [][2]string{{"", "All time"}, {"1h", "Last hour"}, {"24h", "Last 24 hours"}, {"7d", "Last 7 days"}})
	for _, g := range []struct {
		label  string
		family events.Family
	}{{"Agent runs", events.Agent}, {"Governed runs", events.Governed}} {
		group := eventGroup{Label: g.label}
		for _, t := range events.Types(g.family) {
			group.Options = append(group.Options, option{string(t), string(t), t == q.eventType})
		}
		view.EventTypes = append(view.EventTypes, group)
	}
	for _, c := range []struct{ key, label, value string }{{"run_id", "Run", q.Run}, {"event_id", "Event id", q.EventID}} {
		if c.value != "" {
			view.Chips = append(view.Chips, chip{c.key, c.label, c.value, q.with(c.key, "")})
		}
	}
	if h.options.Names == nil || view.Unkept != "" {
		return
	}
	var err error
	if view.Targets, err = h.options.Names.Targets(ctx); err != nil {
		h.log.Warn("dashboard: no targets can be offered", "error", err)
	}
	if view.Agents, err = h.options.Names.Agents(ctx); err != nil {
		h.log.Warn("dashboard: no agents can be offered", "error", err)
	}
}

func choose(value string, choices [][2]string) []option {
	var list []option
	for _, c := range choices {
		list = append(list, option{c[0], c[1], c[0] == value})
	}
	return list
}
