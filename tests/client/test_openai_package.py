"""The openai library: imported late, in the background for a notebook, and its absence told in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from curc_llm.client import openai_package
from curc_llm.client.openai_package import begin_import, require_openai
from curc_llm.errors import MissingPackageError

NOT_THERE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from curc_llm.client.session import Session
from curc_llm.client.source import RemoteSource
from curc_llm.client.secret import Secret
from curc_llm.client.openai_package import begin_import
session = Session(RemoteSource("http://127.0.0.1:9/v1", Secret("k")))
begin_import().join()
for ask in ("openai", "chat", "stream"):
    try:
        found = getattr(session, ask)
        found("Hi", model="m")
    except Exception as error:
        print(type(error).__name__, error)
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "the thread said something"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("openai", "which isn't installed."),
        ("openai._client", "can't be imported: No module named 'openai._client'."),
    ],
)
def test_a_missing_openai_is_one_sentence_each_time(missing: str, told: str) -> None:
    lines = run(NOT_THERE.format(missing=missing)).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("MissingPackageError ")
        assert told in line
        assert line.endswith("Install it with: pip install --upgrade openai")


@pytest.mark.slow
def test_a_question_meanwhile_waits_for_the_thread_and_gets_the_whole_library() -> None:
    code = (
        "from curc_llm.client.openai_package import begin_import, require_openai\n"
        "thread = begin_import(); require_openai()\n"
        "import openai; print(openai.OpenAI.__name__, openai.APIStatusError.__name__); thread.join()\n"
        "import sys; print('curc_llm.client.stream' in sys.modules)"
    )
    assert run(code).split() == ["OpenAI", "APIStatusError", "True"]


def test_the_thread_keeps_nobody_from_leaving() -> None:
    thread = begin_import()
    assert thread.daemon
    thread.join()


def test_what_breaks_in_the_thread_is_told_only_by_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(openai_package.importlib, "import_module", fail)
    begin_import().join()  # pytest turns an exception in a thread into a failure
    with pytest.raises(MissingPackageError, match="which isn't installed"):
        require_openai()


@pytest.mark.slow
def test_neither_the_package_nor_the_client_imports_openai(tmp_path: Path) -> None:
    code = (
        "import sys, curc_llm, curc_llm.client, curc_llm.client.session, curc_llm.client.connection\n"
        "print('openai' in sys.modules)"
    )
    assert run(code) == "False\n"
