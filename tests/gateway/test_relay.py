"""Requests to engines, as a client sees them."""

from __future__ import annotations

import asyncio
import json

import pytest

from curc_llm.gateway.channel import Activity, EngineTarget
from curc_llm.session.keys import add_key
from curc_llm.session.shares import add_share
from tests.fakes.fake_engine import FakeEngine, run_fake_engine
from tests.gateway.conftest import (
    Reply,
    RunningGateway,
    StartGateway,
    ask,
    open_connection,
    read_reply,
    render_request,
    wait_for,
)


def said(reply: Reply) -> str:
    """The text of a streamed chat."""
    chunks = [json.loads(event) for event in reply.events if event != "[DONE]" and not event.startswith(":")]
    return "".join(c["choices"][0]["delta"]["content"] for c in chunks if c.get("choices"))


async def begin_stream(
    gateway: RunningGateway, **fields: object
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends a request for a stream, and reads the response's head."""
    reader, writer = await open_connection(gateway.port)
    body = {"model": "fake", "messages": [], "stream": True, **fields}
    writer.write(render_request("POST", "/v1/chat/completions", body, gateway.auth))
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


@pytest.mark.slow
async def test_a_chat_without_streaming_is_answered_as_the_engine_answers(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.chat(max_tokens=3)
    assert reply.status == 200
    assert reply.json["choices"][0]["message"]["content"] == "word0 word1 word2"
    assert reply.json["usage"]["completion_tokens"] == 3
    assert reply.headers["content-length"] == str(len(reply.body))


async def test_a_stream_arrives_whole_and_without_the_usage_that_nobody_asked_for(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.chat(stream=True, max_tokens=4)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert said(reply) == "word0 word1 word2 word3"
    assert reply.events[-1] == "[DONE]"
    assert '"usage"' not in reply.body.decode()
    assert json.loads(engine.seen[-1]["body"])["stream_options"] == {"include_usage": True}


async def test_a_stream_keeps_the_usage_that_was_asked_for(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.chat(stream=True, max_tokens=4, stream_options={"include_usage": True})
    assert json.loads(reply.events[-2])["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"continuous_usage_stats": False}])
async def test_usage_is_asked_of_the_engine_whatever_the_client_says(
    gateway: RunningGateway, engine: FakeEngine, options: object
) -> None:
    reply = await gateway.chat(stream=True, stream_options=options)
    assert json.loads(engine.seen[-1]["body"])["stream_options"]["include_usage"] is True
    assert '"usage"' not in reply.body.decode()


async def test_events_that_arrive_in_pieces_or_together_make_the_same_stream(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    plain = await gateway.chat(stream=True, max_tokens=9)
    engine.behaviour.split_events = True
    assert (await gateway.chat(stream=True, max_tokens=9)).body == plain.body
    engine.behaviour.joined_events = 4
    assert (await gateway.chat(stream=True, max_tokens=9)).body == plain.body


@pytest.mark.parametrize("prefix", ["", "/node/c3cpu-1.rc.int/41873"])
async def test_the_prefix_of_the_portal_makes_no_difference(
    gateway: RunningGateway, engine: FakeEngine, prefix: str
) -> None:
    reply = await gateway.chat(prefix + "/v1/chat/completions", max_tokens=1)
    assert reply.json["choices"][0]["message"]["content"] == "word0"
    assert engine.seen[-1]["path"] == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/completions", "choices"),
        ("/v1/embeddings", "data"),
        ("/v1/responses", "output"),
        ("/v1/messages", "content"),
        ("/v1/messages/count_tokens", "choices"),
        ("/v1/score", "choices"),
        ("/v1/rerank", "choices"),
        ("/tokenize", "tokens"),
        ("/detokenize", "prompt"),
    ],
)
async def test_each_route_of_the_allow_list_reaches_the_engine(
    gateway: RunningGateway, engine: FakeEngine, path: str, field: str
) -> None:
    reply = await gateway.chat(path)
    assert reply.status == 200
    assert field in reply.json
    assert engine.seen[-1]["path"] == path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/load_lora_adapter",
        "/v1/unload_lora_adapter",
        "/invocations",
        "/pooling",
        "/sleep",
        "/wake_up",
        "/collective_rpc",
        "/reset_prefix_cache",
        "/v1/chat/completions/",
        "/v1/chat/completions/render",
        "//v1/chat/completions",
        "/v1/../sleep",
        "/docs",
        "/openapi.json",
        "/fake/state",
        "/keep-going",
    ],
)
async def test_nothing_else_of_the_engine_can_be_reached(
    gateway: RunningGateway, engine: FakeEngine, path: str
) -> None:
    for method in ("GET", "POST"):
        reply = await gateway.ask(method, path, {} if method == "POST" else None, gateway.auth)
        assert (reply.status, reply.code) == (404, "not_found")
    assert engine.seen == []


async def test_a_wrong_method_is_refused_with_the_right_one(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.ask("GET", "/v1/chat/completions", None, gateway.auth)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    for path in ("/v1/models", "/v1/models/fake", "/status", "/metrics"):
        for method in ("DELETE", "POST"):
            reply = await gateway.ask(method, path, None, gateway.auth)
            assert (reply.status, reply.code) == (405, "method_not_allowed")
            assert reply.headers["allow"] == "GET, HEAD"


async def test_the_engine_learns_nothing_of_who_asks(gateway: RunningGateway, engine: FakeEngine) -> None:
    headers = {
        **gateway.auth,
        "Cookie": "a=b",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-User": "me",
        "Via": "x",
    }
    await gateway.ask("POST", "/v1/completions", {"prompt": "x"}, headers)
    assert set(engine.seen[-1]["headers"]) == {"host", "content-length", "x-request-id"}


async def test_two_models_are_told_apart_by_name(gateway: RunningGateway) -> None:
    async with (
        run_fake_engine(gateway.socket_of("a"), model="a") as first,
        run_fake_engine(gateway.socket_of("b"), model="b") as second,
    ):
        await gateway.serve("a", "b")
        assert (await gateway.chat(model="b")).json["model"] == "b"
        assert (await gateway.chat(model="a")).json["model"] == "a"
        assert (len(first.seen), len(second.seen)) == (1, 1)
        reply = await gateway.chat(model=None)
        assert (reply.status, reply.code) == (400, "model_not_found")
        assert "a, b" in reply.json["error"]["message"]


async def test_an_unknown_model_is_told_with_those_that_there_are(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.chat(model="gpt-4o")
    assert (reply.status, reply.code, reply.json["error"]["param"]) == (404, "model_not_found", "model")
    assert "'gpt-4o'" in reply.json["error"]["message"]
    assert "fake" in reply.json["error"]["message"]
    assert engine.seen == []


async def test_the_only_model_needs_no_name(gateway: RunningGateway, engine: FakeEngine) -> None:
    reply = await gateway.ask("POST", "/v1/completions", {"prompt": "x"}, gateway.auth)
    assert reply.status == 200


async def test_a_refusal_of_the_engine_is_passed_on_with_a_code_that_clients_understand(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.status = 400
    for stream in (False, True):
        reply = await gateway.chat(stream=stream)
        assert reply.status == 400
        error = reply.json["error"]
        assert error["message"] == "The fake engine was told to refuse."
        assert (error["type"], error["code"]) == ("BadRequestError", "invalid_request")  # vLLM's is 400


async def test_a_connection_to_the_engine_is_used_again(gateway: RunningGateway, engine: FakeEngine) -> None:
    for _ in range(5):
        assert (await gateway.chat(stream=True)).status == 200
        assert (await gateway.chat()).status == 200
    assert engine.connections == 1


async def test_a_pooled_connection_that_died_meanwhile_costs_the_caller_nothing(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    await gateway.chat()
    engine.cut_all()
    assert (await gateway.chat()).status == 200
    engine.behaviour.close = True
    assert [(await gateway.chat()).status for _ in range(3)] == [200, 200, 200]


async def test_a_client_that_leaves_ends_its_generation_in_the_engine(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.token_s = 0.01
    reader, writer = await begin_stream(gateway, max_tokens=10_000)
    await reader.readuntil(b"word3")
    writer.close()
    await wait_for(lambda: engine.aborted == 1)
    assert engine.running == 0
    line = (await gateway.wait_log("access", 1))[0]
    assert line["status"] == 499


async def test_a_client_that_leaves_before_the_first_token_ends_its_generation_too(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.first_token_s = 60
    _, writer = await open_connection(gateway.port)
    writer.write(render_request("POST", "/v1/chat/completions", {"messages": []}, gateway.auth))
    await wait_for(lambda: engine.running == 1)
    writer.close()
    await wait_for(lambda: engine.aborted == 1)


async def test_an_engine_that_dies_while_it_streams_is_told_in_the_stream(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.die_after = 3
    reply = await gateway.chat(stream=True, max_tokens=10)
    assert said(reply) == "word0 word1 word2"
    error = json.loads(reply.events[-1])["error"]
    assert error["code"] == "engine_failed"
    assert "send the request again" in error["message"]
    assert "[DONE]" not in reply.body.decode()


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("split", [False, True])
async def test_an_engine_whose_core_died_says_so_and_callers_get_it_in_our_words(
    gateway: RunningGateway, engine: FakeEngine, together: int, split: bool
) -> None:
    engine.behaviour.core_dies_after = 3
    engine.behaviour.joined_events, engine.behaviour.split_events = together, split
    reply = await gateway.chat(stream=True, max_tokens=10)
    assert said(reply) == "word0 word1 word2"
    error = json.loads(reply.events[-1])["error"]
    assert error["code"] == "engine_failed"
    assert error["message"].startswith("The engine of 'fake' died while it answered. It is restarted;")
    assert "EngineCore" not in reply.body.decode()
    assert (await gateway.wait_log("access", 1))[0]["status"] == 502


async def test_an_engine_whose_core_died_is_a_502_before_any_answer(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.core_dies_after = 0
    for stream in (False, True):
        reply = await gateway.chat(stream=stream)
        assert (reply.status, reply.code, reply.headers["retry-after"]) == (502, "engine_failed", "10")
    engine.behaviour.core_dies_after, engine.behaviour.status = None, 500
    reply = await gateway.chat()
    assert (reply.status, reply.json["error"]["message"]) == (500, "The fake engine was told to refuse.")


async def test_a_refusal_that_repeats_the_client_s_words_blames_no_engine(gateway: RunningGateway) -> None:
    error = {"message": "Input should be a number: 'EngineCore encountered an issue'", "code": 400}
    body = json.dumps({"error": error}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
        writer.write(b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    await gateway.start_server("strict", serve)
    await gateway.serve("strict")
    reply = await gateway.chat(model="strict", temperature="EngineCore encountered an issue")
    assert (reply.status, reply.json["error"]["message"]) == (400, error["message"])


async def test_a_model_may_speak_of_an_engine_that_died(gateway: RunningGateway) -> None:
    text = json.dumps('data: {"error": "EngineCore encountered an issue"}\n\ndata: {"error"')
    event = f'data: {{"choices":[{{"delta":{{"content":{text}}}}}]}}\n\ndata: [DONE]\n\n'.encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + event
        )
        writer.close()

    await gateway.start_server("poet", serve)
    await gateway.serve("poet")
    assert (await gateway.chat(model="poet", stream=True)).body == event


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
async def test_apis_with_named_events_get_a_named_error(
    gateway: RunningGateway, engine: FakeEngine, path: str
) -> None:
    engine.behaviour.die_after = 2
    reply = await gateway.chat(path, stream=True, max_tokens=10)
    name, data = reply.body.decode().rstrip("\n").split("\n")[-2:]
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["type"] == "error"


async def test_ten_streams_learn_at_once_that_their_engine_was_killed(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.token_s = 0.01
    streams = [asyncio.create_task(gateway.chat(stream=True, max_tokens=10_000)) for _ in range(10)]
    await wait_for(lambda: engine.running == 10)
    await asyncio.sleep(0.05)
    engine.cut_all()
    async with asyncio.timeout(1):
        replies = await asyncio.gather(*streams)
    assert {json.loads(reply.events[-1])["error"]["code"] for reply in replies} == {"engine_failed"}


async def test_an_engine_that_dies_before_it_answers_is_a_502_to_try_again(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.die_after = 0
    for stream in (False, True):
        reply = await gateway.chat(stream=stream)
        assert (reply.status, reply.code) == (502, "engine_failed")
        assert int(reply.headers["retry-after"]) > 0


async def test_a_generation_is_never_sent_twice(gateway: RunningGateway, engine: FakeEngine) -> None:
    await gateway.chat()
    engine.behaviour.first_token_s = 0.15
    engine.behaviour.token_s = 0.01
    engine.behaviour.die_after = 1
    assert (await gateway.chat()).status == 502
    assert len(engine.seen) == 2


async def test_an_answer_that_is_cut_is_not_taken_for_a_whole_one(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    await gateway.start_server("half", serve)
    await gateway.serve("half")
    with pytest.raises(asyncio.IncompleteReadError):
        await gateway.chat(model="half")


async def test_an_answer_may_end_with_its_connection(gateway: RunningGateway) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{"a":1}')
        writer.close()

    await gateway.start_server("old", serve)
    await gateway.serve("old")
    assert (await gateway.chat(model="old")).json == {"a": 1}


async def test_an_engine_that_speaks_no_http_is_a_502(gateway: RunningGateway) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"I am no engine\r\n\r\n")
        await writer.drain()
        writer.close()

    await gateway.start_server("odd", serve)
    await gateway.serve("odd")
    assert (await gateway.chat(model="odd")).status == 502


async def test_an_engine_that_is_not_there_is_a_503_that_says_restarting(gateway: RunningGateway) -> None:
    await gateway.serve("fake")
    reply = await gateway.chat()
    assert (reply.status, reply.code) == (503, "engine_restarting")
    assert int(reply.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        ("downloading", "model_loading"),
        ("loading", "model_loading"),
        ("restarting", "engine_restarting"),
        ("failed", "engine_failed"),
        ("stopped", "session_ending"),
    ],
)
async def test_a_model_that_is_not_ready_is_a_503_with_its_phase(
    gateway: RunningGateway, phase: str, code: str
) -> None:
    await gateway.serve("fake", phase=phase)
    reply = await gateway.chat()
    assert (reply.status, reply.code) == (503, code)
    assert ("retry-after" in reply.headers) == (phase not in {"failed", "stopped"})


async def test_progress_and_trouble_are_told(gateway: RunningGateway) -> None:
    engine = {"served_model_name": "fake", "progress": 0.42, "detail": "4.2 of 10.0 GiB"}
    record = {"session_id": "s1", "engines": [engine]}
    loading = (EngineTarget("fake", gateway.socket_of("fake"), "downloading"),)
    await gateway.tell(record=record, engines=loading)
    message = (await gateway.chat()).json["error"]["message"]
    assert "downloading (42%, 4.2 of 10.0 GiB)" in message
    engine["trouble"] = {"code": "out_of_memory", "message": "Out of memory.", "remedy": "Use fewer tokens."}
    await gateway.tell(record=record, engines=(EngineTarget("fake", gateway.socket_of("fake"), "failed"),))
    assert "Out of memory. Use fewer tokens." in (await gateway.chat()).json["error"]["message"]


async def test_before_any_state_came_requests_are_told_that_the_session_starts(
    gateway: RunningGateway,
) -> None:
    reply = await gateway.chat()
    assert (reply.status, reply.code) == (503, "model_loading")


async def test_a_draining_session_begins_nothing_new_but_ends_what_runs(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.token_s = 0.02
    running = asyncio.create_task(gateway.chat(stream=True, max_tokens=10))
    await wait_for(lambda: engine.running == 1)
    await gateway.tell(accepting=False, drain_message="The wall time ends in 20 s.")
    reply = await gateway.chat()
    assert (reply.status, reply.code) == (503, "session_ending")
    assert "The wall time ends in 20 s." in reply.json["error"]["message"]
    assert (await gateway.ask("GET", "/v1/models", None, gateway.auth)).status == 200
    assert (await running).events[-1] == "[DONE]"


async def test_a_key_for_one_model_opens_no_other(gateway: RunningGateway) -> None:
    async with run_fake_engine(gateway.socket_of("a"), model="a") as engine:
        await gateway.serve("a", "b")
        key = add_key(gateway.paths.keys, "ann", models=("a",))
        for model, status in (("a", 200), ("b", 403)):
            body = {"model": model, "messages": []}
            reply = await gateway.ask("POST", "/v1/chat/completions", body, {"X-Api-Key": key})
            assert reply.status == status
        assert len(engine.seen) == 1
        models = await gateway.ask("GET", "/v1/models", None, {"X-Api-Key": key})
        assert [model["id"] for model in models.json["data"]] == ["a"]


async def test_a_key_without_the_scope_may_not_generate(gateway: RunningGateway, engine: FakeEngine) -> None:
    key = add_key(gateway.paths.keys, "ops", scopes=("manage",))
    reply = await gateway.ask("POST", "/v1/completions", {"prompt": "x"}, {"X-Api-Key": key})
    assert (reply.status, reply.code) == (403, "permission_denied")
    assert (await gateway.ask("GET", "/status", None, {"X-Api-Key": key})).status == 200


async def test_a_key_with_a_rate_is_stopped_when_it_is_used_up(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    key = add_key(gateway.paths.keys, "bot", requests_per_minute=3)
    body = {"model": "fake", "prompt": "x"}
    replies = [await gateway.ask("POST", "/v1/completions", body, {"X-Api-Key": key}) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert replies[-1].code == "rate_limit_exceeded"
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 20
    assert (await gateway.chat()).status == 200  # others are not held up


async def test_the_private_socket_needs_no_key_and_logs_for_whom_it_was(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    body = {"model": "fake", "messages": [], "stream": True}
    add_share(gateway.paths.keys, gateway.paths.login_secret, "ann")
    reply = await gateway.private("POST", "/v1/chat/completions", body, {"X-Curc-Llm-User": "ann"})
    assert reply.events[-1] == "[DONE]"
    line = (await gateway.wait_log("access", 1))[0]
    assert (line["key"], line["route"]) == ("ann", "chat")
    assert (await gateway.private("GET", "/v1/models")).json["data"][0]["id"] == "fake"
    assert (await gateway.private("GET", "/health")).status == 200
    assert (await gateway.private("GET", "/chat/")).code == "not_found"


async def test_a_form_with_a_file_is_routed_by_its_model(gateway: RunningGateway) -> None:
    form = (
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        b'Content-Type: audio/wav\r\n\r\n\x00\x01 name="model" \r\n'
        b'--XX\r\ncontent-disposition: form-data; name="model"\r\n\r\nb\r\n--XX--\r\n'
    )
    headers = {**gateway.auth, "Content-Type": "multipart/form-data; boundary=XX"}
    async with run_fake_engine(gateway.socket_of("b"), model="b") as engine:
        await gateway.serve("a", "b")
        reply = await gateway.ask("POST", "/v1/audio/transcriptions", form, headers)
        assert reply.json["text"] == "spoken words"
        assert engine.seen[0]["headers"]["content-type"] == "multipart/form-data; boundary=XX"
        assert int(engine.seen[0]["headers"]["content-length"]) == len(form)


async def test_generations_are_reported_as_they_begin_and_end(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    engine.behaviour.first_token_s = 0.1
    asking = asyncio.create_task(gateway.chat())
    await wait_for(lambda: Activity(1, 0, 0.0) in gateway.messages)
    assert not asking.done()
    await asking
    last = await wait_for(lambda: next((m for m in gateway.messages if getattr(m, "finished", 0) == 1), None))
    assert last.running == 0
    assert last.last_activity_ago_s < 1


async def test_looking_at_the_session_is_no_use_of_it(gateway: RunningGateway, engine: FakeEngine) -> None:
    count = len(gateway.messages)
    for path in ("/health", "/status", "/metrics", "/v1/models"):
        assert (await gateway.ask("GET", path, None, gateway.auth)).status == 200
    assert (await gateway.chat("/tokenize")).status == 200
    await gateway.tell()
    assert len(gateway.messages) == count


async def test_a_gateway_that_ends_tells_those_whose_answers_it_cuts(
    start_gateway: StartGateway,
) -> None:
    gateway = await start_gateway()
    async with run_fake_engine(gateway.socket_of("fake"), token_s=0.01) as engine:
        await gateway.serve("fake")
        running = asyncio.create_task(gateway.chat(stream=True, max_tokens=10_000))
        await wait_for(lambda: engine.running == 1)
        await asyncio.sleep(0.05)
        await gateway.channel.close()
        reply = await running
        assert json.loads(reply.events[-1])["error"]["code"] == "session_ending"


async def test_a_client_of_an_older_http_is_answered_too(gateway: RunningGateway, engine: FakeEngine) -> None:
    reader, writer = await open_connection(gateway.port)
    head = f"POST /v1/completions HTTP/1.0\r\nX-Api-Key: {gateway.key}\r\nContent-Length: 2\r\n\r\n{{}}"
    writer.write(head.encode())
    assert (await read_reply(reader)).status == 200
    assert await reader.read() == b""
    writer.close()


async def test_a_request_without_a_key_is_refused_before_its_body_is_read(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reader, writer = await open_connection(gateway.port)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
    assert (await read_reply(reader)).status == 401
    writer.close()


async def test_requests_one_after_the_other_on_one_connection_are_answered_in_order(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reader, writer = await open_connection(gateway.port)
    bodies = [{"model": "fake", "messages": [], "stream": n % 2 == 1, "max_tokens": n} for n in range(1, 5)]
    writer.write(b"".join(render_request("POST", "/v1/chat/completions", b, gateway.auth) for b in bodies))
    lengths = []
    for n in range(1, 5):
        reply = await read_reply(reader)
        text = said(reply) if n % 2 == 1 else reply.json["choices"][0]["message"]["content"]
        lengths.append(len(text.split()))
    assert lengths == [1, 2, 3, 4]
    writer.close()


async def test_a_request_id_leads_from_the_client_to_engine_and_log(
    gateway: RunningGateway, engine: FakeEngine
) -> None:
    reply = await gateway.chat()
    request_id = reply.headers["x-request-id"]
    assert engine.seen[0]["headers"]["x-request-id"] == request_id
    assert (await gateway.wait_log("access", 1))[0]["request_id"] == request_id
    assert (await ask(gateway.port, "GET", "/health")).status == 200


async def test_a_stream_that_ends_in_good_order_but_too_early_is_told(gateway: RunningGateway) -> None:
    event = b'data: {"choices":[{"delta":{"content":"half"},"finish_reason":null}]}\n\n'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + event
        )
        writer.close()

    await gateway.start_server("dying", serve)
    await gateway.serve("dying")
    body = (await gateway.chat(model="dying", stream=True)).body
    assert body.startswith(event)
    assert json.loads(body[len(event) + 5 :])["error"]["code"] == "engine_failed"
