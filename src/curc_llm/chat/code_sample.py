"""“Show as code”: the very request that this conversation sends, as a program that anybody can run.

Exact up to `MOST_CHARS`. What is longer (pictures, long attachments) is cut, and a comment at the top says
so: a page can't show megabytes, and a program that pretends to be exact would be worse.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Mapping
from typing import Any

from curc_llm.session.key_source import KeySource

MOST_CHARS = 200_000
MOST_URL_CHARS = 60
WIDTH = 100
END = "CURC_LLM_BODY"
# What the openai library takes by name since 1.26; all else goes into `extra_body`, which it sends as it is.
_KNOWN = frozenset((
    "model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "seed", "stop",
    "response_format",
))  # fmt: skip


def render_python(base_url: str, key: KeySource, body: Mapping[str, Any]) -> str:
    """The conversation as Python with the openai package.

    Args:
        base_url: the endpoint, ending in /v1.
        key: where the key is read from; the program never holds it.
        body: what the chat sends.
    """
    short, note = shorten_body(body)
    return f"""\
# pip install openai
{note}{key.python_import}
from openai import OpenAI

client = OpenAI(
    base_url={base_url!r},
    api_key={key.to_python()},
    max_retries=0,
)
messages = {_render_value(short["messages"])}
events = client.chat.completions.create(
{_render_arguments(short)}
)
for event in events:
    for choice in event.choices:
        print(choice.delta.content or "", end="", flush=True)
print()
"""


def render_curc_llm(connection: str, body: Mapping[str, Any], key: KeySource | None = None) -> str:
    """The conversation as Python with this package.

    Args:
        connection: the session's id; with `key` the endpoint instead, for another computer.
        body: what the chat sends.
        key: where the key is read from on another computer; None where the session's folder can be seen.
    """
    short, note = shorten_body(body)
    imports, where = _render_connection(connection, key)
    params = {n: v for n, v in short.items() if n not in {"model", "messages", "stream", "stream_options"}}
    lines = [f"    {name}={_render_value(value, 4)}," for name, value in params.items()]
    return f"""\
{note}{imports}import curc_llm

session = curc_llm.connect({where})
messages = {_render_value(short["messages"])}
pieces = session.stream(
    messages,
    model={short["model"]!r},
{"".join(line + chr(10) for line in lines)})
for piece in pieces:
    print(piece, end="", flush=True)
print()
"""


def render_curl(base_url: str, key: KeySource, body: Mapping[str, Any]) -> str:
    """The conversation as a curl command for any POSIX shell.

    The body stands between quoted marks, where a shell changes nothing; whatever else could act on a terminal
    that it is pasted into (control characters, `!`) is written as JSON's escapes.

    Args:
        base_url: the endpoint, ending in /v1.
        key: where the key is read from.
        body: what the chat sends.
    """
    short, note = shorten_body(body)
    url = shlex.quote(f"{base_url}/chat/completions")
    return f"""\
{note}{key.to_shell()} |
  curl -sS -N -H @- -H 'Content-Type: application/json' {url} \\
    --data-binary @/dev/fd/3 3<<'{END}'
{render_json(short)}
{END}
"""


def shorten_body(body: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The body as it goes over the wire, cut where it is too long to be shown.

    Returns:
        The body, and comment lines that say what was cut; empty when nothing was.
    """
    clean: dict[str, Any] = _clean(dict(body))
    before = len(json.dumps(clean, ensure_ascii=False))
    if before <= MOST_CHARS:
        return clean, ""
    clean = _map_texts(clean, lambda text: _cut(text, MOST_URL_CHARS) if text.startswith("data:") else text)
    most = MOST_CHARS
    while len(json.dumps(clean, ensure_ascii=False)) > MOST_CHARS and most > MOST_URL_CHARS:
        most //= 2
        limit = most
        clean = _map_texts(clean, lambda text: _cut(text, limit))  # noqa: B023 - called at once
    left_out = before - len(json.dumps(clean, ensure_ascii=False))
    return clean, (
        f"# Not exact: {left_out:,} characters of pictures and long texts are left out where … stands.\n"
        "# Put them back before you run it; the chat's export has all texts.\n"
    )


def render_json(value: Any) -> str:
    r"""JSON for a page and for a terminal: nothing in it can act on either.

    Example:
        >>> render_json("Hé! \x1b[2J \u202e")
        '"Hé\\u0021 \\u001b[2J \\u202e"'
    """
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return "".join(c if c == "\n" or (c.isprintable() and c != "!") else _escape(c) for c in text)


def _escape(character: str) -> str:
    return "\\u0021" if character == "!" else json.dumps(character)[1:-1].replace("\x7f", "\\u007f")


def _render_arguments(body: Mapping[str, Any]) -> str:
    known = {name: value for name, value in body.items() if name in _KNOWN and name != "messages"}
    others = {name: value for name, value in body.items() if name not in _KNOWN}
    lines = [f"    {name}={_render_value(value, 4)}," for name, value in known.items()]
    lines.insert(1, "    messages=messages,")
    return "\n".join([*lines, f"    extra_body={_render_value(others, 4)},"] if others else lines)


def _render_value(value: Any, indent: int = 0) -> str:
    """A value as Python; `repr` escapes whatever can't be printed."""
    text = pprint.pformat(value, width=WIDTH - indent, sort_dicts=False)
    return text.replace("\n", "\n" + " " * indent) if indent else text


def _render_connection(connection: str, key: KeySource | None) -> tuple[str, str]:
    if key is None:
        return "", repr(connection)
    if key.file:
        return "", f"base_url={connection!r}, api_key_file={key.file!r}"
    return f"{key.python_import}\n", f"base_url={connection!r}, api_key={key.to_python()}"


def _clean(value: Any) -> Any:
    """As the chat sends it: what no UTF-8 can carry is a question mark."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _map_texts(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _map_texts(inner, change) for name, inner in value.items()}
    return [_map_texts(inner, change) for inner in value] if isinstance(value, list) else value
