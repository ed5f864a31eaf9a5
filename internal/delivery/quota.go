package delivery

// Quota says how much a store may give out at once of what is due.
type Quota struct {
	// Max is how many deliveries at most.
	Max int
	// PerTarget is how many at most of one target; 0 means no limit.
	PerTarget int
	// Room overrides PerTarget for some targets, by Target.ID(); 0 means none.
	Room map[string]int
	// AuditOffset is the size of the evidence of who takes, in bytes, before
	// the attempts begin. The store keeps it with them, as it keeps that of an
	// intent.
	AuditOffset int64
}
