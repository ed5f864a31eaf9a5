package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commandLines are the flags of every command, as the inventory lists them.
type commandLines map[string][]string

func readCommandLines(t *testing.T) commandLines {
	t.Helper()
	text, err := os.ReadFile("cmd/testdata/flags.txt")
	if err != nil {
		t.Fatal(err)
	}
	known, command := commandLines{}, ""
	for line := range strings.Lines(string(text)) {
		if flag, ok := strings.CutPrefix(line, "  --"); ok {
			name, _, _ := strings.Cut(flag, " ")
			known[command] = append(known[command], name)
			continue
		}
		command = strings.TrimSpace(line)
		known[command] = []string{"help"}
	}
	return known
}

// check returns what is wrong with the words after the program's name: the
// command or a flag that isn't there.
func (known commandLines) check(words []string) string {
	command := "agentxchain"
	for _, w := range words {
		if w == "-C" {
			continue
		}
		if _, ok := known[command+" "+w]; ok {
			command += " " + w
		}
	}
	if command == "agentxchain" && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		return "no command " + words[0]
	}
	for _, w := range words {
		flag, ok := strings.CutPrefix(w, "--")
		name, _, _ := strings.Cut(flag, "=")
		if ok && !slices.Contains(known[command], name) && !slices.Contains(known["agentxchain"], name) {
			return command + " has no --" + name
		}
	}
	return ""
}

// calls finds the command lines of our program in a text: what follows its
// name on one line, up to what ends a command in a shell.
func calls(text string) [][]string {
	name := regexp.MustCompile(`(?m)^[^#\n]*?(?:^|[ =/$(])agentxchain((?: +[^ \n|;&>#)\x60]+)+)`)
	var list [][]string
	for _, m := range name.FindAllStringSubmatch(text, -1) {
		words := strings.Fields(m[1])
		if !strings.HasPrefix(words[0], "/") { // it is being copied, not called
			list = append(list, words)
		}
	}
	return list
}

// TestCallsAreChecked: a check that finds nothing in wrong text guards nothing.
func TestCallsAreChecked(t *testing.T) {
	known := commandLines{"agentxchain": {"help", "dir"}, "agentxchain notify": {"help"}, "agentxchain notify retry": {"help", "json"}}
	tests := []struct{ text, want string }{
		{"$ agentxchain notify retry --json", ""},
		{"$ agentxchain --dir x notify retry --json | jq .", ""},
		{"ExecStart=/usr/local/bin/agentxchain notify retry --jsn", "agentxchain notify retry has no --jsn"},
		{"x && agentxchain deliver", "no command deliver"},
		{"agentxchain notify --json=true", "agentxchain notify has no --json"},
	}
	for _, tt := range tests {
		found := calls(tt.text)
		if len(found) != 1 {
			t.Errorf("%q: %d calls", tt.text, len(found))
			continue
		}
		if got := known.check(found[0]); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestDocumentedCommandsExist holds what an operator is told to type to the
// inventory of commands and flags.
func TestDocumentedCommandsExist(t *testing.T) {
	known := readCommandLines(t)
	for _, file := range []string{"deploy/agentxchain.service", "docs/operating.md", "docs/scaling.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		found := calls(commandText(file, string(text)))
		if len(found) == 0 {
			t.Errorf("%s: no command line was found", file)
		}
		for _, words := range found {
			if wrong := known.check(words); wrong != "" {
				t.Errorf("%s: agentxchain %s: %s", file, strings.Join(words, " "), wrong)
			}
		}
	}
}

// commandText is the part of a file in which people find commands to type: of
// a document, its blocks of shell.
func commandText(file, text string) string {
	if filepath.Ext(file) != ".md" {
		return text
	}
	var blocks strings.Builder
	for _, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(text, -1) {
		blocks.WriteString(m[1])
	}
	return blocks.String()
}

// TestServiceFile holds the unit to what the program needs of it, and to
// systemd's own check where systemd is there.
func TestServiceFile(t *testing.T) {
	text, err := os.ReadFile("deploy/agentxchain.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := string(text)
	for _, want := range []string{
		"ExecStartPre=/usr/local/bin/agentxchain serve --check", "ExecReload=/bin/kill -HUP $MAINPID",
		"KillSignal=SIGTERM", "SuccessExitStatus=130 143", "Restart=on-failure",
		"NoNewPrivileges=yes", "ProtectSystem=strict", "ReadWritePaths=/srv/agentxchain", "WorkingDirectory=/srv/agentxchain",
	} {
		if !slices.Contains(strings.Split(unit, "\n"), want) {
			t.Errorf("no line %q", want)
		}
	}
	if regexp.MustCompile(`(?m)^User=(root)?$`).MatchString(unit) || !strings.Contains(unit, "\nUser=") {
		t.Error("it runs as root")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not here, so systemd has not read the unit")
		return
	}
	// systemd wants the program to be there; any will do.
	file := filepath.Join(t.TempDir(), "agentxchain.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, "/usr/local/bin/agentxchain", "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
	// Tenths of a point, of ten: 0 is shut, 100 is open.
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", file).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v: %s", err, out)
	}
}

// instructions are the lines of a Containerfile: word and rest.
func instructions(t *testing.T) [][2]string {
	t.Helper()
	text, err := os.ReadFile("deploy/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	var list [][2]string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		list = append(list, [2]string{word, rest})
	}
	return list
}

// TestContainerfile takes the steps that need no container: it builds from the
// files that the Containerfile copies, and from no others.
func TestContainerfile(t *testing.T) {
	src, out := t.TempDir(), t.TempDir()
	built, stage := false, ""
	for _, in := range instructions(t) {
		word, rest := in[0], in[1]
		switch {
		case word == "FROM":
			stage = strings.Fields(rest)[0]
		case word == "COPY" && !strings.HasPrefix(rest, "--from="):
			copyInto(t, src, strings.Fields(rest))
		case word == "RUN" && strings.Contains(rest, "go build"):
			built = true
			containerBuild(t, src, strings.ReplaceAll(rest, " /out/", " "+out+"/"))
		case word == "USER" && stage == "scratch" && !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(rest):
			t.Errorf("USER %s: by number, which needs no passwd, and not root", rest)
		case word == "CMD":
			var words []string
			if err := json.Unmarshal([]byte(rest), &words); err != nil {
				t.Fatalf("CMD %s: %v", rest, err)
			}
			if wrong := readCommandLines(t).check(words); wrong != "" {
				t.Errorf("CMD %s: %s", rest, wrong)
			}
		}
	}
	if !built || stage != "scratch" {
		t.Fatalf("built: %v, the last stage is %q", built, stage)
	}
	said, err := exec.Command(filepath.Join(out, "usr/local/bin/agentxchain"), "version").CombinedOutput()
	if err != nil || !strings.Contains(string(said), "agentxchain v9.8.7 ") {
		t.Errorf("version: %v: %s", err, said)
	}
}

// copyInto does what COPY does.
func copyInto(t *testing.T, dir string, words []string) {
	t.Helper()
	to := words[len(words)-1]
	for _, from := range words[:len(words)-1] {
		target := filepath.Join(dir, to)
		if strings.HasSuffix(to, "/") {
			target = filepath.Join(dir, to, filepath.Base(from))
		}
		info, err := os.Stat(from)
		if err != nil {
			t.Fatalf("COPY %s: %v", from, err)
		}
		if info.IsDir() {
			err = os.CopyFS(target, os.DirFS(from))
		} else {
			err = copyFile(from, target)
		}
		if err != nil {
			t.Fatalf("COPY %s: %v", from, err)
		}
	}
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

func containerBuild(t *testing.T, dir, script string) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to take the steps of a Containerfile with")
	}
	c := exec.Command(sh, "-euc", script)
	c.Dir, c.Env = dir, append(os.Environ(), "VERSION=v9.8.7")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("RUN %s: %v: %s", script, err, out)
	}
}

// TestMetricsAreDocumented holds the table of metrics and the alarms to the
// names that the server writes.
func TestMetricsAreDocumented(t *testing.T) {
	source, err := os.ReadFile("internal/server/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, m := range regexp.MustCompile(`"agentxchain_([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		written[m[1]] = true
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)(?:\\{[a-z,]+\\})?` \\| (?:counter|gauge|histogram) \\|").FindAllStringSubmatch(string(doc), -1) {
		listed[m[1]] = true
		if !written[m[1]] {
			t.Errorf("docs/operating.md lists agentxchain_%s, which nobody writes", m[1])
		}
	}
	for name := range written {
		if !listed[name] {
			t.Errorf("docs/operating.md does not list agentxchain_%s", name)
		}
	}
	for _, m := range regexp.MustCompile(`agentxchain_([a-z_]+?)(?:_bucket)?[({\[) ]`).FindAllStringSubmatch(string(doc), -1) {
		if !written[m[1]] && m[1] != "" {
			t.Errorf("docs/operating.md asks for agentxchain_%s, which nobody writes", m[1])
		}
	}
	if len(written) < 5 {
		t.Errorf("only %d metrics were found", len(written))
	}
}
