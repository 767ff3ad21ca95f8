# make demo: the whole job on drawn faces; make test: the checks; make help: the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORTRAIT = $$($(BIN)/python -c "import pathlib, skimage; print(pathlib.Path(skimage.__file__).parent / 'data/astronaut.png')")

.PHONY: help demo test quick lint fuzz faults bench check-models clean

help:
	@echo "make demo          draw faces, train, convert, compare, name the expression in a photograph"
	@echo "make test          the test suite"
	@echo "make quick         the same without what takes seconds"
	@echo "make lint          ruff and mypy"
	@echo "make fuzz          damaged and hostile inputs of every kind (INPUTS=10000 of each)"
	@echo "make bench         all figures of the documentation anew (DATA=fer2013.csv VOTES=fer2013new.csv CLIP=video.mp4; BENCH=--quick)"
	@echo "make faults        kills, full disks, no permission (ROUNDS=100 of each)"
	@echo "make check-models  the shipped models against SHA256SUMS"

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/fer-edge train --recipe demo --data drawn --out runs/demo --force
	$(BIN)/fer-edge convert runs/demo/model.keras --data drawn --all --out runs/demo/converted --force
	$(BIN)/fer-edge bench runs/demo/converted/*.tflite --data drawn
	$(BIN)/fer-edge run "$(PORTRAIT)" --headless

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

quick: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

INPUTS ?= 10000
fuzz: $(VENV)/.dev
	$(BIN)/python -m pytest tests/fuzz --inputs $(INPUTS)

ROUNDS ?= 100
faults: $(VENV)/.dev
	$(BIN)/python -m pytest tests/faults --rounds $(ROUNDS)

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run_all.py --data "$(DATA)" $(if $(VOTES),--votes "$(VOTES)") --clip "$(CLIP)" $(BENCH)

check-models:
	cd models && sha256sum --check --strict SHA256SUMS

clean:
	rm -rf build dist runs/demo
