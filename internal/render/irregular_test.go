//go:build unix

package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"agentxchain/internal/events"
	"agentxchain/internal/render"
)

// What has a template's name and is no file is neither waited for nor passed
// over in silence.
func TestIrregularTemplates(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "on_error.json.j2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "on_complete.json.j2"), 0o700); err != nil {
		t.Fatal(err)
	}
	const why = ": cannot be read: it is not a regular file"
	r := render.New(render.Options{TemplatesDir: dir})
	for _, event := range []events.Type{events.OnError, events.OnComplete} {
		file := filepath.Join(dir, string(event)+".json.j2")
		v := render.Vars{Event: render.Sample(event), Target: render.TargetVars{Channel: "slack"}}
		if blocks, _, err := r.Blocks(t.Context(), "", v); blocks != nil || err == nil || err.Error() != file+why {
			t.Errorf("%s: %s, %v", event, blocks, err)
		}
		if _, err := r.File(t.Context(), file, v, nil); err == nil || err.Error() != file+why {
			t.Errorf("%s: %v", event, err)
		}
	}
	use := render.Use{Target: render.TargetVars{Channel: "slack"}, Events: events.Types(events.Agent)}
	want := "on_complete.json.j2:0:0: error" + why + "\non_error.json.j2:0:0: error" + why
	if got := problems(t, dir, use); got != want {
		t.Errorf("check finds\n%s", got)
	}
}

// A link that leads out is one problem, of the link.
func TestCheckOfLinkOutside(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "secret", "[]")
	templates := filepath.Join(dir, "templates")
	writeFile(t, templates, "a.json.j2", "[]")
	if err := os.Symlink("../secret", filepath.Join(templates, "on_error.json.j2")); err != nil {
		t.Fatal(err)
	}
	got := problems(t, templates, render.Use{Target: render.TargetVars{Channel: "slack"}, Events: []events.Type{events.OnError}})
	if !strings.HasPrefix(got, "on_error.json.j2:0:0: error: cannot be read: ") || strings.Contains(got, "\n") {
		t.Errorf("check finds\n%s", got)
	}
}

// A rule whose line is not known is named without one.
func TestCheckWithoutLine(t *testing.T) {
	dir := t.TempDir()
	slack := render.TargetVars{Channel: "slack", Template: "../x"}
	got := problems(t, dir,
		render.Use{Source: render.Source{Name: "AGENT.md"}, Target: slack, Events: []events.Type{events.OnError}},
		render.Use{Target: slack, Events: []events.Type{events.OnError}})
	const why = `:0:0: error: template "../x.json.j2" lies outside of the templates folder`
	if want := "DIR" + why + "\nAGENT.md" + why; got != want {
		t.Errorf("check finds\n%s", got)
	}
}
