# Told Once. `make run` and `make demo` need Go, Node.js and make; `make test`
# installs the rest with scripts/setup first.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

DATA        ?= data
LISTEN      ?= 127.0.0.1:8080
DEMO_DATA   ?= data-demo
DEMO_LISTEN ?= 127.0.0.1:8081

RELEASE := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.release=$(RELEASE)

.PHONY: help build run demo test lint bench setup ui e2e screenshots fuzz go-test ui-test vuln clean longrun

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 12

build: ui ## Build bin/toldonce, bin/toldonce-verify and bin/toldonce-verify.html
	mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin ./cmd/toldonce ./cmd/toldonce-verify
	go run ./cmd/toldonce-verify/page bin/toldonce-verify.html

run: build ## Initialise data/ the first time, and serve it
	test -e $(DATA)/installation.json || bin/toldonce init --data $(DATA)
	bin/toldonce serve --data $(DATA) --listen $(LISTEN)

demo: build ## Serve a demonstration agency with people, a case and a sealed interview
	bin/toldonce demo --data $(DEMO_DATA) --listen $(DEMO_LISTEN)

setup: ## Install what the tests need (Debian, Ubuntu)
	scripts/setup

test: setup build ## Run every check and test, as CI does
	scripts/test

lint: ui ## gofmt, go vet and staticcheck
	scripts/lint

go-test: setup build ## The Go tests, with the race detector
	scripts/go-test

fuzz: ui ## Fuzz each target for FUZZTIME (2s)
	scripts/fuzz

ui-test: ui ## Type checks and unit tests of the interface
	npm --prefix web/ui run check
	npm --prefix web/ui test

e2e: build ## The story in a real browser, on both databases and object stores
	scripts/e2e sqlite
	scripts/e2e postgres

screenshots: build ## Take the pictures of every page and state anew, into web/e2e/screenshots
	scripts/e2e sqlite

vuln: ui ## Known vulnerabilities, where the database can be reached
	scripts/vuln

bench: build ## Print the figures
	scripts/bench

LONG ?= 1h
longrun: ## Record four cameras for LONG (1h) and print memory and goroutines every minute
	TOLDONCE_LONG=$(LONG) go test -run '^$$' -bench '^BenchmarkLongRun$$' -benchtime 1x -timeout 0 ./recorder

clean: ## Remove what was built; data stays
	rm -rf bin web/ui/dist/assets web/ui/dist/index.html web/ui/node_modules web/e2e/node_modules

# The interface, built when a source is newer than what was built. What its own
# build generates does not count as a source.
UI_SOURCES := $(shell git ls-files --cached --others --exclude-standard web/ui 2>/dev/null | grep -v '^web/ui/dist/')

ui: web/ui/dist/index.html ## Build the interface that the server embeds

web/ui/node_modules/.package-lock.json: web/ui/package.json web/ui/package-lock.json
	npm --prefix web/ui ci --no-audit --no-fund
	touch $@

web/ui/dist/index.html: web/ui/node_modules/.package-lock.json $(UI_SOURCES)
	npm --prefix web/ui run build
	touch $@
