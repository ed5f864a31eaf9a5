package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"agentxchain/internal/ecmajson"
)

// schemaVersion is the version of the bundle format that we write.
const schemaVersion = "0.3"

// What the Node CLI says when there is nothing to export, on its stderr and in
// the bundles of workspaces.
const (
	NoProjectText = "No governed project found. Run this inside an AgentXchain governed project."
	LegacyText    = "Run export only supports governed projects in this slice."
)

// Errors that say there is nothing to export.
var (
	// ErrNoProject says that the folder has no governed project.
	ErrNoProject = errors.New("no governed project found")
	// ErrLegacy says that the project is of a generation before governance.
	ErrLegacy = errors.New("run export only supports governed projects")
)

// collection is what both kinds of bundles are made of: files, read and
// counted, ready to be written.
type collection struct {
	root     *os.Root
	entries  []*entry
	index    map[string]*entry
	evidence evidence
	warnings []string
}

// run is one run export, ready to be written.
type run struct {
	collection
	// path is project_root: where the project lies, seen from the bundle.
	path          string
	config, state *ecmajson.Value
	phases        *ecmajson.Value
	git           gitState
	delegations   delegations
	decisions     repoDecisions
}

// runSource says which project is read and how.
type runSource struct {
	dir, path string
	// excluded is the name of the bundle being written, if it lies inside.
	excluded string
	// events, if set, collects the records of events.jsonl under repoID.
	events *aggregatedEvents
	repoID string
}

// readRun reads every file of a project once.
func (b *builder) readRun(src runSource) (_ *run, err error) {
	root, err := os.OpenRoot(src.dir)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", ErrNoProject, src.path)
	}
	r := &run{collection: b.newCollection(root), path: src.path}
	defer func() {
		if err != nil {
			r.release()
		}
	}()
	config, err := b.readConfig(r)
	if err != nil {
		return nil, err
	}
	list, err := collect(root, runRoots(), src.excluded)
	if err != nil {
		return nil, err
	}
	r.leaveOut(list.notes)
	for _, name := range list.names {
		if name == configPath {
			r.add(config)
			continue
		}
		if err := b.readFile(&r.collection, r.survey(name, src)); err != nil {
			return nil, err
		}
	}
	if err := b.readRecovered(r); err != nil {
		return nil, err
	}
	if err := r.readState(); err != nil {
		return nil, err
	}
	b.inspectGit(r, src)
	return r, nil
}

func (b *builder) newCollection(root *os.Root) collection {
	return collection{root: root, index: map[string]*entry{}, evidence: evidence{generator: b.opts.Generator}}
}

// readConfig reads agentxchain.json and checks that it is governed.
func (b *builder) readConfig(r *run) (*entry, error) {
	if _, err := r.root.Lstat(configPath); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %q", ErrNoProject, r.path)
	}
	e, err := b.reader.read(r.root, survey{name: configPath, key: configPath, hold: true})
	if err != nil {
		return nil, err
	}
	config, err := ecmajson.Parse(e.src.content, ecmajson.Options{})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: invalid JSON: %w", ErrNoProject, configPath, err)
	}
	switch version := config.Get("schema_version"); {
	case version.Str() == "1.0", version.Is(ecmajson.Number) && version.Num() == 4:
	case config.Get("version").Is(ecmajson.Number) && config.Get("version").Num() == 3:
		return nil, ErrLegacy
	default:
		return nil, fmt.Errorf(`%w: %s: unrecognized format, expected schema_version "1.0" or 4`, ErrNoProject, configPath)
	}
	r.config = config
	r.warnings = append(r.warnings, literalSecrets(config)...)
	return e, nil
}

// add takes an entry into the bundle and says what is odd about it.
func (c *collection) add(e *entry) {
	if c.index[e.key] != nil {
		c.evidence.note(e.key, noteName, "a second file whose name reads the same as text was left out")
		e.src.release()
		return
	}
	if e.key != e.src.name {
		c.evidence.note(e.key, noteName, "the file's name is not UTF-8")
	}
	c.entries = append(c.entries, e)
	c.index[e.key] = e
	c.evidence.describe(e)
	if e.broken {
		c.warnings = append(c.warnings, e.key+": not JSON, exported as text")
	}
	if e.foreignLines > 0 {
		c.warnings = append(c.warnings, fmt.Sprintf("%s: %d lines are not JSON, the first is line %d; verification will fail", e.key, e.foreignLines, e.foreign[0]))
	}
	if len(e.tail) > 0 {
		c.warnings = append(c.warnings, fmt.Sprintf("%s: an unfinished last line of %d bytes was left out and kept under evidence", e.key, len(e.tail)))
	}
}

// survey says how a file of a run is read.
func (r *run) survey(name string, src runSource) survey {
	s := survey{name: name, key: bundleKey(name), audit: name == auditPath}
	switch name {
	case statePath, pidPath, sessionPath:
		s.hold = true
	case historyPath:
		s.restart = func() { r.delegations = delegations{} }
		s.record = func(line []byte) error {
			if !mayDelegate(line) {
				return nil
			}
			return parsed(line, r.delegations.add)
		}
	case repoPath:
		s.restart = func() { r.decisions = repoDecisions{roles: r.config.Get("roles")} }
		s.record = func(line []byte) error { return parsed(line, r.decisions.add) }
	case eventsPath:
		if events := src.events; events != nil {
			before := len(events.events)
			s.restart = func() { events.rewind(before) }
			s.record = func(line []byte) error {
				return parsed(line, func(v *ecmajson.Value) { events.add(src.repoID, v) })
			}
		}
	}
	return s
}

// readFile reads one collected file. One that has vanished since it was listed
// is left out.
func (b *builder) readFile(c *collection, s survey) error {
	e, err := b.reader.read(c.root, s)
	if errors.Is(err, fs.ErrNotExist) {
		c.evidence.note(s.key, noteVanished, "the file was removed while the project was read")
		return nil
	}
	if err == nil {
		c.add(e)
	}
	return err
}

// parsed hands a record that the validator accepted to a collector.
func parsed(line []byte, add func(*ecmajson.Value)) error {
	v, err := ecmajson.Parse(line, ecmajson.Options{})
	if err == nil {
		add(v)
	}
	return err
}

// readRecovered reads the bytes that were rescued from torn lines earlier.
func (b *builder) readRecovered(r *run) error {
	list, err := collect(r.root, []string{recoveredPath}, "")
	if err != nil || len(list.names) == 0 {
		return err // behind a link that was noted already, or absent
	}
	e, err := b.reader.read(r.root, survey{name: recoveredPath, key: recoveredPath})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r.evidence.recovered = e
	return err
}

// leaveOut notes what was found and not exported. Bundles and what exports
// leave behind are no part of the run; of everything else people hear at once.
func (c *collection) leaveOut(notes []note) {
	c.evidence.notes = append(c.evidence.notes, notes...)
	for _, n := range notes {
		if n.code == noteLinkOutside || n.code == noteSpecialFile {
			c.warnings = append(c.warnings, n.path+": not exported: "+n.message)
		}
	}
}

// readState parses state.json and derives what depends on it.
func (r *run) readState() error {
	r.state = ecmajson.NewNull()
	e := r.index[statePath]
	switch {
	case e == nil:
		r.evidence.note(statePath, noteState, "the project has no state")
		r.warnings = append(r.warnings, statePath+": not there as a file of the project; verification will fail")
	case e.format == formatJSON:
		state, err := ecmajson.Parse(e.src.content, ecmajson.Options{})
		if err != nil {
			return fileError(statePath, err)
		}
		r.state = state
	}
	var fits bool
	if r.phases, fits = phaseOrder(r.config, r.state); !fits {
		r.evidence.note(configPath, notePhaseOrder, "summary.workflow_phase_order was left out: the keys of routing are no list of phases that holds state.phase")
	}
	return nil
}

func (b *builder) inspectGit(r *run, src runSource) {
	r.git = b.git.inspect(b.reader.ctx, src.dir, src.excluded)
	if r.git.unknown != "" {
		r.evidence.note("", noteGitUnknown, r.git.unknown)
		r.warnings = append(r.warnings, "git: "+r.git.unknown)
	}
}

// release gives back what the files hold.
func (c *collection) release() {
	for _, e := range c.entries {
		e.src.release()
	}
	if c.evidence.recovered != nil {
		c.evidence.recovered.src.release()
	}
	_ = c.root.Close()
}

// writeRun writes a run export as the value that comes next.
func (b *builder) writeRun(d *document, r *run) error {
	d.open("{")
	d.member("schema_version", ecmajson.NewString(schemaVersion))
	d.member("export_kind", ecmajson.NewString(string(Run)))
	d.member("exported_at", b.exportedAt())
	d.member("project_root", ecmajson.NewString(r.path))
	d.member("project", r.project())
	d.member("summary", r.summary())
	d.member("workspace", ecmajson.NewObject().Set("git", r.git.value()))
	if err := b.writeFiles(d, r.entries); err != nil {
		return err
	}
	d.member("config", r.config)
	d.member("state", r.state)
	err := b.reader.writeEvidence(d, &r.evidence)
	d.close("}")
	return err
}

func (b *builder) writeFiles(d *document, entries []*entry) error {
	d.key("files")
	d.open("{")
	for _, e := range entries {
		if err := b.reader.write(d, e); err != nil {
			return err
		}
		e.src.release()
	}
	d.close("}")
	return nil
}

func (r *run) project() *ecmajson.Value {
	project := r.config.Get("project")
	return ecmajson.NewObject().
		Set("id", project.Get("id")).
		Set("name", project.Get("name")).
		Set("goal", r.goal()).
		Set("template", orElse(r.config.Get("template"), ecmajson.NewString("generic"))).
		Set("protocol_mode", firstTruthy(r.config.Get("protocol_mode"), r.state.Get("protocol_mode"), ecmajson.NewString("governed"))).
		Set("schema_version", ecmajson.NewInt(4))
}

func (r *run) goal() *ecmajson.Value {
	return trimmedOrNull(r.config.Get("project").Get("goal"))
}

// trimmedOrNull is a string without surrounding white space, or null for a
// blank one and everything else.
func trimmedOrNull(v *ecmajson.Value) *ecmajson.Value {
	return ecmajson.NewStringOrNull(ecmajson.Trim(v.Str()))
}

// summary computes summary in the key order of contract, section 6.4.
func (r *run) summary() *ecmajson.Value {
	s := ecmajson.NewObject().
		Set("project_goal", r.goal()).
		Set("run_id", orNull(r.state.Get("run_id"))).
		Set("status", orNull(r.state.Get("status"))).
		Set("phase", orNull(r.state.Get("phase"))).
		Set("workflow_phase_order", r.phases).
		Set("provenance", provenance(r.state.Get("provenance"))).
		Set("inherited_context", orNull(r.state.Get("inherited_context"))).
		Set("active_turn_ids", ecmajson.NewStrings(turnIDs(r.state.Get("active_turns")))).
		Set("retained_turn_ids", ecmajson.NewStrings(turnIDs(r.state.Get("retained_turns")))).
		Set("history_entries", r.records(historyPath)).
		Set("decision_entries", r.records(decisionsPath)).
		Set("hook_audit_entries", r.records(hookAuditPath)).
		Set("notification_audit_entries", r.records(auditPath)).
		Set("dispatch_artifact_files", ecmajson.NewInt(int64(r.below(dispatchFolder)))).
		Set("staging_artifact_files", ecmajson.NewInt(int64(r.below(stagingFolder)))).
		Set("intake_present", ecmajson.NewBool(r.below(intakeFolder) > 0)).
		Set("coordinator_present", ecmajson.NewBool(r.below(multiFolder) > 0)).
		Set("dashboard_session", r.dashboard())
	delegations := ecmajson.NewNull()
	if r.index[historyPath] != nil {
		delegations = r.delegations.summary()
	}
	n := ecmajson.NewInt(int64(len(r.entries)))
	return s.
		Set("delegation_summary", delegations).
		Set("repo_decisions", r.decisions.summary()).
		Set("export_files_truncated", ecmajson.NewBool(false)).
		Set("total_collected_files", n).
		Set("included_files", n)
}

// records counts the records of a JSONL file; an absent file has none.
func (c *collection) records(key string) *ecmajson.Value {
	if e := c.index[key]; e != nil {
		return ecmajson.NewInt(e.records)
	}
	return ecmajson.NewInt(0)
}

// below counts the included files below a folder, given with its slash.
func (c *collection) below(folder string) int {
	n := 0
	for _, e := range c.entries {
		if strings.HasPrefix(e.key, folder) {
			n++
		}
	}
	return n
}

// phaseOrder lists the phases of config.routing, or is null. It is null, and
// ok is false, also when no verifier could accept the list, above all when the
// state is in a phase that the routing no longer knows.
func phaseOrder(config, state *ecmajson.Value) (order *ecmajson.Value, ok bool) {
	phases := objectKeys(config.Get("routing"))
	phase := state.Get("phase")
	bad := slices.ContainsFunc(phases, func(p string) bool { return p == "" || ecmajson.Trim(p) != p })
	switch {
	case len(phases) == 0:
		return ecmajson.NewNull(), true
	case bad, phase.Truthy() && !slices.Contains(phases, phase.Str()):
		return ecmajson.NewNull(), false
	}
	return ecmajson.NewStrings(phases), true
}

// provenance keeps of state.provenance what the contract knows.
func provenance(v *ecmajson.Value) *ecmajson.Value {
	trigger := trimmedOrNull(v.Get("trigger"))
	switch trigger.Str() {
	case "manual", "continuation", "recovery", "intake", "vision_scan", "schedule", "coordinator":
	default:
		return ecmajson.NewNull()
	}
	creator := trimmedOrNull(v.Get("created_by"))
	switch creator.Str() {
	case "operator", "continuous_loop", "coordinator":
	default:
		creator = ecmajson.NewString("operator")
	}
	return ecmajson.NewObject().
		Set("trigger", trigger).
		Set("parent_run_id", trimmedOrNull(v.Get("parent_run_id"))).
		Set("trigger_reason", trimmedOrNull(v.Get("trigger_reason"))).
		Set("intake_intent_id", trimmedOrNull(v.Get("intake_intent_id"))).
		Set("created_by", creator)
}

// dashboard tells from its two files whether the Node CLI's dashboard runs.
// It deletes nothing: files of a dead dashboard count as no dashboard.
func (r *run) dashboard() *ecmajson.Value {
	pid, dead := r.dashboardPID()
	session := ecmajson.NewNull()
	if e := r.index[sessionPath]; e != nil && e.format == formatJSON && !dead {
		if v, err := ecmajson.Parse(e.src.content, ecmajson.Options{}); err == nil {
			session = v
		}
	}
	status, known := "not_running", ecmajson.NewNull()
	if pid > 0 {
		known = ecmajson.NewInt(int64(pid))
	}
	switch {
	case pid > 0 && session.Truthy():
		status = "running"
	case pid > 0:
		status = "pid_only"
	case session.Truthy():
		status, known = "stale", positiveOrNull(session.Get("pid"))
	}
	return ecmajson.NewObject().
		Set("status", ecmajson.NewString(status)).
		Set("pid", known).
		Set("url", ecmajson.NewStringOrNull(session.Get("url").Str())).
		Set("started_at", timeOrNull(session.Get("started_at")))
}

// dashboardPID returns the id in the pid file when that process lives; dead
// says that it does not.
func (r *run) dashboardPID() (pid int, dead bool) {
	e := r.index[pidPath]
	if e == nil {
		return 0, false
	}
	digits := ecmajson.Trim(string(e.src.content))
	if end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		digits = digits[:end]
	}
	pid, err := strconv.Atoi(digits)
	if err != nil || pid <= 0 || pid > 1<<31-1 {
		return 0, false
	}
	if !processAlive(pid) {
		return 0, true
	}
	return pid, false
}

func positiveOrNull(v *ecmajson.Value) *ecmajson.Value {
	if n := v.Num(); n > 0 && n == float64(int64(n)) {
		return v
	}
	return ecmajson.NewNull()
}

func timeOrNull(v *ecmajson.Value) *ecmajson.Value {
	if _, ok := dateOf(v); ok {
		return v
	}
	return ecmajson.NewNull()
}
