package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// GatewayName is the file that configures the channels of an agent gateway.
	GatewayName = "gateway.yaml"
	// workspaceDir is where an agent gateway keeps its agents, and perhaps its
	// configuration.
	workspaceDir = "workspace"
)

// Place is what a folder belongs to: a governed project, an agent gateway, or both.
type Place struct {
	// Root is the governed project, or the folder of the gateway, which then
	// is of kind [Plain].
	Root Root
	// Gateway is the path of gateway.yaml; empty when there is none.
	Gateway string
	// GatewayErr says why it is not clear which gateway.yaml counts; Gateway
	// is empty then.
	GatewayErr error
}

// Locate finds the governed project that start lies in, and the gateway.yaml
// in a folder, or in its workspace/, from start up to that project. Without a
// governed project only start itself is looked at, which then is the root: a
// file that somebody left in a folder above, such as the system's temporary
// one, must not decide where events go. The error is [ErrNotFound] when there
// is neither, a [*CoordinatorError] when a coordinator workspace is nearest, or
// why a folder could not be looked into.
func Locate(start string) (Place, error) {
	root, err := FindAny(start)
	alone := errors.Is(err, ErrNotFound)
	if err != nil && !alone {
		return Place{}, err
	}
	p := Place{Root: root}
	home := ""
	home, p.Gateway, p.GatewayErr = findGateway(start, root.Dir)
	switch {
	case root.Kind == Run, root.Kind == Coordinator && (home == "" || home == root.Dir):
		if root.Kind == Coordinator {
			_, err = Find(start) // words the refusal
		}
		return p, err
	case home == "" && p.GatewayErr != nil: // not the same as that there is none
		return Place{}, p.GatewayErr
	case home == "":
		return Place{}, fmt.Errorf("%w, and there is no %s here", err, GatewayName)
	}
	p.Root = Root{Dir: home, Kind: Plain}
	return p, nil
}

// findGateway looks for gateway.yaml from start up to top, or in start alone
// when that is empty. home is the folder that it belongs to. Where a folder
// can't be read the search ends: a file further up must not count in its place.
func findGateway(start, top string) (home, path string, err error) {
	at, err := filepath.Abs(start)
	if err != nil {
		return "", "", err
	}
	for ; ; at = filepath.Dir(at) {
		if home, path, err = gatewayIn(at); home != "" || err != nil {
			return home, path, err
		}
		if top == "" || at == top || at == filepath.Dir(at) {
			return "", "", nil
		}
	}
}

// gatewayIn looks into one folder. Two files in it are an error: which of them
// counts would depend on the folder that a command is called in.
func gatewayIn(dir string) (home, path string, err error) {
	beside, inside := filepath.Join(dir, GatewayName), filepath.Join(dir, workspaceDir, GatewayName)
	hasBeside, err1 := exists(beside)
	hasInside, err2 := existsIn(inside)
	home = dir
	switch {
	case hasBeside && hasInside:
		return home, "", fmt.Errorf("there are two: %q and %q; remove one of them", beside, inside)
	case hasInside:
		return home, inside, nil
	case hasBeside && filepath.Base(dir) == workspaceDir:
		return filepath.Dir(dir), beside, nil
	case hasBeside:
		return home, beside, nil
	}
	return "", "", errors.Join(err1, err2)
}

// existsIn is exists for a path whose folder may be missing or be no folder, which
// the systems tell in words of their own.
func existsIn(path string) (bool, error) {
	dir, err := os.Stat(filepath.Dir(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !dir.IsDir():
		return false, nil
	}
	return exists(path)
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
