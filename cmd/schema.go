package cmd

import (
	"fmt"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/suggest"
	"agentxchain/schemas"

	"github.com/spf13/cobra"
)

func newSchema(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print a JSON Schema, or the list of them",
		Long: `Print one of the JSON Schemas that describe our files, or without a name the list
of them.
` + exitStatus("0  printed\n  2  unknown name"),
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, names []string) error { return runSchema(a, names, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as a JSON document")
	return c
}

func runSchema(a *app, names []string, asJSON bool) error {
	if len(names) == 1 {
		src, err := schemas.Source(names[0])
		if err != nil {
			f := cannot("unknown_schema", err)
			if near := suggest.Nearest(names[0], schemas.Names()); near != "" {
				f = f.hint("did you mean %q?", near)
			}
			return f.hint("`agentxchain schema` lists them")
		}
		_, err = a.Stdout.Write(src)
		return err
	}
	if asJSON {
		a.printJSON(ecmajson.NewObject().Set("schemas", ecmajson.NewStrings(schemas.Names())))
		return nil
	}
	for _, name := range schemas.Names() {
		fmt.Fprintln(a.Stdout, name)
	}
	return nil
}
