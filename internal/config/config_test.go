package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/fixtures"
	"agentxchain/internal/project"
)

func none(string) (string, bool) { return "", false }

// check checks a whole file and returns its problems as LINE:COLUMN
// SEVERITY MESSAGE, hints left out.
func check(t *testing.T, src string, opts Options) []string {
	t.Helper()
	root := projectOf(t, []byte(src))
	_, problems := Check(root, envOf(t, root, none), opts)
	lines := []string{}
	for _, p := range problems {
		if p.File != root.ConfigFile() {
			t.Errorf("problem of %s, want %s", p.File, root.ConfigFile())
		}
		lines = append(lines, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Severity, p.Message))
	}
	return lines
}

const minimal = `{"schema_version":"1.0","project":{"id":"p","name":"P"},"roles":{},"runtimes":{}`

func TestEveryBadDocumentHasItsOwnMessage(t *testing.T) {
	const unrecognized = `error Unrecognized config format. Expected version: 3 or schema_version: "1.0" / 4`
	tests := map[string]struct {
		src  string
		want []string
	}{
		"empty":             {"", []string{"1:1 error invalid JSON: unexpected end of input"}},
		"byte order mark":   {"\uFEFF{}", []string{"1:1 error invalid JSON: unexpected '\\ufeff'"}},
		"comment":           {"{\n  // no\n}", []string{"2:3 error invalid JSON: expected a key in double quotes, found '/'"}},
		"trailing comma":    {"{\"a\": 1,\n}", []string{"2:1 error invalid JSON: trailing comma before '}'"}},
		"two documents":     {"{} {}", []string{"1:4 error invalid JSON: unexpected '{' after the end of the document"}},
		"10,000 arrays":     {strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), []string{"1:513 error invalid JSON: nested more than 512 levels deep"}},
		"array":             {"[]", []string{"1:1 " + unrecognized}},
		"null":              {"null", []string{"1:1 " + unrecognized}},
		"no version":        {"{}", []string{"1:1 " + unrecognized}},
		"version as number": {`{"schema_version": 1.0}`, []string{"1:20 " + unrecognized}},
		"version 5":         {`{"schema_version": 5}`, []string{"1:20 " + unrecognized}},
		"legacy":            {`{"version": 3}`, []string{`1:13 error a project of generation 3 ("version": 3) is not governed`}},
		"no sections": {`{"schema_version": 4.0}`, []string{
			"1:1 error project must be an object",
			"1:1 error runtimes must be an object",
			"1:1 error roles must be an object",
		}},
		"wrong types": {`{"schema_version": 4, "project": [], "roles": null, "runtimes": "x", "routing": 5}`, []string{
			"1:34 error project must be an object",
			"1:47 error roles must be an object",
			"1:65 error runtimes must be an object",
			"1:81 error routing must be an object",
		}},
		"project": {`{"schema_version": 4, "project": {"id": " ", "goal": ""}, "roles": {}, "runtimes": {}}`, []string{
			"1:34 error project.name must be a non-empty string",
			"1:41 error project.id must be a non-empty string",
			"1:54 error project.goal must be a non-empty string",
		}},
		"roles and runtimes": {`{"schema_version": "1.0", "project": {"id": "p", "name": "P"},
 "roles": {"pm": {"title": "T", "mandate": "M", "write_authority": "review_only"},
  "dev": {"title": "T", "mandate": "M", "write_authority": "all", "runtime": "lokal"}, "qa": 1},
 "runtimes": {"local": {"type": "remote-agent"}, "x": null}, "routing": {"Plan": {}}}`, []string{
			`2:18 error Role "pm": runtime required`,
			`3:60 error Role "dev": write_authority must be one of: authoritative, proposed, review_only`,
			`3:78 error Role "dev": runtime "lokal" is not in runtimes`,
			`3:94 error Role "qa" must be an object`,
			`4:33 error Runtime "local": type must be one of: manual, local_cli, api_proxy, mcp, remote_agent`,
			`4:55 error Runtime "x" must be an object`,
			`4:74 error routing key "Plan" must match ^[a-z][a-z0-9_-]*$`,
		}},
		"invalid UTF-8":  {minimal + `,"notes":"` + "\xe2\x98" + `"}`, []string{"1:91 warning byte 0xe2 is not UTF-8 and is read as U+FFFD"}},
		"duplicate keys": {minimal + `,"roles":{}}`, []string{`1:82 warning duplicate key "roles", whose last value counts`}},
	}
	seen := map[string]string{}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, check(t, test.src, Options{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
		if other := seen[test.src]; other != "" {
			t.Errorf("%s tests the same as %s", name, other)
		}
		seen[test.src] = name
	}
}

func TestGoalLengthIsCountedAsECMAScriptDoes(t *testing.T) {
	config := func(goal string) string {
		return `{"schema_version":4,"project":{"id":"p","name":"P","goal":"` + goal + `"},"roles":{},"runtimes":{}}`
	}
	for goal, want := range map[string]int{
		strings.Repeat("g", 500):                       0,
		"  " + strings.Repeat("g", 500) + "\\n":        0,
		strings.Repeat("g", 501):                       1,
		strings.Repeat("\U0001F600", 250):              0,
		strings.Repeat("\U0001F600", 250) + "g":        1,
		"\uFEFF" + strings.Repeat("g", 500) + "\u3000": 0,
	} {
		if got := check(t, config(goal), Options{}); len(got) != want {
			t.Errorf("goal %.10q…: %v", goal, got)
		}
	}
}

func TestUnreadableFilesSayWhy(t *testing.T) {
	root := project.Root{Dir: t.TempDir(), Kind: project.Run}
	_, err := Load(root, project.Env{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("missing file: %v", err)
	}
	if err := os.Mkdir(root.ConfigFile(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(root, project.Env{}); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
	root = projectOf(t, nil)
	if err := os.Truncate(root.ConfigFile(), 16<<20+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(root, project.Env{}); err == nil || !strings.Contains(err.Error(), "is larger than 16 MiB") {
		t.Errorf("large file: %v", err)
	}
}

func TestLegacyProjectsCanBeRecognised(t *testing.T) {
	_, err := Load(projectOf(t, []byte(`{"version":3}`)), project.Env{})
	if !errors.Is(err, ErrLegacy) {
		t.Errorf("error %v is not ErrLegacy", err)
	}
}

// hook is a valid webhook with some keys replaced or added.
func hook(keys string) string {
	return minimal + `,
"notifications":{"webhooks":[
 {"name":"ops","url":"https://x.example/e","events":["run_blocked"],"timeout_ms":5000,
  ` + keys + `}]}}`
}

func TestAdvice(t *testing.T) {
	const e = "notifications.webhooks[0]"
	tests := map[string]struct{ keys, want string }{
		"unknown key":         {`"timeout":1`, `4:3 ` + e + ` contains unknown field "timeout", which has no effect | did you mean "timeout_ms"?`},
		"duplicate event":     {`"events":["run_blocked","run_blocked"]`, `4:27 ` + e + `: events lists "run_blocked" twice`},
		"credentials":         {`"url":"https://me:hunter2@x/"`, `4:9 ` + e + `: url holds a user name or password`},
		"no host":             {`"url":"https://?token=hunter2"`, `4:9 ` + e + `: url names no host`},
		"port":                {`"url":"https://x:hunter2/"`, `4:9 ` + e + `: the port in url is not a number`},
		"literal secret":      {`"headers":{"X-Api-Key":"hunter2"}`, `4:26 ` + e + `: headers.X-Api-Key looks like a secret written into the file | write ${OPS_X_API_KEY}`},
		"secret in env":       {`"headers":{"A":"${TOKEN}"},"env":{"TOKEN":"hunter2"}`, `4:45 ` + e + `: env.TOKEN looks like a secret written into the file | remove it from env`},
		"unused env":          {`"env":{"NODE_OPTIONS":"hunter2"}`, `4:10 ` + e + `: env.NODE_OPTIONS is used by no header`},
		"bare variable":       {`"headers":{"A":"Bearer $OPS_TOKEN"}`, `4:18 ` + e + `: headers.A holds "$OPS_TOKEN", which is sent as it stands | only ${NAME} is replaced: write ${OPS_TOKEN}`},
		"bracketed variable":  {`"headers":{"A":"$<ops_token>"}`, `4:18 ` + e + `: headers.A holds "$<ops_token>", which is sent as it stands | only ${NAME} is replaced: write ${ops_token}`},
		"header name":         {`"headers":{"A B":"x"}`, `4:14 ` + e + `: headers.A B is no valid header name`},
		"line end":            {`"headers":{"A":"x\ny"}`, `4:18 ` + e + `: headers.A holds a character that no header can carry`},
		"variable with €":     {`"headers":{"A":"é ${€}\n"}`, `4:18 ` + e + `: unresolved header env vars A:€`},
		"euro":                {`"headers":{"A":"€"}`, `4:18 ` + e + `: headers.A holds a character that no header can carry`},
		"missing variable":    {`"headers":{"A":"${MISS}"}`, `4:18 ` + e + `: unresolved header env vars A:MISS | set MISS in the environment, or in .env beside agentxchain.json; until then every delivery to "ops" fails`},
		"inherited by nobody": {`"headers":{"A":"${toString}"}`, `4:18 ` + e + `: unresolved header env vars A:toString`},
		"password with $":     {`"headers":{"A":"pa$HUNTER2"}`, ``},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := projectOf(t, []byte(hook(test.keys)))
			cfg, problems := Check(root, envOf(t, root, none), Options{})
			if cfg == nil {
				t.Fatalf("advice must not stop anything: %v", problems)
			}
			var got []string
			for _, p := range problems {
				if !strings.HasPrefix(p.Message, "duplicate key") {
					got = append(got, fmt.Sprintf("%d:%d %s | %s", p.Line, p.Column, p.Message, p.Hint))
				}
			}
			text := strings.Join(got, "\n")
			place, rest, _ := strings.Cut(test.want, " | ")
			if len(got) > 1 || !strings.HasPrefix(text, place) || !strings.Contains(text, rest) {
				t.Errorf("got  %s\nwant %s", text, test.want)
			}
			if strings.Contains(problems.Error(), "hunter2") || strings.Contains(problems.Error(), "HUNTER2") {
				t.Errorf("a secret is printed: %v", problems)
			}
		})
	}
}

func TestAdviceOutsideWebhooks(t *testing.T) {
	for src, want := range map[string]string{
		minimal + `,"notification":{}}`:                   `"notification" has no effect`,
		minimal + `,"webhooks":[]}`:                       `"webhooks" has no effect at the top of the file`,
		minimal + `,"notifications":{"approval_sla":{}}}`: `notifications.approval_sla is ignored`,
	} {
		got := check(t, src, Options{})
		if len(got) != 1 || !strings.Contains(got[0], "warning "+want) {
			t.Errorf("%s\ngot %v, want %s", src, got, want)
		}
	}
}

func TestEmptyVariableIsMentioned(t *testing.T) {
	root := projectOf(t, []byte(hook(`"headers":{"A":"${EMPTY}"}`)))
	_, problems := Check(root, envOf(t, root, func(name string) (string, bool) { return "", name == "EMPTY" }), Options{RequireEnv: true})
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "EMPTY, which is set but empty") || problems.Bad() {
		t.Errorf("got %v", problems)
	}
}

func TestHintsNameTheNearestEvent(t *testing.T) {
	for event, want := range map[string]string{
		`"run_bloked"`:           `did you mean "run_blocked"?`,
		`"RUN-BLOCKED"`:          `did you mean "run_blocked"?`,
		`"human_escalation"`:     `did you mean "human_escalation_raised"?`,
		`"run_failed"`:           `there is no governed event "run_failed"`,
		`"on_error"`:             "gateway.yaml",
		`"*"`:                    "no wildcard",
		`null`:                   "a string, not null",
		`"completely different"`: "",
	} {
		src := strings.Replace(hook(`"env":{}`), `["run_blocked"]`, "["+event+"]", 1)
		_, err := Load(projectOf(t, []byte(src)), project.Env{})
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 {
			t.Fatalf("%s: %v", event, err)
		}
		if got := problems[0].Hint; !strings.HasPrefix(got, want) && !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: hint %q, want %q", event, got, want)
		}
	}
}

func TestProblemsAreSortedAndCapped(t *testing.T) {
	var b strings.Builder
	b.WriteString(minimal + `,"notifications":{`)
	for i := range maxProblems + 7 {
		fmt.Fprintf(&b, "\n\"k%d\":0,", i)
	}
	b.WriteString("\n\"webhooks\":[]}}")
	got := check(t, b.String(), Options{})
	if len(got) != maxProblems+1 {
		t.Fatalf("%d problems", len(got))
	}
	if got[0] != `2:1 error notifications contains unknown field "k0"` || !strings.HasSuffix(got[maxProblems], " error 7 more problems are not listed") {
		t.Errorf("first %q, last %q", got[0], got[maxProblems])
	}
}

// Every problem must lie where ecmajson.Position says, in files with long
// lines and other alphabets too.
func TestPlacesAgreeWithPosition(t *testing.T) {
	list, lookup := cases(t)
	for _, r := range list {
		src := append([]byte("\n  \"é\xff😀\": 1, \"notifications\": "), r.src...)
		src = append([]byte(strings.TrimSuffix(minimal, "}")+","), append(src, '}')...)
		root := projectOf(t, src)
		_, problems := Check(root, envOf(t, root, lookup), Options{RequireEnv: true})
		for _, p := range problems {
			if line, column := ecmajson.Position(src, p.Offset); line != p.Line || column != p.Column {
				t.Errorf("%s: %s, want %d:%d", r.file, p, line, column)
			}
		}
	}
}

func TestLoadComposes(t *testing.T) {
	const src = `{"schema_version":"1.0","template":"web","project":{"id":"p","name":"P","goal":" G "},"roles":{},"runtimes":{},
"notifications":{"webhooks":[{"name":"ops","url":"https://x/","events":["run_blocked","run_completed"],"timeout_ms":5e3,
"headers":{"b":"1","10":"${T}","2":"x","a":"y"},"env":{"T":"v"}}],
"approval_sla":{"reminder_after_seconds":[300,3600.0]}}}`
	cfg, err := Load(projectOf(t, []byte(src)), project.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Project{"p", "P", "G", "web"}, cfg.Project); diff != "" {
		t.Error(diff)
	}
	w := cfg.Webhooks[0]
	var headers []string
	for _, h := range w.Headers {
		headers = append(headers, h.Name+"="+h.Value.Reveal())
	}
	if diff := cmp.Diff([]string{"2=x", "10=${T}", "b=1", "a=y"}, headers); diff != "" {
		t.Error(diff)
	}
	if w.Name != "ops" || w.URL.Reveal() != "https://x/" || w.Timeout != 5*time.Second || len(w.Events) != 2 || w.Env["T"].Reveal() != "v" {
		t.Errorf("webhook %+v", w)
	}
	if diff := cmp.Diff(&ApprovalSLA{true, []time.Duration{5 * time.Minute, time.Hour}}, cfg.ApprovalSLA); diff != "" {
		t.Error(diff)
	}
	if len(cfg.Warnings) != 1 {
		t.Errorf("warnings %v", cfg.Warnings)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, cfg) + fmt.Sprintf(verb, *cfg); strings.Contains(text, "https") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

func TestLoadDoesNotNeedSecrets(t *testing.T) {
	loaded := 0
	for name, dir := range fixtures.Entries(t, "agentxchain/projects") {
		if _, err := os.Stat(filepath.Join(dir, "agentxchain.json")); err != nil {
			continue
		}
		loaded++
		cfg, err := Load(project.Root{Dir: dir, Kind: project.Run}, project.Env{})
		if name == "demo-lifecycle" {
			// The Node CLI refuses what its own demo leaves behind (contract, section 9, B32).
			if err == nil || !strings.Contains(err.Error(), `Role "pm": runtime required`) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if cfg.Project.ID == "" {
			t.Errorf("%s: no project id", name)
		}
	}
	fixtures.Ran(t, "project configurations", loaded)
}

func BenchmarkLoad(b *testing.B) {
	root := projectOf(b, []byte(hook(`"headers":{"Authorization":"Bearer ${OPS_TOKEN}"}`)))
	env := envOf(b, root, none)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(root, env); err != nil {
			b.Fatal(err)
		}
	}
}
