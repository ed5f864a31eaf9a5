package export

import (
	"fmt"

	"agentxchain/internal/ecmajson"
	"agentxchain/schemas"
)

// shapeLines is how many lines of an audit are held to the published schema.
// Judging by a schema costs some 20 µs a line, which a million lines would
// feel; a writer with another idea of the format shows in its first lines.
const shapeLines = 50

// auditShape holds the first lines of an audit to their schema. Their shape
// proves nothing about the bundle, so what is odd is a note: the Node CLI does
// not look at it, and other programs may add keys of their own.
func (l *linesJudge) auditShape(n int, line []byte) {
	if l.entry.path != auditPath || n > shapeLines {
		return
	}
	schema, err := l.lineSchema()
	if err != nil {
		l.noteShape(fmt.Sprintf("the schema of its lines can't be applied: %v", err))
		return
	}
	record, err := ecmajson.Parse(line, ecmajson.Options{MaxDepth: maxJudgedDepth})
	if err != nil {
		return // reported as what is no JSON
	}
	issues, err := schema.Validate(record)
	if err != nil || len(issues) == 0 {
		return
	}
	l.noteShape(fmt.Sprintf("line %d has not the shape of an audit line: %s %s", n, issues[0].Pointer, issues[0].Message))
}

func (l *linesJudge) noteShape(message string) {
	l.report.add(l.made(SeverityNote, CodeAuditShape, message, "", l.entry.data))
}

// lineSchema compiles the schema of audit lines when the first is looked at.
func (v *verifier) lineSchema() (*schemas.Schema, error) {
	if v.auditSchema == nil && v.auditSchemaErr == nil {
		v.auditSchema, v.auditSchemaErr = schemas.Compile("audit-line")
	}
	return v.auditSchema, v.auditSchemaErr
}
