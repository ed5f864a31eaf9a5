package server

import (
	_ "embed" // the document is a part of the program
	"net/http"
)

//go:embed openapi.yaml
var document string

// showDocument answers GET /openapi.yaml.
func (a *api) showDocument(w http.ResponseWriter, _ *http.Request) error {
	writeBody(w, http.StatusOK, "application/yaml", []byte(document))
	return nil
}
