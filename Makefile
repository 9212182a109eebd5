# Every target sets up what it needs: `make demo` and `make test` start from a plain clone.
PYTHON ?= python3
SEEDS  ?= 0 1 2
# For `make results-NAME`: the folder of its data, and small (CPU) or full (GPU).
DATA   ?=
SCALE  ?= small
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Two processes of tests with a thread each: with more threads than cores, all of them wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q

.PHONY: demo test check benchmarks results-camvid results-cifar10 results-lanes results-detection clean

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (once; a few minutes, most of them for torch) ..."
	@start=$$(date +%s); \
	$(PYTHON) -m venv $(VENV) && \
	$(BIN)/python -m pip install --quiet --editable ".[dev]" && \
	touch $@ && echo "Installed in $$(( $$(date +%s) - start )) s."

demo: $(READY)
	$(BIN)/pupil demo --seeds "$(SEEDS)" --overwrite

test: $(READY)
	$(PYTEST)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow"

benchmarks: $(READY)
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

results-camvid results-cifar10 results-lanes results-detection: results-%: $(READY)
	$(BIN)/python benchmarks/results/$*.py $(if $(DATA),--data "$(DATA)") --scale $(SCALE) --seeds "$(SEEDS)"

clean:
	rm -rf $(VENV) runs
