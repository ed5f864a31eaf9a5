// Package render makes what a target is sent from a template and an event: the
// payload_template of a webhook, the *.json.j2 files of Slack's templates_dir.
// The language is package jinja's; here are the variables, the place of the
// files, and the promise that what comes out is JSON.
//
// # Variables
//
// Templates for Slack and for webhooks see the same ones.
//
//	agent_name    text; the agent, or the role of a governed turn
//	event         prints as and equals the event's name: on_error, run_blocked
//	execution_id  text; the execution, or the governed run
//	session_id    text, or None
//	output        any value; what the agent answered
//	error         text; what went wrong, or the payload's detail
//	timestamp     text, ISO 8601: 2026-04-04T10:00:00.123Z
//	target        channel, target, template, url, payload_template
//
// A text that nobody gave is empty, and so is an output: neither ever prints as
// the word None. The attributes of event are those of the Python package, with
// None where it has None: type (its own spelling, execution.failed),
// execution_id, agent_id, status, message, result (None, or output, raw_text,
// stop_reason, usage and perhaps error), error, usage, started_at,
// completed_at, duration_ms, input. Governed events have besides them project,
// run, turn and payload as they are in the envelope, with its order of keys;
// turn is None when there is none.
//
// For Slack "<" and ">" in what an event says are sent as "&lt;" and "&gt;",
// whatever filters and macros they went through, so that no agent can mention
// people or disguise links: only the template's own text does that. In members
// such as url and image_url they are sent as "%3C" and "%3E". Three backticks of
// an event are kept apart by characters that cannot be seen. "&" is sent as it
// is. While the template runs, each of "<", ">" and the backtick is one character
// like any other, keys of objects included, but not equal to the template's own:
// "<" in error is never true.
//
// Every render gets values of its own. What a template does to them, no other
// target sees.
//
// # Escaping
//
// A value that is printed inside a JSON string literal is escaped for it, so
// that no text, whatever it holds, ends the literal or breaks it:
//
//	{"summary": "{{ agent_name }} failed: {{ error }}"}
//
// Outside of a literal a value is printed as it is: {"ms": {{ event.duration_ms }}}.
// What tojson or safe made is printed as it is in both places; so
// {"summary": {{ error | tojson }}} is right, and "{{ error | tojson }}" is not.
// Where a literal begins and ends is told from the text of the templates, and
// from what tojson and safe made. A macro, a set, filter or call block and
// super() write into a buffer of their own, which begins outside of a literal;
// what they return is a value like any other. So a macro can write
// "{{ k }}": "{{ v }}"; but in a block that is no JSON, such as
// {% set s %}failed: "{{ error }}"{% endset %}, quotation marks begin literals as
// well, and the value is escaped once more than it ought to be. A single
// backslash before a value stands for itself.
//
// # Output
//
// What a template writes must be one JSON document: strictly, no key twice in
// one object, no NaN, no number that Python would write as Infinity or cannot
// read, nested at most [MaxDepth] levels, for Slack a list. It is written anew
// as Python's json.dumps writes it, at most [MaxBytes] long. Whatever else
// happens is an [*Error], and the caller sends the built-in message instead: an
// alert is worth more than its form.
//
// # Slack's files
//
// In templates_dir, and never outside of it, these files are looked for, in
// this order:
//
//	{template}.json.j2          the rule's template, if it names one
//	{agent_name}/{event}.json.j2
//	{event}.json.j2
//	default-completed.json.j2   or default-failed, default-timeout
//
// The first that exists is used; if none does, the built-in message. A rule's
// template that leads out of the folder, by its name or by a symbolic link, ends
// the search, and so does a file that cannot be read, or what is no file. Names come from rules, agents and runs and are not trusted. A
// template can include, import and extend every file of the folder; a
// payload_template none.
package render
