from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.chat.sse import EventParser


def test_an_event_in_two_pieces_is_given_once_it_is_whole() -> None:
    parser = EventParser()
    assert parser.feed(b'data: {"a"') == []
    assert parser.feed(b": 1}\n") == []
    assert parser.feed(b"\n") == ['{"a": 1}']


def test_heartbeats_and_other_fields_are_left_out() -> None:
    assert EventParser().feed(b": beat\n\nevent: x\nid: 4\ndata: a\n\n\n\n") == ["a"]


def test_data_of_several_lines_is_joined() -> None:
    assert EventParser().feed(b"data: a\ndata:b\n\n") == ["a\nb"]


def test_a_character_cut_in_two_is_put_together() -> None:
    parser = EventParser()
    whole = "data: ü\n\n".encode()
    assert parser.feed(whole[:7]) == []
    assert parser.feed(whole[7:]) == ["ü"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@given(texts=st.lists(st.text(min_size=1), max_size=4), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_events_come_out_the_same_wherever_the_bytes_are_cut(
    end: bytes, texts: list[str], cuts: list[int]
) -> None:
    sent = [json.dumps(text) for text in texts]
    stream = b"".join(b"data: " + data.encode() + end + end for data in sent)
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    parser = EventParser()
    got = [event for a, b in itertools.pairwise(places) for event in parser.feed(stream[a:b])]
    assert got == sent
