"""The line that says what a starting session does."""

from __future__ import annotations

import io

from curc_llm.client.progress import Progress, render_progress
from curc_llm.session.record import EnginePhase, EngineRecord, SessionRecord, SwapRecord
from tests.fakes import fake_gateway


def make_engine(phase: EnginePhase, name: str = "chat", progress: float | None = None) -> EngineRecord:
    return EngineRecord(served_model_name=name, model="/m", phase=phase, progress=progress)


def make_record(*engines: EngineRecord) -> SessionRecord:
    told = [engine.model_dump(mode="json") for engine in engines]
    return SessionRecord.model_validate(fake_gateway.make_record(engines=told))


def show(*engines: EngineRecord) -> str:
    return render_progress(make_record(*engines), 0.0)


def test_replicas_are_told_together_with_the_one_that_is_least_far() -> None:
    loading = make_engine(EnginePhase.LOADING, progress=0.4)
    ready = make_engine(EnginePhase.READY)
    further = make_engine(EnginePhase.COMPILING, progress=0.1)
    assert show(ready, further, loading) == "chat: loading 40 %; 1 of 3 replicas ready"
    assert show(ready, ready, ready) == "chat: ready (3 replicas)"
    assert show(ready, make_engine(EnginePhase.FAILED)) == "chat: failed; 1 of 2 replicas ready"


def test_models_stand_beside_each_other() -> None:
    assert show(make_engine(EnginePhase.READY), make_engine(EnginePhase.LOADING, "embed")) == (
        "chat: ready; embed: loading"
    )


def test_off_a_terminal_a_line_comes_with_each_new_phase_alone() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    for share in (0.1, 0.2, 0.3):
        progress.show(make_record(make_engine(EnginePhase.LOADING, progress=share)))
    progress.show(make_record(make_engine(EnginePhase.READY)))
    assert stream.getvalue().splitlines() == ["chat: loading 10 %", "chat: ready"]


def test_an_exchange_of_models_has_a_clock_of_its_own() -> None:
    swap = SwapRecord(from_model="chat", to_model="other", phase="stopping", since=100.0)
    engine = make_engine(EnginePhase.RESTARTING).model_copy(update={"started_at": 1.0, "swap": swap})
    told = render_progress(make_record(engine), 103.0)
    assert told == "chat, being exchanged for other: stopping, chat ends what it is answering, 3 s so far"
    begun = swap.model_copy(update={"phase": "starting"})
    engine = make_engine(EnginePhase.LOADING, "other").model_copy(update={"swap": begun})
    told = render_progress(make_record(engine), 112.0)
    assert told == "chat, being exchanged for other: starting, loading, 12 s so far"
