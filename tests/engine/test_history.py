from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from curc_llm.engine.history import StartHistory


@pytest.fixture
def history(tmp_path: Path) -> StartHistory:
    return StartHistory(tmp_path / "starts.jsonl")


def test_without_an_earlier_start_there_is_no_estimate(history: StartHistory) -> None:
    assert history.estimate("m", "A100") is None


def test_the_estimate_is_the_median_of_the_last_five(history: StartHistory) -> None:
    for seconds in (900, 60, 50, 40, 55, 45):
        history.add("m", "A100", seconds)
    assert history.estimate("m", "A100") == 50


def test_each_model_and_each_gpu_has_its_own(history: StartHistory) -> None:
    history.add("m", "A100", 100)
    history.add("m", "L40", 200)
    history.add("n", "A100", 300)
    assert history.estimate("m", "A100") == 100
    assert history.estimate("m", "L40") == 200
    assert history.estimate("n", "L40") is None


def test_it_is_remembered_beyond_the_session(history: StartHistory, tmp_path: Path) -> None:
    history.add("m", "A100", 12.34)
    assert StartHistory(tmp_path / "starts.jsonl").estimate("m", "A100") == pytest.approx(12.3)


def test_broken_lines_are_passed_over(history: StartHistory, tmp_path: Path) -> None:
    rows = b'\xff\xfe\n[1]\n{"model": "m", "gpu_type": "A100", "ready_s": "soon"}\n{"model": "m", "gpu_'
    (tmp_path / "starts.jsonl").write_bytes(rows + b"\n")
    history.add("m", "A100", 30)
    assert history.estimate("m", "A100") == 30


def test_a_file_that_cannot_be_used_is_no_failure(tmp_path: Path) -> None:
    history = StartHistory(tmp_path)  # a folder
    history.add("m", "A100", 30)
    assert history.estimate("m", "A100") is None


def test_only_the_end_of_a_long_history_is_read(history: StartHistory, tmp_path: Path) -> None:
    history.add("old", "A100", 1)
    with (tmp_path / "starts.jsonl").open("a") as file:
        file.write("x" * 300_000 + "\n")
    history.add("m", "A100", 2)
    assert history.estimate("old", "A100") is None
    assert history.estimate("m", "A100") == 2


def test_sessions_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from curc_llm.engine.history import StartHistory\n"
        "for n in range(100): StartHistory(Path(sys.argv[1])).add('m', 'A100', 10 + n)"
    )
    path = tmp_path / "starts.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    assert len(path.read_text().splitlines()) == 300
