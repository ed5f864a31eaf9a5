package export

import (
	"context"
	"errors"
	"strings"
	"testing"

	"agentxchain/internal/ecmajson"

	"github.com/google/go-cmp/cmp"
)

func coordinatorOptions(root string) Options {
	opts := testOptions(root)
	opts.Kind = Coordinator
	return opts
}

func workspaceFiles(more map[string]string) map[string]string {
	files := map[string]string{
		workspacePath: `{"schema_version":"0.1","project":{"id":"w","name":"W"},"repos":{
			"api":{"path":"./repos/api"},"2":{"path":"repos/web"},"gone":{"path":"repos/gone"},"none":{},"legacy":{"path":"repos/legacy"}},
			"workstreams":{"a":{}},"routing":{"planning":{}}}`,
		workspaceState:                    `{"super_run_id":"s1","status":"active","phase":"planning","repo_runs":{"api":{"status":"linked"},"2":{}}}`,
		workspaceBarriers:                 `{"a":{},"b":{}}`,
		workspaceHistory:                  "{}\n{}\n",
		workspaceDecisions:                "{}\n",
		"repos/api/" + configPath:         testConfig,
		"repos/api/" + statePath:          testState,
		"repos/api/" + auditPath:          auditLine(1) + "{torn",
		"repos/web/" + configPath:         testConfig,
		"repos/web/" + statePath:          testState,
		"repos/legacy/" + configPath:      `{"version":3}`,
		"repos/legacy/" + eventsPath:      `{"event_id":"never"}`,
		"repos/gone/readme":               "no project here",
		".agentxchain/multirepo/other.md": "not collected",
	}
	for name, content := range more {
		files[name] = content
	}
	return files
}

func TestCoordinator(t *testing.T) {
	root := project(t, workspaceFiles(nil))
	b, res := buildBytes(t, coordinatorOptions(root))
	bundle := parseBundle(t, b)
	checkEntries(t, bundle)
	if res.Repos != 5 || res.FailedRepos != 3 || res.Files != 5+3+2 || res.AuditEntries != 1 || len(res.Warnings) != 4 {
		t.Errorf("result %+v", res)
	}
	got := map[string]string{}
	for _, m := range bundle.Get("repos").Members() {
		got[m.Key] = m.Value.Get("path").Str() + " " + m.Value.Get("error").Str() + m.Value.Get("export").Get("project_root").Str()
	}
	want := map[string]string{
		"2": "repos/web repos/web", "api": "./repos/api repos/api",
		"gone":   "repos/gone " + NoProjectText,
		"legacy": "repos/legacy " + LegacyText,
		"none":   `. the configuration gives no path; verification will fail`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"2", "api", "gone", "none", "legacy"}, keysOf(bundle.Get("repos"))); d != "" {
		t.Error(d)
	}
	api := bundle.Get("repos").Get("api").Get("export")
	checkEntries(t, api)
	if c := noteCodes(api); !cmp.Equal(c, []string{noteTornTail}) {
		t.Errorf("notes of the child %q", c)
	}
	summary := `{"super_run_id":"s1","status":"active","phase":"planning","workflow_phase_order":["planning"],"repo_run_statuses":{"2":"unknown","api":"linked"},` +
		`"barrier_count":2,"history_entries":2,"decision_entries":1,"aggregated_events":{"total_events":0,"repos_with_events":[],"event_type_counts":{},"events":[]}}`
	if got := string(ecmajson.Append(nil, bundle.Get("summary"))); got != summary {
		t.Errorf("summary\n%s\n%s", got, summary)
	}
}

func TestCoordinatorChildInsideAGovernedParent(t *testing.T) {
	files := workspaceFiles(map[string]string{"repos/" + configPath: testConfig, "repos/" + statePath: testState})
	b, _ := buildBytes(t, coordinatorOptions(project(t, files)))
	if parseBundle(t, b).Get("repos").Get("gone").Get("ok").True() {
		t.Error("the parent was exported as the child")
	}
}

func TestAggregatedEvents(t *testing.T) {
	files := workspaceFiles(map[string]string{
		"repos/api/" + eventsPath: `{"event_id":"b","timestamp":"2026-01-02T00:00:00.000Z","event_type":"run_started"}` + "\n" +
			`{"event_id":"z","timestamp":"never","type":"toString"}` + "\n" +
			`{"event_id":"y","event_type":"__proto__"}` + "\n" +
			`null` + "\n" + `[1]` + "\n" + `5` + "\n" +
			`{"event_id":"B","timestamp":"2026-01-02T00:00:00.000Z","repo_id":"forged","n":1.50}` + "\n" + `torn{`,
		"repos/web/" + eventsPath: `{"event_id":"a","timestamp":"2026-01-02T00:00:00.000Z"}` + "\n" +
			`{"event_id":"c","timestamp":"2026-01-01T00:00:00.000+01:00","event_type":5}` + "\n",
	})
	b, _ := buildBytes(t, coordinatorOptions(project(t, files)))
	want := `{"total_events":6,"repos_with_events":["2","api"],"event_type_counts":{"5":1,"unknown":2,"run_started":1,"__proto__":1,"toString":1},"events":[` +
		`{"event_id":"c","timestamp":"2026-01-01T00:00:00.000+01:00","event_type":5,"repo_id":"2"},` +
		`{"event_id":"a","timestamp":"2026-01-02T00:00:00.000Z","repo_id":"2"},` +
		`{"event_id":"b","timestamp":"2026-01-02T00:00:00.000Z","event_type":"run_started","repo_id":"api"},` +
		`{"event_id":"B","timestamp":"2026-01-02T00:00:00.000Z","repo_id":"api","n":1.50},` +
		`{"event_id":"y","event_type":"__proto__","repo_id":"api"},` +
		`{"event_id":"z","timestamp":"never","type":"toString","repo_id":"api"}]}`
	bundle := parseBundle(t, b)
	if got := string(ecmajson.Append(nil, bundle.Get("summary").Get("aggregated_events"))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := bundle.Get("repos").Get("legacy").Get("ok"); n.True() {
		t.Error("legacy exported")
	}
}

func TestCoordinatorPretty(t *testing.T) {
	root := project(t, workspaceFiles(map[string]string{"repos/web/" + auditPath: string(auditLines(9000))}))
	compact, _ := buildBytes(t, coordinatorOptions(root))
	opts := coordinatorOptions(root)
	opts.Pretty = true
	pretty, _ := buildFile(t, opts)
	if !ecmajson.Equal(parseBundle(t, compact), parseBundle(t, pretty)) {
		t.Error("the indented form differs")
	}
}

func TestCoordinatorCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	opts := coordinatorOptions(project(t, workspaceFiles(nil))).withDiscard(t)
	opts.read = func(name string, _ int) {
		if name == auditPath {
			cancel()
		}
	}
	if _, err := Build(ctx, opts); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "repository") {
		t.Errorf("error %v", err)
	}
}
