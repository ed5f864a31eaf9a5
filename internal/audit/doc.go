// Package audit keeps the evidence of every attempt to notify somebody: the
// append-only file ".agentxchain/notification-audit.jsonl". It appends to it,
// reads it, and repairs what a crash tore. docs/audit-format.md is the long
// form of what follows.
//
// # The file
//
// One attempt is one line: a JSON object in UTF-8 (RFC 8259) and a newline
// (0x0A). Lines are only ever added. Other programs add lines to the same
// file, among them the Node CLI that defined it, so a reader must expect
// objects with fewer or other keys, lines that are not JSON, and blank lines,
// which count as nothing. What stands behind the last newline is not a line:
// it is being written, or its writer died.
//
// # The line
//
// Lines of ours have the ten keys of the contract, then ours, in this order:
//
//	event_id           string   the event, the same for all its targets and attempts
//	event_type         string   for example "run_blocked"
//	notification_name  string   the target's name
//	transport          string   "webhook" or "slack"
//	delivered          boolean  the receiver answered 200 to 299
//	status_code        integer  HTTP status, or null when there was no answer
//	timed_out          boolean  the attempt's time limit ended it
//	duration_ms        integer  time of the request
//	message            string   one line for people, free of secrets
//	emitted_at         string   when the event was minted
//	attempted_at       string   when this attempt began
//	run_id             string   the governed run, or null
//	attempt            integer  counts from 1 over the life of the delivery
//	reason             string   one of the values of [delivery.Reason]
//	phase              string   one of the values of [delivery.Phase], or null
//	body_sha256        string   SHA-256 of the body, lower-case hex, or null when there was none
//	target_id          string   FILE#TRANSPORT/NAME
//	fallback_body      true     the built-in body replaced a template's; else absent
//
// Times are UTC with milliseconds, YYYY-MM-DDTHH:MM:SS.mmmZ. Strings are
// escaped as JSON.stringify escapes them. For example (one line, folded here):
//
//	{"event_id":"notif_01KJX5ZK0S9D4Q8V6T2R7M3N1P","event_type":"run_blocked",
//	"notification_name":"ops","transport":"webhook","delivered":false,
//	"status_code":503,"timed_out":false,"duration_ms":12,
//	"message":"Webhook returned HTTP 503","emitted_at":"2026-03-04T05:06:07.089Z",
//	"attempted_at":"2026-03-04T05:06:08.589Z","run_id":"run_0123456789abcdef",
//	"attempt":1,"reason":"server_error","phase":"read",
//	"body_sha256":"6453227e8baa5cef6a69516631a9d85cf5c5b3bfe81b67d5cadd4758f58ba8fa",
//	"target_id":"agentxchain.json#webhook/ops"}
//
// # Writing
//
// A writer takes an exclusive flock(2) on the file itself, checks that the
// path still names the file it locked, makes sure that the file ends with a
// newline, and appends its lines with one write(2) on a descriptor opened with
// O_APPEND. Writers without the lock are expected: one whole line per
// write is all they have to keep to. After its write, ours looks where the
// line landed, and repeats it when that was behind somebody's unfinished line.
//
// # Repair
//
// A torn tail is first closed with a newline. If the closed line is not JSON,
// its bytes are saved in "recovered.jsonl", synced, and overwritten in place
// with blanks; a complete object at its end, the line of a writer that came
// between, stays. The file is never shortened, and a line that was already
// closed is never touched. A record of the recovered file is
//
//	{"offset":N,"length":N,"recovered_at":"TIME","bytes":"BASE64"}
//
// and gets its newline only when the blanks are durable. Until then it is a
// note for the next writer, who finishes what was begun.
package audit
