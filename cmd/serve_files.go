package cmd

import (
	"context"
	"errors"
	"time"
)

// filesEvery is how often the outbox is looked at where nothing is kept in a
// database.
const filesEvery = time.Second

// deliverFiles delivers from the outbox until ctx ends: what serve does where
// persistence is switched off.
func (f *face) deliverFiles(ctx context.Context) error {
	ticks := time.NewTicker(filesEvery)
	defer ticks.Stop()
	said := ""
	for {
		warnings, recoverErr := f.pipeline.RecoverFiles(ctx)
		f.app.warnAll(warnings)
		reports, err := f.pipeline.RetryDue(ctx)
		err = errors.Join(recoverErr, err)
		for _, r := range reports {
			for _, o := range r.Outcomes {
				if o.Attempts > 0 {
					f.metrics.Attempted(o.Last)
				}
			}
			if r.Err != nil {
				f.app.log.Warn(r.Err.Error(), "event_id", r.Event.ID)
			}
		}
		if err != nil && err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			f.app.log.Warn("deliver from the outbox: " + said)
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
	}
}
