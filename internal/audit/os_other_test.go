//go:build !linux

package audit

import "errors"

func setFilesystemUser(int) error { return errors.ErrUnsupported }
