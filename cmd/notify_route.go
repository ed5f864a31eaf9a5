package cmd

import (
	"cmp"
	"fmt"
	"strings"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/pipeline"
	"agentxchain/internal/routing"

	"github.com/spf13/cobra"
)

func newRoute(a *app) *cobra.Command {
	var agent string
	var asJSON bool
	c := &cobra.Command{
		Use:   "route EVENT",
		Short: "Tell where an event would go and why; send nothing",
		Long: `Tell where an event would go and why, one target a line; send nothing and write
nothing. For a governed event --agent is the role of its turn.
` + exitStatus(`0  told
  1  one of the targets can't be sent to, and why
  2  usage or configuration`),
		Example: `  agentxchain notify route on_error --agent report-agent
  agentxchain notify route run_blocked --agent pm --json`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeEvents,
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := events.ParseType(args[0])
			if err != nil {
				return cannot("unknown_event", err)
			}
			return runRoute(a, t, agent, asJSON)
		},
	}
	c.Flags().StringVar(&agent, "agent", "", "the agent's `NAME`, or the role of a governed event")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON document")
	return c
}

func runRoute(a *app, t events.Type, agent string, asJSON bool) error {
	return a.withPipeline(func(_ *site, p *pipeline.Pipeline) error {
		routes := p.Routes(t, agent)
		if asJSON {
			a.printJSON(routesDocument(t, agent, routes))
		} else {
			for _, r := range routes {
				fmt.Fprintln(a.Stdout, strings.Join(routeFields(r), "  "))
			}
		}
		if len(routes) == 0 {
			fmt.Fprintf(a.Stderr, "agentxchain: no target takes %s\n", t)
		}
		for _, r := range routes {
			if r.Problem != "" {
				return verdict(exitBad)
			}
		}
		return nil
	})
}

// routeFields are the columns of one route.
func routeFields(r routing.Route) []string {
	fields := []string{r.Target.Name, string(r.Target.Channel), routeState(r), r.Why}
	if why := cmp.Or(r.Problem, r.Skip); why != "" {
		fields = append(fields, why)
	}
	return fields
}

func routeState(r routing.Route) string {
	switch {
	case r.Problem != "":
		return "fails"
	case r.Skip != "":
		return "skipped"
	}
	return "sent"
}

func routesDocument(t events.Type, agent string, routes []routing.Route) *ecmajson.Value {
	items := make([]*ecmajson.Value, len(routes))
	for i, r := range routes {
		items[i] = ecmajson.NewObject().
			Set("target_id", ecmajson.NewString(r.Target.ID())).
			Set("name", ecmajson.NewString(r.Target.Name)).
			Set("transport", ecmajson.NewString(string(r.Target.Channel))).
			Set("state", ecmajson.NewString(routeState(r))).
			Set("why", ecmajson.NewString(r.Why)).
			Set("problem", ecmajson.NewStringOrNull(cmp.Or(r.Problem, r.Skip)))
	}
	return ecmajson.NewObject().
		Set("event_type", ecmajson.NewString(string(t))).
		Set("agent", ecmajson.NewStringOrNull(agent)).
		Set("targets", ecmajson.NewArray(items...))
}
