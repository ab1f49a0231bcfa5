# make demo      train FedAvg and RAF on rendered people, side by side
# make test      run all tests, with coverage
# make install   what both need; `make VENV=... PYTHON=... TORCH=...`
#
# Each works alone on a machine with Python 3.10 or 3.11 and pip.

PYTHON ?= python3
VENV ?= .venv
# Any requirement specifier of pip, with its options: e.g. for a machine
# without a GPU  TORCH="torch==2.13.0 --index-url <index of CPU builds>"
TORCH ?= torch==2.13.0
MMPOSE := mmpose==1.3.2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q

.PHONY: demo test fast-test install clean

demo: install
	$(BIN)/python tools/run_experiments.py configs/experiments/demo.py --jobs 2

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --cov=mmpose_raf --cov-fail-under=90

fast-test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow"

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(PIP) "setuptools<82"
	$(PIP) $(TORCH)
	$(PIP) -r requirements.txt
	$(PIP) --no-deps $(MMPOSE)
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed requirements-test.txt
	$(PIP) -r requirements-test.txt
# References of RAFViT; only their VisionTransformers are imported.
	$(PIP) --no-deps mmpretrain==1.2.0 "timm>=1.0,<1.1"
	touch $@

clean:
	rm -rf $(VENV)
