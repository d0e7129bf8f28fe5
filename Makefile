# The commands of this repository; `make` alone lists them. Every target sets up .venv first where it has to.
# To add one: write it with a `## what it does` behind its name.

PY := .venv/bin/python
ARGS ?=
export PYTHON TORCH_INDEX UV

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all kills redteam lint bench screenshots clean

help:  ## list the targets
	@echo 'usage: make TARGET'
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-15s%s\n", $$1, $$2}'
	@echo 'settings:'
	@echo '  PYTHON=…     build .venv with this Python (3.11 or newer)'
	@echo '  TORCH_INDEX=… take torch from this package index (a URL)'
	@echo '  UV=1         install with uv'
	@echo '  ARGS=…       more arguments, for example: make test ARGS="-k ballot -x"'

setup: .venv/.ready  ## create .venv and install everything into it

.venv/.ready: requirements.lock pyproject.toml tools/setup.sh
	@sh tools/setup.sh
	@touch $@

run: .venv/.ready  ## a small night without a key: six rounds of the built-in members on the real lab
	.venv/bin/council run --offline --rounds 6 $(ARGS)

test: .venv/.ready  ## the tests, without the slow ones and those that need a GPU
	$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

test-all: .venv/.ready  ## every test
	$(PY) -m pytest -m '' $(ARGS)

kills: .venv/.ready  ## the tests that kill a run and resume it
	$(PY) -m pytest -m "kill and not slow" $(ARGS)

redteam: .venv/.ready  ## hostile train.py files, each in every tier of the sandbox that this machine offers
	$(PY) -m pytest -m redteam tests/redteam $(ARGS)

lint: .venv/.ready  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m mypy

bench: .venv/.ready  ## every benchmark in benchmarks/; one holds a night of 1,000 rounds, a quarter of an hour by itself
	@set -e; for file in benchmarks/*.py; do \
	    [ -e "$$file" ] || { echo 'bench: there is no benchmark in benchmarks/ yet'; exit 0; }; \
	    echo "== $$file"; $(PY) "$$file" $(ARGS); \
	done

screenshots: .venv/.ready  ## pictures of the newest night in docs/nights/ into docs/images/ (ARGS: a lab or another night)
	$(PY) -m council.web.screenshots $(or $(ARGS),$(lastword $(sort $(wildcard docs/nights/*.jsonl.gz)))) docs/images

clean:  ## remove .venv and every cache; sessions in .council/ and data in .lab/ stay
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
