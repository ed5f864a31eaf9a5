// Package jinja is a sandboxed engine for Jinja2 templates.
package jinja
