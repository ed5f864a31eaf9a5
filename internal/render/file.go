package render

import (
	"context"
	"os"
	"path/filepath"
)

// File renders one file to try it out, whatever its name. For the channel
// "slack" it is a message: it must write a list, and can use the files of the
// templates folder, or of its own folder if it lies elsewhere. For every other
// channel it is a payload_template and can use none. c replaces variables and
// may be nil. An absolute file is recognised inside the templates folder.
//
// The error, an [*Error], says that the file or the context cannot be read;
// what is wrong with the template is the outcome's Fallback.
func (r *Renderer) File(ctx context.Context, file string, v Vars, c *Context) (Outcome, error) {
	text, err := readFile(file)
	if err != nil {
		return Outcome{}, &Error{File: file, Message: err.Error(), Always: true}
	}
	j := r.fileJob(file, text, v)
	j.context = c
	// Made for its error only: a render gets variables of its own.
	if _, err := j.values(); err != nil {
		return Outcome{}, err
	}
	return r.run(ctx, j), nil
}

func (r *Renderer) fileJob(file, text string, v Vars) job {
	if v.Target.Channel != slackChannel {
		return job{source: Source{Name: file, Text: text}, name: file, vars: v}
	}
	if name, err := filepath.Rel(r.options.TemplatesDir, file); err == nil && filepath.IsLocal(name) && r.options.TemplatesDir != "" {
		return r.inFolder(filepath.ToSlash(name), text, v)
	}
	return job{
		source: Source{Name: file, Text: text}, name: filepath.Base(file),
		folder: filepath.Dir(file), vars: v, shape: aList,
	}
}

func readFile(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return "", errIrregular
	}
	f, err := os.Open(file)
	if err != nil {
		return "", unreadable(err)
	}
	defer f.Close()
	return readAll(f)
}
