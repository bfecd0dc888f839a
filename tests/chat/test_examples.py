from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.chat.examples import GENERAL_EXAMPLES, choose_examples, load_examples
from curc_llm.spec import DEMO_MODEL_DIR


def write(path: Path, text: str) -> Path:
    file = path / "questions.yml"
    file.write_text(text, encoding="utf-8")
    return file


def test_starters_come_first(tmp_path: Path) -> None:
    file = write(tmp_path, "starters: [a, b]\nquestions: [{question: c, answer: d}]")
    assert load_examples(file) == ["a", "b"]


@pytest.mark.parametrize("start", ["", "questions:\n"])
def test_questions_are_spread_over_the_list_and_stay_the_same(tmp_path: Path, start: str) -> None:
    file = write(tmp_path, start + "".join(f"- {{question: q{i}, answer: a}}\n" for i in range(60)))
    assert load_examples(file) == ["q0", "q10", "q20", "q30", "q40", "q50"]


@pytest.mark.parametrize("text", ["", "a: [", "questions: 3", "- answer: only", "[1, 2]"])
def test_a_file_without_questions_gives_none(tmp_path: Path, text: str) -> None:
    assert load_examples(write(tmp_path, text)) == []


def test_no_file_gives_none(tmp_path: Path) -> None:
    assert load_examples(None) == []
    assert load_examples(tmp_path / "missing.yml") == []


def test_only_the_bundled_model_is_asked_its_own_questions() -> None:
    assert choose_examples("curc-guide", ["own"]) == ["own"]
    assert choose_examples("qwen", ["own"]) == list(GENERAL_EXAMPLES)
    assert choose_examples("curc-guide", []) == list(GENERAL_EXAMPLES)


def test_the_bundled_file_has_six() -> None:
    assert len(load_examples(DEMO_MODEL_DIR / "questions.yml")) == 6
