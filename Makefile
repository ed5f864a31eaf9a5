# Needs Go; everything else is optional or installed by name. `make` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODULE  := $(shell go list -m)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BIN     := bin/agentxchain
EXE     := $(shell go env GOEXE)

# The version is stamped by us, so the build does not depend on git being there.
BUILD   := CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X $(MODULE)/cmd.version=$(VERSION)'
TOOL    := go tool -modfile=tools/go.mod

PKG       ?= ./...
FUZZTIME  ?= 10s
BENCH     ?= .
BENCHTIME ?= 1s
SYSTEMS   := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile
	@echo '  Variables: PKG=./internal/audit FUZZTIME=1m BENCH=Append BENCHTIME=5s PREFIX=/usr/local'

.PHONY: build
build: ## Build bin/agentxchain, one static binary
	$(BUILD) -o $(BIN)$(EXE) .

.PHONY: demo
demo: build ## Watch the whole thing work in a throw-away project
	$(BIN)$(EXE) demo

# The race detector needs a C compiler; a machine without one is given it
# where that is possible, and is told what it misses where it is not.
.PHONY: compiler
compiler:
	@if ! tools/has-cc && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo 'make: installing gcc and libc6-dev for the race detector'; \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null; } || echo 'make: apt could not' >&2; \
	fi

# Tests start a PostgreSQL and a browser of their own. Where these are missing
# and cannot be installed, the tests that need them skip, each with that reason.
.PHONY: servers
servers:
	@tools/servers || true

# -v, because rows of the acceptance table print how many cases they ran, and
# go test shows that of a passing package only then. grep takes out the noise:
# what stays is what tests print and skip, what fails, the seed of the shuffle
# (-shuffle=SEED repeats it), and one line per package.
# -p 1, because several packages fill the disk's queue on purpose, and beside
# each other they make the audit wait longer for its lock than it may.
.PHONY: test
test: compiler servers ## Run every test, under the race detector
	@set -o pipefail; race=-race; export CGO_ENABLED=1; \
	tools/has-cc || { race=; CGO_ENABLED=0; echo 'make: NO RACE DETECTOR: there is no working C compiler, so tests run without -race' >&2; }; \
	go test $$race -p 1 -v -shuffle=on -timeout=15m $(PKG) 2>&1 \
		| grep --line-buffered -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS:)|^PASS$$'

.PHONY: bench
bench: build ## Measure the binary beside curl and sha256sum, then the packages
	go run ./bench -bin $(BIN)$(EXE)
	go test -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCHTIME) -benchmem $(PKG)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME
	@tools/fuzz $(FUZZTIME) $(PKG)

.PHONY: lint
lint: ## Run the linters of .golangci.yml
	@unformatted=$$($(TOOL) gofumpt -l .); [ -z "$$unformatted" ] || { echo "not formatted, see make fmt: $$unformatted" >&2; exit 1; }
	$(TOOL) golangci-lint run

.PHONY: fmt
fmt: ## Format the sources
	$(TOOL) gofumpt -w .

.PHONY: cross
cross: ## Build and vet for every supported system
	@for s in $(SYSTEMS); do \
		echo "$$s"; \
		CGO_ENABLED=0 GOOS=$${s%/*} GOARCH=$${s#*/} go build -buildvcs=false -o /dev/null ./... ; \
		CGO_ENABLED=0 GOOS=$${s%/*} GOARCH=$${s#*/} go vet ./... ; \
	done

PREFIX ?=
.PHONY: install
install: ## Install into PREFIX/bin, or where go install puts programs
ifeq ($(PREFIX),)
	CGO_ENABLED=0 go install -trimpath -buildvcs=false -ldflags '-s -w -X $(MODULE)/cmd.version=$(VERSION)' .
else
	$(BUILD) -o '$(PREFIX)/bin/agentxchain$(EXE)' .
endif

.PHONY: rename
rename: ## Give the module another path: make rename TO=example.org/agentxchain
	@tools/rename '$(TO)'

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
