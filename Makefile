# Everything a person types here begins with `make`; `make help` lists it. Needs python3 >= 3.11 with venv, and nothing else.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
SOAK ?= 100
SOAK_DIR ?= build/soak
VERSION ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DECLARED := setup.cfg pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installations into one environment at the same time break each other.
.NOTPARALLEL:
.PHONY: help demo test soak twins mutants fuzz trade lint format docs bench changelog clean distclean

help:
	@echo "make demo   a network of four validators on this machine, for about a minute (ARGS=\"--help\" lists options)"
	@echo "make test   all tests (ARGS=\"tests/ledger -k root\" runs some)"
	@echo "make soak   simulated worlds under faults and adversaries, for hours; Ctrl-C stops, the same again goes on"
	@echo "make twins  all scenarios of 4 validators, one of them twinned, in 4 rounds; Ctrl-C stops, the same again goes on"
	@echo "make mutants  plant deliberate bugs, one at a time, and show that the simulator finds each (ARGS=\"--list\" names them)"
	@echo "make fuzz   hostile bytes for every decoder and every core, about 10 minutes (ARGS=\"--only wire --seconds 60\", \"--list\")"
	@echo "make trade  a million random trades on the application, its properties checked after each; Ctrl-C stops, the same goes on"
	@echo "make lint   format, lint, types, import contracts"
	@echo "make format rewrite the sources in the project's format"
	@echo "make docs   the documentation, in docs/_build/html"
	@echo "make bench  every benchmark, one JSON object each"
	@echo "make changelog VERSION=1.2.3  move the news fragments into CHANGELOG.md"
	@echo "make clean  remove what was built; make distclean: the environment $(VENV), too"

demo: $(VENV)/.installed-tui
	@$(BIN)/p2pcommerce demo $(ARGS)

# One process per core; the tests of a file stay together, since some share a network that the first of them starts.
test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

# Each line is resumed by itself: what its file holds already is not run again. SOAK scales all of them.
soak: $(VENV)/.installed-core
	@mkdir -p $(SOAK_DIR)
	@$(BIN)/p2pcommerce sim finality --seeds $$((20000 * $(SOAK) / 100)) --faults all --out $(SOAK_DIR)/faults.jsonl $(ARGS)
	@$(BIN)/p2pcommerce sim finality --seeds $$((100000 * $(SOAK) / 100)) --faults none --adversaries twins --horizon 15 --liveness 5 \
	--rate 1 --out $(SOAK_DIR)/twins.jsonl $(ARGS)
	@$(BIN)/p2pcommerce sim finality --seeds $$((5000 * $(SOAK) / 100)) --validators 7 --faults all --adversaries all \
	--out $(SOAK_DIR)/adversaries.jsonl $(ARGS)
	@$(BIN)/p2pcommerce sim finality --seeds $$((2000 * $(SOAK) / 100)) --validators 7 --faults none --epoch-blocks 5 --horizon 40 \
	--liveness 10 --rate 1 --adversaries equivocate,double_vote,twins,false_justify --out $(SOAK_DIR)/convictions.jsonl $(ARGS)
	@$(BIN)/p2pcommerce sim finality --seeds $$((4000 * $(SOAK) / 100)) --faults partition --horizon 15 --liveness 5 --rate 1 \
	--adversaries twins,equivocate,double_vote --above-third --out $(SOAK_DIR)/forks.jsonl $(ARGS)
	@$(BIN)/p2pcommerce sim network --seeds $$((1000 * $(SOAK) / 100)) --faults all --out $(SOAK_DIR)/network.jsonl $(ARGS)
	@test -s $(SOAK_DIR)/gossip.txt || { $(BIN)/p2pcommerce sim gossip --table --nodes 500 --seeds $$(((5 * $(SOAK) + 99) / 100)) \
	> $(SOAK_DIR)/gossip.part; status=$$?; cat $(SOAK_DIR)/gossip.part; test $$status -le 1 && mv $(SOAK_DIR)/gossip.part $(SOAK_DIR)/gossip.txt; \
	exit $$status; }

twins: $(VENV)/.installed-core
	@mkdir -p build
	@$(BIN)/p2pcommerce sim twins --validators 4 --rounds 4 --out build/twins.jsonl $(ARGS)

mutants: $(VENV)/.installed-core
	@$(BIN)/python tools/mutants/run.py $(ARGS)

fuzz: $(VENV)/.installed-fuzz
	@$(BIN)/python tools/fuzz/run.py $(ARGS)

trade: $(VENV)/.installed-core
	@mkdir -p build
	@$(BIN)/python tools/trade.py --out build/trade.jsonl $(ARGS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(VENV)/.installed-core
	@for bench in benchmarks/bench_*.py; do $(BIN)/python "$$bench" --json $(ARGS) || exit 1; done

changelog: $(VENV)/.created
	@$(BIN)/python tools/changelog.py $(VERSION)

clean:
	rm -rf build dist *.egg-info docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

# The environment. Each stamp says that an installation went through; it is done again only when what is declared changes.

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "p2pcommerce needs Python 3.11 or newer, and there is no \"$(PYTHON)\" here. Install it (Debian, \
	Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3), or name another: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; \
	exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "p2pcommerce needs Python 3.11 or newer; \"$(PYTHON)\" is $$($(PYTHON) --version 2>&1 | tail -n 1). Install a newer one, or \
	name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$$($(PYTHON) --version) here lacks its venv module. Install it (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "making the environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

define install
@echo "installing p2pcommerce$(1) into $(VENV)"
@$(PIP) install --quiet --editable '.$(1)' || { echo "pip could not install what p2pcommerce needs: its reason stands above. It needs the network, or an index or a folder \
named by the PIP_* variables." >&2; exit 1; }
@touch $@
endef

$(VENV)/.installed-core: $(VENV)/.created $(DECLARED)
	$(call install,)

$(VENV)/.installed-tui: $(VENV)/.created $(DECLARED)
	$(call install,[tui])

$(VENV)/.installed-test: $(VENV)/.created $(DECLARED)
	$(call install,[test$(comma)tui])

$(VENV)/.installed-fuzz: $(VENV)/.created $(DECLARED)
	$(call install,[fuzz])

$(VENV)/.installed-lint: $(VENV)/.created $(DECLARED)
	$(call install,[lint$(comma)tui])

$(VENV)/.installed-docs: $(VENV)/.created $(DECLARED)
	$(call install,[docs])

comma := ,
