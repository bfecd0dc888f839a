"""Phases are read from logs of real starts on CPUs, and from lines composed after vLLM's CUDA code."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.engine.phases import ORDER, PhaseReader, PhaseState
from curc_llm.session.record import EnginePhase

DATA = Path(__file__).with_name("data")
STARTS = sorted(path.name for path in DATA.glob("start_*.log"))


def read_states(name: str, size: int = 1 << 20) -> list[PhaseState]:
    """Every state that a reader shows while a log arrives in pieces of `size` characters."""
    text = (DATA / name).read_bytes().decode()
    reader = PhaseReader()
    pieces = (text[begin : begin + size] for begin in range(0, len(text), size))
    return [reader.state, *(reader.state for piece in pieces if reader.feed(piece))]


@pytest.mark.parametrize("name", STARTS)
def test_a_start_goes_from_environment_over_loading_to_compiling(name: str) -> None:
    phases = [state.phase for state in read_states(name, 40)]
    assert list(dict.fromkeys(phases)) == [
        EnginePhase.ENVIRONMENT,
        EnginePhase.LOADING,
        EnginePhase.COMPILING,
    ]


@pytest.mark.parametrize("name", STARTS)
def test_nothing_ever_goes_backwards(name: str) -> None:
    states = read_states(name, 7)
    places = [(ORDER.index(state.phase), state.progress or 0.0) for state in states]
    assert places == sorted(places)


@pytest.mark.parametrize("name", STARTS)
def test_it_does_not_matter_how_the_text_is_cut(name: str) -> None:
    assert read_states(name)[-1] == read_states(name, 1)[-1] == read_states(name, 1000)[-1]


@pytest.mark.parametrize("name", STARTS)
def test_the_log_alone_never_says_ready(name: str) -> None:
    assert read_states(name)[-1] == PhaseState(EnginePhase.COMPILING, 1.0, "asking for a first token")


def test_large_weights_are_counted_file_by_file() -> None:
    details = [s.detail for s in read_states("start_cuda.log", 30) if s.phase is EnginePhase.LOADING]
    assert [d for d in details if "weights: file" in d] == [f"weights: file {n} of 4" for n in range(5)]


def test_cuda_graphs_are_counted_within_compiling() -> None:
    states = [s for s in read_states("start_cuda.log", 30) if "CUDA graph " in s.detail]
    assert states[0].detail == "CUDA graph 0 of 19"
    assert states[-1].detail == "CUDA graph 19 of 19"
    assert states[-1].progress == pytest.approx(0.9)


def test_a_second_model_that_is_loaded_later_does_not_turn_the_clock_back() -> None:
    reader = PhaseReader()
    reader.feed("Model loading took 3.5 GiB memory\n")
    before = reader.state
    assert not reader.feed("Starting to load model /models/draft...\n")
    assert reader.state == before


def test_a_progress_bar_counts_before_its_line_ends() -> None:
    reader = PhaseReader()
    assert reader.feed("\rCapturing CUDA graphs (decode, FULL):  50%|█████     | 2/4 [00:01<00:01]")
    assert (reader.state.phase, reader.state.progress) == (EnginePhase.COMPILING, pytest.approx(0.75))


def test_an_earlier_compilation_is_told() -> None:
    reader = PhaseReader()
    reader.feed("[backbone] Directly load AOT compilation from path /c/x\n")
    assert reader.state.detail == "using what an earlier start compiled"


def test_lines_that_mean_nothing_change_nothing() -> None:
    reader = PhaseReader()
    assert not reader.feed("WARNING something\n\n\r\r{}{0}{name}\x00\x1b[31mred\n")
    assert reader.state == PhaseState()


@given(
    st.lists(
        st.text(max_size=60) | st.sampled_from(["\r", "\n", "Loading x checkpoint shards: 999% Completed"])
    )
)
def test_no_text_makes_it_fail(pieces: list[str]) -> None:
    reader = PhaseReader()
    for piece in pieces:
        reader.feed(piece)
    assert reader.state.progress is None or 0 <= reader.state.progress <= 1


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    reader = PhaseReader()
    for _ in range(50):
        reader.feed("x" * 10_000)
    assert len(reader._rest) < 20_000
    reader.feed("\nResolved architecture: LlamaForCausalLM\n")
    assert reader.state.detail == "starting the engine for LlamaForCausalLM"
