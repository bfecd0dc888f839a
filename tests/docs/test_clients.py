"""The Python of docs/clients.md runs as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from curc_llm import errors
from curc_llm.cli.endpoint import SNIPPETS
from curc_llm.client.images import MAX_IMAGE_BYTES, MAX_TOTAL_BYTES
from curc_llm.client.session import Session
from curc_llm.client.versions import OLDEST_OPENAI
from tests.fakes.fake_session import FakeSession

TEXT = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def make_replies() -> list[dict[str, Any]]:
    function = {"name": "density", "arguments": json.dumps({"mass_g": 27, "volume_cm3": 10})}
    return [
        {"content": "A computer to log in to."},
        {"content": "And more."},
        {"content": '{"mineral": "quartz", "grams": 3.2}'},
        {"content": '["Rhine", "Nile", "Amazon"]'},
        {"content": "A line."},
        {"tool_calls": [{"id": "c", "type": "function", "function": function}]},
        {"content": "2.7 g/cm³"},
    ]


def test_its_python_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found: dict[str, Any] = {"__name__": "clients"}
    with FakeSession(tmp_path / "state", models=("writer", "embedder")) as fake:
        writer, embedder = fake.record.engines
        fake.change(engines=(writer, embedder.model_copy(update={"runner": "pooling"})))
        fake.replies = make_replies()
        for block in BLOCKS:
            exec(compile(block, "docs/clients.md", "exec", dont_inherit=True), found)
        found["session"].close()
    assert repr(found["sample"]) == "Sample(mineral='quartz', grams=3.2)"
    assert found["names"] == ["Rhine", "Nile", "Amazon"]
    assert found["answer"].messages[-2]["content"] == "2.7"
    assert found["similarity"].shape == (2, 2)
    assert fake.replies == []


def test_it_names_what_there_is() -> None:
    first_cells = re.findall(r"(?m)^\| (`[^|]+`) \|", TEXT)
    named = {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)} - {"--format"}
    assert set(SNIPPETS) <= named
    for name in named - set(SNIPPETS):
        assert hasattr(Session, name) or hasattr(errors, name), name
    assert f"up to {MAX_IMAGE_BYTES // 2**20} MiB each and {MAX_TOTAL_BYTES // 2**20} MiB" in TEXT
    assert f"openai from {OLDEST_OPENAI}" in TEXT
