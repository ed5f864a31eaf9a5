package export

import (
	"cmp"
	"fmt"

	"agentxchain/internal/ecmajson"
)

// coordinator makes the checks of a coordinator export (contract, section
// 7.2), its embedded exports included.
func (j *judge) coordinator() {
	j.nonEmpty(CodeWorkspaceRoot, "workspace_root")
	j.coordinatorHead()
	switch {
	case !j.summary.known:
	case !j.summary.Is(ecmajson.Object):
		j.fail(CodeSummaryNotObject, "summary", "must be an object", j.at("summary", nil))
	default:
		j.coordinatorSummary()
	}
	j.matchesFile(CodeConfigMismatch, "config", j.config, workspacePath)
	if j.members["repos"].kind != ecmajson.Object {
		j.fail(CodeReposNotObject, "repos", "must be an object", j.at("repos", nil))
		return
	}
	for _, repo := range j.repos {
		j.repo(repo)
	}
	if j.summary.Is(ecmajson.Object) && j.fault == nil {
		j.events()
	}
}

// coordinatorHead checks the head of a coordinator export against the
// configuration. The sizes count what is configured, not what "repos" holds: a
// repository may be missing there without a word from the Node CLI.
func (j *judge) coordinatorHead() {
	head := j.member("coordinator")
	if !head.known {
		return
	}
	if !head.Is(ecmajson.Object) {
		j.fail(CodeCoordinatorNotObject, "coordinator", "must be an object", j.at("coordinator", nil))
		return
	}
	if !j.config.known {
		return
	}
	check := func(key string, want *ecmajson.Value, source string) {
		j.matches(CodeCoordinatorMismatch, "coordinator", "coordinator."+key, head.Get(key), want, "config."+source)
	}
	size := func(key string) *ecmajson.Value {
		return ecmajson.NewInt(int64(len(objectKeys(j.config.Get(key)))))
	}
	check("project_id", j.config.Get("project").Get("id"), "project.id")
	check("project_name", j.config.Get("project").Get("name"), "project.name")
	check("repo_count", size("repos"), "repos size")
	check("workstream_count", size("workstreams"), "workstreams size")
}

// coordinatorSummary compares the summary with the coordinator's own files,
// each of which may be absent and then counts as empty.
func (j *judge) coordinatorSummary() {
	state := j.fileData(workspaceState)
	if state.known {
		for _, key := range []string{"super_run_id", "status", "phase"} {
			j.matches(CodeRunMismatch, "summary", "summary."+key, j.summary.Get(key), orNull(state.Get(key)), "coordinator state "+key)
		}
	}
	j.phaseOrder()
	if state.known {
		j.repoStatuses(state.Get("repo_runs"))
	}
	if barriers := j.fileData(workspaceBarriers); barriers.known {
		n := int64(len(objectKeys(barriers.Value)))
		j.counts("barrier_count", n, "barriers.json object size")
	}
	j.counts("history_entries", j.count(workspaceHistory), "multirepo history entry count")
	j.counts("decision_entries", j.count(workspaceDecisions), "multirepo decision entry count")
}

// repoStatuses recomputes summary.repo_run_statuses from the state's repo_runs.
func (j *judge) repoStatuses(runs *ecmajson.Value) {
	want := ecmajson.NewObject()
	for _, id := range objectKeys(runs) {
		run := runs.Get(id)
		if run.Is(ecmajson.Null) {
			off := int64(run.Offset()) + j.byPath[workspaceState].data.off
			j.fail(CodeNullRun, "files."+workspaceState, "repo_runs."+id+" is null", off)
		}
		want.Set(id, orElse(run.Get("status"), ecmajson.NewString("unknown")))
	}
	got := j.summary.Get("repo_run_statuses")
	if !ecmajson.Equal(got, want) {
		j.fail(CodeRepoStatusesMismatch, "summary.repo_run_statuses", "must match coordinator state repo run statuses", j.at("summary", got))
	}
}

// repo checks one member of "repos" and the export in it. An embedded export is
// judged like any other, by the kind that it claims to be of.
func (j *judge) repo(repo *repoEntry) {
	path := "repos." + repo.id
	bad := func(path, message string, sp span) {
		if !sp.present() {
			sp = repo.span
		}
		j.fail(CodeRepoInvalid, path, message, sp.off)
	}
	if repo.kind != ecmajson.Object {
		bad(path, "must be an object", repo.span)
		return
	}
	if at := j.load(path+".path", repo.path); at.known && at.Str() == "" {
		bad(path+".path", "must be a non-empty string", repo.path)
	}
	ok := j.load(path+".ok", repo.ok)
	switch {
	case !ok.Is(ecmajson.Bool):
		bad(path+".ok", "must be a boolean", repo.ok)
	case !ok.True():
		if text := j.load(path+".error", repo.error); text.known && text.Str() == "" {
			bad(path+".error", "must be a non-empty string when ok is false", repo.error)
		}
	case repo.exportSpan.kind != ecmajson.Object:
		bad(path+".export", "must be an object when ok is true", repo.exportSpan)
	case repo.export == nil:
		j.finding(SeverityUnverifiable, CodeLimitDepth, path+".export", fmt.Sprintf("embedded more than %d levels deep; it is not judged", maxNesting), repo.exportSpan.off)
	default:
		nested := &judge{verifier: j.verifier, bundle: repo.export, prefix: j.prefix + path + ".export: ", ours: j.ours}
		nested.all(nested.member("schema_version"), nested.member("export_kind"))
	}
}

// events recomputes summary.aggregated_events, which may be absent, from the
// embedded exports. Its memory is that of the result: the events have to be
// sorted across repositories before they can be compared.
func (j *judge) events() {
	const path = "summary.aggregated_events"
	said := j.summary.Get("aggregated_events")
	bad := func(path, message string, v *ecmajson.Value) {
		j.fail(CodeEventsMismatch, path, message, j.at("summary", cmp.Or(v, said)))
	}
	switch {
	case said == nil || said.Is(ecmajson.Null):
		return
	case !said.Is(ecmajson.Object):
		bad(path, "must be an object when present", said)
		return
	}
	j.eventsWithoutProof(said.Get("repos_with_events"))
	events, ok := j.collectEvents()
	if !ok {
		return
	}
	if total := said.Get("total_events"); !isCountOf(total, int64(len(events.events))) {
		bad(path+".total_events", "must match reconstructed aggregated event count", total)
	}
	if ids := said.Get("repos_with_events"); !ecmajson.Equal(ids, ecmajson.NewStrings(events.repoIDs())) {
		bad(path+".repos_with_events", "must match reconstructed contributing repo ids", ids)
	}
	if counts := said.Get("event_type_counts"); !ecmajson.Equal(counts, events.typeCounts()) {
		bad(path+".event_type_counts", "must match reconstructed event type counts", counts)
	}
	if list := said.Get("events"); !sameEvents(list, events) {
		bad(path+".events", "must match reconstructed sorted aggregated event list", list)
	}
}

// eventsWithoutProof reports repositories that are said to have contributed
// although their export failed.
func (j *judge) eventsWithoutProof(ids *ecmajson.Value) {
	failed := map[string]bool{}
	for _, repo := range j.repos {
		ok := j.load("repos."+repo.id+".ok", repo.ok)
		failed[repo.id] = ok.Is(ecmajson.Bool) && !ok.True()
	}
	for _, id := range ids.Items() {
		if key := propertyKey(id); failed[key] {
			j.fail(CodeEventsFromFailedRepo, "summary.aggregated_events.repos_with_events", fmt.Sprintf(
				"cannot include repo %q when repos.%s.ok is false because no nested export proof is available", rawString(key), key), j.at("summary", id))
		}
	}
}

// collectEvents gathers the events of all embedded exports in their order. It
// reports false when some of them cannot be judged.
func (j *judge) collectEvents() (*aggregatedEvents, bool) {
	byID := map[string]*repoEntry{}
	// The order of Object.entries decides between events of the same time.
	order := ecmajson.NewObject()
	for _, repo := range j.repos {
		byID[repo.id] = repo
		order.Set(repo.id, ecmajson.NewNull())
	}
	events := &aggregatedEvents{}
	for _, id := range order.OwnKeys() {
		repo := byID[id]
		if ok := j.load("repos."+id+".ok", repo.ok); !ok.Truthy() || repo.export == nil {
			continue
		}
		nested := &judge{verifier: j.verifier, bundle: repo.export, prefix: j.prefix + "repos." + id + ".export: "}
		if !nested.each(eventsPath, always, func(v *ecmajson.Value) { events.add(id, v) }) {
			return nil, false
		}
	}
	events.sort()
	return events, true
}

// sameEvents compares a list with the collected events one by one, so that
// only one tree of an event exists at a time.
func sameEvents(list *ecmajson.Value, events *aggregatedEvents) bool {
	if !list.Is(ecmajson.Array) || list.Len() != len(events.events) {
		return false
	}
	for i, item := range list.Items() {
		want, err := ecmajson.Parse(events.events[i].text, ecmajson.Options{})
		if err != nil || !ecmajson.Equal(item, want) {
			return false
		}
	}
	return true
}
