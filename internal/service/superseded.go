package service

import (
	"sync"
	"time"

	"agentxchain/internal/delivery"
	"agentxchain/internal/events"
	"agentxchain/internal/project"
)

// stateFresh is how long a look at the run's state is good for.
const stateFresh = time.Second

// runs knows how the project's run stands now.
type runs struct {
	root project.Root
	now  func() time.Time

	mu    sync.Mutex
	at    time.Time
	state project.State
}

// movedOn reports whether trying to deliver d again would mislead: the notice
// is about another run than the one that goes on, or about something that the
// run no longer waits for. The first attempt is always made, and an unknown
// state supersedes nothing.
func (r *runs) movedOn(d delivery.Delivery) bool {
	if !d.Bound() || d.Attempts <= 1 {
		return false
	}
	s := r.look()
	if !s.Exists {
		return false
	}
	if d.Event.RunID != "" && s.RunID != "" && d.Event.RunID != s.RunID {
		return true
	}
	switch events.Type(d.Event.Type) {
	case events.RunBlocked:
		return s.Status != "" && s.Status != "blocked"
	case events.PhaseTransitionPending:
		return s.PendingPhaseTransition == nil
	case events.RunCompletionPending:
		return s.PendingRunCompletion == nil
	case events.ApprovalSLAReminder:
		return s.PendingPhaseTransition == nil && s.PendingRunCompletion == nil
	}
	return false
}

func (r *runs) look() project.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if since := now.Sub(r.at); since >= 0 && since < stateFresh {
		return r.state
	}
	s, err := project.ReadState(r.root)
	if err != nil {
		s = project.State{}
	}
	r.at, r.state = now, s
	return s
}
