package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"agentxchain/internal/ecmajson"
)

// Files of a workspace (contract, section 6.6).
const (
	workspacePath      = "agentxchain-multi.json"
	workspaceState     = ".agentxchain/multirepo/state.json"
	workspaceHistory   = ".agentxchain/multirepo/history.jsonl"
	workspaceBarriers  = ".agentxchain/multirepo/barriers.json"
	workspaceDecisions = ".agentxchain/multirepo/decision-ledger.jsonl"
)

func workspaceRoots() []string {
	return []string{
		workspacePath, workspaceState, workspaceHistory, workspaceBarriers, workspaceDecisions,
		".agentxchain/multirepo/barrier-ledger.jsonl", ".agentxchain/multirepo/RECOVERY_REPORT.md",
	}
}

// workspace is one coordinator export, ready to be written.
type workspace struct {
	collection
	config, state, barriers *ecmajson.Value
	phases                  *ecmajson.Value
	children                []child
	events                  aggregatedEvents
}

// child is one coordinated project.
type child struct {
	id   string
	path *ecmajson.Value
	// run is nil when the project could not be read, for the reason failure.
	run     *run
	failure string
}

// readWorkspace reads the coordinator's own files and every child once.
func (b *builder) readWorkspace() (_ *workspace, err error) {
	root, err := os.OpenRoot(b.opts.Root)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoProject, err)
	}
	w := &workspace{collection: b.newCollection(root)}
	defer func() {
		if err != nil {
			w.release()
		}
	}()
	if _, err := root.Lstat(workspacePath); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %q is missing", ErrNoProject, workspacePath)
	}
	list, err := collect(root, workspaceRoots(), b.excluded(b.opts.Root))
	if err != nil {
		return nil, err
	}
	w.leaveOut(list.notes)
	for _, name := range list.names {
		hold := name == workspacePath || name == workspaceState || name == workspaceBarriers
		if err := b.readFile(&w.collection, survey{name: name, key: name, hold: hold}); err != nil {
			return nil, err
		}
	}
	if err := w.parse(); err != nil {
		return nil, err
	}
	if err := b.readChildren(w); err != nil {
		return nil, err
	}
	w.events.sort()
	return w, nil
}

// parse reads what the summary is made of.
func (w *workspace) parse() (err error) {
	e := w.index[workspacePath]
	if e == nil {
		return fmt.Errorf("%w: %q cannot be read inside the workspace", ErrNoProject, workspacePath)
	}
	if w.config, err = ecmajson.Parse(e.src.content, ecmajson.Options{}); err != nil {
		return fmt.Errorf("%w: invalid JSON in %s: %w", ErrNoProject, workspacePath, err)
	}
	if !w.config.Is(ecmajson.Object) {
		return fmt.Errorf("%w: %s is not a JSON object", ErrNoProject, workspacePath)
	}
	if w.state, err = w.document(workspaceState); err != nil {
		return err
	}
	if w.barriers, err = w.document(workspaceBarriers); err != nil {
		return err
	}
	var fits bool
	if w.phases, fits = phaseOrder(w.config, w.state); !fits {
		w.evidence.note(workspacePath, notePhaseOrder, "summary.workflow_phase_order was left out: the keys of routing are no list of phases that holds the state's phase")
	}
	return nil
}

// document parses a collected .json file. One that is absent or not JSON is nil.
func (c *collection) document(key string) (*ecmajson.Value, error) {
	e := c.index[key]
	if e == nil || e.format != formatJSON {
		return nil, nil
	}
	v, err := ecmajson.Parse(e.src.content, ecmajson.Options{})
	if err != nil {
		return nil, fileError(key, err)
	}
	return v, nil
}

// readChildren reads the coordinated projects in the order of the
// configuration. One that cannot be read does not fail the others.
func (b *builder) readChildren(w *workspace) error {
	repos := w.config.Get("repos")
	for _, id := range repos.OwnKeys() {
		c := child{id: id, path: repos.Get(id).Get("path")}
		before := len(w.events.events)
		var err error
		if c.run, err = b.readChild(c, &w.events); err != nil {
			if ctxErr := b.reader.ctx.Err(); ctxErr != nil {
				return ctxErr
			}
			w.events.rewind(before)
			c.failure = failureText(err)
			w.warnings = append(w.warnings, fmt.Sprintf("repository %q: %v", id, err))
		} else {
			for _, warning := range c.run.warnings {
				w.warnings = append(w.warnings, fmt.Sprintf("repository %q: %s", id, warning))
			}
		}
		w.children = append(w.children, c)
	}
	return nil
}

// failureText is what a bundle says of a child that was not exported: the Node
// CLI's words where it has some, so that both say the same of the same folder.
func failureText(err error) string {
	switch {
	case errors.Is(err, ErrNoProject):
		return NoProjectText
	case errors.Is(err, ErrLegacy):
		return LegacyText
	}
	return err.Error()
}

// readChild looks for the project in the child's own folder and nowhere else.
func (b *builder) readChild(c child, events *aggregatedEvents) (*run, error) {
	if c.path.Str() == "" {
		return nil, errors.New("the configuration gives no path; verification will fail")
	}
	dir := filepath.FromSlash(c.path.Str())
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(b.opts.Root, dir)
	}
	shown := c.path.Str()
	if rel, err := filepath.Rel(b.opts.Root, dir); err == nil {
		shown = filepath.ToSlash(rel)
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	return b.readRun(runSource{dir: dir, path: shown, excluded: b.excluded(dir), events: events, repoID: c.id})
}

func (w *workspace) release() {
	for _, c := range w.children {
		if c.run != nil {
			c.run.release()
		}
	}
	w.collection.release()
}

// result implements [draft].
func (w *workspace) result() Result {
	res := Result{Kind: Coordinator, Files: len(w.entries), Repos: len(w.children), Warnings: w.warnings}
	for _, c := range w.children {
		if c.run == nil {
			res.FailedRepos++
			continue
		}
		inner := c.run.result()
		res.Files += inner.Files
		res.AuditEntries += inner.AuditEntries
	}
	return res
}

// write implements [draft].
func (w *workspace) write(b *builder, d *document) error {
	d.open("{")
	d.member("schema_version", ecmajson.NewString(schemaVersion))
	d.member("export_kind", ecmajson.NewString(string(Coordinator)))
	d.member("exported_at", b.exportedAt())
	d.member("workspace_root", ecmajson.NewString("."))
	d.member("coordinator", w.coordinator())
	w.writeSummary(d)
	if err := b.writeFiles(d, w.entries); err != nil {
		return err
	}
	d.member("config", w.config)
	d.key("repos")
	d.open("{")
	for _, c := range w.children {
		if err := b.writeChild(d, c); err != nil {
			return err
		}
	}
	d.close("}")
	err := b.reader.writeEvidence(d, &w.evidence)
	d.close("}")
	return err
}

func (w *workspace) coordinator() *ecmajson.Value {
	project := w.config.Get("project")
	return ecmajson.NewObject().
		Set("project_id", orNull(project.Get("id"))).
		Set("project_name", orNull(project.Get("name"))).
		Set("schema_version", orNull(w.config.Get("schema_version"))).
		Set("repo_count", ecmajson.NewInt(int64(len(w.children)))).
		Set("workstream_count", ecmajson.NewInt(int64(len(objectKeys(w.config.Get("workstreams"))))))
}

// writeSummary writes summary in the key order of contract, section 6.6; the
// aggregated events go out one by one.
func (w *workspace) writeSummary(d *document) {
	d.key("summary")
	d.open("{")
	d.member("super_run_id", orNull(w.state.Get("super_run_id")))
	d.member("status", orNull(w.state.Get("status")))
	d.member("phase", orNull(w.state.Get("phase")))
	d.member("workflow_phase_order", w.phases)
	d.member("repo_run_statuses", w.statuses())
	d.member("barrier_count", ecmajson.NewInt(int64(len(objectKeys(w.barriers)))))
	d.member("history_entries", w.records(workspaceHistory))
	d.member("decision_entries", w.records(workspaceDecisions))
	d.key("aggregated_events")
	d.open("{")
	d.member("total_events", ecmajson.NewInt(int64(len(w.events.events))))
	d.member("repos_with_events", ecmajson.NewStrings(w.events.repoIDs()))
	d.member("event_type_counts", w.events.typeCounts())
	d.key("events")
	d.open("[")
	for _, e := range w.events.events {
		d.next()
		_, _ = d.Write(e.text)
	}
	d.close("]")
	d.close("}")
	d.close("}")
}

// statuses maps each repository of the state to its run's status.
func (w *workspace) statuses() *ecmajson.Value {
	statuses := ecmajson.NewObject()
	runs := w.state.Get("repo_runs")
	for _, id := range runs.OwnKeys() {
		statuses.Set(id, orElse(runs.Get(id).Get("status"), ecmajson.NewString("unknown")))
	}
	return statuses
}

func (b *builder) writeChild(d *document, c child) error {
	d.key(c.id)
	d.open("{")
	d.member("ok", ecmajson.NewBool(c.run != nil))
	d.member("path", orElse(c.path, ecmajson.NewString(".")))
	if c.run == nil {
		d.member("error", ecmajson.NewString(c.failure))
		d.close("}")
		return nil
	}
	d.key("export")
	err := b.writeRun(d, c.run)
	d.close("}")
	return err
}
