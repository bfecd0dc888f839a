"""Adapters and an exchange of models in one session of real vLLM, as a person at a shell does it."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from curc_llm.spec import DEMO_MODEL_DIR
from tests.e2e.conftest import Person, Running, open_session
from tests.e2e.questions import FIRST
from tests.tiny_adapter import write_adapter

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="adapters-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Running]:
    """A session with one adapter from the start, and room for two."""
    home = Path(tempfile.mkdtemp(prefix="lora-"))
    first = write_adapter(folder / "first", seed=1)
    flags = ("--adapter", f"first={first}", "--max-loras", "2")
    with pytest.MonkeyPatch.context() as patch:
        # What takes the place isn't known as a tiny model: its cache would be a quarter of the memory.
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        with open_session(Person(home), *flags) as running:
            yield running
    shutil.rmtree(home)


def ask(running: Running, model: str) -> str:
    """The first tokens of an answer, at temperature 0."""
    flags = ("--model", model, "--max-tokens", "24", "--temperature", "0")
    return running.person.run("ask", *flags, FIRST["question"]).stdout


def list_models(running: Running) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{running.facts['base_url']}/models", headers={"Authorization": f"Bearer {running.key}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return {one["id"]: one["parent"] for one in json.load(answer)["data"]}


def test_adapters_answer_otherwise_than_their_model_and_come_and_go(served: Running, folder: Path) -> None:
    run = served.person.run
    base, first = ask(served, "curc-guide"), ask(served, "first")
    assert FIRST["answer"].startswith(base.strip()[:40])
    assert first != base
    second = write_adapter(folder / "second", rank=8, seed=2)
    run("adapter", "add", "second", str(second))
    assert list_models(served) == {"curc-guide": None, "first": "curc-guide", "second": "curc-guide"}
    answers = [base, first, ask(served, "second")]
    assert len(set(answers)) == 3
    # The same name and folder with other weights: nothing of the old ones may be left in a cache.
    run("adapter", "remove", "second")
    write_adapter(second, rank=8, seed=3)
    run("adapter", "add", "second", str(second))
    assert ask(served, "second") not in answers
    assert ask(served, "curc-guide") == base
    run("adapter", "remove", "second")
    refused = run("ask", "--model", "second", "Hi", check=False)
    assert (refused.returncode, "There is no model 'second'" in refused.stderr) == (1, True)
    wide = write_adapter(folder / "wide", hidden=256)
    refused = run("adapter", "add", "wide", str(wide), check=False)
    assert "was made for another model than curc-guide" in refused.stderr


async def test_who_asks_for_the_model_alone_gets_it_alone_beside_others_who_ask_for_an_adapter(
    served: Running, folder: Path
) -> None:
    """All in one batch, and no place for adapters is free: the CPU build mixed them up (vllm#48421)."""
    served.person.run("adapter", "add", "third", str(write_adapter(folder / "third", seed=4)))
    base_url, key = served.facts["base_url"], served.key
    messages = [{"role": "user", "content": FIRST["question"]}]
    async with openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0) as client:

        async def ask_for(model: str) -> str:
            answer = await client.chat.completions.create(
                model=model, messages=messages, max_tokens=200, temperature=0
            )
            return str(answer.choices[0].message.content).strip()

        answers = await asyncio.gather(*(ask_for(model) for model in ("first", "third", "curc-guide") * 4))
    served.person.run("adapter", "remove", "third")
    assert answers[2::3] == [FIRST["answer"].strip()] * 4
    assert FIRST["answer"].strip() not in answers[::3] + answers[1::3]


def test_another_model_takes_the_place(served: Running, folder: Path) -> None:
    other = shutil.copytree(DEMO_MODEL_DIR, folder / "other-guide")
    told = served.person.run("swap", str(other), timeout=400)
    assert told.stderr.splitlines()[-1] == "other-guide is ready."
    assert list_models(served) == {"other-guide": None}
    assert FIRST["answer"].startswith(ask(served, "other-guide").strip()[:40])
    # The way back is refused where nothing would change, and what can't fit before anything stops.
    again = served.person.run("swap", str(other), check=False)
    assert "serves other-guide already" in again.stderr
    large = served.person.run("swap", "llama-3.1-405b-instruct", check=False)
    assert (large.returncode, "GiB" in large.stderr) == (1, True)
    assert list_models(served) == {"other-guide": None}
