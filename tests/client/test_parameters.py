"""A misspelt parameter is told before anything is sent; vLLM would pass over it in silence."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from curc_llm.client import Session
from curc_llm.client.parameters import (
    CHAT_PARAMETERS,
    COMPLETION_PARAMETERS,
    EMBEDDING_PARAMETERS,
    propose,
)
from curc_llm.errors import ParameterError
from tests.fakes.fake_session import FakeSession

NEAREST = r"There is no parameter tmperature\. Did you mean temperature\?"
MISSPELT: dict[str, Any] = {"tmperature": 1}


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.chat("Hi", **MISSPELT),
        lambda session: session.stream("Hi", **MISSPELT),
        lambda session: session.astream("Hi", **MISSPELT),
        lambda session: session.json("Hi", int, **MISSPELT),
        lambda session: session.run_tools("Hi", [], **MISSPELT),
        lambda session: session.complete("Hi", **MISSPELT),
        lambda session: session.map(["Hi"], **MISSPELT),
        lambda session: session.compare(MISSPELT, {"temperature": 0}, prompt="Hi"),
        lambda session: session.compare("a", "b", prompt="Hi", **MISSPELT),
        lambda session: session.chat_widget(**MISSPELT),
    ],
)
def test_a_misspelt_parameter_is_refused_and_nothing_is_sent(
    fake: FakeSession, session: Session, ask: Any
) -> None:
    with pytest.raises(ValueError, match=NEAREST):
        ask(session)
    assert fake.requests == []


async def test_it_is_refused_in_an_event_loop_too(fake: FakeSession, session: Session) -> None:
    with pytest.raises(ParameterError, match=NEAREST):
        await session.achat("Hi", **MISSPELT)
    assert fake.requests == []


def test_vectors_take_parameters_of_their_own(fake: FakeSession, session: Session) -> None:
    with pytest.raises(ParameterError, match=r"There is no parameter dimension\. Did you mean dimensions"):
        session.embed("a", dimension=3)
    with pytest.raises(ParameterError, match="There is no parameter temperature"):
        session.embed("a", temperature=0)
    assert fake.requests == []


def test_own_names_are_proposed_too(session: Session) -> None:
    with pytest.raises(ParameterError, match=r"Did you mean images\?"):
        session.chat("Hi", image=["a.png"])


def test_what_has_a_method_of_its_own_is_named(session: Session) -> None:
    with pytest.raises(ParameterError, match=r"session\.stream"):
        session.chat("Hi", stream=True)


def test_what_nobody_knows_goes_into_extra_body(fake: FakeSession, session: Session) -> None:
    assert "extra_body" in propose("zzzz", CHAT_PARAMETERS)
    session.chat("Hi", extra_body={"zzzz": 1}, min_p=0.1, timeout=5, extra_headers={"X-Test": "1"})
    body = fake.requests[-1]["body"]
    assert (body["zzzz"], body["min_p"]) == (1, 0.1)
    assert "timeout" not in body


def test_settings_of_a_comparison_s_column_are_no_parameters(session: Session) -> None:
    widget = session.compare({"label": "cold", "temperature": 0, "system": "Be brief."}, {"model": "b"})
    assert not widget.is_busy


@pytest.mark.parametrize(
    ("file", "classes", "known"),
    [
        ("openai/chat_completion", ["ChatCompletionRequest"], CHAT_PARAMETERS),
        ("openai/completion", ["CompletionRequest"], COMPLETION_PARAMETERS),
        (
            "pooling/base",
            ["PoolingBasicRequestMixin", "EncodingRequestMixin", "EmbedRequestMixin"],
            EMBEDDING_PARAMETERS,
        ),
    ],
)
def test_the_lists_are_those_of_the_installed_vllm(
    file: str, classes: list[str], known: frozenset[str]
) -> None:
    spec = find_spec("vllm")
    if spec is None or spec.origin is None:
        pytest.skip("vLLM isn't installed here")
    tree = ast.parse((Path(spec.origin).parent / "entrypoints" / file / "protocol.py").read_text())
    fields = {
        line.target.id
        for part in tree.body
        if isinstance(part, ast.ClassDef) and part.name in classes
        for line in part.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }
    taken = {name for name in fields if not name.startswith("_")}
    assert taken - known == {"model", "messages", "prompt", "stream"} & taken
    assert known - taken <= {"add_special_tokens"}
