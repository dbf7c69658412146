# The whole habit: make run test check bench fuzz e2e torture cluster screenshots. `make` alone explains each.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
TOOL = $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 20s
KILLS ?= 200
ROUNDS ?= 200
GROWTH ?= 100000

.PHONY: run test check bench fuzz e2e torture cluster screenshots build clean help

run: build ## start the demo: a whole Lanyard with example APIs, on a throw-away directory
	bin/lanyard demo

# The tools are built before the tests that run them, so that compiling counts against no test's time limit.
test: ## run every test, on real databases and in a real browser
	tools/need postgres redis-server nginx caddy haproxy node npm chromium
	$(TOOL) gitleaks version > /dev/null
	$(GO) test -timeout 20m ./...

check: ## lint, races, tidy modules, generated files
	tools/need gcc postgres redis-server nginx caddy haproxy node npm chromium
	@echo '== lint and format (.golangci.yml)'
	$(TOOL) golangci-lint run ./...
	@echo '== races (the short tests)'
	CGO_ENABLED=1 $(GO) test -race -short -timeout 25m ./...
	@echo '== go.mod and go.sum are tidy, here and in tools'
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	@echo '== generated files are up to date'
	tools/generated
	@echo '== all checks passed'

bench: ## measure: the packages' benchmarks, then the server's table
	$(GO) test -run=NONE -bench=. -benchmem . ./internal/...
	$(GO) run ./e2e/bench

fuzz: ## run every fuzz target for FUZZTIME (20s) each
	tools/fuzz $(FUZZTIME)

e2e: ## run the end-to-end tests afresh
	tools/need postgres redis-server nginx caddy haproxy
	$(GO) test -count=1 -timeout 15m ./e2e/...

torture: ## KILLS (200) kills during traffic, every race for ROUNDS (200) rounds, GROWTH (100000) tokens
	tools/need postgres redis-server
	@echo '== acknowledged is counted, whatever is killed'
	$(GO) run ./e2e/torture -kills $(KILLS)
	@echo '== three nodes, PostgreSQL and Redis: so it is, once'
	$(GO) run ./e2e/torture -nodes 3 -kills $(KILLS)
	$(GO) run ./e2e/torture -nodes 3 -kills $(KILLS) -durability database
	$(GO) run ./e2e/torture -nodes 3 -kills $(KILLS) -durability database -lose-disks
	@echo '== one of 64 wins, in every round'
	LANYARD_RACE_ROUNDS=$(ROUNDS) $(GO) test -count=1 -timeout 3h -run Race ./internal/server/oauth ./internal/server/login ./internal/store/storetest
	@echo '== no table grows with tokens'
	LANYARD_GROWTH=$(GROWTH) $(GO) test -count=1 -timeout 3h -run TestNoTableGrows ./internal/server/oauth

cluster: build ## start three nodes on PostgreSQL and Redis behind nginx, on a throw-away directory
	tools/need postgres redis-server nginx
	$(GO) build -o bin/cluster ./e2e/cluster
	bin/cluster

screenshots: ## photograph every page in four looks into screenshots/, with contact sheets
	tools/need postgres node npm chromium
	rm -rf screenshots && mkdir screenshots
	SCREENSHOTS=$(CURDIR)/screenshots $(GO) test -count=1 -run 'TestBrowser/(story|tour)' ./e2e
	cd e2e/browser && node contact.mjs $(CURDIR)/screenshots

build: ## build bin/lanyard, one static program
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/lanyard ./cmd/lanyard

clean: ## remove what the other targets made here
	rm -rf bin coverage.out

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
