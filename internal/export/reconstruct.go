package export

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"agentxchain/internal/ecmajson"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// This file derives the parts of a summary that can be computed again from the
// files of a bundle. The builder and the verifier share it, so that the one
// cannot claim what the other would not find. Collectors take one record at a
// time and keep only what their result is made of. Records that are not
// objects are ignored: a foreign program may append anything.

// cutLine splits b after its first line feed. The line comes without the line
// feed and without one carriage return before it, as the Node CLI reads JSONL;
// terminated is false for a last line that lacks its line feed.
func cutLine(b []byte) (line, rest []byte, terminated bool) {
	line, rest, terminated = bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest, terminated
}

// localeOrder returns a comparison that equals localeCompare(a, b, "en"). Like
// that one it calls some different strings equal, so sort stably. The function
// must not be used by two goroutines at once.
func localeOrder() func(a, b string) int {
	// The collator is built on use: its tables are not worth loading in
	// commands that never sort.
	return collate.New(language.English).CompareString
}

// sortByLocale sorts a list stably in [localeOrder].
func sortByLocale(list []string) {
	if len(list) < 2 {
		return
	}
	c, buf := collate.New(language.English), collate.Buffer{}
	type keyed struct {
		key []byte
		s   string
	}
	keys := make([]keyed, len(list))
	for i, s := range list {
		keys[i] = keyed{c.KeyFromString(&buf, s), s}
	}
	slices.SortStableFunc(keys, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
	for i, k := range keys {
		list[i] = k.s
	}
}

// turnIDs lists the keys of state.active_turns or state.retained_turns in
// locale order (contract, section 7.2).
func turnIDs(turns *ecmajson.Value) []string {
	keys := objectKeys(turns)
	sortByLocale(keys)
	return keys
}

// objectKeys is Object.keys for any value: arrays and strings have their
// indices, other primitives nothing. The result is never nil.
func objectKeys(v *ecmajson.Value) []string {
	n := 0
	switch v.Kind() {
	case ecmajson.Object:
		return v.OwnKeys()
	case ecmajson.Array:
		n = len(v.Items())
	case ecmajson.String:
		n = ecmajson.UTF16Len(v.Str())
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	return keys
}

// propertyKey is what a value becomes as the key of an ECMAScript object.
func propertyKey(v *ecmajson.Value) string {
	switch v.Kind() {
	case ecmajson.String:
		return v.Str()
	case ecmajson.Number:
		return string(ecmajson.Append(nil, ecmajson.NewNumber(v.Num())))
	case ecmajson.Object:
		return "[object Object]"
	case ecmajson.Array:
		parts := make([]string, len(v.Items()))
		for i, item := range v.Items() {
			if !item.Is(ecmajson.Null) {
				parts[i] = propertyKey(item)
			}
		}
		return strings.Join(parts, ",")
	case ecmajson.Bool, ecmajson.Null:
		return string(ecmajson.Append(nil, v))
	}
	return "undefined"
}

// firstTruthy is ECMAScript's a || b || … without the last alternative.
func firstTruthy(values ...*ecmajson.Value) *ecmajson.Value {
	for _, v := range values {
		if v.Truthy() {
			return v
		}
	}
	return nil
}

// orNull is v || null.
func orNull(v *ecmajson.Value) *ecmajson.Value { return orElse(v, ecmajson.NewNull()) }

// orElse is v || other.
func orElse(v, other *ecmajson.Value) *ecmajson.Value {
	if v.Truthy() {
		return v
	}
	return other
}

// identity is a key under which equal primitives meet in a map, and objects
// and arrays do not, as in an ECMAScript Map. Absent values are one key too.
func identity(v *ecmajson.Value) any {
	switch v.Kind() {
	case ecmajson.Invalid, ecmajson.Null, ecmajson.Bool:
		return singleton{v.Kind(), v.True()}
	case ecmajson.Number:
		return v.Num() + 0 // -0 and 0 are one key
	case ecmajson.String:
		return v.Str()
	}
	return v
}

// singleton is the [identity] of an absent value, null, false or true.
type singleton struct {
	kind  ecmajson.Kind
	truth bool
}

// delegations collects summary.delegation_summary from the records of
// .agentxchain/history.jsonl.
type delegations struct {
	// order holds the keys of parents as they were first seen.
	order    []any
	parents  map[any]delegationParent
	children map[any]*ecmajson.Value
	reviews  map[any]*ecmajson.Value
}

type delegationParent struct{ turnID, role, issued *ecmajson.Value }

// mayDelegate reports whether a history line can matter to [delegations]. It
// spares the parsing of all other lines; an escape could hide the key, so a
// line with one is not spared.
func mayDelegate(line []byte) bool {
	return bytes.Contains(line, []byte("delegation")) || bytes.Contains(line, []byte(`\u`))
}

// add takes one history record; of records that claim the same place the last
// one counts.
func (d *delegations) add(record *ecmajson.Value) {
	if !record.Is(ecmajson.Object) {
		return
	}
	if d.parents == nil {
		d.parents = map[any]delegationParent{}
		d.children = map[any]*ecmajson.Value{}
		d.reviews = map[any]*ecmajson.Value{}
	}
	turnID := record.Get("turn_id")
	if issued := record.Get("delegations_issued"); issued.Is(ecmajson.Array) {
		key := identity(turnID)
		if _, seen := d.parents[key]; !seen {
			d.order = append(d.order, key)
		}
		d.parents[key] = delegationParent{turnID, record.Get("role"), issued}
	}
	if context := record.Get("delegation_context"); context.Truthy() {
		d.children[identity(context.Get("delegation_id"))] = ecmajson.NewObject().
			Set("turn_id", turnID).Set("status", record.Get("status"))
	}
	if review := record.Get("delegation_review"); review.Truthy() {
		d.reviews[identity(review.Get("parent_turn_id"))] = ecmajson.NewObject().
			Set("turn_id", turnID).Set("results", review.Get("results"))
	}
}

// summary returns {total_delegations_issued, delegation_chains}. The total and
// the chains count every element of delegations_issued, whatever it is.
func (d *delegations) summary() *ecmajson.Value {
	total := 0
	chains := make([]*ecmajson.Value, 0, len(d.order))
	for _, key := range d.order {
		parent := d.parents[key]
		total += parent.issued.Len()
		chains = append(chains, d.chain(parent, d.reviews[key]))
	}
	return ecmajson.NewObject().
		Set("total_delegations_issued", ecmajson.NewInt(int64(total))).
		Set("delegation_chains", ecmajson.NewArray(chains...))
}

func (d *delegations) chain(parent delegationParent, review *ecmajson.Value) *ecmajson.Value {
	results := map[any]*ecmajson.Value{}
	for _, r := range review.Get("results").Items() {
		if id := r.Get("delegation_id"); id.Truthy() {
			results[identity(id)] = r
		}
	}
	list := make([]*ecmajson.Value, 0, parent.issued.Len())
	for _, issued := range parent.issued.Items() {
		list = append(list, d.delegation(issued, results))
	}
	return ecmajson.NewObject().
		Set("parent_turn_id", parent.turnID).
		Set("parent_role", parent.role).
		Set("delegations", ecmajson.NewArray(list...)).
		Set("review_turn_id", orNull(review.Get("turn_id"))).
		Set("outcome", ecmajson.NewString(delegationOutcome(review != nil, list)))
}

func (d *delegations) delegation(issued *ecmajson.Value, results map[any]*ecmajson.Value) *ecmajson.Value {
	id := issued.Get("id")
	result, child := results[identity(id)], d.children[identity(id)]
	fallback := "pending"
	if child != nil {
		fallback = "completed"
	}
	status := firstTruthy(result.Get("status"), child.Get("status"), ecmajson.NewString(fallback))
	return ecmajson.NewObject().
		Set("delegation_id", id).
		Set("to_role", issued.Get("to_role")).
		Set("charter", issued.Get("charter")).
		Set("required_decision_ids", arrayOrEmpty(issued.Get("required_decision_ids"))).
		Set("satisfied_decision_ids", arrayOrEmpty(result.Get("satisfied_decision_ids"))).
		Set("missing_decision_ids", arrayOrEmpty(result.Get("missing_decision_ids"))).
		Set("status", status).
		Set("child_turn_id", orNull(child.Get("turn_id")))
}

// delegationOutcome sums up the statuses of one chain.
func delegationOutcome(reviewed bool, list []*ecmajson.Value) string {
	if !reviewed {
		return "pending"
	}
	for _, outcome := range []string{"completed", "failed"} {
		if !slices.ContainsFunc(list, func(v *ecmajson.Value) bool { return v.Get("status").Str() != outcome }) {
			return outcome
		}
	}
	return "mixed"
}

func arrayOrEmpty(v *ecmajson.Value) *ecmajson.Value {
	if v.Is(ecmajson.Array) {
		return v
	}
	return ecmajson.NewArray()
}

// repoDecisions collects summary.repo_decisions from the records of
// .agentxchain/repo-decisions.jsonl. roles is config.roles, by which the
// authority of a decision is looked up.
type repoDecisions struct {
	roles              *ecmajson.Value
	total              int
	active, overridden []*ecmajson.Value
}

// add takes one decision record. Records that are neither null nor objects
// count in the total, as they do in the Node CLI.
func (r *repoDecisions) add(record *ecmajson.Value) {
	if record == nil || record.Is(ecmajson.Null) {
		return
	}
	r.total++
	level, source := r.authority(record.Get("role"))
	switch record.Get("status").Str() {
	case "active":
		r.active = append(r.active, ecmajson.NewObject().
			Set("id", record.Get("id")).
			Set("category", record.Get("category")).
			Set("statement", record.Get("statement")).
			Set("role", record.Get("role")).
			Set("run_id", record.Get("run_id")).
			Set("overrides", orNull(record.Get("overrides"))).
			Set("durability", orElse(record.Get("durability"), ecmajson.NewString("repo"))).
			Set("authority_level", level).
			Set("authority_source", source))
	case "overridden":
		r.overridden = append(r.overridden, ecmajson.NewObject().
			Set("id", record.Get("id")).
			Set("overridden_by", record.Get("overridden_by")).
			Set("statement", record.Get("statement")).
			Set("overrides", orNull(record.Get("overrides"))).
			Set("durability", orElse(record.Get("durability"), ecmajson.NewString("repo"))).
			Set("role", orNull(record.Get("role"))).
			Set("authority_level", level).
			Set("authority_source", source))
	}
}

// authority returns the level of a role and where it comes from, or two nulls
// (contract, section 6.4).
func (r *repoDecisions) authority(role *ecmajson.Value) (level, source *ecmajson.Value) {
	configured := r.roles.Get(propertyKey(role))
	authority := configured.Get("decision_authority")
	switch {
	case !r.roles.Truthy():
		return ecmajson.NewNull(), ecmajson.NewNull()
	case authority.Is(ecmajson.Number):
		return authority, ecmajson.NewString("configured")
	case role.Str() == "human":
		return ecmajson.NewInt(100), ecmajson.NewString("human_default")
	case !configured.Truthy():
		return ecmajson.NewInt(0), ecmajson.NewString("unknown_role")
	}
	return ecmajson.NewNull(), ecmajson.NewNull()
}

// summary returns the decisions' summary, or null when there are none.
func (r *repoDecisions) summary() *ecmajson.Value {
	if r.total == 0 {
		return ecmajson.NewNull()
	}
	return ecmajson.NewObject().
		Set("total", ecmajson.NewInt(int64(r.total))).
		Set("active_count", ecmajson.NewInt(int64(len(r.active)))).
		Set("overridden_count", ecmajson.NewInt(int64(len(r.overridden)))).
		Set("active", ecmajson.NewArray(r.active...)).
		Set("overridden", ecmajson.NewArray(r.overridden...)).
		Set("operator_summary", r.operatorSummary())
}

func (r *repoDecisions) operatorSummary() *ecmajson.Value {
	var highest *ecmajson.Value
	for _, d := range r.active {
		level := d.Get("authority_level")
		if level.Is(ecmajson.Number) && (highest == nil || level.Num() > highest.Get("authority_level").Num()) {
			highest = d
		}
	}
	field := func(key string) *ecmajson.Value {
		if v := highest.Get(key); v != nil {
			return v
		}
		return ecmajson.NewNull()
	}
	return ecmajson.NewObject().
		Set("active_categories", r.categories()).
		Set("highest_active_authority_level", field("authority_level")).
		Set("highest_active_authority_role", field("role")).
		Set("highest_active_authority_source", field("authority_source")).
		Set("superseding_active_count", countTruthy(r.active, "overrides")).
		Set("overridden_with_successor_count", countTruthy(r.overridden, "overridden_by"))
}

// categories lists the distinct categories of active decisions in code-unit order.
func (r *repoDecisions) categories() *ecmajson.Value {
	seen := map[any]bool{}
	list := []*ecmajson.Value{}
	for _, d := range r.active {
		c := d.Get("category")
		if key := identity(c); c.Truthy() && !seen[key] {
			seen[key] = true
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *ecmajson.Value) int {
		return compareCodeUnits(propertyKey(a), propertyKey(b))
	})
	return ecmajson.NewArray(list...)
}

func countTruthy(list []*ecmajson.Value, key string) *ecmajson.Value {
	n := int64(0)
	for _, v := range list {
		if v.Get(key).Truthy() {
			n++
		}
	}
	return ecmajson.NewInt(n)
}

// compareCodeUnits orders two WTF-8 strings by UTF-16 code units, which is
// what Array.prototype.sort does. It differs from the order of bytes only
// between characters above U+FFFF and those from U+E000 to U+FFFF.
func compareCodeUnits(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) || n == len(b) {
		return len(a) - len(b)
	}
	return int(codeUnitRank(a[n])) - int(codeUnitRank(b[n]))
}

// codeUnitRank moves the first bytes of characters above U+FFFF, whose code
// units are surrogates, before those of U+E000 to U+FFFF.
func codeUnitRank(c byte) byte {
	switch {
	case c >= 0xF0:
		return 0xEE
	case c == 0xEE, c == 0xEF:
		return c + 1
	}
	return c
}

// aggregatedEvents collects summary.aggregated_events of a coordinator from
// the records of each child's .agentxchain/events.jsonl. An event is kept as
// text: trees would take ten times its size.
type aggregatedEvents struct {
	events []aggregatedEvent
}

type aggregatedEvent struct {
	// at is the timestamp in milliseconds; +Inf when it is not a date.
	at             float64
	repo, id, kind string
	// text is the event as compact JSON with its repo_id.
	text []byte
}

// add takes one event of a repository whose export succeeded. It takes record
// over and changes it.
func (a *aggregatedEvents) add(repoID string, record *ecmajson.Value) {
	if !record.Is(ecmajson.Object) {
		return
	}
	record.Set("repo_id", ecmajson.NewString(repoID))
	e := aggregatedEvent{
		at:   eventTime(record.Get("timestamp")),
		repo: repoID,
		kind: propertyKey(firstTruthy(record.Get("event_type"), record.Get("type"), ecmajson.NewString("unknown"))),
		text: ecmajson.Append(nil, record),
	}
	if id := record.Get("event_id"); id.Truthy() {
		e.id = propertyKey(id)
	}
	a.events = append(a.events, e)
}

// rewind forgets all but the first n events.
func (a *aggregatedEvents) rewind(n int) { a.events = a.events[:n] }

// eventTime is when an event sorts; what is not a date sorts to the end.
func eventTime(timestamp *ecmajson.Value) float64 {
	if ms, ok := dateOf(timestamp); ok {
		return ms
	}
	return math.Inf(1)
}

// dateOf is Date.parse of a timestamp, in milliseconds; what is no text has none.
func dateOf(v *ecmajson.Value) (ms float64, ok bool) {
	if !v.Is(ecmajson.String) {
		return 0, false
	}
	return parseDate(v.Str())
}

// sort puts the events in their order: by time, then by id, then as added.
func (a *aggregatedEvents) sort() {
	order := localeOrder()
	slices.SortStableFunc(a.events, func(x, y aggregatedEvent) int {
		switch {
		case x.at < y.at:
			return -1
		case x.at > y.at:
			return 1
		}
		return order(x.id, y.id)
	})
}

// repoIDs lists the repositories that had events, in code-unit order.
func (a *aggregatedEvents) repoIDs() []string {
	ids := []string{}
	for i, e := range a.events {
		if i == 0 || e.repo != a.events[i-1].repo {
			ids = append(ids, e.repo)
		}
	}
	slices.SortFunc(ids, compareCodeUnits)
	return slices.Compact(ids)
}

// typeCounts returns how many events there are of each type, types in the
// order of their first event.
func (a *aggregatedEvents) typeCounts() *ecmajson.Value {
	counts := ecmajson.NewObject()
	for _, e := range a.events {
		counts.Set(e.kind, ecmajson.NewInt(int64(counts.Get(e.kind).Num())+1))
	}
	return counts
}
