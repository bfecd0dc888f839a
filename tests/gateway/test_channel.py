"""What supervisor and gateway say to each other."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from curc_llm.gateway.channel import (
    Activity,
    Bound,
    EngineTarget,
    Failed,
    GatewayConfig,
    GatewayState,
    KeepGoing,
    Limits,
    Message,
    Restart,
    open_channel,
    parse_message,
    render_message,
)

MESSAGES: list[Message] = [
    GatewayConfig("s1", "/s/s1", "/r/gateway.sock", "me", limits=Limits(header_s=1.5)),
    GatewayState(
        {"a": [1, None, "ü\n"]}, (EngineTarget("m", "/r/e.sock", "ready"),), "/r/chat.sock", False, "Ends."
    ),
    Bound(8000),
    Failed("gateway_port", "Taken.", "Choose another."),
    Activity(2, 5, 0.25),
    KeepGoing(),
    Restart(("one", "two")),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_survives_the_way(message: Message) -> None:
    line = render_message(message)
    assert line.count(b"\n") == 1
    assert parse_message(line) == message


def test_the_words_on_the_wire_are_those_of_the_contract() -> None:
    assert [json.loads(render_message(m))["type"] for m in MESSAGES] == [
        "config", "state", "bound", "failed", "activity", "keep_going", "restart",
    ]  # fmt: skip
    assert json.loads(render_message(MESSAGES[1]))["engines"] == [
        {
            "served_model_name": "m", "socket": "/r/e.sock", "phase": "ready",
            "id": "", "url": "", "key_file": "", "adapters": [], "max_num_seqs": 0,
        }
    ]  # fmt: skip


def test_a_newer_supervisor_may_say_more() -> None:
    assert parse_message(b'{"type":"bound","port":1,"colour":"red"}') == Bound(1)
    assert parse_message(b'{"type":"song"}') is None


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b'{"type":"bound"}', b"\xff", b'{"type":"state","engines":[{}]}']
)
def test_what_is_no_message_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_message(line)


async def test_messages_arrive_in_order_and_the_end_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    left, right = await open_channel(ours), await open_channel(theirs)
    for message in MESSAGES:
        left.send(message)
    assert [await right.receive() for _ in MESSAGES] == MESSAGES
    receiving = asyncio.create_task(right.receive())
    await left.close()
    assert await receiving is None
    left.send(Bound(1))  # to nobody: no error
    await right.close()


async def test_a_record_of_a_mebibyte_is_no_trouble() -> None:
    ours, theirs = socket.socketpair()
    left, right = await open_channel(ours), await open_channel(theirs)
    left.send(GatewayState({"warnings": ["x" * 1_000_000]}))
    message = await right.receive()
    assert isinstance(message, GatewayState)
    assert len(message.record["warnings"][0]) == 1_000_000
    await left.close()
    await right.close()
