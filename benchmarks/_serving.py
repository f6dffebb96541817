"""The app on a free port, for as long as a benchmark or a test needs it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from butf.errors import BadInput
from butf.files import REPO

PATIENCE_S = 90
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
BROWSER_OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
# Streamlit has no work left
SETTLED = "() => !document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')"


def chromium_path() -> str:
    """Where a Chromium of this machine lies; raises `BadInput` without one."""
    browser = installed_browser()
    if browser is None:
        raise BadInput("there is no Chromium on this machine; install it to measure the app in a browser")
    return browser


@contextmanager
def launched(browser: str) -> Iterator[Any]:
    """A headless Chromium, driven by playwright (a development dependency: imported only here)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=list(BROWSER_OPTIONS))
        yield chromium
        chromium.close()


def installed_browser() -> str | None:
    """Where a Chromium of this machine lies, None without one."""
    return next((path for path in BROWSERS if Path(path).exists()), None)


@contextmanager
def serving(environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start the app with these variables set, wait until it answers, yield its address, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=REPO, env=os.environ | (environment or {}), stdout=log, stderr=log)
        try:
            if not _answers(address, process):
                log.seek(0)
                raise BadInput(f"the app did not start: {log.read().decode(errors='replace')[-2000:]}")
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def server_process(address: str) -> Path:
    """The folder in /proc of the process that serves an address; one that is not there without it."""
    port = str(urlsplit(address).port)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue  # it ended while we looked
        if "streamlit" in words and port in words:
            return folder
    return Path("/proc/none")


def _answers(address: str, process: subprocess.Popen) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return True
        except OSError:
            time.sleep(0.2)
    return False
