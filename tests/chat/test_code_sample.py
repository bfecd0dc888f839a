from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.chat.code_sample import MOST_CHARS, render_curc_llm, render_curl, render_json, render_python
from curc_llm.chat.controls import parse_controls
from curc_llm.chat.reasoning import Reasoning
from curc_llm.session.key_source import KeySource
from tests.fakes.fake_session import FakeSession

HOSTILE = [
    "Say hello.",
    "'; touch owned; echo '",
    '"""\nimport os; os.system("touch owned")\n"""',
    "$(touch owned) `touch owned` ${HOME} \\",
    "CURC_LLM_BODY\ntouch owned\n",
    "{model} {0} %s %(x)s",
    "\x1b[2J\x07\x00\x7f \u202eevil\u2066 \u2028 \ufeff",
    "!! !$ !touch",
    "a\udce9b",
    "Größe: 5 µm, 温度, 🌡️\n\n\ttab\r\n  two  blanks  ",
    "'''",
    "\\N{DEGREE SIGN} \\u0041 \\",
]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeSession]:
    with FakeSession(tmp_path / "state", models=("org/it's a model:v1",)) as fake:
        yield fake


def make_body(text: str, **more: Any) -> dict[str, Any]:
    controls = parse_controls(
        {
            "temperature": "0.2",
            "max_tokens": "64",
            "seed": "7",
            "stop": "###\n\\n'",
            "json_schema": json.dumps({"type": "object", "title": text[:9]}),
            "reasoning": "off",
        }
    )
    return {
        "model": "org/it's a model:v1",
        "messages": [
            {"role": "system", "content": text},
            {"role": "user", "content": [{"type": "text", "text": text}]},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": text},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        **controls.to_request(Reasoning(("off", "on"), "enable_thinking")),
        **more,
    }


def on_the_wire(body: dict[str, Any]) -> Any:
    return json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


def run(command: list[str], folder: Path, text: str, **environ: str) -> str:
    done = subprocess.run(
        command,
        input=text.encode(),
        capture_output=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": "src", **environ},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not (folder / "owned").exists()
    return done.stdout.decode()


def sent(fake: FakeSession) -> list[Any]:
    return [request["body"] for request in fake.requests if request["body"]]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_curl_sends_what_the_chat_sends(fake: FakeSession, tmp_path: Path, shell: str) -> None:
    key = KeySource(str(fake.paths.api_key))
    for text in HOSTILE:
        body = make_body(text)
        sample = render_curl(fake.url, key, body)
        assert fake.key not in sample
        assert "[DONE]" in run([shell], tmp_path, sample)
        assert sent(fake)[-1] == on_the_wire(body), text


def test_curl_reads_the_key_from_the_environment_too(fake: FakeSession, tmp_path: Path) -> None:
    sample = render_curl(fake.url, KeySource(), make_body("Hi"))
    assert "[DONE]" in run(["sh"], tmp_path, sample, CURC_LLM_API_KEY=fake.key)


@pytest.mark.slow
def test_python_sends_what_the_chat_sends(fake: FakeSession, tmp_path: Path) -> None:
    """All in one process: importing openai takes its time."""
    key = KeySource(str(fake.paths.api_key))
    bodies = [make_body(text) for text in HOSTILE]
    samples = [render_python(fake.url, key, body) for body in bodies]
    assert not any(fake.key in sample for sample in samples)
    script = f"import json\nfor sample in json.loads({json.dumps(json.dumps(samples))}): exec(sample)"
    assert "You said: " in run([sys.executable, "-"], tmp_path, script)
    assert sent(fake) == [on_the_wire(body) for body in bodies]


@pytest.mark.slow
def test_curc_llm_sends_what_the_chat_sends(fake: FakeSession, tmp_path: Path) -> None:
    key = KeySource(str(fake.paths.api_key))
    bodies = [make_body(text) for text in HOSTILE]
    samples = [render_curc_llm(fake.url, body, key) for body in bodies]
    samples.append(render_curc_llm(fake.url, bodies[0], KeySource()))
    samples.append(render_curc_llm(fake.record.session_id, bodies[0]))
    script = f"import json\nfor sample in json.loads({json.dumps(json.dumps(samples))}): exec(sample)"
    environ = {"CURC_LLM_API_KEY": fake.key, "CURC_LLM_STATE_DIR": str(tmp_path / "state")}
    run([sys.executable, "-"], tmp_path, script, **environ)
    assert sent(fake) == [on_the_wire(body) for body in [*bodies, bodies[0], bodies[0]]]


def test_nothing_in_a_sample_acts_on_a_terminal_or_a_page() -> None:
    body = make_body("".join(HOSTILE[:8]) + HOSTILE[9])
    key = KeySource("/k")
    for sample in (render_curl("http://h/v1", key, body), render_python("http://h/v1", key, body)):
        assert all(c.isprintable() or c == "\n" for c in sample)
    assert "!" not in render_json("!")


def test_what_is_too_long_is_cut_and_says_so() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 300_000}}
    body = make_body("Hi")
    body["messages"][1]["content"].append(picture)
    exact = make_body("x" * 30_000)
    for render in (render_curl, render_python):
        sample = render("http://h/v1", KeySource("/k"), body)
        assert len(sample) < 10_000
        assert "# Not exact: 299,9" in sample
        assert "data:image/png;base64," in sample
        assert "# Not exact" not in render("http://h/v1", KeySource("/k"), exact)
    long = make_body("x" * 900_000)
    assert len(render_curl("http://h/v1", KeySource("/k"), long)) < MOST_CHARS + 2000
    assert body["messages"][1]["content"][1]["image_url"]["url"].endswith("AAA")
