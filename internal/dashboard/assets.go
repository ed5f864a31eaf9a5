package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets templates
var embedded embed.FS

// assets are the files that pages load, by the name they are served under,
// which holds a hash of the content: so a browser may keep them for ever.
type assets struct {
	files map[string]asset
	urls  map[string]string
}

type asset struct {
	content []byte
	kind    string
}

func loadAssets() (assets, error) {
	a := assets{files: map[string]asset{}, urls: map[string]string{}}
	entries, err := fs.ReadDir(embedded, "assets")
	if err != nil {
		return a, fmt.Errorf("dashboard: list the assets: %w", err)
	}
	for _, e := range entries {
		content, err := fs.ReadFile(embedded, "assets/"+e.Name())
		if err != nil {
			return a, fmt.Errorf("dashboard: read an asset: %w", err)
		}
		kind, err := contentType(e.Name())
		if err != nil {
			return a, err
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.files[hashed] = asset{content, kind}
		a.urls[e.Name()] = root + "assets/" + hashed
	}
	return a, nil
}

// contentType does not ask the machine, whose tables differ.
func contentType(name string) (string, error) {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("dashboard: no content type is known for the asset %q", name)
}

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.PathValue("name")]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(file.content) // the reader may have left
}

// parseTemplates reads the pages. They know the addresses of assets and how to
// hand several values to a part.
func parseTemplates(a assets) (*template.Template, error) {
	functions := template.FuncMap{
		"asset": func(name string) (string, error) {
			url, ok := a.urls[name]
			if !ok {
				return "", fmt.Errorf("there is no asset %q", name)
			}
			return url, nil
		},
		"number": number,
		"pair":   func(a, b any) map[string]any { return map[string]any{"A": a, "B": b} },
	}
	t, err := template.New("").Funcs(functions).ParseFS(embedded, "templates/*.html")
	return t, wrap("dashboard: read the templates", err)
}
