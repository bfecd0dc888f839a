"""A session that batches can be run against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.batch.recipe import PromptRows, Recipe
from curc_llm.batch.row import CHAT
from curc_llm.batch.run import Run, RunOptions
from curc_llm.client.secret import Secret
from curc_llm.client.session import Session
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from tests.batch.batch_server import BatchServer, make_record


class ServerSource:
    """A session's source, as far as a batch needs it; a test may change what it says."""

    def __init__(self, server: BatchServer, root: Path) -> None:
        self.server = server
        self.name = "batch-1"
        self.paths = SessionPaths(root / "sessions" / "batch-1")
        self.key_file = None
        self.changes: dict[str, Any] = {}
        self.key = server.key

    def base_url(self) -> str:
        return self.server.url

    def secret(self) -> Secret:
        return Secret(self.key)

    def record(self) -> SessionRecord:
        return make_record(self.server, **self.changes)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def source(server: BatchServer, tmp_path: Path) -> ServerSource:
    return ServerSource(server, tmp_path)


@pytest.fixture
def session(source: ServerSource) -> Iterator[Session]:
    with Session(source) as session:
        yield session


@pytest.fixture
def make_run(source: ServerSource, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Makes runs of prompts; they are closed at the test's end."""
    runs: list[Run] = []

    def make(prompts: list[str], **options: Any) -> Run:
        path = options.pop("path", tmp_path / "out.jsonl")
        recipe = Recipe(CHAT, options.pop("model", "m"))
        for run in runs:
            run.close()
        runs.append(Run(source, PromptRows(recipe, lambda: prompts), path, RunOptions(**options)))
        return runs[-1]

    yield make
    for run in runs:
        run.close()
