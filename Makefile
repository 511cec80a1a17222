# Two commands are enough on a fresh machine: `make demo` and `make test`. Both set up first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test check fix reference bench soak serve

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: .venv/ready ## create .venv with everything of requirements*.txt

.venv/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	touch $@

demo: setup ## migrate, replay eight weeks of a real shop, serve, and say what to try
	$(BIN)/flask db upgrade
	$(BIN)/flask demo

test: setup ## every test, on SQLite and on PostgreSQL
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: setup ## style, types, layers, and that the migrations equal the models
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	DATABASE_URL=sqlite:///$$(mktemp -d)/check.db sh -c "$(BIN)/flask db upgrade && $(BIN)/flask db check"

fix: setup ## what the tools can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: setup ## write the pages of docs/reference that come from the code
	$(BIN)/python -m server.reference_pages
	$(BIN)/python -m webhooks.types

bench: setup ## measure against limits taken in the same run (15 minutes)
	$(BIN)/python -m bench.run
	$(BIN)/python -m bench.run --whole --sections ac --rounds 3
	$(BIN)/python -m bench.ledger
	$(BIN)/python -m bench.tiers
	$(BIN)/python -m bench.redeeming
	$(BIN)/python -m bench.referring
	$(BIN)/python -m bench.redirecting
	$(BIN)/python -m bench.surprising

soak: setup ## long runs: memory, the replayed year, kill -9, simulated referrals (2 hours)
	$(BIN)/python -m bench.soak
	$(BIN)/python -m bench.crashes
	$(BIN)/python -m bench.journey
	REFERRAL_PEOPLE=2000 $(BIN)/python -m pytest tests/simulation
	REFERRAL_RACE_ROUNDS=500 $(BIN)/python -m pytest tests/concurrency/test_referrals.py
	BUDGET_TRIES=100000 $(BIN)/python -m pytest tests/concurrency/test_budgets.py

serve: setup ## serve the default database
	$(BIN)/flask db upgrade
	$(BIN)/flask serve
