// Package server is the HTTP face of the delivery log: the REST API, its
// keys, health and metrics. It sends nothing and keeps nothing; what it
// answers with, and what it is asked to do, it has from the small interfaces
// in [Options].
//
// The API is described in openapi.yaml, which is served at /openapi.yaml and
// held to the handlers by a test. Errors are problem details (RFC 9457).
//
// A request passes these checks, in this order: its Host is one of ours (421),
// its path and method exist (404, 405), it does not come from a page of
// another site (403), its key is known (401) and may do this (403). Only then
// its parameters are read (400), all of them, so that one answer names every
// mistake.
package server
