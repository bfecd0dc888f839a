"""One session of real vLLM, with the chat model and the embedding model, for the tests of the group `engine`.

All of that group run in one worker, so it is started once: vLLM takes two cores for half a minute.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Person, Running, open_session


@pytest.fixture(scope="session")
def real_session() -> Iterator[Running]:
    """The session, and whose it is."""
    home = Path(tempfile.mkdtemp(prefix="real-"))
    with open_session(Person(home), "--embed") as running:
        yield running
    shutil.rmtree(home)
