"""What a request asks for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies

from curc_llm.gateway.errors import RequestError
from curc_llm.gateway.model_choice import insert_field, parse_wanted
from curc_llm.gateway.routes import ENGINE_ROUTES

CHAT = ENGINE_ROUTES["/v1/chat/completions"]
AUDIO = ENGINE_ROUTES["/v1/audio/transcriptions"]
FORM = "multipart/form-data; boundary=XX"


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        (b"", "invalid_json", "isn't JSON"),
        (b"{", "invalid_json", "isn't JSON"),
        (b'{"model":"m",}', "invalid_json", "line 1"),
        (b"\xff\xfe{}", "invalid_json", "utf-8"),
        ('{"model":"m"}'.encode("utf-16"), "invalid_json", "utf-8"),
        (b"\xef\xbb\xbf{}", "invalid_json", "BOM"),
        (b"[1]", "invalid_json", "a list"),
        (b'"text"', "invalid_json", "a text"),
        (b"null", "invalid_json", "null"),
        (b"7", "invalid_json", "a number"),
        (b"[" * 200_000, "invalid_json", "nested too deeply"),
        (b'{"a":' + b"9" * 5000 + b"}", "invalid_json", "isn't JSON"),
        (b'{"model":7}', "invalid_request", "must be a text"),
        (b'{"model":["m"]}', "invalid_request", "must be a text"),
        (b'{"api_key":"curc-abc"}', "invalid_request", "header"),
    ],
)
def test_a_body_that_can_t_be_used_is_refused_in_words(body: bytes, code: str, word: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_wanted(CHAT, body, "application/json")
    assert (caught.value.status, caught.value.code) == (400, code)
    assert word in caught.value.message


def test_a_body_without_streaming_is_sent_on_byte_for_byte() -> None:
    body = b' {"model" : "m", "messages":[], "seed":1e3}\n'
    wanted = parse_wanted(CHAT, body, "")
    assert (wanted.body, wanted.model, wanted.stream) == (body, "m", False)


def test_a_body_that_streams_is_changed_by_one_field_only() -> None:
    body = b'{"stream":true,"messages":[{"role":"user","content":"\\u00fc"}]}'
    wanted = parse_wanted(CHAT, body, "")
    assert wanted.body == b'{"stream_options":{"include_usage":true},' + body[1:]
    assert wanted.hides_usage


def test_odd_stream_options_are_left_for_the_engine_to_refuse() -> None:
    body = b'{"stream":true,"stream_options":"yes"}'
    wanted = parse_wanted(CHAT, body, "")
    assert (wanted.body, wanted.hides_usage) == (body, False)


@given(strategies.dictionaries(strategies.text(max_size=5), strategies.text(max_size=9), max_size=4))
def test_a_field_can_be_put_into_any_object(document: dict[str, str]) -> None:
    for indent in (None, 2):
        body = json.dumps(document, indent=indent).encode()
        assert json.loads(insert_field(body, b'"zz9":true')) == {"zz9": True, **document}


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (part("model", b"whisper") + part("file", b"\x00", '; filename="a"') + b"--XX--\r\n", "whisper"),
        (
            part("file", b"\x00" * 100, '; filename="model"') + part("model", "ü/w".encode()) + b"--XX--",
            "ü/w",
        ),
        (part("file", b'name="model"\r\n\r\nfalse') + b"--XX--\r\n", None),
        (b"", None),
        (b"--XX", None),
        (b"--XX\r\n\r\n--XX--", None),
    ],
)
def test_a_form_s_model_is_found_without_reading_its_file(body: bytes, model: str | None) -> None:
    wanted = parse_wanted(AUDIO, body, FORM)
    assert (wanted.model, wanted.body) == (model, body)


def test_a_form_that_is_none_or_names_two_models_is_refused() -> None:
    for content_type in ("", "application/json", "multipart/form-data", "text/plain; boundary=XX"):
        with pytest.raises(RequestError, match="multipart form"):
            parse_wanted(AUDIO, b"", content_type)
    with pytest.raises(RequestError, match="two models"):
        parse_wanted(AUDIO, part("model", b"a") + part("model", b"b") + b"--XX--", FORM)
    assert (
        parse_wanted(AUDIO, part("model", b"a") + b"--XX--", 'multipart/form-data; boundary="XX"').model
        == "a"
    )
