# Each target prepares what it needs. PYTHON is the interpreter (3.11 or newer), VENV the environment's folder.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# The stamp is named by the checksum of the exact versions: only a changed requirement installs again.
sum := $(shell cat requirements/dev.txt lambdas/*/requirements.txt | cksum | cut -d" " -f1)
installed := $(VENV)/installed-$(sum)
run := $(VENV)/bin/python -m

.PHONY: help rehearse test scenarios coverage check lint targets bench package clean
help:      ## show this list
	@grep -E '^[a-z]+: .*##' Makefile | sed -E 's/:[^#]*## */\t/' | expand -t 12
rehearse: $(installed) ## run the README on an emulated organization (ARGS="--help" for more)
	@$(run) rehearsal $(if $(SCENARIO),--scenario $(SCENARIO)) $(ARGS)
test: $(installed) ## run all tests but the scenarios
	@$(run) buildspecs.lint.environments checkov || echo "checkov was not installed: its gate is not tested"
	@$(run) pytest -n 2 --dist worksteal -m "not scenarios" $(ARGS)
scenarios: $(installed) ## run every scenario of the rehearsal, and interrupt it: takes minutes
	@$(run) pytest -n 3 -m scenarios $(ARGS) tests/rehearsal
coverage:  ## run make test, and require a minimum coverage of the functions and the builds
	@export COVERAGE_FILE=$(abspath $(VENV))/coverage && \
	  $(MAKE) test ARGS="--cov --cov-report=term --cov-fail-under=93 $(ARGS)"
lint: $(installed) ## check formatting, types and templates
	@$(run) ruff check . && $(run) ruff format --check . && $(run) mypy && $(run) buildspecs.lint
check: lint coverage scenarios rehearse ## run what CI runs
targets: $(installed) ## check aws-backup-ssm-targets.json, and that no file is empty
	@$(run) buildspecs.lint.empty_files && $(run) buildspecs.targets $(ARGS)
bench: $(installed) ## measure API calls, cold starts and scale; run the functions' generated tests at full size
	@for file in benchmarks/*.py; do $(VENV)/bin/python "$$file"; done
	@$(run) pytest -n 2 --dist worksteal --hypothesis-profile thorough $(ARGS) tests/lambdas
package: $(installed) ## make both function packages, in .build/packages
	@for name in backup_org_policy_manager tag_on_restore; do $(run) buildspecs.packaging build $$name; done
clean:     ## remove what the targets have made
	@rm -rf .venv .build .gates .cache .rehearsal .mypy_cache .pytest_cache .ruff_cache .hypothesis
$(installed):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; $(PYTHON) is " + sys.version.split()[0] + ". Try: make PYTHON=python3.13 …")'
	@mkdir -p $(VENV) 2>/dev/null && test -w $(VENV) || { echo "$(abspath $(VENV)) cannot be written: copy the clone to your own folder, or put the environment elsewhere (make $(or $(MAKECMDGOALS),help) VENV=~/.rehearsal-environment)" >&2; exit 1; }
	@echo "Installing the exact versions of requirements/dev.txt into $(VENV) (once)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(run) pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt && $(run) pip --quiet check
	@cat lambdas/*/requirements.txt | $(run) pip download --quiet --require-hashes --no-deps --dest $(VENV)/wheels -r /dev/stdin
	@touch $@
