# make demo      train stock ViTPose, FedAvg and RAF on rendered people, side by side
# make federation   the same over the network: four processes, TLS, three rounds
# make test      run all tests, with coverage
# make fuzz      10,000 broken configs, annotations and checkpoints, 100 kills
# make faults    a federation of real processes that are killed, on idle cores
# make install   what both need; `make VENV=... PYTHON=... TORCH=...`
# make docs      build the documentation into site/
# make gpu-check what waits for a GPU, in 25 minutes; results in gpu_check/
# make wheels    what gpu-check needs on a machine without a package index
#
# Each works alone on a machine with Python 3.10 to 3.14 and pip.

PYTHON ?= python3
VENV ?= .venv
# Any requirement specifier of pip, with its options: e.g. for a machine
# without a GPU  TORCH="torch==2.13.0 --index-url <index of CPU builds>"
TORCH ?= torch==2.13.0
MMPOSE := mmpose==1.3.2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install

# What the machine for which `make wheels` collects has already.
HAVE ?= torch torchvision triton numpy scipy matplotlib pillow pandas \
	opencv-python scikit-learn tensorboard pytest
# Steps and folder of gpu-check, see benchmarks/gpu_check.py.
STEPS ?=
OUT ?= gpu_check

.PHONY: demo federation test fast-test fuzz faults docs install gpu-check wheels check-python clean

demo: install
	@$(BIN)/mmpose-raf demo

federation: $(VENV)/.installed-flower
	@$(BIN)/python tools/try_federation.py configs/raf_deployed.py \
		--work-dir work_dirs/federation-$$(date +%Y%m%d-%H%M%S)

# Processes that share out the files of tests.
WORKERS ?= 2

test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile \
		--cov --cov-fail-under=90

# Case numbers are seeds: FIRST chooses others.
CASES ?= 10000
KILLS ?= 100
FIRST ?= 0

fuzz: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.fuzz.stock_configs
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.fuzz --cases $(CASES) --first $(FIRST)
	OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=-1 $(BIN)/python -W ignore -m tests.fuzz.kills $(KILLS) $(FIRST)

faults: $(VENV)/.installed-test
	KILL_PROCESSES=1 $(BIN)/python -m pytest tests/test_flower/test_processes.py

fast-test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile \
		-m "not slow"

# Reads the code without importing it, so that it needs nothing else.
docs: | check-python
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements-docs.txt
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict
	@echo 'Open site/index.html'

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt pyproject.toml | check-python
	@echo 'Installing into $(VENV), once; PyTorch takes a few minutes.'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) "setuptools<82"
	@echo '  $(TORCH)'
	@$(PIP) $(TORCH)
	@echo '  requirements.txt'
	@$(PIP) -r requirements.txt
	@echo '  $(MMPOSE), mmpose_raf'
	@$(PIP) --no-deps $(MMPOSE)
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed requirements-test.txt
	@echo '  requirements-test.txt'
	@$(PIP) -r requirements-test.txt
# References of RAFViT; only their VisionTransformers are imported.
	@$(PIP) --no-deps mmpretrain==1.2.0 "timm>=1.0,<1.1"
	@touch $@

# With the wheels that `make wheels` has left, or in $(VENV).
GPU_CHECK := -m benchmarks.gpu_check --out $(OUT) $(if $(STEPS),--steps $(STEPS))
ifeq ($(wildcard .whl/*.whl),)
gpu-check: $(VENV)/.installed-test
	$(BIN)/python $(GPU_CHECK)
else
gpu-check: .site/.installed
	PYTHONPATH=$(CURDIR)/.site:$(CURDIR) $(PYTHON) $(GPU_CHECK)
endif

.site/.installed: $(wildcard .whl/*.whl)
	@$(PYTHON) -m pip --disable-pip-version-check -q install --no-index \
	--no-deps --no-compile --upgrade --target .site .whl/*.whl
	@touch $@

wheels: check-python
	@$(PYTHON) tools/collect_wheels.py .whl --requirements requirements.txt \
	--extra $(MMPOSE) --have $(HAVE)

$(VENV)/.installed-flower: $(VENV)/.installed pyproject.toml
	@echo '  flwr (Flower)'
	@$(PIP) -e '.[flower]'
	@touch $@

# Before anything is downloaded: for others there are no wheels.
check-python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if \
	(3, 10) <= v <= (3, 14) else "error: PYTHON: $(PYTHON) is Python %d.%d; \
	use 3.10 to 3.14, e.g. make PYTHON=python3.12" % v)'

clean:
	rm -rf $(VENV)
