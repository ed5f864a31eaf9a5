package config

import (
	"fmt"
	"path/filepath"

	"agentxchain/internal/store"
)

// Database says where the section persistence has deliveries kept. It is false
// where the file has no such section, or switches it off. problem says, free
// of secrets, why the database can't be used; it is empty when it can. A
// relative path of SQLite begins in the folder of the file.
func (g *Gateway) Database() (o store.Options, problem string, ok bool) {
	p := g.Persistence
	if !p.Configured || !p.Enabled {
		return o, "", false
	}
	switch {
	case len(p.Missing) > 0:
		problem = fmt.Sprintf("persistence needs the environment variable %s, which has no value", p.Missing[0])
	case p.Backend == "":
		problem = "the section persistence has an error"
	}
	o = store.Options{URL: p.URL, Backend: p.Backend, Dir: filepath.Dir(g.File), Prefix: p.TablePrefix, Schema: p.Schema}
	return o, problem, true
}
