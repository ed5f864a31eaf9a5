package gateway

import (
	"net/http"
	"runtime"

	"agentxchain/internal/pipeline"
)

// SendThrough replaces the guarded transport: the receivers of tests are on
// loopback, where no channel of a gateway may call.
func SendThrough(g *Gateway, t http.RoundTripper) {
	g.adjust = func(o *pipeline.Options) { o.Public = t }
}

// SetSecretProblem makes webhook_secret unusable. No file that loads does.
func SetSecretProblem(g *Gateway, text string) { g.channels.SecretProblem = text }

// AwaitClosing returns when a call of Close has begun to refuse events.
func AwaitClosing(g *Gateway) {
	for closed := false; !closed; runtime.Gosched() {
		g.mu.Lock()
		closed = g.closed
		g.mu.Unlock()
	}
}
