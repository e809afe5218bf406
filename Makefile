# The developer's commands. `make help` lists them; Meson and the scripts in tools/ do the work.

PREFIX ?= /usr/local
DESTDIR ?=

.DEFAULT_GOAL := all
.PHONY: all run test test-unit test-integration test-e2e test-coverage test-watch hooks lint analyze
.PHONY: format asan tsan coverage coverage-unit bench bench-postgres bench-peers docs proof
.PHONY: proof-long install clean help

all: ## build/taskyard: install what is missing, build
	@tools/packages build
	@tools/build release
	@[ "$(MAKECMDGOALS)" ] || echo "build/taskyard is ready. Next: make run, or build/taskyard help"

run: all ## build, then run a server on 127.0.0.1:8503 and demo workers; Ctrl-C stops them
	@tools/run

test: ## everything that must hold; `make test ONLY=claim` runs the tests with that in their name
	@tools/packages test
	@tools/postgres fetch
	@tools/run-tests

test-unit: ## the C tests alone, as shipped; ONLY works here and with the next two
	@tools/packages test
	@tools/run-tests unit

test-integration: ## the black-box tests alone, on SQLite and on PostgreSQL
	@tools/packages test
	@tools/run-tests api api-postgres

test-e2e: ## whole workflows with the programs that people run (tests/e2e.list)
	@tools/packages test
	@tools/run-tests e2e

test-coverage: coverage ## the same as coverage

test-watch: ## the tests that match what has changed, and again at each save; Ctrl-C stops
	@tools/packages test
	@tools/watch

hooks: ## git runs lint and the C tests before a commit, the black-box tests before a push
	@git config core.hooksPath tools/hooks
	@echo "git calls tools/hooks from now on; to undo: git config --unset core.hooksPath"

lint: ## the house rules, the formatting, cppcheck, stale generated files
	@tools/packages test
	@tools/lint

analyze: ## clang-tidy and gcc -fanalyzer over what changed since the last time
	@tools/packages test
	@tools/build release
	@$(MAKE) --no-print-directory --keep-going --jobs=2 -f tools/analyze.mk

format: ## clang-format, in place
	@tools/packages test
	@tools/sources | xargs clang-format -i

asan: ## the unit and API tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tools/packages test
	@tools/run-tests unit-asan api-asan

tsan: ## the unit tests under ThreadSanitizer
	@tools/packages test
	@tools/run-tests unit-tsan

coverage: ## line coverage of src/ by the unit, API, crash and cluster tests; fails under 85 %
	@tools/packages test
	@tools/coverage

coverage-unit: ## the same by the C tests alone; fails under 80 %
	@tools/packages test
	@tools/coverage --unit

proof: ## the core under fire: fuzzing, faults, hardening; at most 20 minutes (proof/README.md)
	@tools/packages test
	@tools/run-proof

proof-long: ## the long form: hours, goes on where it was interrupted; writes proof/RESULTS.md
	@tools/packages test
	@tools/run-proof --long

bench: ## the fixed load profiles; bench/RESULTS.md explains the figures
	@tools/packages build
	@tools/build release
	@bench/run

bench-postgres: ## the same on a private PostgreSQL, alone and as three nodes
	@tools/packages test
	@tools/build release
	@bench/run --store postgresql

bench-peers: ## other queues beside this one, on PostgreSQL, Redis and their own; needs npm
	@tools/packages bench
	@tools/build release
	@bench/peers/run

docs: all ## write the generated documents again
	@tools/generate-docs

install: all ## copy program, completion and licence below $(DESTDIR)$(PREFIX)
	@meson setup --reconfigure build -Dprefix=$(PREFIX) >build/meson.out
	@DESTDIR=$(DESTDIR) meson install -C build --no-rebuild --quiet
	@mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	@build/taskyard completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/taskyard

clean: ## remove everything that was built
	@rm -rf build

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1#/p' Makefile | \
	  while IFS='#' read -r name text; do printf '  make %-18s%s\n' "$$name" "$$text"; done
