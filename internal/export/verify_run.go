package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"agentxchain/internal/ecmajson"
)

// run makes the checks of a run export (contract, section 7.2). The Node CLI
// stops at a summary or state that is no object; here only the checks stop
// that need what is missing, so that one fault does not hide the others.
func (j *judge) run() {
	j.nonEmpty(CodeProjectRoot, "project_root")
	j.project()
	if j.summary.known && !j.summary.Is(ecmajson.Object) {
		j.fail(CodeSummaryNotObject, "summary", "must be an object", j.at("summary", nil))
	}
	stateOK := j.state.Is(ecmajson.Object)
	if j.state.known && !stateOK {
		j.fail(CodeStateNotObject, "state", "must be an object", j.at("state", nil))
	}
	j.matchesFile(CodeConfigMismatch, "config", j.config, configPath)
	if stateOK {
		j.matchesFile(CodeStateMismatch, "state", j.state, statePath)
	}
	j.workspace()
	if j.summary.Is(ecmajson.Object) {
		if stateOK {
			j.runState()
		}
		j.phaseOrder()
		j.runCounts()
		j.delegationSummary()
		j.repoDecisionSummary()
		j.dashboard()
	}
}

// nonEmpty checks that a top-level member is a string with content.
func (j *judge) nonEmpty(code Code, key string) {
	if v := j.member(key); v.known && v.Str() == "" {
		j.fail(code, key, "must be a non-empty string", j.at(key, nil))
	}
}

// matches reports a value under the top-level member root that is not ===
// what it was derived from.
func (j *judge) matches(code Code, root, path string, got, want *ecmajson.Value, source string) {
	if !strictEqual(got, want) {
		j.fail(code, path, "must match "+source, j.at(root, got))
	}
}

// project checks the head of a run export against the configuration. A missing
// configuration is no excuse: then nothing may be claimed, as in the Node CLI.
func (j *judge) project() {
	project := j.member("project")
	if !project.known {
		return
	}
	if !project.Is(ecmajson.Object) {
		j.fail(CodeProjectNotObject, "project", "must be an object", j.at("project", nil))
		return
	}
	check := func(key string, want *ecmajson.Value, source string) {
		j.matches(CodeProjectMismatch, "project", "project."+key, project.Get(key), want, source)
	}
	if j.config.known {
		configured := j.config.Get("project")
		check("id", configured.Get("id"), "config.project.id")
		check("name", configured.Get("name"), "config.project.name")
		check("template", orElse(j.config.Get("template"), ecmajson.NewString("generic")), "config.template or implicit generic")
	}
	if j.config.known && j.state.known {
		mode := firstTruthy(j.config.Get("protocol_mode"), j.state.Get("protocol_mode"), ecmajson.NewString("governed"))
		check("protocol_mode", mode, "exported protocol mode")
	}
}

// fileData returns files[path].data.
func (j *judge) fileData(path string) loaded {
	f := j.byPath[path]
	if f == nil || f.kind != ecmajson.Object {
		return loaded{known: true}
	}
	return j.load("files."+path, f.data)
}

// matchesFile checks that a top-level member equals the data of a file.
func (j *judge) matchesFile(code Code, key string, got loaded, path string) {
	want := j.fileData(path)
	if got.known && want.known && !ecmajson.Equal(got.Value, want.Value) {
		j.fail(code, key, "must match files."+path+".data", j.at(key, nil))
	}
}

// workspace checks the shape of what the builder heard from git. Nothing in the
// bundle could prove or refute it.
func (j *judge) workspace() {
	if !j.members["workspace"].present() {
		return
	}
	workspace := j.member("workspace")
	bad := func(path, message string, v *ecmajson.Value) {
		j.fail(CodeWorkspace, path, message, j.at("workspace", v))
	}
	git := workspace.Get("git")
	switch {
	case !workspace.known:
		return
	case !workspace.Is(ecmajson.Object):
		bad("workspace", "must be an object", nil)
		return
	case !git.Is(ecmajson.Object):
		bad("workspace.git", "must be an object", git)
		return
	}
	for _, key := range []string{"is_repo", "restore_supported"} {
		if v := git.Get(key); !v.Is(ecmajson.Bool) {
			bad("workspace.git."+key, "must be a boolean", v)
		}
	}
	if v := git.Get("head_sha"); v.Str() == "" && !v.Is(ecmajson.Null) {
		bad("workspace.git.head_sha", "must be a string or null", v)
	}
	for _, key := range []string{"dirty_paths", "restore_blockers"} {
		if v := git.Get(key); !isNonEmptyStrings(v) {
			bad("workspace.git."+key, "must be an array of non-empty strings", v)
		}
	}
}

// isNonEmptyStrings reports whether v is an array of strings with content.
func isNonEmptyStrings(v *ecmajson.Value) bool {
	for _, item := range v.Items() {
		if item.Str() == "" {
			return false
		}
	}
	return v.Is(ecmajson.Array)
}

// runState compares the summary with the state. What is falsy in the state,
// such as an empty run_id, is null in the summary.
func (j *judge) runState() {
	for _, kind := range []string{"active", "retained"} {
		key := kind + "_turn_ids"
		got, want := j.summary.Get(key), ecmajson.NewStrings(turnIDs(j.state.Get(kind+"_turns")))
		if !ecmajson.Equal(got, want) {
			j.fail(CodeTurnIDs, "summary."+key, "must match sorted state."+kind+"_turns keys", j.at("summary", got))
		}
	}
	for _, key := range []string{"run_id", "status", "phase"} {
		j.matches(CodeRunMismatch, "summary", "summary."+key, j.summary.Get(key), orNull(j.state.Get(key)), "state."+key)
	}
}

// phaseOrder checks summary.workflow_phase_order, which may be absent. It is
// not compared with config.routing: the Node CLI lets a project differ there.
func (j *judge) phaseOrder() {
	const path = "summary.workflow_phase_order"
	order := j.summary.Get("workflow_phase_order")
	bad := func(path, message string, v *ecmajson.Value) {
		j.fail(CodePhaseOrder, path, message, j.at("summary", v))
	}
	switch {
	case order == nil || order.Is(ecmajson.Null):
		return
	case !order.Is(ecmajson.Array):
		bad(path, "must be an array or null", order)
		return
	case order.Len() == 0:
		bad(path, "must not be empty when present", order)
		return
	}
	seen := map[string]bool{}
	for i, item := range order.Items() {
		at, phase := fmt.Sprintf("%s[%d]", path, i), item.Str()
		switch trimmed := ecmajson.Trim(phase); {
		case !item.Is(ecmajson.String):
			bad(at, "must be a string", item)
		case trimmed == "":
			bad(at, "must not be blank", item)
		case trimmed != phase:
			bad(at, "must be trimmed", item)
		case seen[phase]:
			bad(path, `must not contain duplicate phase "`+phase+`"`, item)
		default:
			seen[phase] = true
		}
	}
	// An empty phase is a phase here, unlike in the comparison with the state.
	if phase := j.summary.Get("phase"); phase != nil && !phase.Is(ecmajson.Null) && (!phase.Is(ecmajson.String) || !seen[phase.Str()]) {
		j.fail(CodePhaseUnlisted, "summary.phase", "must appear in summary.workflow_phase_order when workflow_phase_order is present", j.at("summary", phase))
	}
}

// runCounts recomputes what the summary counts. The numbers are those of "data"
// (contract, section 6.4): a bounded export counts what it retained, which is
// why withheld content needs a finding of its own.
func (j *judge) runCounts() {
	for _, c := range []struct{ key, path string }{
		{"history_entries", historyPath},
		{"decision_entries", decisionsPath},
		{"hook_audit_entries", hookAuditPath},
		{"notification_audit_entries", auditPath},
	} {
		j.counts(c.key, j.count(c.path), c.path+" entry count")
	}
	j.counts("dispatch_artifact_files", j.filesBelow(".agentxchain/dispatch/"), ".agentxchain/dispatch file count")
	j.counts("staging_artifact_files", j.filesBelow(".agentxchain/staging/"), ".agentxchain/staging file count")
	for _, c := range []struct{ key, folder, name string }{
		{"intake_present", ".agentxchain/intake/", "intake"},
		{"coordinator_present", ".agentxchain/multirepo/", "multirepo"},
	} {
		present := ecmajson.NewBool(j.filesBelow(c.folder) > 0)
		j.matches(CodePresenceMismatch, "summary", "summary."+c.key, j.summary.Get(c.key), present, c.name+" file presence")
	}
}

// counts checks one number of the summary, which must be n itself.
func (j *judge) counts(key string, n int64, source string) {
	j.matches(CodeCountMismatch, "summary", "summary."+key, j.summary.Get(key), ecmajson.NewInt(n), source)
}

// filesBelow counts the entries whose path begins with folder.
func (j *judge) filesBelow(folder string) int64 {
	n := int64(0)
	for _, f := range j.files {
		if strings.HasPrefix(f.path, folder) {
			n++
		}
	}
	return n
}

// delegationSummary recomputes summary.delegation_summary from the history. A
// summary without delegations may be absent or null whether or not there is a
// history. Other keys in it mean nothing.
func (j *judge) delegationSummary() {
	const path = "summary.delegation_summary"
	var d delegations
	if !j.each(historyPath, mayDelegate, d.add) {
		return
	}
	_, hasHistory := j.array(historyPath)
	got, want := j.summary.Get("delegation_summary"), d.summary()
	bad := func(path, message string, v *ecmajson.Value) {
		j.fail(CodeDelegations, path, message, j.at("summary", v))
	}
	switch absent := got == nil || got.Is(ecmajson.Null); {
	case absent && want.Get("total_delegations_issued").Num() > 0:
		bad(path, "is null but history.jsonl contains delegation entries", got)
		return
	case absent:
		return
	case !hasHistory:
		bad(path, "claims delegations but no history.jsonl in export", got)
		return
	}
	if total := got.Get("total_delegations_issued"); !strictEqual(total, want.Get("total_delegations_issued")) {
		bad(path+".total_delegations_issued", "must match reconstructed delegation count", cmp.Or(total, got))
	}
	if chains := got.Get("delegation_chains"); !j.equalEntries(chains, want.Get("delegation_chains"), chainKeys) {
		bad(path+".delegation_chains", "must match reconstructed delegation chains from history.jsonl", cmp.Or(chains, got))
	}
}

// How many keys the entries of the reconstructed lists have when nothing is
// missing in the records that they are made from.
const (
	chainKeys      = 5
	delegationKeys = 8
	activeKeys     = 9
	overriddenKeys = 8
)

// equalEntries compares a list of a summary with the reconstructed one, whose
// entries have the given number of keys. Where a record lacks a value, the Node
// CLI's entry has an undefined, which equals nothing that a bundle can hold, so
// it refuses its own bundles of such projects. We say the same of them, and not
// of those that we made ourselves: there, absent is absent.
func (j *judge) equalEntries(said, computed *ecmajson.Value, keys int) bool {
	if !j.ours && lacksKeys(computed, keys) {
		return false
	}
	return ecmajson.Equal(said, computed)
}

func lacksKeys(list *ecmajson.Value, keys int) bool {
	return slices.ContainsFunc(list.Items(), func(entry *ecmajson.Value) bool {
		return entry.Len() < keys || lacksKeys(entry.Get("delegations"), delegationKeys)
	})
}

// repoDecisionSummary recomputes summary.repo_decisions. The authority behind a
// decision comes from the roles of "config", not of its file: the two were
// compared already.
func (j *judge) repoDecisionSummary() {
	const path = "summary.repo_decisions"
	decisions := repoDecisions{roles: j.config.Get("roles")}
	if !j.each(repoPath, always, decisions.add) || !j.config.known {
		return
	}
	got := j.summary.Get("repo_decisions")
	data, _ := j.array(repoPath)
	hasFile := j.byPath[repoPath] != nil
	bad := func(message string, v *ecmajson.Value) { j.fail(CodeRepoDecisions, path, message, j.at("summary", v)) }
	switch absent := got == nil || got.Is(ecmajson.Null); {
	case absent && data.items > 0:
		bad("is null but repo-decisions.jsonl contains entries", got)
		return
	case absent:
		return
	case !hasFile:
		bad("claims repo decisions but no .agentxchain/repo-decisions.jsonl in export", got)
		return
	case data.items == 0:
		bad("claims repo decisions but repo-decisions.jsonl is empty", got)
		return
	}
	j.repoDecisionFields(got, decisions.summary())
}

// repoDecisionFields compares the parts of a summary of decisions, so that each
// difference is named.
func (j *judge) repoDecisionFields(got, want *ecmajson.Value) {
	for _, f := range []struct {
		key, source string
		keys        int
	}{
		{"total", "repo decision count", 0},
		{"active_count", "active count", 0},
		{"overridden_count", "overridden count", 0},
		{"active", "active decisions from repo-decisions.jsonl", activeKeys},
		{"overridden", "overridden decisions from repo-decisions.jsonl", overriddenKeys},
		{"operator_summary", "repo decision operator summary", 0},
	} {
		said, computed := got.Get(f.key), want.Get(f.key)
		if !strictEqual(said, computed) && !j.equalEntries(said, computed, f.keys) {
			j.fail(CodeRepoDecisions, "summary.repo_decisions."+f.key, "must match reconstructed "+f.source, j.at("summary", cmp.Or(said, got)))
		}
	}
}

// dashboard checks the shape of summary.dashboard_session, which may be absent
// but not null. Whether a dashboard ran cannot be recomputed.
func (j *judge) dashboard() {
	session := j.summary.Get("dashboard_session")
	if session == nil {
		return
	}
	const path = "summary.dashboard_session"
	bad := func(path, message string, v *ecmajson.Value) {
		j.fail(CodeDashboard, path, message, j.at("summary", cmp.Or(v, session)))
	}
	if !session.Is(ecmajson.Object) {
		bad(path, "must be an object when present", session)
		return
	}
	status, pid, url, started := session.Get("status"), session.Get("pid"), session.Get("url"), session.Get("started_at")
	switch status.Str() {
	case "running", "pid_only", "stale", "not_running":
	default:
		bad(path+".status", "must be one of: running, pid_only, stale, not_running", status)
		return
	}
	isPID := isInteger(pid) && pid.Num() > 0
	if !isPID && !pid.Is(ecmajson.Null) {
		bad(path+".pid", "must be a positive integer or null", pid)
	}
	if !url.Is(ecmajson.String) && !url.Is(ecmajson.Null) {
		bad(path+".url", "must be a string or null", url)
	}
	if !started.Is(ecmajson.Null) && !j.isDate(path+".started_at", started, j.at("summary", started)) {
		bad(path+".started_at", "must be a valid ISO timestamp or null", started)
	}
	if status.Str() == "not_running" {
		for _, key := range []string{"pid", "url", "started_at"} {
			if v := session.Get(key); !v.Is(ecmajson.Null) {
				bad(path+"."+key, "must be null when status is not_running", v)
			}
		}
	}
	if status.Str() == "running" && !isPID {
		bad(path+".pid", "must be a positive integer when status is running", pid)
	}
}
