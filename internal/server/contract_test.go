package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v5"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/pyyaml"
)

// contract is openapi.yaml, ready to hold answers to it.
type contract struct {
	root     map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
	seen     map[string]bool
}

// promised is the contract that all tests share.
var promised = sync.OnceValue(func() *contract {
	parsed, err := pyyaml.Parse([]byte(document), pyyaml.Limits{})
	if err != nil {
		panic(err)
	}
	if len(parsed.Duplicates) > 0 {
		panic(fmt.Sprint("repeated keys: ", parsed.Duplicates))
	}
	root := plainYAML(parsed.Root)
	text, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	c := &contract{
		root: object(root), compiler: jsonschema.NewCompiler(),
		compiled: map[string]*jsonschema.Schema{}, seen: map[string]bool{},
	}
	c.compiler.Draft, c.compiler.AssertFormat = jsonschema.Draft2020, true
	if err := c.compiler.AddResource("test:openapi", strings.NewReader(string(text))); err != nil {
		panic(err)
	}
	return c
})

// plainYAML converts a node to what encoding/json would have read.
func plainYAML(n *pyyaml.Node) any {
	switch n.Kind {
	case pyyaml.Mapping:
		m := map[string]any{}
		for _, member := range n.Members {
			if !member.Key.Is(pyyaml.String) {
				panic(fmt.Sprintf("line %d: the key is %s", member.Key.Line, member.Key.Kind))
			}
			m[member.Key.Text] = plainYAML(member.Value)
		}
		return m
	case pyyaml.Sequence:
		list := []any{}
		for _, item := range n.Items {
			list = append(list, plainYAML(item))
		}
		return list
	case pyyaml.Int:
		return float64(n.Int().Int64())
	case pyyaml.Float:
		return n.Float()
	case pyyaml.Bool:
		return n.True()
	case pyyaml.Null:
		return nil
	case pyyaml.String:
		return n.Text
	}
	panic(fmt.Sprintf("line %d: %s", n.Line, n.Kind))
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// follow resolves a $ref to one place of the document.
func (c *contract) follow(v any, pointer string) (node map[string]any, place string) {
	m := object(v)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m, pointer
	}
	node = c.root
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		node = object(node[step])
	}
	return node, strings.TrimPrefix(ref, "#")
}

// valid judges a value by the schema at a place of the document.
func (c *contract) valid(place string, v any) error {
	c.mu.Lock()
	schema := c.compiled[place]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile("test:openapi#" + place); err != nil {
			c.mu.Unlock()
			return err
		}
		c.compiled[place] = schema
	}
	c.mu.Unlock()
	return schema.Validate(v)
}

func step(s string) string {
	return "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(s))
}

// operation finds what the document says of a path and a method.
func (c *contract) operation(method, path string) (op map[string]any, name, place string) {
	asked := strings.Split(path, "/")
	for template, item := range object(c.root["paths"]) {
		parts := strings.Split(template, "/")
		if len(parts) != len(asked) || slices.ContainsFunc(parts, func(p string) bool { return p == "" }) && parts[0] != "" {
			continue
		}
		fits := true
		for i, p := range parts {
			fits = fits && (p == asked[i] || strings.HasPrefix(p, "{") && asked[i] != "")
		}
		if o := object(object(item)[strings.ToLower(method)]); fits && o != nil {
			return o, method + " " + template, "/paths" + step(template) + step(strings.ToLower(method))
		}
	}
	return nil, "", ""
}

// check holds an answer to the document.
func (c *contract) check(t *testing.T, method, path string, got reply) {
	t.Helper()
	if got.header.Get("X-Request-Id") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: headers %v", method, path, got.header)
	}
	head := method == http.MethodHead
	if head {
		method = http.MethodGet
	}
	op, name, place := c.operation(method, path)
	var answer map[string]any
	if op != nil {
		status := fmt.Sprint(got.status)
		answer, place = c.follow(object(op["responses"])[status], place+"/responses/"+status)
	}
	kind, _, _ := mime.ParseMediaType(got.header.Get("Content-Type"))
	switch {
	case answer != nil:
		c.checkHeaders(t, name, answer, place, got)
		c.mu.Lock()
		c.seen[name+" "+fmt.Sprint(got.status)] = true
		c.mu.Unlock()
		content := object(answer["content"])
		if content[kind] == nil {
			t.Errorf("%s: an answer of %d is %q, which the document lacks", name, got.status, kind)
			return
		}
		place += "/content" + step(kind) + "/schema"
	case kind == "application/problem+json" && everywhere(got):
		place = "/components/schemas/Problem"
	case op != nil || strings.HasPrefix(path, "/v1/"):
		t.Errorf("%s %s: the document has no answer of %d: %.300s", method, path, got.status, got.body)
		return
	default:
		return // the dashboard's
	}
	if head {
		return
	}
	var body any = got.body
	if strings.HasSuffix(kind, "json") {
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Errorf("%s %s: %v in %q", method, path, err, got.body)
			return
		}
	}
	if err := c.valid(place, body); err != nil {
		t.Errorf("%s %s: %#v in %s", method, path, err, got.body)
	}
}

// everywhere reports whether any operation may answer so, as the document
// says at its beginning.
func everywhere(got reply) bool {
	return slices.ContainsFunc([]string{"foreign_host", "not_found", "method_not_allowed", "internal_error"}, func(code string) bool {
		return strings.Contains(got.body, `"code":"`+code+`"`) || got.body == "" && got.status >= 400
	})
}

func (c *contract) checkHeaders(t *testing.T, name string, answer map[string]any, place string, got reply) {
	t.Helper()
	for h, spec := range object(answer["headers"]) {
		value := got.header.Get(h)
		if value == "" {
			if object(spec)["required"] == true {
				t.Errorf("%s: an answer of %d lacks %s", name, got.status, h)
			}
			continue
		}
		if err := c.valid(place+"/headers"+step(h)+"/schema", value); err != nil {
			t.Errorf("%s: header %s: %v", name, h, err)
		}
	}
}

// operations lists the document's: method and path.
func (c *contract) operations() []string {
	var list []string
	for path, item := range object(c.root["paths"]) {
		for method := range object(item) {
			if method != "parameters" {
				list = append(list, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(list)
	return list
}

// unseen lists the documented answers that no test has met.
func (c *contract) unseen() []string {
	var list []string
	for _, name := range c.operations() {
		method, path, _ := strings.Cut(name, " ")
		op := object(object(object(c.root["paths"])[path])[strings.ToLower(method)])
		for status := range object(op["responses"]) {
			if !c.seen[name+" "+status] {
				list = append(list, name+" "+status)
			}
		}
	}
	slices.Sort(list)
	return list
}

// TestDocumentHasEveryRoute and no other.
func TestDocumentHasEveryRoute(t *testing.T) {
	var served []string
	for _, rt := range (&api{}).routes() {
		served = append(served, rt.method+" "+rt.path)
	}
	slices.Sort(served)
	if diff := cmp.Diff(served, promised().operations()); diff != "" || len(served) < 7 {
		t.Errorf("routes and document differ (- routes, + document):\n%s", diff)
	}
}

// TestDocumentKnowsWhoMayAsk holds scopes and openness to the document.
func TestDocumentKnowsWhoMayAsk(t *testing.T) {
	for _, rt := range (&api{}).routes() {
		op, name, _ := promised().operation(rt.method, rt.path)
		about, _ := op["description"].(string)
		if open := cmp.Equal(op["security"], []any{}); open != (rt.scope == "") {
			t.Errorf("%s: open %t in the document", name, open)
		}
		if rt.scope != "" && rt.path != "/v1/health" && !strings.Contains(about, "`"+rt.scope+"`") {
			t.Errorf("%s: the document does not name the scope %s", name, rt.scope)
		}
	}
}

// TestDocumentHasEveryParameter accepts what is documented, with its example,
// and refuses every other.
func TestDocumentHasEveryParameter(t *testing.T) {
	w := start(t, nil)
	op, _, place := promised().operation(http.MethodGet, "/v1/notifications")
	var documented, known []string
	list, _ := op["parameters"].([]any)
	for i, p := range list {
		m := object(p)
		name, example := fmt.Sprint(m["name"]), m["example"]
		documented = append(documented, name)
		if err := promised().valid(fmt.Sprintf("%s/parameters/%d/schema", place, i), example); err != nil {
			t.Errorf("example of %s: %v", name, err)
		}
		values := []any{example}
		if enum, ok := object(m["schema"])["enum"].([]any); ok {
			values = enum
		}
		for _, v := range values {
			if got := w.get("/v1/notifications?" + name + "=" + url.QueryEscape(fmt.Sprint(v))); got.status != http.StatusOK {
				t.Errorf("%s=%v: %d %s", name, v, got.status, got.body)
			}
		}
	}
	for _, p := range listParameters() {
		known = append(known, p.name)
	}
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("parameters (- code, + document):\n%s", diff)
	}
}

// TestDocumentsWordsAreTheCodes compares the closed lists.
func TestDocumentsWordsAreTheCodes(t *testing.T) {
	enum := func(schema, property string) []string {
		node := object(object(object(promised().root["components"])["schemas"])[schema])
		if parts, ok := node["allOf"].([]any); ok {
			node = object(parts[len(parts)-1])
		}
		if property != "" {
			node = object(object(node["properties"])[property])
		}
		var words []string
		list, _ := node["enum"].([]any)
		for _, v := range list {
			words = append(words, fmt.Sprint(v))
		}
		return words
	}
	var codes, types []string
	for _, k := range kinds {
		codes = append(codes, string(k.code))
		if http.StatusText(k.status) == "" || k.title == "" {
			t.Errorf("%+v", k)
		}
	}
	slices.Sort(codes)
	for _, f := range []events.Family{events.Agent, events.Governed} {
		for _, typ := range events.Types(f) {
			types = append(types, string(typ))
		}
	}
	states := []string{"pending", "sending", "delivered", "failed", "discarded"}
	members := slices.Sorted(maps.Keys(object(object(object(object(promised().root["components"])["schemas"])["Event"])["properties"])))
	keys := emissionKeys()
	slices.Sort(keys)
	for _, tt := range []struct {
		name      string
		got, want []string
	}{
		{"codes", slices.Sorted(slices.Values(enum("Problem", "code"))), codes},
		{"events", enum("Notification", "event_type"), types},
		{"states", enum("NotificationDetails", "state"), states},
		{"members of an event", members, keys},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (- code, + document):\n%s", tt.name, diff)
		}
	}
	for _, reason := range enum("Reason", "") {
		res := delivery.Result{Reason: delivery.Reason(reason)}
		if err := promised().valid("/components/schemas/Reason", string(res.Reason)); err != nil {
			t.Error(err)
		}
	}
	if n := len(enum("Reason", "")); n != 21 {
		t.Errorf("%d reasons in the document, 21 in package delivery", n)
	}
}

// TestExamplesAreValid judges every example of the document by the schema
// beside it.
func TestExamplesAreValid(t *testing.T) {
	n := 0
	var walk func(v any, place string)
	walk = func(v any, place string) {
		switch v := v.(type) {
		case map[string]any:
			if example, ok := v["example"]; ok && v["schema"] != nil {
				n++
				if err := promised().valid(place+"/schema", example); err != nil {
					t.Errorf("%s: %#v", place, err)
				}
			}
			for key, child := range v {
				if key != "example" {
					walk(child, place+step(key))
				}
			}
		case []any:
			for i, child := range v {
				walk(child, fmt.Sprintf("%s/%d", place, i))
			}
		}
	}
	walk(promised().root, "")
	if n < 15 {
		t.Errorf("only %d examples", n)
	}
}

// TestValidatorCanFail shows that the schemas refuse: a contract that accepts
// everything guards nothing.
func TestValidatorCanFail(t *testing.T) {
	for _, tt := range []struct{ schema, doc string }{
		{"NotificationList", `{"items":[],"total":0,"limit":50,"offset":0,"more":1}`},
		{"NotificationList", `{"items":[{}],"total":1,"limit":50,"offset":0}`},
		{"Accepted", `{"event_id":"x","event_type":"on_error","emitted_at":"2026-02-25 09:00:00","deliveries":[]}`},
		{"Health", `{"status":"fine"}`},
		{"Problem", `{"type":"about:blank","title":"","status":400,"detail":"","code":"not_found"}`},
		{"Event", `{"event":"run_blocked"}`},
		{"Event", `{"event":"on_error","agnet":"x"}`},
	} {
		var v any
		if err := json.Unmarshal([]byte(tt.doc), &v); err != nil {
			t.Fatal(err)
		}
		if promised().valid("/components/schemas/"+tt.schema, v) == nil {
			t.Errorf("%s accepts %s", tt.schema, tt.doc)
		}
	}
}
