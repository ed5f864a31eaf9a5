// Package audit is the append-only JSONL evidence: append, read, repair.
package audit
