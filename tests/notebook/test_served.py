from __future__ import annotations

from curc_llm.notebook.served import look_up_served
from curc_llm.session.record import SessionStatus
from tests.fakes.fake_session import FakeSession


def test_models_that_only_embed_are_left_out(fake: FakeSession) -> None:
    chat = fake.record.engines[0]
    embed = chat.model_copy(update={"served_model_name": "embed", "runner": "pooling"})
    found = look_up_served(fake.record.model_copy(update={"engines": (embed, chat)}))
    assert found.models == ["curc-guide"]
    assert found.default == "curc-guide"


def test_the_bundled_model_is_asked_what_it_knows(fake: FakeSession) -> None:
    own = look_up_served(fake.record).examples
    engine = fake.record.engines[0].model_copy(update={"served_model_name": "another"})
    general = look_up_served(fake.record.model_copy(update={"engines": (engine,)})).examples
    assert len(own) == len(general) == 3
    assert set(own).isdisjoint(general)


def test_nothing_is_known_of_a_session_in_the_queue(fake: FakeSession) -> None:
    found = look_up_served(fake.record.model_copy(update={"engines": ()}))
    assert (found.models, found.default, found.is_ready, found.examples) == ([], "", False, [])


def test_a_session_that_ends_takes_no_questions(fake: FakeSession) -> None:
    assert look_up_served(fake.record).is_ready
    assert not look_up_served(fake.record.model_copy(update={"status": SessionStatus.ENDED})).is_ready
