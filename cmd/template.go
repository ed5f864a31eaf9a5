package cmd

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"agentxchain/internal/config"
	"agentxchain/internal/delivery"
	"agentxchain/internal/dispatch"
	"agentxchain/internal/ecmajson"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
	"agentxchain/internal/render"

	"github.com/spf13/cobra"
)

func newTemplate(a *app) *cobra.Command {
	return group(a, "template", "Try out the templates of messages", newTemplateRender(a))
}

// templateOptions are the flags of `template render`.
type templateOptions struct {
	event, context, channel, target string
	json                            bool
}

func newTemplateRender(a *app) *cobra.Command {
	var o templateOptions
	c := &cobra.Command{
		Use:   "render FILE",
		Short: "Show what a template would send",
		Long: `Render a template with a sample event and print the body that would be sent: a
Slack message for a file named *.json.j2, else the body of a webhook. Nothing is
sent, and no configuration is needed; with one, includes are looked for in the
templates_dir that the file lies in.

--context replaces variables by the members of a JSON object. Where the template
gives no usable body, the built-in one is printed, and stderr says why.
` + exitStatus(`0  the template gives the body
  1  it does not, so the built-in body would be sent
  2  usage, or a file that can't be read`),
		Example: `  agentxchain template render templates/slack/on_error.json.j2 --event on_error
  agentxchain template render pagerduty.j2 --event on_error --context '{"error":"boom \"quoted\""}'`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return runTemplateRender(c.Context(), a, args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.event, "event", string(events.OnError), "the `EVENT` that the sample is of")
	f.StringVar(&o.context, "context", "", "a JSON object whose members replace variables: `JSON`, @FILE, or the name of a file")
	f.StringVar(&o.channel, "channel", "", "slack or webhook (default: slack for *.json.j2, else webhook)")
	f.StringVar(&o.target, "target", "", "the `NAME` of the target in the sample")
	f.BoolVar(&o.json, "json", false, "print a JSON document")
	return c
}

func runTemplateRender(ctx context.Context, a *app, file string, o templateOptions) error {
	t, err := events.ParseType(o.event)
	if err != nil {
		return cannot("unknown_event", err)
	}
	if o.channel == "" {
		o.channel = channelOf(file)
	}
	if c := delivery.Channel(o.channel); c != delivery.Slack && c != delivery.Webhook {
		return usagef("--channel must be slack or webhook, not %q", o.channel)
	}
	replace, err := o.replacements(ctx, a)
	if err != nil {
		return err
	}
	target := delivery.Target{File: project.GatewayName, Channel: delivery.Channel(o.channel), Name: o.target}
	path := a.path(file)
	body, why, err := dispatch.Try(ctx, a.templatesDir(path), path, render.Sample(t), target, replace)
	if err != nil {
		return cannot("template", err)
	}
	return a.answerTemplate(body, why, o.json)
}

// channelOf guesses the channel of a template by its name.
func channelOf(file string) string {
	if strings.HasSuffix(file, ".json.j2") {
		return string(delivery.Slack)
	}
	return string(delivery.Webhook)
}

// replacements reads --context; nil when there is none.
func (o templateOptions) replacements(ctx context.Context, a *app) (*render.Context, error) {
	if o.context == "" {
		return nil, nil
	}
	value := o.context
	if !strings.HasPrefix(strings.TrimSpace(value), "{") && !strings.HasPrefix(value, "@") {
		value = "@" + value
	}
	name, b, err := a.argument(ctx, "context", value, render.MaxBytes)
	if err != nil {
		return nil, cannot("context", err)
	}
	return &render.Context{Name: name, Text: b}, nil
}

// templatesDir is the folder of the configuration that file lies in, empty
// when it lies in none. A configuration with problems gives what it has: they
// are told by `config check`.
func (a *app) templatesDir(file string) string {
	place, err := a.locate()
	if err != nil || place.Gateway == "" {
		return ""
	}
	s := &site{root: place.Root, config: &config.Config{}}
	if s.env, err = project.LoadEnv(a.LookupEnv, place.Root, a.Dir); err != nil {
		a.log.Warn(err.Error())
	}
	g, _ := config.LoadGateway(place.Gateway, a.gatewayOptions(s))
	if g == nil {
		return ""
	}
	dir := g.Slack.TemplatesDir
	if rel, err := filepath.Rel(dir, file); dir == "" || err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return dir
}

func (a *app) answerTemplate(body []byte, why error, asJSON bool) error {
	if asJSON {
		doc := ecmajson.NewObject().
			Set("body", ecmajson.NewString(string(body))).
			Set("fallback_body", ecmajson.NewBool(why != nil)).
			Set("problem", ecmajson.NewNull())
		if why != nil {
			doc.Set("problem", ecmajson.NewString(why.Error()))
		}
		a.printJSON(doc)
	} else {
		fmt.Fprintf(a.Stdout, "%s\n", body)
	}
	if why != nil {
		fmt.Fprintf(a.Stderr, "agentxchain: %v\n  hint: the built-in body above would be sent in its place\n", why)
		return verdict(exitBad)
	}
	return nil
}
