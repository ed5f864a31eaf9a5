package main

import (
	"bufio"
	"cmp"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// everything in the imports of a room stands for every other room.
const everything = "*"

// room is one row of the table "Rooms" in docs/architecture.md: a folder, and
// what it may import from inside the module.
type room struct {
	// imports are the rooms that the room's code may import.
	imports []string
	// tests are the rooms that only the room's tests may import besides.
	tests []string
	// support marks a room that exists for tests: only tests import it, and
	// it may do what tests may do.
	support bool
	// measures marks a room that times its own work, or its waiting, which ends
	// with a context and so by the real clock. What becomes evidence
	// still gets its time from an option.
	measures bool
	// door marks a room where a program or its caller begins: it may ask the
	// process for arguments, environment, streams and clock.
	door bool
}

// rooms is the whole plan, rooms that are not built yet included. A new arrow
// begins with a new entry here and in docs/architecture.md, and with a reason
// for it in the commit.
func rooms() map[string]room {
	return map[string]room{
		".":                        {imports: []string{"cmd"}, tests: []string{everything}, door: true},
		"cmd":                      {imports: []string{everything}, door: true},
		"gateway":                  {imports: []string{"internal/config", "internal/delivery", "internal/dispatch", "internal/events", "internal/pipeline", "internal/project", "internal/queue", "internal/routing", "internal/secret", "internal/slack", "internal/webhook"}, door: true},
		"schemas":                  {},
		"bench":                    {imports: []string{"internal/audit", "internal/delivery", "internal/egress", "internal/events", "internal/pgtest", "internal/project", "internal/queue", "internal/secret", "internal/store", "internal/webhook"}, support: true},
		"internal/attempt":         {imports: []string{"internal/delivery"}, measures: true},
		"internal/audit":           {imports: []string{"internal/delivery", "internal/seal"}, tests: []string{"internal/events"}},
		"internal/config":          {imports: []string{"internal/delivery", "internal/egress", "internal/events", "internal/project", "internal/pyyaml", "internal/reminder", "internal/render", "internal/routing", "internal/secret", "internal/server", "internal/slack", "internal/store", "internal/webhook", "schemas"}},
		"internal/dashboard":       {imports: []string{"internal/delivery", "internal/events", "internal/secret"}, measures: true},
		"internal/delivery":        {imports: []string{"internal/events"}},
		"internal/dispatch":        {imports: []string{"internal/delivery", "internal/events", "internal/queue", "internal/render", "internal/routing", "internal/secret", "internal/slack", "internal/webhook"}},
		"internal/ecmajson":        {},
		"internal/egress":          {},
		"internal/events":          {imports: []string{"schemas"}},
		"internal/export":          {imports: []string{"internal/seal", "schemas"}},
		"internal/fixtures":        {support: true},
		"internal/jinja":           {},
		"internal/outbox":          {imports: []string{"internal/delivery"}, tests: []string{"internal/events", "internal/store/storetest"}},
		"internal/pipeline":        {imports: []string{"internal/audit", "internal/delivery", "internal/dispatch", "internal/egress", "internal/events", "internal/outbox", "internal/project", "internal/queue", "internal/render", "internal/routing", "internal/secret", "internal/slack", "internal/store", "internal/webhook"}},
		"internal/pgtest":          {support: true},
		"internal/project":         {},
		"internal/queue":           {imports: []string{"internal/delivery", "internal/events"}, tests: []string{"internal/outbox", "internal/pgtest", "internal/secret", "internal/store"}, measures: true},
		"internal/pyvalue":         {},
		"internal/pyyaml":          {},
		"internal/reminder":        {imports: []string{"internal/events", "internal/project"}},
		"internal/render":          {imports: []string{"internal/events", "internal/jinja"}, tests: []string{"schemas"}},
		"internal/routing":         {imports: []string{"internal/delivery", "internal/events", "internal/secret"}},
		"internal/seal":            {},
		"internal/secret":          {},
		"internal/server":          {imports: []string{"internal/delivery", "internal/events", "internal/secret"}, tests: []string{"internal/pyyaml"}, measures: true},
		"internal/service":         {imports: []string{"internal/audit", "internal/delivery", "internal/dispatch", "internal/events", "internal/pipeline", "internal/project", "internal/queue", "internal/routing", "internal/server", "internal/store"}, tests: []string{"internal/egress", "internal/outbox", "internal/pgtest", "internal/secret", "internal/webhook"}, measures: true},
		"internal/slack":           {imports: []string{"internal/attempt", "internal/delivery", "internal/events", "internal/secret"}, tests: []string{"internal/render", "internal/slack/slacktest"}},
		"internal/slack/slacktest": {support: true},
		"internal/store":           {imports: []string{"internal/delivery", "internal/events", "internal/secret"}, tests: []string{"internal/events", "internal/pgtest", "internal/queue", "internal/store/storetest"}, measures: true},
		"internal/store/storetest": {imports: []string{"internal/delivery", "internal/events", "internal/queue"}, support: true},
		"internal/suggest":         {},
		"internal/webhook":         {imports: []string{"internal/attempt", "internal/delivery", "internal/events", "internal/secret"}},
	}
}

// common are rooms that any other may import: they carry no knowledge of
// notifications.
func common() []string { return []string{"internal/ecmajson", "internal/pyvalue", "internal/suggest"} }

// guarded is an import path that not everybody may use: a third-party
// library, which has one room, or a part of the standard library that gives
// away a privilege.
type guarded struct {
	prefix string
	rooms  []string
	// tests allows it in the tests of every room.
	tests bool
	// perSystem demands a file for one operating system (x_unix.go, …).
	perSystem bool
	why       string
}

func libraries() []guarded {
	return []guarded{
		{prefix: "github.com/spf13/cobra", rooms: []string{"cmd"}, why: "the command line is cmd's"},
		{prefix: "golang.org/x/term", rooms: []string{"cmd"}, why: "only the command line meets a terminal"},
		{prefix: "github.com/spf13/pflag", rooms: []string{"cmd"}, why: "the command line is cmd's"},
		{prefix: "github.com/santhosh-tekuri/jsonschema", rooms: []string{"schemas"}, tests: true, why: "schemas compiles every schema"},
		{prefix: "github.com/oklog/ulid", rooms: []string{"internal/delivery", "internal/events", "internal/outbox"}, why: "ids are minted where events and deliveries begin"},
		{prefix: "github.com/standard-webhooks", tests: true, why: "it is an oracle for tests"},
		{prefix: "golang.org/x/sys", rooms: []string{"internal/audit", "internal/egress", "internal/export", "internal/outbox", "internal/project"}, perSystem: true, why: "calls to the operating system live in one file per system"},
		{prefix: "golang.org/x/text", rooms: []string{"internal/export"}, tests: true, why: "only bundles need collation"},
		{prefix: "code.dny.dev/ssrf", tests: true, why: "it is an oracle for tests"},
		{prefix: "github.com/google/go-cmp", tests: true, why: "it is for tests"},
		{prefix: "github.com/rogpeppe/go-internal", tests: true, why: "it is for tests"},
		{prefix: "go.uber.org/goleak", tests: true, why: "it is for tests"},
		{prefix: "pgregory.net/rapid", tests: true, why: "it is for tests"},
		{prefix: "testing", tests: true, why: "it is for tests"},
		{prefix: "github.com/VictoriaMetrics/metrics", rooms: []string{"internal/server"}, why: "metrics are the server's"},
		{prefix: "github.com/jackc/pgx", rooms: []string{"internal/store"}, tests: true, why: "databases are the store's"},
		{prefix: "github.com/pressly/goose", rooms: []string{"internal/store"}, why: "databases are the store's"},
		{prefix: "modernc.org/sqlite", rooms: []string{"internal/store"}, why: "databases are the store's"},
		{prefix: "database/sql", rooms: []string{"internal/store"}, tests: true, why: "databases are the store's"},
		{prefix: "github.com/chromedp", tests: true, why: "it drives the browser of tests"},
		{prefix: "net/http", rooms: []string{"cmd", "internal/attempt", "internal/dashboard", "internal/egress", "internal/pipeline", "internal/server", "internal/slack", "internal/webhook"}, tests: true, why: "webhook and slack are the only ways out, server and dashboard the only ways in"},
		{prefix: "os/exec", rooms: []string{"internal/export"}, tests: true, why: "the one program ever started is git, by export"},
		{prefix: "unsafe", why: "nothing here needs it"},
	}
}

// world lists what only cmd may ask the process for. True means that only a
// call is refused, so that time.Now can still be the default of an option.
func world() map[string]bool {
	return map[string]bool{
		"os.Args": false, "os.Exit": false, "os.Getenv": false, "os.LookupEnv": false,
		"os.Environ": false, "os.Setenv": false, "os.Getwd": false, "os.Chdir": false,
		"os.Stdin": false, "os.Stdout": false, "os.Stderr": false,
		"time.Now": true, "time.Since": true, "time.Until": true, "time.Sleep": true,
	}
}

// TestArchitecture holds the module to the plan.
func TestArchitecture(t *testing.T) {
	problems, n, err := inspect(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if n < 3 {
		t.Errorf("only %d packages were read", n)
	}
}

// TestArchitectureDocument holds the document to the plan, so that a reader
// can believe its table.
func TestArchitectureDocument(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*\\| ([^|]*) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = m[2]
	}
	for name, r := range rooms() {
		if got, want := documented[name], arrowsText(r); got != want {
			t.Errorf("docs/architecture.md: row %q says it may import %q; arch_test.go allows %q", name, got, want)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("docs/architecture.md: row %q is no room of arch_test.go", name)
	}
}

func arrowsText(r room) string {
	var names []string
	for _, i := range r.imports {
		names = append(names, strings.TrimPrefix(i, "internal/"))
	}
	switch {
	case len(names) == 0:
		return "–"
	case names[0] == everything:
		return "everything it wires"
	}
	return strings.Join(names, ", ")
}

// TestInspectFindsEachMistake gives the checker a tree per rule that breaks
// just that rule: a guard that cannot fail guards nothing.
func TestInspectFindsEachMistake(t *testing.T) {
	const header = "// Package p is there.\npackage p\n"
	tests := []struct {
		name, file, source, want string
	}{
		{"arrow", "internal/queue/q.go", header + `import _ "fake/internal/audit"`, `internal/queue/q.go:3: internal/queue may not import internal/audit`},
		{"arrow to config", "internal/server/s.go", header + `import _ "fake/internal/config"`, `internal/server may not import internal/config`},
		{"arrow to the root", "internal/server/s.go", header + `import _ "fake"`, `internal/server may not import .`},
		{"arrow of a test", "internal/queue/q_test.go", "package p\n" + `import _ "fake/internal/webhook"`, `tests of internal/queue may not import internal/webhook`},
		{"fixtures in code", "cmd/c.go", header + `import _ "fake/internal/fixtures"`, `cmd/c.go:3: only tests may import internal/fixtures`},
		{"suite in code", "internal/outbox/o.go", header + `import _ "fake/internal/store/storetest"`, `only tests may import internal/store/storetest`},
		{"suite elsewhere", "internal/queue/q_test.go", "package p\n" + `import _ "fake/internal/store/storetest"`, `tests of internal/queue may not import internal/store/storetest`},
		{"no such room", "internal/newcomer/n.go", header, `internal/newcomer/n.go: internal/newcomer is no room`},
		{"library elsewhere", "internal/queue/q.go", header + `import _ "github.com/spf13/cobra"`, `internal/queue may not import "github.com/spf13/cobra": the command line is cmd's`},
		{"library of another version", "internal/export/e.go", header + `import _ "github.com/santhosh-tekuri/jsonschema/v5"`, `internal/export may not import "github.com/santhosh-tekuri/jsonschema/v5"`},
		{"unknown library", "cmd/c.go", header + `import _ "example.org/lib"`, `"example.org/lib" has no room`},
		{"library for tests", "cmd/c.go", header + `import _ "go.uber.org/goleak"`, `cmd may not import "go.uber.org/goleak": it is for tests`},
		{"testing in code", "internal/queue/q.go", header + `import _ "testing"`, `may not import "testing"`},
		{"another way out", "internal/audit/a.go", header + `import _ "net/http"`, `may not import "net/http": webhook and slack are the only ways out`},
		{"x/sys in a file for all", "internal/audit/a.go", header + `import _ "golang.org/x/sys/unix"`, `only in a file for one system`},
		{"syscall in a file for all", "internal/audit/a.go", header + "import \"syscall\"\nfunc f() { syscall.Fsync(1) }", `internal/audit/a.go:4: syscall.Fsync belongs in a file for one system`},
		{"environment", "internal/audit/a.go", header + "import \"os\"\nvar x = os.Getenv", `internal/audit/a.go:4: os.Getenv is only cmd's`},
		{"renamed import", "internal/audit/a.go", header + "import sys \"os\"\nvar x = sys.Args", `os.Args is only cmd's`},
		{"clock", "internal/audit/a.go", header + "import \"time\"\nfunc f() { time.Now() }", `internal/audit/a.go:4: time.Now is only cmd's`},
		{"sleep", "internal/webhook/w.go", header + "import \"time\"\nfunc f() { time.Sleep(1) }", `time.Sleep is only cmd's`},
		{"init", "internal/audit/a.go", header + "func init() {}", `internal/audit/a.go:3: func init`},
		{"init in cmd", "cmd/a.go", header + "func init() {}", `cmd/a.go:3: func init`},
		{"start-up work", "internal/audit/a.go", header + "import \"regexp\"\nvar x = regexp.MustCompile(`a`)", `internal/audit/a.go:4: regexp.MustCompile runs at every start`},
		{"stray file", "internal/audit/gen.go", "//go:build ignore\n\n" + header, `internal/audit/gen.go: never built`},
		{"drawer", "internal/audit/util/u.go", header, `internal/audit/util: "util" says nothing`},
		{"no comment", "internal/audit/a.go", "package p\n", `internal/audit: no package comment`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := inspectFake(t, tt.file, tt.source)
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, tt.want) }) {
				t.Errorf("got %q, want one with %q", problems, tt.want)
			}
		})
	}
}

// TestInspectAllows is the other half: what the plan allows gives no problem.
func TestInspectAllows(t *testing.T) {
	const header = "// Package p is there.\npackage p\n"
	tests := []struct{ name, file, source string }{
		{"arrow", "internal/queue/q.go", header + `import _ "fake/internal/delivery"`},
		{"common room", "internal/audit/a.go", header + `import _ "fake/internal/ecmajson"`},
		{"wiring", "cmd/c.go", header + `import _ "fake/internal/audit"`},
		{"command line", "cmd/c.go", header + "import \"os\"\nfunc f() { os.Exit(1) }"},
		{"x/sys in its file", "internal/audit/lock_windows.go", header + `import _ "golang.org/x/sys/windows"`},
		{"portable part of syscall", "internal/webhook/w.go", header + "import \"syscall\"\nvar _ = syscall.ECONNREFUSED\nfunc f(syscall.RawConn) {}"},
		{"clock as a default", "internal/audit/a.go", header + "import \"time\"\nfunc f() func() time.Time { return time.Now }"},
		{"stop-watch", "internal/attempt/w.go", header + "import \"time\"\nfunc f() { time.Since(time.Now()) }"},
		{"another os", "internal/audit/a.go", header + "type t struct{ Args int }\nfunc f(os t) int { return os.Args }"},
		{"data of tests", "internal/audit/testdata/x.go", "package nonsense\n"},
		{"nested module", "tools/x.go", "package nonsense\n"},
		{"late work", "internal/audit/a.go", header + "import (\n\"regexp\"\n\"sync\"\n)\nvar x = sync.OnceValue(func() any { return regexp.MustCompile(`a`) })"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if problems := inspectFake(t, tt.file, tt.source); len(problems) > 0 {
				t.Errorf("got %q", problems)
			}
		})
	}
}

// inspectFake inspects a module named fake that holds one file.
func inspectFake(t *testing.T, file, source string) []string {
	t.Helper()
	tree := fstest.MapFS{
		"go.mod":       {Data: []byte("module fake\n")},
		"tools/go.mod": {Data: []byte("module fake/tools\n")},
		file:           {Data: []byte(source)},
	}
	problems, _, err := inspect(tree)
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

// inspect reads every Go file of the module in tree, whatever system it is
// built for, and returns its breaches of the plan, sorted, and the number of
// packages read.
func inspect(tree fs.FS) (problems []string, packages int, err error) {
	module, err := modulePath(tree)
	if err != nil {
		return nil, 0, err
	}
	in := &inspection{module: module, rooms: rooms(), documented: map[string]bool{}}
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(tree, name):
			return fs.SkipDir
		case !d.IsDir() && path.Ext(name) == ".go":
			return in.read(tree, name)
		}
		return nil
	})
	for dir, ok := range in.documented {
		if !ok {
			in.problem(dir, 0, "no package comment")
		}
	}
	slices.Sort(in.problems)
	return in.problems, len(in.documented), err
}

// modulePath returns the path on the module line of go.mod, so that the
// module can be renamed without touching this file.
func modulePath(tree fs.FS) (string, error) {
	f, err := tree.Open("go.mod")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", cmp.Or(lines.Err(), fs.ErrNotExist)
}

// skipped says whether dir is none of the module's: the go command leaves out
// the same folders.
func skipped(tree fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}

// inspection gathers what one walk over the module finds.
type inspection struct {
	module   string
	rooms    map[string]room
	problems []string
	// documented says of each package whether it has a package comment.
	documented map[string]bool
}

// source is one parsed file and where it stands.
type source struct {
	name, dir string
	test      bool
	perSystem bool
	room      room
	fset      *token.FileSet
	ast       *ast.File
}

func (in *inspection) problem(place string, line int, format string, args ...any) {
	if line > 0 {
		place += ":" + strconv.Itoa(line)
	}
	in.problems = append(in.problems, place+": "+fmt.Sprintf(format, args...))
}

func (in *inspection) read(tree fs.FS, name string) error {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s := &source{
		name: name, dir: path.Dir(name), fset: fset, ast: parsed,
		test: strings.HasSuffix(name, "_test.go"), perSystem: forOneSystem(name),
	}
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc"}, path.Base(s.dir)) {
		in.problem(s.dir, 0, "%q says nothing: name the package after what it knows", path.Base(s.dir))
	}
	if neverBuilt(parsed) {
		in.problem(name, 0, "never built: a generator or an experiment is no part of the module")
	}
	known := false
	if s.room, known = in.rooms[s.dir]; !known {
		in.problem(name, 0, "%s is no room; add it to the table in arch_test.go and docs/architecture.md", s.dir)
		return nil
	}
	if !s.test {
		in.documented[s.dir] = in.documented[s.dir] || parsed.Doc != nil
	}
	in.imports(s)
	in.declarations(s)
	in.names(s)
	return nil
}

// neverBuilt reports a constraint that asks for the tag "ignore".
func neverBuilt(f *ast.File) bool {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil && expr.String() == "ignore" {
				return true
			}
		}
	}
	return false
}

// forOneSystem says whether the file's name ends in a system, as the go
// command and our own custom (_unix, _other) read it.
func forOneSystem(name string) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".go"), "_test")
	_, system, found := strings.Cut(base, "_")
	if !found {
		return false
	}
	system = system[strings.LastIndex(system, "_")+1:]
	return slices.Contains([]string{"unix", "linux", "darwin", "windows", "other"}, system)
}

func (in *inspection) imports(s *source) {
	for _, spec := range s.ast.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has accepted the literal, so this cannot be
		}
		line := s.fset.Position(spec.Pos()).Line
		inside, ours := strings.CutPrefix(target+"/", in.module+"/")
		switch {
		case ours:
			in.arrow(s, line, path.Clean(inside))
		default:
			in.library(s, line, target)
		}
	}
}

// arrow checks one import of another room.
func (in *inspection) arrow(s *source, line int, to string) {
	forTests := s.test || s.room.support
	switch {
	case to == s.dir || slices.Contains(common(), to):
	case in.rooms[to].support && !forTests:
		in.problem(s.name, line, "only tests may import %s", to)
	case to == "internal/fixtures" && forTests:
	case to != "." && slices.Contains(s.room.imports, everything):
	case slices.Contains(s.room.imports, to):
	case s.test && (slices.Contains(s.room.tests, to) || slices.Contains(s.room.tests, everything)):
	case s.test:
		in.problem(s.name, line, "tests of %s may not import %s", s.dir, to)
	default:
		in.problem(s.name, line, "%s may not import %s; the arrows are listed in docs/architecture.md", s.dir, to)
	}
}

// library checks one import from outside the module.
func (in *inspection) library(s *source, line int, target string) {
	for _, g := range libraries() {
		if target != g.prefix && !strings.HasPrefix(target, g.prefix+"/") {
			continue
		}
		allowed := slices.Contains(g.rooms, s.dir) || g.tests && (s.test || s.room.support)
		if !allowed {
			in.problem(s.name, line, "%s may not import %q: %s", s.dir, target, g.why)
		} else if g.perSystem && !s.perSystem {
			in.problem(s.name, line, "%q only in a file for one system, such as x_unix.go", target)
		}
		return
	}
	if first, _, _ := strings.Cut(target, "/"); strings.Contains(first, ".") {
		in.problem(s.name, line, "%q has no room; give it one in arch_test.go, with a reason", target)
	}
}

// declarations looks for what would run before main does.
func (in *inspection) declarations(s *source) {
	if s.test {
		return
	}
	for _, decl := range s.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				in.problem(s.name, s.fset.Position(d.Pos()).Line, "func init runs at every start, used or not")
			}
		case *ast.GenDecl:
			ast.Inspect(d, func(n ast.Node) bool { return in.startUpWork(s, n) })
		}
	}
}

// startUpWork refuses calls such as regexp.MustCompile in the value of a
// package variable. It does not look into function literals: those run later.
func (in *inspection) startUpWork(s *source, n ast.Node) bool {
	if _, later := n.(*ast.FuncLit); later {
		return false
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return true
	}
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(sel.Sel.Name, "Must") {
		if pkg, ok := sel.X.(*ast.Ident); ok {
			in.problem(s.name, s.fset.Position(call.Pos()).Line, "%s.%s runs at every start, used or not; see sync.OnceValue", pkg.Name, sel.Sel.Name)
		}
	}
	return true
}

// names checks every pkg.Name of the file against [world] and syscall.
func (in *inspection) names(s *source) {
	if s.test || s.room.support {
		return
	}
	imported := importNames(s.ast)
	called := map[*ast.SelectorExpr]bool{}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				called[sel] = true
			}
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && imported[pkg.Name] != "" {
			in.name(s, s.fset.Position(sel.Pos()).Line, imported[pkg.Name]+"."+sel.Sel.Name, called[sel])
		}
		return true
	})
}

func importNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = target
	}
	return names
}

func (in *inspection) name(s *source, line int, name string, called bool) {
	if member, ok := strings.CutPrefix(name, "syscall."); ok && !s.perSystem && !portable(member) {
		in.problem(s.name, line, "%s belongs in a file for one system, such as x_unix.go", name)
	}
	onlyCalls, forbidden := world()[name]
	if !forbidden || onlyCalls && !called || s.room.door {
		return
	}
	if s.room.measures && (name == "time.Now" || name == "time.Since") {
		return
	}
	in.problem(s.name, line, "%s is only cmd's: take it as an argument or an option", name)
}

// portable says whether a member of package syscall exists everywhere: signals,
// error numbers, and the types of a dialer's Control.
func portable(member string) bool {
	switch member {
	case "SIGINT", "SIGTERM", "SIGHUP", "Signal", "Errno", "RawConn", "Conn":
		return true
	}
	return len(member) > 1 && member[0] == 'E' && strings.ToUpper(member) == member
}
