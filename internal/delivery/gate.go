package delivery

import "context"

// gateKey is the key of a gate in a context.
type gateKey struct{}

// WithGate returns a context for one attempt. A sender asks gate at the last
// moment before it writes anything of the request, and writes nothing when the
// answer is no: the claim on the delivery ended, and another process may be
// sending it. The gate travels in the context because only what holds the
// connection knows that moment, and channels in between have no part in it. It
// must be quick and safe for concurrent use; it can be asked more than once.
func WithGate(ctx context.Context, gate func() bool) context.Context {
	return context.WithValue(ctx, gateKey{}, gate)
}

// GateOpen asks the gate of ctx. Without one it is open.
func GateOpen(ctx context.Context) bool {
	gate, ok := ctx.Value(gateKey{}).(func() bool)
	return !ok || gate()
}
