# Two commands: `make demo` sets up and opens the app, `make test` sets up and runs the tests.
VENV := .venv
PYTHON := $(VENV)/bin/python
PORT ?= 8501

.PHONY: demo test lint types clean
demo: $(VENV)/.app-ready
	@echo "Opening the app on http://127.0.0.1:$(PORT) (Ctrl-C ends it)"
	@$(PYTHON) -m streamlit run app.py --server.port $(PORT)

test: $(VENV)/.test-ready lint types
	@echo "Running the tests"
	@$(PYTHON) -m pytest

lint: $(VENV)/.test-ready
	@echo "Checking the style"
	@$(PYTHON) -m ruff check .

types: $(VENV)/.test-ready
	@echo "Checking the types (a minute and a half the first time, then seconds)"
	@$(PYTHON) -m mypy

$(VENV)/.app-ready: requirements.txt
	@echo "Making a virtual environment in $(VENV) and installing requirements.txt (a few minutes, about 5 GB)"
	@python3 -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/.test-ready: $(VENV)/.app-ready tests/requirements.txt
	@echo "Installing tests/requirements.txt"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache .mypy_cache
