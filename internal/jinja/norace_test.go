//go:build !race

package jinja

// raceEnabled is true when the race detector, which allocates too, is in the binary.
const raceEnabled = false
