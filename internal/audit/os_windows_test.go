package audit

import "errors"

func helpRecordLimited([]string) error { return errors.ErrUnsupported }
