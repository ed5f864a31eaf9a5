package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"agentxchain/internal/project"
)

const (
	// serveLock is held, shared, by every process that serves the project.
	serveLock = "serve.lock"
	// askLock is held by whoever asks about serveLock or begins to hold it. To
	// ask is to take the lock for a moment: without askLock two that ask at once
	// would each take the other for a process that serves.
	askLock = "serve-ask.lock"
	// askTime bounds the wait for others that ask; they need microseconds.
	askTime = time.Second
)

// Serving says to all who emit in the project that a process serves it, until
// quit is called or the process dies. On a file system without locks nobody is
// told, and every emit sends by itself.
func Serving(ctx context.Context, root project.Root) (quit func() error, err error) {
	unlock, err := lockToAsk(ctx, root)
	if err != nil {
		return nil, fmt.Errorf("say that the project is served: %w", err)
	}
	quit, err = root.TryLock(serveLock, project.Shared)
	_ = unlock() // nothing was written
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return func() error { return nil }, nil
	case err != nil:
		return nil, fmt.Errorf("say that the project is served: %w", err)
	}
	return quit, nil
}

// served reports whether a process serves the project now. Who can't find out
// sends by itself: better twice the work than an alert that waits for nobody.
func served(ctx context.Context, root project.Root) bool {
	unlock, err := lockToAsk(ctx, root)
	if err != nil {
		return false
	}
	defer func() { _ = unlock() }() // nothing was written
	free, err := root.TryLock(serveLock, project.Exclusive)
	if err != nil {
		return errors.Is(err, project.ErrLocked)
	}
	_ = free() // nothing was written
	return false
}

func lockToAsk(ctx context.Context, root project.Root) (unlock func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return root.Lock(ctx, askLock)
}
