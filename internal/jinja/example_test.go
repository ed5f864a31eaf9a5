package jinja_test

import (
	"context"
	"fmt"

	"agentxchain/internal/jinja"
	"agentxchain/internal/pyvalue"
)

func Example() {
	template, err := jinja.Compile("alert.json.j2",
		`{"text": {{ ("%s failed: %s" | format(agent, error)) | tojson }}, "tags": {{ tags | sort | tojson }}}`,
		jinja.Options{Loader: jinja.FolderLoader("templates")})
	if err != nil {
		fmt.Println(err)
		return
	}
	vars := pyvalue.NewDict(3)
	vars.SetStr("agent", pyvalue.NewStr("report-agent"))
	vars.SetStr("error", pyvalue.NewStr(`no "data"`))
	vars.SetStr("tags", pyvalue.NewList(pyvalue.NewStr("vip"), pyvalue.NewStr("eu")))
	text, err := template.Render(context.Background(), vars)
	fmt.Println(text, err)
	// Output: {"text": "report-agent failed: no \"data\"", "tags": ["eu", "vip"]} <nil>
}

func ExampleError() {
	_, err := jinja.Compile("alert.json.j2", "{% if agent %}\n{{ agent | uper }}\n{% endfor %}", jinja.Options{})
	fmt.Println(err)
	// Output: alert.json.j2:3:4: Encountered unknown tag 'endfor'. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.
}
