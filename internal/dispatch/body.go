package dispatch

import (
	"context"
	"errors"
	"fmt"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/render"
	"agentxchain/internal/routing"
	"agentxchain/internal/slack"
	"agentxchain/internal/webhook"
)

// webhookBody makes the body for a webhook of the gateway. fallback says that
// a template was to make it and could not, warning why.
func (d *Dispatcher) webhookBody(ctx context.Context, e events.Event, r routing.Route) (body []byte, fallback bool, warning error) {
	if source := d.payloadTemplate(r); source.Text != "" {
		if body, warning = d.opts.Gateway.Renderer.Payload(ctx, source, vars(e, r)); warning == nil {
			return body, false, nil
		}
		warning = fellBack(r, warning)
	}
	body, err := webhook.Body(e)
	if err != nil { // nothing that can be minted gives one; the record of the event is sent
		return nil, true, err
	}
	return body, warning != nil, warning
}

func fellBack(r routing.Route, err error) error {
	return fmt.Errorf("%s is sent the built-in body: %w", r.Target.Name, err)
}

// payloadTemplate is the rule's, or else the webhook's own.
func (d *Dispatcher) payloadTemplate(r routing.Route) render.Source {
	if r.Rule != nil && r.Rule.PayloadTemplate != "" {
		return render.Source{Name: r.File, Text: r.Rule.PayloadTemplate, Line: r.Rule.PayloadTemplateLine}
	}
	config, _ := d.opts.Gateway.config(r.Target) // a target without one has no template either
	return render.Source{Name: r.Target.File, Text: config.PayloadTemplate, Line: config.PayloadTemplateLine}
}

// slackBody makes the message for Slack.
func (d *Dispatcher) slackBody(ctx context.Context, e events.Event, r routing.Route) (body []byte, fallback bool, warning error) {
	g := d.opts.Gateway
	post := slack.Post{Channel: r.Target.Name}
	if g.Threads != nil {
		// Without its thread a message is still a message.
		post.Thread, warning = g.Threads.For(e.RunID, post.Channel)
	}
	template := ""
	if r.Rule != nil {
		template = r.Rule.Template
	}
	blocks, used, err := g.Renderer.Blocks(ctx, template, vars(e, r))
	if err == nil && used != "" {
		if body, err = slack.BodyFromTemplate(e, post, blocks); err == nil {
			return body, false, warning
		}
		err = fmt.Errorf("%s: %w", used, err)
	}
	if err != nil {
		return slack.Body(e, post), true, errors.Join(warning, fellBack(r, err))
	}
	return slack.Body(e, post), false, warning
}

// vars are what a template may use.
func vars(e events.Event, r routing.Route) render.Vars {
	v := render.Vars{Event: e}
	v.Target.Channel, v.Target.Target = string(r.Target.Channel), r.Target.Name
	if r.Rule != nil {
		v.Target.Template, v.Target.URL, v.Target.PayloadTemplate = r.Rule.Template, r.Rule.URL.Reveal(), r.Rule.PayloadTemplate
	}
	return v
}

// Try renders one template file with an event, as if it were chosen for the
// target, and returns the body that would be sent. why says why that is the
// built-in one; it is nil when it is not. c replaces variables and may be nil.
func Try(ctx context.Context, templatesDir, file string, e events.Event, t delivery.Target, c *render.Context) (body []byte, why, err error) {
	route := routing.Route{Target: t}
	outcome, err := render.New(render.Options{TemplatesDir: templatesDir}).File(ctx, file, vars(e, route), c)
	if err != nil {
		return nil, nil, err
	}
	post := slack.Post{Channel: t.Name}
	switch {
	case outcome.Fallback != nil:
		why = outcome.Fallback
	case t.Channel != delivery.Slack:
		return outcome.Body, nil, nil
	default:
		if body, why = slack.BodyFromTemplate(e, post, outcome.Body); why == nil {
			return body, nil, nil
		}
		why = fmt.Errorf("%s: %w", file, why)
	}
	if t.Channel == delivery.Slack {
		return slack.Body(e, post), why, nil
	}
	body, err = webhook.Body(e)
	return body, why, err
}
