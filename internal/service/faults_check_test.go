//go:build linux

package service

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"agentxchain/internal/audit"
	"agentxchain/internal/delivery"
	"agentxchain/internal/project"
)

// noted is a row of the log with its attempts.
type noted struct {
	parcel
	id, event, status, reason, message string
	attempts                           int
	owned, deliveredAt                 bool
	tries                              []delivery.Try
}

// log reads the whole log.
func (r *trial) log() []*noted {
	r.t.Helper()
	ctx := r.t.Context()
	rows, err := r.db.QueryContext(ctx, `SELECT execution_id, target_name, id, event_id, status, reason, coalesce(last_error, ''), attempts,
		lease_owner IS NOT NULL, delivered_at IS NOT NULL FROM notification_log`)
	must(r.t, err)
	defer rows.Close()
	var all []*noted
	byID := map[string]*noted{}
	for rows.Next() {
		n := &noted{}
		must(r.t, rows.Scan(&n.run, &n.target, &n.id, &n.event, &n.status, &n.reason, &n.message, &n.attempts, &n.owned, &n.deliveredAt))
		all = append(all, n)
		byID[n.id] = n
	}
	must(r.t, rows.Err())
	tries, err := r.db.QueryContext(ctx, `SELECT id, number, delivered, coalesce(status_code, 0), reason, message FROM notification_attempt ORDER BY id, number`)
	must(r.t, err)
	defer tries.Close()
	for tries.Next() {
		var id string
		var t delivery.Try
		must(r.t, tries.Scan(&id, &t.Number, &t.Result.Delivered, &t.Result.StatusCode, &t.Result.Reason, &t.Result.Message))
		if byID[id] == nil {
			r.t.Errorf("an attempt of %s has no row", id)
			continue
		}
		byID[id].tries = append(byID[id].tries, t)
	}
	must(r.t, tries.Err())
	return all
}

// evidence reads the audits of all projects.
func (r *trial) evidence() map[delivery.AttemptKey][]delivery.Reason {
	r.t.Helper()
	all := map[delivery.AttemptKey][]delivery.Reason{}
	for _, dir := range r.dirs {
		f, err := os.Open(project.Root{Dir: dir}.AuditFile())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		must(r.t, err)
		lines := audit.NewReader(f, 0)
		for {
			line, err := lines.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(r.t, err)
			e, ok := line.Entry()
			if len(bytes.TrimSpace(line.Bytes)) == 0 {
				continue // a line that was begun and could not be ended, see audit
			}
			if !ok {
				r.t.Errorf("%s: at %d stands %q", f.Name(), line.Offset, line.Bytes)
				continue
			}
			k := delivery.AttemptKey{EventID: e.EventID, TargetID: e.TargetID, Attempt: e.Attempt}
			all[k] = append(all[k], e.Reason)
		}
		if torn, ok := lines.Torn(); ok {
			r.t.Errorf("%s ends torn: %q", f.Name(), torn.Bytes)
		}
		must(r.t, f.Close())
	}
	return all
}

// outcome is what a trial found.
type outcome struct{ accepted, lost, twice, unknown, timeouts int }

// check compares the log, the evidence, the receivers, and what was accepted.
func (r *trial) check() outcome {
	r.t.Helper()
	log, evidence := r.log(), r.evidence()
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	for _, w := range r.book.wrong {
		r.t.Error(w)
	}
	o := outcome{accepted: len(r.accepted) * len(targets)}
	rows := map[parcel]*noted{}
	for _, n := range log {
		if rows[n.parcel] != nil {
			r.t.Errorf("%v was stored twice", n.parcel)
		}
		rows[n.parcel] = n
		r.checkRow(n, &o)
		r.checkEvidence(n, evidence)
	}
	for k := range evidence {
		r.t.Errorf("the evidence has an attempt that the log does not: %+v", k)
	}
	for run, event := range r.accepted {
		for _, target := range targets {
			n := rows[parcel{run, target}]
			if n == nil || n.event != event || (!refused(n.parcel) && n.status != "delivered") {
				o.lost++
				r.t.Errorf("%s to %s was accepted as %s and is lost: %+v", run, target, event, n)
			}
		}
	}
	if len(rows) != o.accepted {
		r.t.Errorf("%d rows for %d deliveries", len(rows), o.accepted)
	}
	return o
}

// checkRow compares a row with its attempts and with what the receivers know.
func (r *trial) checkRow(n *noted, o *outcome) {
	r.t.Helper()
	codes := map[int]int{}
	for _, got := range r.book.receipts[n.parcel] {
		codes[got.code]++
	}
	var reasons []delivery.Reason
	fuzzy := 0 // attempts whose outcome the log can't know
	for i, try := range n.tries {
		last := i == len(n.tries)-1
		switch reasons = append(reasons, try.Result.Reason); {
		case try.Number != i+1, try.Result.Delivered && !last, try.Result.Delivered != (try.Result.Reason == delivery.ReasonDelivered):
			r.t.Errorf("%v: attempts %+v", n.parcel, n.tries)
		case try.Result.Reason == delivery.ReasonUnknownOutcome:
			o.unknown++
			fuzzy++
		case try.Result.Reason == delivery.ReasonTimeout, try.Result.Reason == delivery.ReasonReset:
			o.timeouts++
			r.excused[n.parcel]++
			fuzzy++
		}
	}
	var final delivery.Try
	if len(n.tries) > 0 {
		final = n.tries[len(n.tries)-1]
	}
	message := final.Result.Message
	if n.status == "delivered" {
		message = ""
	}
	if n.attempts != len(n.tries) || n.reason != string(final.Result.Reason) || n.message != message || n.owned ||
		(n.status == "delivered") != final.Result.Delivered || n.deliveredAt != final.Result.Delivered {
		r.t.Errorf("%v does not match its attempts: %+v", n.parcel, n)
	}
	if took := codes[204] > 0; took != (n.status == "delivered") {
		r.t.Errorf("%v is %s, and the receiver answered %v", n.parcel, n.status, codes)
	}
	if refused(n.parcel) != (n.status == "failed") {
		r.t.Errorf("%v is %s: %v", n.parcel, n.status, reasons)
	}
	twice := max(0, codes[204]-1)
	o.twice += twice
	if twice > r.excused[n.parcel] {
		r.t.Errorf("%v arrived %d times, %d faults found it on its way: %v", n.parcel, codes[204], r.excused[n.parcel], reasons)
	}
	r.checkCodes(n, codes, reasons, fuzzy == 0)
}

// checkCodes compares what the receivers answered with what the log says of it;
// exact says that the log knows how every attempt ended.
func (r *trial) checkCodes(n *noted, codes map[int]int, reasons []delivery.Reason, exact bool) {
	r.t.Helper()
	for code, reason := range map[int]delivery.Reason{503: delivery.ReasonServerError, 410: delivery.ReasonRejected, 204: delivery.ReasonDelivered} {
		said := 0
		for _, x := range reasons {
			if x == reason {
				said++
			}
		}
		if said > codes[code] || exact && said < codes[code] {
			r.t.Errorf("%v: the receiver answered %v, the log says %v", n.parcel, codes, reasons)
		}
	}
}

// checkEvidence compares the attempts of a row with the evidence, and takes
// out of the latter what it has of the row. Two projects can both have lines of
// one attempt: what happened, and that a survivor did not know.
func (r *trial) checkEvidence(n *noted, evidence map[delivery.AttemptKey][]delivery.Reason) {
	r.t.Helper()
	target := delivery.Target{File: project.GatewayName, Channel: delivery.Webhook, Name: n.target}
	for _, try := range n.tries {
		k := delivery.AttemptKey{EventID: n.event, TargetID: target.ID(), Attempt: try.Number}
		lines := evidence[k]
		delete(evidence, k)
		if !slices.Contains(lines, try.Result.Reason) {
			r.t.Errorf("%v, attempt %d: the log says %q, the evidence %q", n.parcel, try.Number, try.Result.Reason, lines)
		}
		if len(lines) > 1 && !slices.Contains(lines, delivery.ReasonUnknownOutcome) {
			r.t.Errorf("%v, attempt %d is in the evidence as %q", n.parcel, try.Number, lines)
		}
	}
}

// end settles, checks and tells.
func (r *trial) end() outcome {
	r.t.Helper()
	r.settle()
	o := r.check()
	fmt.Printf("faults: %s faults=%d accepted=%d lost=%d duplicates=%d in-flight=%d unknown=%d timeouts=%d fenced=%d\n",
		r.name, r.faults, o.accepted, o.lost, o.twice, r.inFlight, o.unknown, o.timeouts, r.lostClaims)
	return o
}
