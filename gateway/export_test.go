package gateway

import (
	"net/http"

	"agentxchain/internal/pipeline"
)

// SendThrough replaces the guarded transport: the receivers of tests are on
// loopback, where no channel of a gateway may call.
func SendThrough(g *Gateway, t http.RoundTripper) {
	g.adjust = func(o *pipeline.Options) { o.Public = t }
}

// SetSecretProblem makes webhook_secret unusable. No file that loads does.
func SetSecretProblem(g *Gateway, text string) { g.channels.SecretProblem = text }
