# Two commands matter: `make demo` and `make test`. The rest serves those who change the code.
PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Each variable that is set becomes a flag of scripts/install.py.
flag = $(if $($(1)),--$(2)="$($(1))")
INSTALL_FLAGS = $(call flag,PREFIX,prefix) $(call flag,APP,app) $(call flag,SITE,site) $(call flag,RUNTIME,runtime) \
  $(call flag,ENGINE,engine) $(call flag,RUNTIME_PYTHON,python) $(call flag,MODULES,modules) $(call flag,IMAGE,image) \
  $(call flag,BINDS,binds) $(call flag,HOST,host) $(call flag,CLUSTER,cluster) $(if $(DRY_RUN),--dry-run)

.PHONY: help setup demo portal test test-user test-fast check check-base soak bench docs widgets lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

.venv/.made: pyproject.toml VERSION requirements/cpu.txt requirements/cuda.txt scripts/setup.sh
	@scripts/setup.sh
	@touch $@

setup: .venv/.made  ## make the environment .venv (no root needed; ENGINE=cuda|cpu, PYTHON=...)

install:  ## put the app into Open OnDemand (PREFIX=... APP=sys|dev|DIR SITE=... DRY_RUN=1; docs/admin.md)
	@python3 scripts/install.py $(INSTALL_FLAGS)

demo: setup  ## start a session with a real engine; prints chat link, endpoint and key hint (MODEL=... for a real model; LAB=1: JupyterLab too)
	@curc-llm demo $(if $(MODEL),--model $(MODEL)) $(if $(LAB),--lab) $(DEMO_FLAGS)

portal: setup  ## a portal with this app on loopback, over a Slurm with fake GPUs: click through it all (needs root)
	@scripts/portal.sh $(PORTAL_FLAGS)

test: setup  ## everything: packages, checks, all tests, coverage (needs root for Debian packages and a second user)
	@scripts/test.sh

test-user: setup  ## all tests that need neither root nor Debian packages
	@scripts/test.sh --user

test-fast: setup  ## the inner loop, about a minute: no engine, no browser
	@$(PY) -m pytest -q -n 3 -m "not slow and not engine and not browser and not root"

check: setup  ## lint, format, strict types, layers, shell scripts
	@scripts/check.sh

check-base: setup  ## the base install alone: imports what claims to need only it
	@scripts/check_base.sh

soak: setup  ## hours, not minutes: a session under load with faults, watched for leaks (SOAK_MIN=60)
	@$(PY) -m pytest -q tests/soak tests/chat/test_hostile_output_in_browser.py \
	  tests/notebook/test_hostile_output_in_browser.py --run-soak

bench: setup  ## benchmarks side by side, about 90 minutes; results in benchmarks/results/ (BENCH_FLAGS=--quick: 17 minutes)
	@for name in gateway startup batch connect chat routing; do $(PY) benchmarks/$$name.py $(BENCH_FLAGS) || exit 1; done

docs: setup  ## check that every command and setting in the docs exists
	@$(PY) -m pytest -q tests/docs

widgets:  ## bundle the widgets' page anew (needs node and npm; nobody else does)
	@cd widgets && npm ci --silent --no-audit --no-fund && npm run --silent build

lock: .venv/.made  ## write requirements/*.txt anew
	@scripts/lock.sh

clean:  ## remove the environment and caches
	@rm -rf .venv .tools .cache build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache htmlcov .coverage*
