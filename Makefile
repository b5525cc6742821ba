# Each target does its own set-up in .venv. Another Python: make PYTHON=python3.12 book
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
VENV_PYTHON := .venv/Scripts/python.exe
else
VENV_PYTHON := .venv/bin/python
endif

.PHONY: book test lint serve look notebooks measure portability colab floors mutants mutants-sampled pretrain clean setup

book: setup
	@$(VENV_PYTHON) -m book.build

test: setup
	@$(VENV_PYTHON) -m book.test

# Layout, habits, who imports whom, and the types of training, data and optim.
lint: setup
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -c "from importlinter.cli import lint_imports_command as lint; lint()"
	@$(VENV_PYTHON) -m mypy

serve: setup
	@$(VENV_PYTHON) -m book.serve

# The built pages in a headless browser: outside requests, accessibility, weight, explorers, search.
look: setup
	@$(VENV_PYTHON) -m book.browser

# Some chapters only: make notebooks NAMES="first-fine-tune"
notebooks: setup
	@$(VENV_PYTHON) -m book.notebooks $(NAMES)

# Time and memory of each notebook, for the page that lists them.
measure: setup
	@$(VENV_PYTHON) -m book.measure $(NAMES)

portability: setup
	@$(VENV_PYTHON) -m book.portability

colab: setup
	@$(VENV_PYTHON) -m book.colab

# The least versions that pyproject.toml allows, in a fresh environment: make floors OLD_PYTHON=python3.10
floors: setup
	@$(VENV_PYTHON) -m book.floors $(OLD_PYTHON)

# Break the training loop on purpose: does the test of each row of the checklist notice?
mutants: setup
	@$(VENV_PYTHON) -m tests.mutants $(ROWS)

# The same for 200 places of the whole package, drawn by a seed; takes an hour or more, and goes on where it was stopped.
mutants-sampled: setup
	@$(VENV_PYTHON) -m tests.sampled_mutants $(SAMPLE)

pretrain: setup
	@$(VENV_PYTHON) -m studies.pretraining.pretrain pocket-mini
	@$(VENV_PYTHON) -m studies.pretraining.pretrain pocket

setup:
	@$(PYTHON) book/setup_env.py

clean:
	rm -rf .venv _build *.egg-info .pytest_cache
