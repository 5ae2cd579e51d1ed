"""The scripts, run as they are by hand, and their small parts."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture
def run():
    """Runs a script; its status and what it printed."""

    def run(name, *arguments):
        done = subprocess.run(
            [sys.executable, FOLDER / f'{name}.py', *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        print(done.stdout)
        return done.returncode, done.stdout

    return run


@pytest.fixture
def load(monkeypatch):
    """Imports a part of the scripts."""
    monkeypatch.syspath_prepend(FOLDER)
    return __import__
