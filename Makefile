# virga is built, tested and measured from here. `make help` lists the targets.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

GO       ?= go
export CGO_ENABLED := 0
# The same flags for building and testing, so that both share one cache.
export GOFLAGS := $(GOFLAGS) -trimpath
MODULE   := github.com/virga-cloud/virga
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
STRIP    := -ldflags '-s -w'
STAMPED  := -ldflags '-s -w -X $(MODULE)/internal/version.Version=$(VERSION)'
# What a binary may depend on; Go itself decides what is really out of date.
SOURCES  := $(shell find api cmd internal -name '*.go' -not -name '*_test.go' 2>/dev/null) \
            $(shell find cmd internal -name '*.s' 2>/dev/null) go.mod go.sum

# One binary carries the next: the shim and hello are in the daemon, and the
# daemon, compressed, is in the command.
SHIM     := internal/shim/embed/files/virga-shim
HELLO    := internal/image/embed/virga-hello
VIRGAD   := bin/virgad
PACKED   := cmd/virga/embed/virgad.gz
VIRGA    := bin/virga

## build: bin/virga, the one file to install
.PHONY: build
build: $(VIRGA)

$(SHIM): $(SOURCES)
	@mkdir -p $(@D)
	$(GO) build $(STRIP) -o $@ ./cmd/virga-shim
	@touch $@

$(HELLO): $(SOURCES)
	@mkdir -p $(@D)
	$(GO) build $(STRIP) -o $@ ./cmd/virga-hello
	@touch $@

$(VIRGAD): $(SOURCES) $(SHIM) $(HELLO)
	$(GO) build $(STAMPED) -o $@ ./cmd/virgad
	@touch $@

$(PACKED): $(VIRGAD) scripts/pack/main.go
	@mkdir -p $(@D)
	$(GO) run ./scripts/pack $(VIRGAD) $@

$(VIRGA): $(PACKED) $(SOURCES)
	$(GO) build $(STAMPED) -o $@ ./cmd/virga
	@touch $@

# Stages run fast to slow, and all of them run even when an earlier one fails,
# so that one run shows everything that is wrong.
UNIT     := ./api/... ./cmd/... ./internal/... ./bench/... ./scripts/...
E2E      := ./test ./test/report
VM       := ./test/vm/...
TESTFLAGS ?=

## test: everything, as root, fast to slow: format, vet, lint, unit, end to end, guest
.PHONY: test
test: check build
	@status=0; { \
	  $(GO) test -json -count=1 -timeout 10m $(TESTFLAGS) $(UNIT) || status=1; \
	  $(GO) test -json -count=1 -timeout 25m $(TESTFLAGS) $(E2E) || status=1; \
	  $(GO) test -json -count=1 -timeout 20m $(TESTFLAGS) $(VM) || status=1; \
	  exit $$status; } | $(GO) run ./test/report

## test-unit: the unit tests only
.PHONY: test-unit
test-unit: $(SHIM) $(HELLO)
	@$(GO) test -json -count=1 -timeout 10m $(TESTFLAGS) $(UNIT) | $(GO) run ./test/report

## test-e2e: the end-to-end tests only; RUN=regexp chooses among them
.PHONY: test-e2e
test-e2e: build
	@$(GO) test -json -count=1 -timeout 25m -run '$(RUN)' $(TESTFLAGS) $(E2E) | $(GO) run ./test/report

## test-vm: tests in a QEMU guest whose kernel has cgroup v2 only; SUITE=package RUN=regexp choose
.PHONY: test-vm
test-vm: build
	@VIRGA_VM_SUITE='$(SUITE)' VIRGA_VM_RUN='$(RUN)' \
	  $(GO) test -json -count=1 -timeout 20m $(TESTFLAGS) $(VM) | $(GO) run ./test/report

## vm-shell: a shell in that guest, with the test binaries of SUITE in /tests
.PHONY: vm-shell
vm-shell: build
	@$(GO) run ./test/vm/shell $(SUITE)

## soak: 500 starts and stops with the daemon killed at 50 random points
.PHONY: soak
soak: build
	VIRGA_SOAK=500 $(GO) test -json -count=1 -timeout 2h -run '^TestRandomKills$$' $(TESTFLAGS) $(E2E) | $(GO) run ./test/report

## check: gofmt, vet, and staticcheck where its module can be had
.PHONY: check
check: fmt-check vet lint

.PHONY: fmt-check vet
fmt-check:
	@bad=$$(gofmt -l api bench cmd internal scripts test); \
	  [ -z "$$bad" ] || { echo "gofmt -w these files:"; echo "$$bad"; exit 1; }
vet: $(SHIM) $(HELLO)
	$(GO) vet ./...

## lint: staticcheck, with the version that tools/go.mod pins
.PHONY: lint
lint: $(SHIM) $(HELLO)
	@if $(GO) tool -modfile=tools/go.mod -n staticcheck >/dev/null 2>&1; \
	  then $(GO) tool -modfile=tools/go.mod staticcheck ./...; \
	  else echo "lint: staticcheck is not to be had here; vet only"; fi

## fuzz: every fuzz target for FUZZTIME each (default 10s); FUZZ=regexp chooses
FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: $(SHIM) $(HELLO)
	@scripts/fuzz.sh $(FUZZTIME) '$(or $(FUZZ),.)'

## bench: benchmarks beside their peers; ONLY=start|phases|rate|memory|cpu|import|network|scaling, or a part: scaling.crash
.PHONY: bench
bench: build
	@scripts/bench-tools.sh
	$(GO) run ./bench -only '$(ONLY)'

## demo: install what is missing, build, and show a one-node cloud at work
.PHONY: demo
demo:
	@scripts/demo.sh

## clean: remove what was built
.PHONY: clean
clean:
	rm -rf bin bench/out .cache $(SHIM) $(HELLO) $(PACKED)

## help: this list
.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | awk -F': ' '{printf "  make %-10s %s\n", $$1, substr($$0, length($$1)+3)}'
