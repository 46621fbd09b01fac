# Two commands matter: `make demo` and `make test`. Linux, Python >= 3.11, make.
PYTHON ?= python3
BIN := .venv/bin
# Recordings that the repository may not hold, for make evaluate.
DATA ?= ../shared/data

.PHONY: help demo test check fast integration faults system chaos evaluate bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo         a running plant with its history, live, in this terminal"
	@echo "make test         install what the tests need and run them all"
	@echo "make check        static checks only: format, lint, types, imports"
	@echo "make fast         unit tests only"
	@echo "make integration  tests against one real neighbour"
	@echo "make faults       tests that kill, cut and fill"
	@echo "make system       tests of the whole plant"
	@echo "make chaos        200 random faults under load, both variants (ARGS=\"--seed 7\")"
	@echo "make evaluate     the monitor beside published methods (DATA=folder, hand run)"
	@echo "make bench        the whole way under load, with CPU and memory (ARGS=stages: peers)"
	@echo "make profile      where the CPU time of collector and archiver goes"
	@echo "make lock         resolve the dependencies again"

$(BIN)/python:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r lock/tools.txt

.venv/runtime: lock/runtime.txt pyproject.toml | $(BIN)/python
	$(BIN)/uv pip install --python $(BIN)/python --quiet --require-hashes -r lock/runtime.txt
	$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test: lock/test.txt .venv/runtime
	$(BIN)/uv pip install --python $(BIN)/python --quiet --require-hashes -r lock/test.txt
	@touch $@

demo: .venv/runtime
	@$(BIN)/fedbatch demo $(ARGS)

test: .venv/test
	@$(BIN)/python -m tests.everything

check: .venv/test
	@$(BIN)/python -m tests.everything static

fast: .venv/test
	@$(BIN)/pytest -q tests/unit

integration: .venv/test
	@$(BIN)/pytest -q tests/integration

faults: .venv/test
	@$(BIN)/pytest -q tests/faults

system: .venv/test
	@$(BIN)/pytest -q tests/system

chaos: .venv/test
	@$(BIN)/python -m tests.chaos $(ARGS)

evaluate: .venv/test
	@$(BIN)/python -m tests.evaluation.every --data $(DATA) $(ARGS)

bench: .venv/test
	@$(BIN)/python -m tests.benchmarks $(ARGS)

profile: .venv/test
	@$(BIN)/python -m tests.benchmarks.profile $(ARGS)

lock: .venv/test
	printf 'uv>=0.13\nsetuptools>=80\n' | $(BIN)/uv pip compile --quiet --generate-hashes \
	  --no-emit-index-url --no-header - -o lock/tools.txt
	cd lock && ../$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	  --all-extras ../pyproject.toml -o runtime.txt
	cd lock && ../$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	  --all-extras ../pyproject.toml --group ../pyproject.toml:dev -c runtime.txt -o test.txt

clean:
	rm -rf .venv .neighbours build *.egg-info
