"""Real clients work with the key and only with it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import httpx
import openai
import pytest

from tests.e2e.conftest import Running
from tests.e2e.questions import FIRST

pytestmark = pytest.mark.engine

MESSAGES = [{"role": "user", "content": FIRST["question"]}]


@pytest.fixture
def client(running: Running):
    with openai.OpenAI(base_url=running.facts["base_url"], api_key=running.key, max_retries=0) as client:
        yield client


def test_demo_says_all_that_a_script_needs(running: Running) -> None:
    facts = running.facts
    names = {"session_id", "chat_url", "login_url", "base_url", "model", "key_file", "record_file", "pid"}
    assert names <= set(facts)
    assert facts["model"] == "curc-guide"
    assert facts["login_url"].split("#")[0] == running.root + "/login"
    assert "token=" in facts["login_url"].split("#")[1]
    assert "token" not in facts["chat_url"]


def test_openai_answers_word_for_word(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="curc-guide", messages=MESSAGES, temperature=0, max_tokens=600
    )
    assert answer.choices[0].message.content.strip() == FIRST["answer"].strip()
    assert answer.usage.completion_tokens > 0


def test_openai_streams_and_counts_only_when_asked(client: openai.OpenAI) -> None:
    options = {
        "model": "curc-guide",
        "messages": MESSAGES,
        "temperature": 0,
        "max_tokens": 600,
        "stream": True,
    }
    chunks = list(client.chat.completions.create(**options))
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert text.strip() == FIRST["answer"].strip()
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    counted = list(client.chat.completions.create(**options, stream_options={"include_usage": True}))
    assert counted[-1].usage.completion_tokens > 0


async def test_openai_works_asynchronously_many_at_once(running: Running) -> None:
    async with openai.AsyncOpenAI(base_url=running.facts["base_url"], api_key=running.key) as client:
        ask = client.chat.completions.create
        answers = await asyncio.gather(
            *(ask(model="curc-guide", messages=MESSAGES, temperature=0, max_tokens=600) for _ in range(8))
        )
    assert {a.choices[0].message.content.strip() for a in answers} == {FIRST["answer"].strip()}


def test_completions_and_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["curc-guide"]
    assert client.completions.create(model="curc-guide", prompt="curc-llm", max_tokens=3).choices[0].text


def test_an_unknown_model_lists_those_there_are(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="curc-guide"):
        client.chat.completions.create(model="gpt-9", messages=MESSAGES)


def test_the_anthropic_client_works_with_x_api_key(running: Running) -> None:
    import anthropic  # takes seconds, which not each worker of the inner loop shall wait for

    with anthropic.Anthropic(base_url=running.root, api_key=running.key, max_retries=0) as client:
        answer = client.messages.create(model="curc-guide", max_tokens=600, messages=MESSAGES)
    assert answer.content[0].text.strip() == FIRST["answer"].strip()


def test_curl_works_as_the_snippet_says(running: Running) -> None:
    snippet = running.person.run("endpoint", "--format", "curl").stdout
    assert running.key not in snippet
    done = subprocess.run(["bash", "-c", snippet], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["object"] == "chat.completion"


def test_the_python_client_finds_the_session(running: Running) -> None:
    code = f"import curc_llm; print(curc_llm.connect().chat({FIRST['question']!r}, temperature=0))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=running.person.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == FIRST["answer"].strip()


ROUTES = [
    "/v1/models",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/nothing",
    "/tokenize",
    "/metrics",
    "/status",
    "/docs",
    "/openapi.json",
    "/version",
    "/invocations",
    "/chat/",
    "/",
    "/load",
    "/ping",
]
OUTSIDE = [
    "/docs",
    "/redoc",
    "/openapi.json",
    "/version",
    "/invocations",
    "/load",
    "/ping",
    "/server_info",
    "/sleep",
    "/collective_rpc",
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/reset_prefix_cache",
    "/pause",
    "/scale_elastic_ep",
    "/pooling",
    "/classify",
    "/v1/../docs",
    "/v1//docs",
    "/is_sleeping",
    "/start_profile",
]


@pytest.mark.parametrize("prefix", ["", "/node/c3gpu-a9/41234"])
def test_without_a_key_everything_is_401(running: Running, prefix: str) -> None:
    with httpx.Client(base_url=running.root) as client:
        statuses = {
            r: [m(prefix + r).status_code for m in (client.get, client.post)] for r in ROUTES + OUTSIDE
        }
    assert {r: s for r, s in statuses.items() if s != [401, 401]} == {}


@pytest.mark.parametrize("prefix", ["", "/node/c3gpu-a9/41234"])
def test_with_the_key_everything_outside_the_list_is_404(running: Running, prefix: str) -> None:
    headers = {"Authorization": f"Bearer {running.key}"}
    with httpx.Client(base_url=running.root, headers=headers) as client:
        statuses = {r: [m(prefix + r).status_code for m in (client.get, client.post)] for r in OUTSIDE}
        assert client.get(prefix + "/v1/models").status_code == 200
    assert {r: s for r, s in statuses.items() if s != [404, 404]} == {}


def test_health_tells_anyone_nothing_but_that_it_can_answer(running: Running) -> None:
    answer = httpx.get(running.root + "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
