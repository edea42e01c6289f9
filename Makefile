# `make help` lists the targets. Each makes sure of what it needs: on a machine with
# only Go, `make demo` and `make test` work as they are.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A checkout that belongs to another user has no version to stamp, and that is no error.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

GOLANGCI_LINT_VERSION := v2.15.0
WORKFLOWCHECK_VERSION := v0.6.0
VACUUM_VERSION := v0.16.0
GOLANGCI_LINT := .tools/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint
WORKFLOWCHECK := .tools/workflowcheck-$(WORKFLOWCHECK_VERSION)/workflowcheck

VACUUM := .tools/vacuum-$(VACUUM_VERSION)/vacuum
CYCLONEDX_VERSION := v1.7.0
GOVULNCHECK_VERSION := v1.9.0
CYCLONEDX := .tools/cyclonedx-gomod-$(CYCLONEDX_VERSION)/cyclonedx-gomod
GOVULNCHECK := .tools/govulncheck-$(GOVULNCHECK_VERSION)/govulncheck

# The race detector needs a C compiler; without one Go says 0 here.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: postgres ## offboard an organization's leavers through a week, in a minute
	@mkdir -p .handover
	go run ./devstack demo --data data/devdocs --json .handover/demo.json

.PHONY: up
up: postgres ## run everything on this machine: Temporal and its UI, PostgreSQL, worker, server
	go run ./devstack up

.PHONY: test
test: lint postgres chromium ## lint, then every test, with the race detector; those that docs/rules.md and docs/security.md name must have run
	go test -timeout 30m -json $(RACE) ./... | go run ./internal/testrun

# CHAOS_SEED repeats a storm. The clocks of its three workers are ten minutes apart: they
# are built with a package time that asks HANDOVER_CHAOS_CLOCK. The first build takes some minutes.
.PHONY: chaos
chaos: postgres ## run some hundred cases through a storm of crashes, cut connections and wrong clocks, and see what holds
	@mkdir -p .tools/clock
	@awk '{ print } /sec, nsec, mono := runtimeNow\(\)/ { print "\tsec += apart" }' "$$(go env GOROOT)/src/time/time.go" >.tools/clock/time.go
	@printf '{"Replace": {"%s": "%s", "%s": "%s"}}\n' "$$(go env GOROOT)/src/time/time.go" "$(CURDIR)/.tools/clock/time.go" \
		"$$(go env GOROOT)/src/time/apart.go" "$(CURDIR)/chaos/testdata/apart.go" >.tools/clock/overlay.json
	CHAOS=full CHAOS_CLOCKS=600 go test -overlay .tools/clock/overlay.json ./chaos -count=1 -v -timeout 60m -run '^TestAStorm$$'

# PAIRS is how many pairs of crashes, drawn by CHAOS_SEED, or all: that takes hours.
.PHONY: crash
crash: postgres ## let the worker die on either side of every commit, alone and in PAIRS
	HANDOVER_CRASH_PAIRS=$(or $(PAIRS),200) go test ./chaos -count=1 -v -timeout 12h -run '^TestEveryCrashPoint$$'

# SOAK is how many minutes.
.PHONY: soak
soak: postgres ## let a server and a worker work for SOAK minutes (10), and fail where memory, goroutines, connections or files grow
	SOAK=$(or $(SOAK),10) go test ./e2e -count=1 -v -timeout 12h -run '^TestSoak$$'

# A quarter of an hour. BENCH=quick takes small numbers and three minutes, BENCH=full all of them and three quarters of an hour; BENCH_ONLY names sections.
.PHONY: bench
bench: postgres ## measure Handover beside what it could have been; writes bench/results.json
	go run ./bench --json bench/results.json $(if $(BENCH),--scale $(BENCH)) $(if $(BENCH_ONLY),--only $(BENCH_ONLY))

.PHONY: lint
lint: $(GOLANGCI_LINT) $(WORKFLOWCHECK) $(VACUUM) ## check formatting, mistakes, the arrows between packages, that workflows are deterministic, and the OpenAPI document
	$(GOLANGCI_LINT) run ./...
	$(WORKFLOWCHECK) ./workflows/...
	go run ./server openapi >.tools/openapi.json
	$(VACUUM) lint --no-banner --details --ruleset .vacuum.yaml --fail-severity warn .tools/openapi.json

.PHONY: build
build: ## build the binaries into bin/
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -o bin/ ./worker ./server ./starter ./devstack

# The same commit is the same bytes, wherever it is built: once in this folder, once in
# another with a cache of its own.
.PHONY: reproducible
reproducible: ## build the committed state twice, in two folders from nothing, and compare
	@dir=$$(mktemp -d); trap 'chmod -R u+w "$$dir" && rm -rf "$$dir"' EXIT; \
	for copy in one another; do \
		mkdir "$$dir/$$copy"; git archive HEAD | tar -x -C "$$dir/$$copy"; \
		(cd "$$dir/$$copy" && GOCACHE="$$dir/$$copy.cache" CGO_ENABLED=0 go build -trimpath -o bin/ ./worker ./server ./starter); \
		(cd "$$dir/$$copy/bin" && sha256sum *) | tee "$$dir/$$copy.sums"; \
	done; \
	cmp "$$dir/one.sums" "$$dir/another.sums" && echo 'the same bytes'

.PHONY: sbom
sbom: build $(CYCLONEDX) ## write what each binary is made of into bin/sbom/ (CycloneDX)
	@mkdir -p bin/sbom
	for program in worker server starter devstack; do \
		$(CYCLONEDX) bin -json -std -version "$$(git describe --always --dirty)" -output bin/sbom/$$program.cdx.json bin/$$program; done

.PHONY: licenses
licenses: ## list the modules that are linked in, with their licenses, in docs/licenses.md
	go run ./internal/licenses

# Asks vuln.go.dev, so it is no part of the tests.
.PHONY: vulnerabilities
vulnerabilities: $(GOVULNCHECK) ## look for known vulnerabilities in what the programs call
	$(GOVULNCHECK) ./...

# Go downloads a PostgreSQL where there is neither one nor apt-get; see internal/pgserver.
# Debian's package would make and start a server of its own: nobody needs it here.
.PHONY: postgres
postgres: ## install PostgreSQL, if there is none and Debian's package manager is there
	@if [[ -n "$${DATABASE_URL:-}" ]] || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null \
		|| { command -v initdb && command -v postgres; } >/dev/null \
		|| ! command -v apt-get >/dev/null; then exit 0; fi; \
	sudo=; if [[ $$EUID -ne 0 ]]; then sudo=$$(command -v sudo || true); [[ -n "$$sudo" ]] || exit 0; fi; \
	echo 'installing PostgreSQL'; \
	$$sudo mkdir -p /etc/postgresql-common; \
	if [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then \
		echo 'create_main_cluster = false' | $$sudo tee /etc/postgresql-common/createcluster.conf >/dev/null; fi; \
	$$sudo apt-get update -qq; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		-o Dpkg::Options::=--force-confold postgresql >/dev/null

# The tests of the console drive a real browser; HANDOVER_CHROMIUM names one that is
# found nowhere else.
.PHONY: chromium
chromium: ## install Chromium, if there is no such browser and Debian's package manager is there
	@if [[ -n "$${HANDOVER_CHROMIUM:-}" ]] || command -v chromium chromium-browser google-chrome google-chrome-stable chrome headless-shell >/dev/null \
		|| ! command -v apt-get >/dev/null; then exit 0; fi; \
	sudo=; if [[ $$EUID -ne 0 ]]; then sudo=$$(command -v sudo || true); [[ -n "$$sudo" ]] || exit 0; fi; \
	echo 'installing Chromium'; \
	$$sudo apt-get update -qq; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-liberation >/dev/null

.PHONY: screenshots
screenshots: postgres chromium ## make the pictures of the console that the documents show, in docs/screenshots
	@rm -rf .handover/screenshots
	HANDOVER_SCREENSHOTS=$(CURDIR)/.handover/screenshots go test ./e2e -count=1 -run '^TestEveryPage'
	@mkdir -p docs/screenshots
	@for name in $$(grep -ho 'screenshots/[a-z-]*\.png' README.md docs/*.md | sort -u); do cp ".handover/$$name" docs/screenshots/; done

# The tools are built once per version; they are no part of go.mod.
$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(WORKFLOWCHECK):
	GOBIN=$(CURDIR)/$(@D) go install go.temporal.io/sdk/contrib/tools/workflowcheck@$(WORKFLOWCHECK_VERSION)

$(GOVULNCHECK):
	GOBIN=$(CURDIR)/$(@D) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

# These by modules of their own, which pin what they are made of.
$(CYCLONEDX): tools/cyclonedx/go.mod
	go build -C tools/cyclonedx -mod=readonly -o $(CURDIR)/$@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

$(VACUUM): tools/vacuum/go.mod
	go build -C tools/vacuum -mod=readonly -o $(CURDIR)/$@ github.com/daveshanley/vacuum
