from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.client import Session
from curc_llm.client.embeddings import TEXTS_PER_REQUEST
from curc_llm.errors import MissingPackageError, ModelNotFoundError
from tests.fakes.fake_session import FakeSession


@pytest.fixture
def fake(state_dir: Path) -> Iterator[FakeSession]:
    """A session with a chat model and, second, an embedding model."""
    with FakeSession(state_dir, models=("writer", "embedder")) as found:
        writer, embedder = found.record.engines
        found.change(engines=(writer, embedder.model_copy(update={"runner": "pooling"})))
        yield found


def test_texts_become_vectors_in_their_order(fake: FakeSession, session: Session) -> None:
    assert session.embed(["a", "bcd"]) == [[0.0, 1.0, 0.5], [1.0, 3.0, 0.5]]
    assert fake.requests[-1]["body"]["model"] == "embedder"


def test_one_text_is_a_list_of_one(session: Session) -> None:
    assert session.embed("abc") == [[0.0, 3.0, 0.5]]
    assert session.embed([]) == []


def test_many_texts_go_out_in_portions_and_keep_their_order(fake: FakeSession, session: Session) -> None:
    texts = ["x" * (n % 50) for n in range(TEXTS_PER_REQUEST * 2 + 3)]
    vectors = session.embed(iter(texts))
    assert [vector[1] for vector in vectors] == [len(text) for text in texts]
    asked = [len(r["body"]["input"]) for r in fake.requests if r["path"] == "/v1/embeddings"]
    assert asked == [TEXTS_PER_REQUEST, TEXTS_PER_REQUEST, 3]


def test_an_array_has_a_row_for_each_text(session: Session) -> None:
    array = session.embed(["a", "bcd"], as_array=True)
    assert array.shape == (2, 3)
    assert array.dtype == "float32"
    assert array[1].tolist() == [1.0, 3.0, 0.5]


def test_without_numpy_lists_still_come(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert session.embed("abc") == [[0.0, 3.0, 0.5]]
    with pytest.raises(MissingPackageError, match=r"numpy.*leave as_array out"):
        session.embed("abc", as_array=True)


def test_parameters_reach_the_session(fake: FakeSession, session: Session) -> None:
    session.embed("a", dimensions=64, truncate_prompt_tokens=8)
    body = fake.requests[-1]["body"]
    assert (body["dimensions"], body["truncate_prompt_tokens"]) == (64, 8)


@pytest.mark.parametrize(
    ("texts", "told"),
    [(["a", float("nan")], "Text 1 is float nan"), ([None], "Text 0 is NoneType"), (3, "not int")],
)
def test_what_is_no_text_is_told_with_its_place(session: Session, texts: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        session.embed(texts)


def test_undecodable_bytes_arrive(session: Session) -> None:
    assert session.embed("caf\udce9")[0][1] == 4


def test_a_session_without_embedding_model_says_what_there_is(fake: FakeSession, session: Session) -> None:
    fake.change(engines=fake.record.engines[:1])
    with pytest.raises(ModelNotFoundError, match=r"makes embeddings.*'writer'"):
        session.embed("a")
