"""Token counts in streams, and events that nobody asked for."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given, strategies

from curc_llm.gateway.events import EventFilter, TailReader, Usage

MARK = b'"choices":[]'
CHUNK = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"


def run(pieces: list[bytes], *, drop: bool = True, mark: bytes = MARK) -> tuple[bytes, Usage]:
    events = EventFilter(mark, drop=drop)
    passed = b"".join(events.filter(piece) for piece in pieces) + events.flush()
    return passed, events.usage


@given(strategies.lists(strategies.integers(0, 400), max_size=12), strategies.booleans())
def test_however_a_stream_is_cut_the_same_comes_out(cuts: list[int], drop: bool) -> None:
    stream = CHUNK * 3 + USAGE + DONE
    edges = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    passed, usage = run(pieces, drop=drop)
    assert passed == (CHUNK * 3 + DONE if drop else stream)
    assert usage == Usage(7, 3)


@given(strategies.binary(max_size=300))
def test_whatever_an_engine_sends_nothing_of_it_is_lost(data: bytes) -> None:
    assert run([data[:100], data[100:]])[0] == data


def test_a_text_that_looks_like_usage_is_no_usage() -> None:
    said = json.dumps({"choices": [{"delta": {"content": '"choices":[] "usage":{"prompt_tokens":9}'}}]})
    event = b"data: " + said.replace(": ", ":").encode() + b"\n\n"
    passed, usage = run([event])
    assert (passed, usage) == (event, Usage())


def test_an_event_without_choices_that_isn_t_usage_is_kept() -> None:
    for event in (
        b'data: {"choices":[],"x":1}\n\n',
        b'data: "choices":[]\n\n',
        b'data: ["\\"choices\\":[]"]\n\n',
    ):
        assert run([event])[0] == event


def test_an_event_of_megabytes_is_passed_on_before_its_end() -> None:
    events = EventFilter(MARK, drop=True)
    passed = events.filter(b"data: " + b"x" * 2_000_000)
    assert len(passed) == 2_000_006
    assert not events.at_boundary
    assert events.filter(b"yz\n\n") == b"yz\n\n"
    assert events.at_boundary


def test_line_ends_of_the_other_kind_pass_at_once() -> None:
    events = EventFilter(MARK, drop=True)
    assert events.filter(b"data: 1\r\n\r\n") == b"data: 1\r\n\r\n"
    assert events.at_boundary


def test_counts_of_the_other_apis_are_understood() -> None:
    start = b'event: message_start\ndata: {"message":{"usage":{"input_tokens":7,"output_tokens":0}}}\n\n'
    end = b'event: message_delta\ndata: {"usage":{"output_tokens":3}}\n\n'
    assert run([start + end], mark=b'"usage":') == (start + end, Usage(7, 3))
    done = (
        b'data: {"type":"response.completed","response":{"usage":{"input_tokens":7,"output_tokens":3}}}\n\n'
    )
    assert run([done], mark=b'"response.completed"')[1] == Usage(7, 3)


def test_counts_are_found_at_the_end_of_a_long_answer() -> None:
    body = json.dumps({"data": [0.5] * 100_000, "usage": {"prompt_tokens": 7, "total_tokens": 7}}).encode()
    tail = TailReader()
    for start in range(0, len(body), 65_536):
        tail.feed(body[start : start + 65_536])
    assert tail.read_usage() == Usage(7, None)


def test_an_answer_without_counts_has_none() -> None:
    tail = TailReader()
    tail.feed(b'{"error":{"message":"no"}}')
    assert tail.read_usage() == Usage()


def test_counts_that_are_none_are_left_out() -> None:
    usage = Usage(7, 3)
    usage.update(None)
    usage.update({"prompt_tokens": "many", "completion_tokens": None})
    assert usage == Usage(7, 3)
