# The developer's commands. `make help` lists them; Meson and the scripts in tools/ do the work.

PREFIX ?= /usr/local
DESTDIR ?=

.DEFAULT_GOAL := all
.PHONY: all run test lint analyze format asan tsan coverage bench bench-postgres bench-peers docs
.PHONY: proof proof-long install clean help

all: ## build/taskyard: install what is missing, build
	@tools/packages build
	@tools/build release
	@[ "$(MAKECMDGOALS)" ] || echo "build/taskyard is ready. Next: make run, or build/taskyard help"

run: all ## build, then run a server on 127.0.0.1:8503 and demo workers; Ctrl-C stops them
	@tools/run

test: ## everything that must hold; `make test ONLY=claim` runs the tests with that in their name
	@tools/packages test
	@tools/run-tests

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
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1#/p' Makefile | \
	  while IFS='#' read -r name text; do printf '  make %-16s%s\n' "$$name" "$$text"; done
