"""Versions of what an engine runs with, and what differs between two runs."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from curc_llm.engine.versions import list_differences, read_engine_versions, read_versions


def test_this_python_and_a_process_of_it_tell_the_same(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    own = read_engine_versions(sys.executable)
    assert read_engine_versions(str(other)) == own
    assert own["torch"] == metadata.version("torch")
    assert own["engine python"].startswith("3.")


def test_a_python_that_cant_be_run_tells_nothing() -> None:
    assert read_engine_versions("/no/such/python") == {}
    assert read_versions("/no/such/python", "cpu")["device"] == "cpu"


def test_only_what_can_change_an_answer_is_a_difference() -> None:
    then = {"vllm": "0.32.0", "torch": "2.13.0", "gpu 0": "NVIDIA L40", "curc-llm": "0.2.0"}
    now = {"vllm": "0.33.0", "gpu 0": "NVIDIA A100", "curc-llm": "0.2.0", "transformers": "5"}
    assert list_differences(then, now) == (
        "vllm was 0.32.0 and is 0.33.0",
        "torch was 2.13.0 and is missing",
    )
