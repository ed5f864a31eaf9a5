package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"agentxchain/internal/project"
	"agentxchain/internal/pyyaml"
)

// maxGatewayFile is the size up to which gateway.yaml and AGENT.md files are
// read, in bytes.
const maxGatewayFile = 1 << 20

// LoadGateway reads gateway.yaml and the rules of the agents that belong to
// it, and returns every problem of every file, sorted by file and place.
//
// The values mean what they mean to Agent Gateway (contract, sections 1 and
// 6.1). An error never makes a default of anything: what is wrong is left out
// or fails its own deliveries, and what is right stays. So the Gateway can be
// used to send what can still be sent even when a problem is an error; it is
// nil only when the file is no YAML mapping.
func LoadGateway(file string, o GatewayOptions) (*Gateway, Problems) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, Problems{{File: file, Message: err.Error(), Err: err}}
	}
	r := newGatewayReader(file, o)
	doc := r.document()
	if doc == nil {
		return nil, r.problems
	}
	g := r.compose(doc)
	var problems Problems
	g.Routing.Agents, problems = loadAgents(g, o)
	problems = append(r.problems, problems...)
	problems.sortByFile(file)
	for _, p := range problems {
		if p.Severity == Warning {
			g.Warnings = append(g.Warnings, p)
		}
	}
	g.root = o.root(file)
	g.settings, g.uses = r.settings, g.templates()
	return g, problems
}

// root is the folder that the files of agents are relative to.
func (o GatewayOptions) root(file string) string {
	if o.Root != "" {
		return o.Root
	}
	return filepath.Dir(file)
}

// sortByFile sorts problems by file, the first one first, and by place.
func (ps Problems) sortByFile(first string) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if order := cmp.Compare(a.File, b.File); order != 0 {
			switch first {
			case a.File:
				return -1
			case b.File:
				return 1
			}
			return order
		}
		return cmp.Compare(a.Offset, b.Offset)
	})
}

// gatewayReader reads one gateway.yaml, and the variables behind it.
type gatewayReader struct {
	checker
	opts GatewayOptions
	// variables names the environment variable that each value came from which
	// is not in the file.
	variables map[*pyyaml.Node]string
	// fault is the first value that had to be left out since this was last
	// emptied, in the words of a delivery that fails for it.
	fault    string
	settings []Setting
}

func newGatewayReader(file string, o GatewayOptions) *gatewayReader {
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	return &gatewayReader{
		checker:   checker{file: file, lookup: project.LookupFunc(o.Lookup)},
		opts:      o,
		variables: map[*pyyaml.Node]string{},
	}
}

// document returns the mapping that the file and the environment make
// together, nil when the file is not usable at all.
func (r *gatewayReader) document() *pyyaml.Node {
	src, err := readSmall(r.file)
	if err != nil {
		r.unreadable(err, "a gateway is configured by a regular file")
		return nil
	}
	doc, err := pyyaml.Parse(src, pyyaml.Limits{Bytes: maxGatewayFile})
	if err != nil {
		r.invalidYAML(err, src)
		return nil
	}
	r.src = src
	r.repeatedKeys(doc)
	root := doc.Root
	if root.Kind != pyyaml.Mapping {
		if !falsy(root) {
			r.wrong(root, "", "mapping", "the file must hold a mapping, not "+root.Kind.String(), `it begins with a section, such as "notifications:"`)
			return nil
		}
		root = &pyyaml.Node{Kind: pyyaml.Mapping, Line: 1, Column: 1}
	}
	return r.overEnvironment(root)
}

// falsy reports whether Python takes a value as false, which at the top of the
// file means that nothing is configured.
func falsy(v *pyyaml.Node) bool {
	switch v.Kind {
	case pyyaml.Null:
		return true
	case pyyaml.Bool:
		return !v.True()
	case pyyaml.Int:
		return v.Int().Sign() == 0
	case pyyaml.Float:
		return v.Float() == 0
	}
	return v.Text == "" && len(v.Items) == 0 && len(v.Members) == 0
}

// readSmall reads a regular file up to maxGatewayFile. Anything else is refused
// before it is opened: opening a pipe would wait for a writer for ever. Its
// errors leave the path to the problem that they end up in.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("this is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxGatewayFile+1))
	if err == nil && len(src) > maxGatewayFile {
		err = fmt.Errorf("the file is larger than %d bytes", maxGatewayFile)
	}
	return src, withoutPath(err)
}

// withoutPath takes the path off an error of the file system.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// unreadable records that a file, as a whole, could not be read.
func (c *checker) unreadable(err error, hint string) Problem {
	p := Problem{Code: "unreadable", Message: err.Error(), Hint: hint, Err: err}
	c.add(p)
	return p
}

// invalidYAML records what the parser found, with the line concerned.
func (c *checker) invalidYAML(err error, src []byte) Problem {
	var e *pyyaml.Error
	if !errors.As(err, &e) {
		return c.unreadable(err, "")
	}
	p := Problem{Line: e.Line, Column: e.Column, Offset: e.Offset, Code: "yaml", Err: err, Message: "invalid YAML: " + e.Message}
	if excerpt := e.Excerpt(src); strings.TrimSpace(excerpt) != "^" {
		p.Hint = strings.ReplaceAll("the line reads\n"+excerpt, "\n", "\n    ")
	}
	c.add(p)
	return p
}

func (c *checker) repeatedKeys(doc *pyyaml.Document) {
	for _, d := range doc.Duplicates {
		c.remark(d.Key, "", "duplicate_key", fmt.Sprintf("the key %q stands in line %d too; the last value counts", d.Key.Text, d.First), "remove one of them")
	}
}

// wrong records an error at a value of a YAML document.
func (c *checker) wrong(v *pyyaml.Node, pointer, code, message, hint string) {
	c.add(nodeProblem(v, Error, pointer, code, message, hint))
}

// remark records a warning at a value of a YAML document.
func (c *checker) remark(v *pyyaml.Node, pointer, code, message, hint string) {
	c.add(nodeProblem(v, Warning, pointer, code, message, hint))
}

func nodeProblem(v *pyyaml.Node, s Severity, pointer, code, message, hint string) Problem {
	return Problem{
		Line: v.Line, Column: v.Column, Offset: v.Offset,
		Severity: s, Pointer: pointer, Code: code, Message: message, Hint: hint,
	}
}

// wrong records an error at a value, wherever it came from, that is not used.
func (r *gatewayReader) wrong(v *pyyaml.Node, pointer, code, message, hint string) {
	r.spoil(r.report(nodeProblem(v, Error, pointer, code, message, hint), v))
}

// spoil notes why what is being read cannot be used, unless that is known.
func (r *gatewayReader) spoil(p Problem) {
	if r.fault != "" {
		return
	}
	if p.File == "" {
		p.File = project.GatewayName
	}
	r.fault = p.String()
}

// remark records a warning at a value, wherever it came from.
func (r *gatewayReader) remark(v *pyyaml.Node, pointer, code, message, hint string) {
	r.report(nodeProblem(v, Warning, pointer, code, message, hint), v)
}

// report adds a problem, in the name of the variable that v came from if it
// did, and returns it.
func (r *gatewayReader) report(p Problem, v *pyyaml.Node) Problem {
	if name := r.variables[v]; name != "" {
		p.File, p.Line, p.Column, p.Offset = "environment variable "+name, 0, 0, 0
	}
	r.add(p)
	return p
}
