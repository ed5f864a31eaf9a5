package export

import (
	"encoding/base64"

	"agentxchain/internal/ecmajson"
)

// EvidenceVersion is the version of the evidence object of our bundles.
const EvidenceVersion = 1

// Codes of the notes in the evidence object.
const (
	noteTornTail       = "torn_tail"
	noteForeignLines   = "foreign_lines"
	noteBrokenJSON     = "broken_json"
	noteLinkOutside    = "link_outside"
	noteSpecialFile    = "special_file"
	noteVanished       = "vanished"
	noteName           = "name_not_utf8"
	notePhaseOrder     = "phase_order_left_out"
	noteState          = "state_missing"
	noteGitUnknown     = "git_unknown"
	noteLeftoverExport = "leftover_export"
	noteEarlierExport  = "earlier_export"
)

// note is something a reader of the bundle must know about one file.
type note struct {
	path, code, message string
	// lines lists the first foreign lines; count counts them all.
	lines []int64
	count int64
}

// evidence is what a bundle of ours says about itself, beyond what the Node
// CLI's bundles say: which tails were left out, what was recovered earlier,
// what else deserves attention.
type evidence struct {
	generator string
	tails     []*entry
	// recovered is .agentxchain/notify/recovered.jsonl, if there is one.
	recovered *entry
	notes     []note
}

func (v *evidence) note(path, code, message string) {
	v.notes = append(v.notes, note{path: path, code: code, message: message})
}

// describe adds what an entry calls for.
func (v *evidence) describe(e *entry) {
	if len(e.tail) > 0 {
		v.tails = append(v.tails, e)
		v.note(e.key, noteTornTail, "the last line is unfinished; it was left out of the entry and is kept in torn_tails")
	}
	if e.foreignLines > 0 {
		v.notes = append(v.notes, note{
			path: e.key, code: noteForeignLines, lines: e.foreign, count: e.foreignLines,
			message: "lines that are not JSON are in content_base64 and not in data",
		})
	}
	if e.broken {
		v.note(e.key, noteBrokenJSON, "the file is not JSON; it was exported as text")
	}
}

// writeEvidence writes the evidence as the last member of a bundle.
func (r *reader) writeEvidence(d *document, v *evidence) error {
	d.key("evidence")
	d.open("{")
	d.member("version", ecmajson.NewInt(EvidenceVersion))
	d.member("generator", ecmajson.NewString(v.generator))
	d.member("complete", ecmajson.NewBool(true))
	d.key("torn_tails")
	d.open("{")
	for _, e := range v.tails {
		d.member(e.key, ecmajson.NewObject().
			Set("offset", ecmajson.NewInt(e.size)).
			Set("bytes", ecmajson.NewInt(int64(len(e.tail)))).
			Set("content_base64", ecmajson.NewString(base64.StdEncoding.EncodeToString(e.tail))))
	}
	d.close("}")
	d.key("recovered")
	err := r.writeRecovered(d, v.recovered)
	d.member("notes", v.noteList())
	d.close("}")
	return err
}

func (r *reader) writeRecovered(d *document, e *entry) error {
	if e == nil {
		d.value(ecmajson.NewNull())
		return nil
	}
	d.open("{")
	d.member("path", ecmajson.NewString(e.key))
	err := r.writeContent(d, e, nil)
	d.close("}")
	return err
}

func (v *evidence) noteList() *ecmajson.Value {
	list := make([]*ecmajson.Value, len(v.notes))
	for i, n := range v.notes {
		list[i] = ecmajson.NewObject().
			Set("path", ecmajson.NewStringOrNull(n.path)).
			Set("code", ecmajson.NewString(n.code)).
			Set("message", ecmajson.NewString(n.message))
		if n.count > 0 {
			numbers := make([]*ecmajson.Value, len(n.lines))
			for j, line := range n.lines {
				numbers[j] = ecmajson.NewInt(line)
			}
			list[i].Set("lines", ecmajson.NewArray(numbers...)).Set("count", ecmajson.NewInt(n.count))
		}
	}
	return ecmajson.NewArray(list...)
}
