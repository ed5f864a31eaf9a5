package attempt

import (
	"net/http/httptrace"
	"sync/atomic"

	"agentxchain/internal/delivery"
)

// progress is how far an attempt came. The transport reports from goroutines
// of its own, some of them late, so it only ever goes forward.
type progress struct {
	step atomic.Int32
	// address is the last one dialled, or that of the connection in use.
	address atomic.Pointer[string]
}

// steps are the phases in order; an attempt begins at the first.
var steps = [...]delivery.Phase{
	delivery.PhaseResolve, delivery.PhaseConnect, delivery.PhaseTLS,
	delivery.PhaseWrite, delivery.PhaseWait, delivery.PhaseRead,
}

func (p *progress) phase() delivery.Phase { return steps[p.step.Load()] }

func (p *progress) reach(phase delivery.Phase) {
	for i, s := range steps {
		if s != phase {
			continue
		}
		for now := p.step.Load(); now < int32(i) && !p.step.CompareAndSwap(now, int32(i)); {
			now = p.step.Load()
		}
	}
}

// trace returns the hooks that record the progress. "Write" begins with the
// connection, not with its first byte: from there on the receiver can have
// seen something.
func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		ConnectStart: func(_, addr string) {
			p.address.Store(&addr)
			p.reach(delivery.PhaseConnect)
		},
		TLSHandshakeStart: func() { p.reach(delivery.PhaseTLS) },
		GotConn: func(info httptrace.GotConnInfo) {
			if info.Conn != nil {
				addr := info.Conn.RemoteAddr().String()
				p.address.Store(&addr)
			}
			p.reach(delivery.PhaseWrite)
		},
		GotFirstResponseByte: func() { p.reach(delivery.PhaseRead) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				p.reach(delivery.PhaseWait)
			}
		},
	}
}

// addressOf returns the address that the attempt which ended as r dialled. One
// that the guard refused was not dialled.
func (p *progress) addressOf(r delivery.Result) string {
	addr := p.address.Load()
	if addr == nil || r.Reason == delivery.ReasonBlocked {
		return ""
	}
	return *addr
}
