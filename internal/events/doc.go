// Package events holds the vocabulary of what can be announced, and the one
// place where an event is made.
//
// There are two families. Governed events tell about a run that agentxchain
// governs; they travel as envelopes, format 0.1. Agent-run events tell how a
// run of Agent Gateway ended; their channels shape their own bodies.
//
// # The envelope
//
// An envelope is one compact JSON object, encoded as JSON.stringify does, with
// exactly these keys in this order:
//
//	schema_version  "0.1"
//	event_id        "notif_" and a ULID (programs before us: 16 hexadecimal digits)
//	event_type      one of the nine governed events
//	emitted_at      UTC, milliseconds: "2026-04-04T02:00:00.000Z"
//	project         {id, name, root}; id "unknown" and name "Unknown" when not known
//	run             {run_id, status, phase}, the state after the change
//	turn            {turn_id, role_id, attempt, assigned_sequence}, or null
//	payload         an object; its keys depend on the event
//
// Whatever is not known is null; keys never disappear. An envelope has at most
// [MaxBytes] bytes, and its payload is nested at most [MaxDepth] levels deep.
//
// # Making one
//
// [FromState] reads run, turn and payload out of a project's state.json,
// [ParsePayload] and [SetPayload] take a payload from people, [Mint] checks the
// payload, gives the event its identity and fixes its bytes. What is missing
// from a payload or has another type than usual is a [Warning]: an alert is
// worth more than its form.
package events
