# `make demo` shows the tool at work, `make test` runs the tests, `make check` formats, lints, types and tests.
# `make test-all` runs the long tests as well, which `make test` leaves out.
# `make fuzz` tries the compiler on random specs: for 10 minutes, or `make fuzz MINUTES=60 SEED=7`.
# `make sanitize` runs generated C under the sanitizers of its compiler, with vectors of 64 bytes or `make sanitize WIDTH=16`.
# `make docs` builds the documentation as a site, without warnings, and checks its links.
# `make dist` builds what a release publishes, and tries it.
# `make cross` tries generated C on other compilers and processors.
# `make gpu OUT=folder` checks and measures everything on a GPU in 8 minutes, offline; `DRY=1` does it without one.
# `make gpu-wheels` downloads what a machine with a GPU lacks: `make gpu-wheels TARGET=3.12 CUDA=13 TORCH=1`.
# `make mutants` plants faults in a copy of the sources: do the tests notice? It goes on where it was stopped.
PYTHON ?= python3
BIN := .venv/bin
OUT := demo-output
MINUTES ?= 10
SEED ?= 0
WIDTH ?= 64
BACKENDS ?= numpy,torch,c,cupy-emulated

TARGET ?= $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
CUDA ?= 13
GPU_OUT = $(if $(filter command line environment,$(origin OUT)),$(OUT),gpu-results)
GPU_PYTHON = $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

# Many tests start programs, which find byte code if it is written: else each compiles some 400 modules first.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all check docs dist fuzz sanitize cross gpu gpu-wheels mutants format clean

demo: .venv/.installed
	mkdir -p $(OUT)
	$(BIN)/recurrency check specs/first_element.rnn
	$(BIN)/recurrency show specs/first_element.rnn -D H=16
	$(BIN)/recurrency show specs/first_element.rnn --graph $(OUT)/first_element.svg
	$(BIN)/recurrency show specs/first_element.rnn --graph $(OUT)/first_element.png
	$(BIN)/recurrency compile specs/first_element.rnn --backend numpy -D H=16 -o $(OUT)/first_element.py
	$(BIN)/recurrency train readme-sample --runs 20

test: .venv/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not long"

test-all: .venv/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/recurrency check --strict specs/*.rnn
	$(BIN)/recurrency fmt --check specs/*.rnn
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not long"

fuzz: .venv/.installed
	$(BIN)/python -m recurrency.testing.fuzz --minutes $(MINUTES) --seed $(SEED) --backends $(BACKENDS) --out fuzz-findings

# The C backend under AddressSanitizer and UndefinedBehaviorSanitizer, which the interpreter of Python loads first.
sanitize: .venv/.installed
	LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	RECURRENCY_VECTOR_BYTES=$(WIDTH) RECURRENCY_CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
	$(BIN)/python -m pytest -p no:cacheprovider tests/backends/test_verify_conformance.py -k "TestC and not Cupy"

# In some minutes: five cells on gcc and clang, with AVX-512 where this processor has it, on AArch64 by an emulator, and
# without vectors; then the whole C backend with clang. Debian has the tools: apt-get install gcc clang
# gcc-aarch64-linux-gnu qemu-user. What lacks one is skipped, and named.
cross: .venv/.installed
	@echo "needs gcc, clang, aarch64-linux-gnu-gcc and qemu-aarch64:" \
	    "apt-get install gcc clang gcc-aarch64-linux-gnu qemu-user"
	RECURRENCY_CROSS=1 $(BIN)/python -m pytest -n 2 --dist worksteal tests/backends/c/test_machines.py
	CC=clang $(BIN)/python -m pytest -n 2 --dist worksteal tests/backends/c/test_gemm.py tests/backends/c/test_math.py \
	    tests/backends/c/test_runtime.py
	CC=clang RECURRENCY_CFLAGS=-O3 $(BIN)/python -m pytest -n 2 --dist worksteal \
	    tests/backends/test_verify_conformance.py -k "TestC and not Cupy"

# No rule makes .venv here: that would need a network. The packages are those of the folder gpu-wheels, if there is one.
gpu:
	$(GPU_PYTHON) tools/first_hour.py $(GPU_OUT) $(if $(DRY),--dry)

gpu-wheels:
	$(PYTHON) tools/gpu_wheels.py gpu-wheels --python $(TARGET) --cuda $(CUDA) $(if $(TORCH),--torch)

mutants: .venv/.installed
	$(BIN)/python -m tests.mutants

docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python tools/site_links.py site

# What a release publishes, in dist: built, its metadata checked, the wheel tried in an empty environment.
dist: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python tools/try_wheel.py dist/*.whl

format: .venv/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/recurrency fmt specs/*.rnn

# Remade when the dependencies change; everything comes from the package index, in the versions of constraints.txt.
.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv $(OUT) build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
