// Package export builds, reads and judges bundles: one JSON document that
// holds every governed file of a project, byte for byte, together with what
// the files say. docs/bundle-format.md specifies it.
package export
