# Two commands are all the set-up there is:
#   make app    environment, requirements, then the app on http://127.0.0.1:8501
#   make test   environment, requirements, then every test
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
OUT ?= build/study
JOBS ?= 2

.PHONY: app test lint reproduce clean help

help:            ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/'

app: $(VENV)/.app ## start the app on 127.0.0.1:8501 (PORT=… for another port)
	@PYTHON="$(BIN)/python" PORT="$(PORT)" bash scripts/serve.sh

test: $(VENV)/.dev ## run every test, in JOBS processes of one thread; ARGS="-q tests/stats" a part
	@echo "Running every test"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

reproduce: $(VENV)/.app ## the study in OUT (build/study); DATA=… own data, 50 epochs; SIZE=tiny|small|paper; ARGS="--epochs 5"
	@$(BIN)/python -m mrnet_core reproduce --out $(OUT) $(if $(DATA),--data $(DATA)) $(if $(SIZE),--size $(SIZE)) $(ARGS)

lint: $(VENV)/.dev ## check style and the import law
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python -m pytest -q tests/test_architecture.py

$(VENV)/.app: requirements.txt
	@bash scripts/environment.sh $(VENV) requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt requirements-ray.txt
	@bash scripts/environment.sh $(VENV) requirements-dev.txt
	@touch $@ $(VENV)/.app

clean:           ## remove the environment
	rm -rf $(VENV)
