//go:build !race

package pyvalue_test

// raceEnabled says that allocations cannot be counted.
const raceEnabled = false
