package export

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"agentxchain/internal/ecmajson"
)

// Governed files that summaries are made of (contract, section 6.2).
const (
	configPath     = "agentxchain.json"
	statePath      = ".agentxchain/state.json"
	historyPath    = ".agentxchain/history.jsonl"
	decisionsPath  = ".agentxchain/decision-ledger.jsonl"
	repoPath       = ".agentxchain/repo-decisions.jsonl"
	hookAuditPath  = ".agentxchain/hook-audit.jsonl"
	auditPath      = ".agentxchain/notification-audit.jsonl"
	eventsPath     = ".agentxchain/events.jsonl"
	pidPath        = ".agentxchain-dashboard.pid"
	sessionPath    = ".agentxchain-dashboard.json"
	recoveredPath  = ".agentxchain/notify/recovered.jsonl"
	dispatchFolder = ".agentxchain/dispatch/"
	stagingFolder  = ".agentxchain/staging/"
	intakeFolder   = ".agentxchain/intake/"
	multiFolder    = ".agentxchain/multirepo/"
	reportsFolder  = ".agentxchain/reports/"
)

// restoreRoots lists the files and folders that a run continues from. Dirty
// paths outside them keep a bundle from being restored.
func restoreRoots() []string {
	return []string{
		configPath, "TALK.md", statePath, ".agentxchain/session.json", historyPath, decisionsPath, repoPath,
		".agentxchain/lock.json", hookAuditPath, ".agentxchain/hook-annotations.jsonl",
		".agentxchain/run-history.jsonl", eventsPath, auditPath, ".agentxchain/schedule-state.json",
		".agentxchain/schedule-daemon.json", ".agentxchain/continuous-session.json",
		".agentxchain/human-escalations.jsonl", ".agentxchain/sla-reminders.json",
		".agentxchain/SESSION_RECOVERY.md", ".agentxchain/migration-report.md",
		".agentxchain/dispatch", ".agentxchain/staging", ".agentxchain/transactions/accept",
		".agentxchain/intake", ".agentxchain/missions", ".agentxchain/multirepo", ".agentxchain/reviews",
		".agentxchain/reports", ".agentxchain/proposed", ".planning",
	}
}

// runRoots lists what a run export includes, when present.
func runRoots() []string { return append(restoreRoots(), pidPath, sessionPath) }

// The name of the temporary file beside a bundle; a random number stands in between.
const (
	temporaryPrefix = ".agentxchain-export-"
	temporarySuffix = ".tmp"
)

// listing is the result of [collect]: names below the root, sorted by locale.
type listing struct {
	names []string
	seen  map[string]bool
	notes []note
}

// collect lists the files below roots. Links inside folders and special files
// are skipped; a root that is a link is followed as long as it stays inside
// the project. excluded, if not empty, is the name of the bundle being written.
func collect(root *os.Root, roots []string, excluded string) (*listing, error) {
	l := &listing{seen: map[string]bool{}}
	for _, name := range roots {
		if err := l.addRoot(root, name, excluded); err != nil {
			return nil, fileError(name, err)
		}
	}
	l.names = slices.DeleteFunc(l.names, isGeneratedReport)
	slices.Sort(l.names)
	sortByLocale(l.names)
	return l, nil
}

func (l *listing) addRoot(root *os.Root, name, excluded string) error {
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil
	case err != nil && behindLink(root, name):
		l.notes = append(l.notes, note{path: name, code: noteLinkOutside, message: "a link that does not stay inside the project was not followed"})
		return nil
	case err != nil:
		return err
	case info.IsDir():
		if top, err := root.Stat("."); err != nil || os.SameFile(top, info) {
			return err // a link to the project itself would export everything
		}
		return l.addFolder(root, name, excluded)
	case info.Mode().IsRegular():
		l.add(name, excluded)
	default:
		l.notes = append(l.notes, note{path: name, code: noteSpecialFile, message: "it is neither a file nor a folder"})
	}
	return nil
}

// behindLink reports whether name could not be reached only because it is a
// link, or lies behind one, that does not stay inside root.
func behindLink(root *os.Root, name string) bool {
	if info, err := root.Lstat(name); err == nil {
		return info.Mode()&fs.ModeSymlink != 0
	}
	_, err := os.Stat(filepath.Join(root.Name(), filepath.FromSlash(name)))
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

func (l *listing) addFolder(root *os.Root, name, excluded string) error {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, e := range entries {
		child := path.Join(name, e.Name())
		switch {
		case e.IsDir():
			if err := l.addFolder(root, child, excluded); err != nil {
				return err
			}
		case e.Type().IsRegular() && child != excluded && isBundle(root, child):
			l.notes = append(l.notes, note{path: bundleKey(child), code: noteEarlierExport, message: "an earlier bundle was not exported into this one"})
		case e.Type().IsRegular():
			l.add(child, excluded)
		}
	}
	return nil
}

func (l *listing) add(name, excluded string) {
	base := path.Base(name)
	switch {
	case l.seen[name] || name == excluded:
	case strings.HasPrefix(base, temporaryPrefix) && strings.HasSuffix(base, temporarySuffix):
		l.notes = append(l.notes, note{path: bundleKey(name), code: noteLeftoverExport, message: "what an interrupted export left behind was not exported"})
	default:
		l.seen[name] = true
		l.names = append(l.names, name)
	}
}

// bundleKey is the key of a file: its name with U+FFFD in the place of what is
// not UTF-8.
func bundleKey(name string) string { return ecmajson.DecodeText([]byte(name)) }

// isGeneratedReport recognises the reports that the Node CLI writes about
// bundles and leaves out of them.
func isGeneratedReport(name string) bool {
	base, ok := strings.CutPrefix(name, reportsFolder)
	if !ok || strings.Contains(base, "/") {
		return false
	}
	for _, affix := range [][2]string{{"report-", ".md"}, {"export-", ".json"}, {"chain-", ".json"}} {
		if middle, ok := strings.CutPrefix(base, affix[0]); ok && strings.HasSuffix(middle, affix[1]) && len(middle) > len(affix[1]) {
			return true
		}
	}
	return false
}

// isBundle recognises a bundle that somebody keeps in the project by how every
// bundle begins. Exporting it into the next one would double what is kept with
// each export (contract, section 9, B26). What can't be read is no bundle: the
// export itself will say why.
func isBundle(root *os.Root, name string) bool {
	if !strings.HasSuffix(name, ".json") {
		return false
	}
	f, err := root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	compact := strings.Join(strings.Fields(string(head[:n])), "")
	rest, ok := strings.CutPrefix(compact, `{"schema_version":"`)
	if !ok {
		return false
	}
	_, rest, _ = strings.Cut(rest, `",`)
	return strings.HasPrefix(rest, `"export_kind":"`+string(Run)+`",`) ||
		strings.HasPrefix(rest, `"export_kind":"`+string(Coordinator)+`",`)
}

// outsideRestoreRoots lists the paths that no run continues from.
func outsideRestoreRoots(paths []string) []string {
	roots := restoreRoots()
	return slices.DeleteFunc(slices.Clone(paths), func(name string) bool {
		return slices.ContainsFunc(roots, func(root string) bool {
			return name == root || strings.HasPrefix(name, root+"/")
		})
	})
}
