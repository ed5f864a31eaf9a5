package config

import (
	"fmt"
	"slices"

	"agentxchain/internal/ecmajson"
	"agentxchain/internal/routing"
)

const (
	slaPointer = "/notifications/approval_sla"

	maxThresholds = 10
	// minThreshold is in seconds.
	minThreshold = 300
)

func slaFields() []string { return []string{"enabled", "reminder_after_seconds"} }

// approvalSLA applies rows 20 to 27 and the one warning of the contract.
func (c *checker) approvalSLA(v, webhooks *ecmajson.Value) {
	const name, pointer = "notifications.approval_sla", slaPointer
	if !v.Is(ecmajson.Object) { // 20
		c.fail(at(v, pointer), name+" must be an object", `for example {"reminder_after_seconds": [3600, 14400]}`)
		return
	}
	for _, m := range ownMembers(v) {
		if !slices.Contains(slaFields(), m.Key) { // 21
			c.fail(key(m, pointer), fmt.Sprintf(`%s contains unknown field "%s"`, name, m.Key), c.suggest(m.Key, slaFields()))
		}
	}
	if v.Has("enabled") && !v.Get("enabled").Is(ecmajson.Bool) { // 22
		c.fail(child(v, pointer, "enabled"), name+".enabled must be a boolean", "true or false, without quotes")
	}
	c.thresholds(v)
	if !slices.ContainsFunc(webhooks.Items(), wantsReminders) {
		c.warn(at(v, pointer), fmt.Sprintf(`%s is configured but no webhook subscribes to "%s"`, name, reminderEvent),
			fmt.Sprintf("add %q to the events of a webhook", reminderEvent))
	}
}

// Unheard reports whether the problem is that no webhook of agentxchain.json
// takes reminders. It is none where [Gateway.TakesReminders].
func (p Problem) Unheard() bool {
	return p.Code == "" && p.Severity == Warning && !p.Extra && p.Pointer == slaPointer
}

// TakesReminders reports whether a webhook of gateway.yaml is subscribed to
// reminders. Rules take none: a reminder is about no agent.
func (g *Gateway) TakesReminders() bool {
	return slices.ContainsFunc(g.Routing.Webhooks, func(s routing.Subscription) bool { return slices.Contains(s.Events, reminderEvent) })
}

func wantsReminders(webhook *ecmajson.Value) bool {
	return slices.ContainsFunc(webhook.Get("events").Items(), func(event *ecmajson.Value) bool { return event.Str() == reminderEvent })
}

// thresholds checks the waiting times. Each entry gets at most one complaint,
// and is compared with the one before as that is written, valid or not.
func (c *checker) thresholds(sla *ecmajson.Value) {
	const key = "reminder_after_seconds"
	const name, pointer = "notifications.approval_sla." + key, slaPointer
	v := sla.Get(key)
	if !v.Is(ecmajson.Array) || v.Len() == 0 { // 23
		c.fail(child(sla, pointer, key), name+" must be a non-empty array of positive integers", "for example [3600, 14400]")
		return
	}
	if v.Len() > maxThresholds { // 24
		c.fail(at(v.Items()[maxThresholds], index(pointer+"/"+key, maxThresholds)), fmt.Sprintf("%s: maximum %d thresholds", name, maxThresholds), "")
	}
	for i, t := range v.Items() {
		place, entry := at(t, index(pointer+"/"+key, i)), fmt.Sprintf("%s[%d]", name, i)
		switch {
		case !isInteger(t) || t.Num() <= 0: // 25
			c.fail(place, entry+": must be a positive integer", "whole seconds, without quotes")
		case t.Num() < minThreshold: // 26
			c.fail(place, fmt.Sprintf("%s: minimum value is %d (5 minutes)", entry, minThreshold), "")
		case i > 0 && t.Num() <= toNumber(v.Items()[i-1]): // 27
			c.fail(place, entry+": values must be strictly ascending", "sort the list and remove repeats")
		}
	}
}
