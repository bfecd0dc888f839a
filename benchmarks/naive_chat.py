"""The chat that one writes first, as a yardstick: gr.ChatInterface, the openai client, one update a token.

python naive_chat.py PORT BASE_URL KEY_FILE MODEL
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
from openai import AsyncOpenAI

# Without these two lines of settings, 100 people would wait for each other: Gradio answers one at a time, and
# never more than 40.
MAX_THREADS = 300
CONCURRENCY_LIMIT = None


def make_app(base_url: str, key: str, model: str) -> gr.ChatInterface:
    """One chat, with the conversation as Gradio hands it over."""
    client = AsyncOpenAI(base_url=base_url, api_key=key)

    async def answer(message: str, history: list[dict[str, Any]]) -> AsyncIterator[str]:
        messages = [{"role": one["role"], "content": one["content"]} for one in history]
        asked: Any = [*messages, {"role": "user", "content": message}]
        text = ""
        async for chunk in await client.chat.completions.create(model=model, messages=asked, stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                text += chunk.choices[0].delta.content
                yield text

    return gr.ChatInterface(answer, concurrency_limit=CONCURRENCY_LIMIT, analytics_enabled=False)


def main() -> None:
    """Serves until it is told to end."""
    port, base_url, key_file, model = sys.argv[1:]
    app = make_app(base_url, Path(key_file).read_text().strip(), model)
    app.queue(default_concurrency_limit=None)
    app.launch(server_name="127.0.0.1", server_port=int(port), max_threads=MAX_THREADS, quiet=True)


if __name__ == "__main__":
    main()
