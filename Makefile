# Each target prepares what it needs. PYTHON chooses the interpreter (3.11 or newer), VENV the environment's folder.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# The stamp carries the checksum of the exact versions: a changed requirement, and nothing else, installs again.
sum := $(shell cat requirements/dev.txt lambdas/*/requirements.txt | cksum | cut -d" " -f1)
installed := $(VENV)/installed-$(sum)
run := $(VENV)/bin/python -m

.PHONY: help rehearse test scenarios coverage check lint targets bench package clean
help:      ## this list
	@grep -E '^[a-z]+: .*##' Makefile | sed -E 's/:[^#]*## */\t/' | expand -t 12
rehearse: $(installed) ## the README, the pipeline and the packages on an emulated organization (ARGS="--help" for more)
	@$(run) rehearsal $(if $(SCENARIO),--scenario $(SCENARIO)) $(ARGS)
test: $(installed) ## all tests but the scenarios
	@$(run) buildspecs.lint.environments checkov || echo "checkov was not installed: the faults planted for it are left out"
	@$(run) pytest -n 2 --dist worksteal --hypothesis-profile thorough -m "not scenarios" $(ARGS)
scenarios: $(installed) ## every scenario of the rehearsal, and its interruption: takes minutes
	@$(run) pytest -n 3 -m scenarios $(ARGS) tests/rehearsal
coverage:  ## make test, and which lines of the functions and the builds it runs; a floor
	@$(MAKE) test ARGS="--cov --cov-report=term --cov-fail-under=93 $(ARGS)"
lint: $(installed) ## formatting, types, templates
	@$(run) ruff check . && $(run) ruff format --check . && $(run) mypy && $(run) buildspecs.lint
check: lint coverage scenarios rehearse ## what CI runs
targets: $(installed) ## is aws-backup-ssm-targets.json complete and well-formed, and no file empty?
	@$(run) buildspecs.lint.empty_files && $(run) buildspecs.targets $(ARGS)
bench: $(installed) ## API calls, cold starts, scale: counts and ratios
	@for file in benchmarks/*.py; do $(VENV)/bin/python "$$file"; done
package: $(installed) ## both function packages, into .build/packages
	@for name in backup_org_policy_manager tag_on_restore; do $(run) buildspecs.packaging build $$name; done
clean:     ## removes what the targets made
	@rm -rf .venv .build .gates .cache .rehearsal .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
$(installed):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; $(PYTHON) is " + sys.version.split()[0] + ". Try: make PYTHON=python3.13 …")'
	@mkdir -p $(VENV) 2>/dev/null && test -w $(VENV) || { echo "$(abspath $(VENV)) cannot be written: copy the clone to a folder of your own, or put the environment elsewhere (make $(or $(MAKECMDGOALS),help) VENV=~/.rehearsal-environment)" >&2; exit 1; }
	@echo "Installing the exact versions of requirements/dev.txt into $(VENV) (once)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(run) pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt && $(run) pip --quiet check
	@cat lambdas/*/requirements.txt | $(run) pip download --quiet --require-hashes --no-deps --dest $(VENV)/wheels -r /dev/stdin
	@touch $@
