"""Clients that ask several models at random, streamed or whole, also as batch, and judge each answer."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import httpx

from tests.e2e.questions import QUESTIONS
from tests.gateway.many_models import TOLD, Tally

MODELS = ("curc-guide", "other-guide")
ADAPTERS = ("poet", "critic")
PATIENCE_S = 300
ADAPTER_TOKENS = 12


class Load:
    """Asks a session's models.

    Args:
        base_url: of the endpoint.
        key: of the owner.
    """

    def __init__(self, base_url: str, key: str) -> None:
        self.tally = Tally()
        self._url = f"{base_url}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._adapted: dict[str, str] = {}

    async def learn(self) -> None:
        """What each adapter says to the first question; no two models say the same."""
        async with httpx.AsyncClient(headers=self._headers, timeout=PATIENCE_S) as client:
            for name in ADAPTERS:
                answer = await client.post(self._url, json=self._body(name, 0, stream=False))
                self._adapted[name] = answer.json()["choices"][0]["message"]["content"]
        assert len({*self._adapted.values(), QUESTIONS[0]["answer"]}) == 1 + len(ADAPTERS)

    async def ask_until(self, end_s: float) -> None:
        """Asks one question after the other until a time (monotonic seconds)."""
        async with httpx.AsyncClient(headers=self._headers, timeout=PATIENCE_S) as client:
            while time.monotonic() < end_s:
                await self._ask(client)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        model = random.choice([*MODELS, *ADAPTERS])
        number = 0 if model in ADAPTERS else random.randrange(len(QUESTIONS))
        stream = random.random() < 0.7
        more = {"X-Curc-Llm-Priority": "batch"} if random.random() < 0.4 else {}
        body = self._body(model, number, stream=stream)
        async with client.stream("POST", self._url, json=body, headers=more) as answer:
            text = (await answer.aread()).decode()
        self._judge(model, number, answer.status_code, text, is_stream=stream)

    def _body(self, model: str, number: int, *, stream: bool) -> dict[str, Any]:
        return {
            "model": model,
            "messages": [{"role": "user", "content": QUESTIONS[number]["question"]}],
            "max_tokens": ADAPTER_TOKENS if model in ADAPTERS else 600,
            "temperature": 0,
            "stream": stream,
        }

    def _judge(self, model: str, number: int, status: int, text: str, *, is_stream: bool) -> None:
        if status != 200:
            error = json.loads(text)["error"]
            self.tally.refused[f"{status} {error['code']}: {error['message']}"] += 1
            return
        lines = [line.removeprefix("data: ") for line in text.splitlines()] if is_stream else [text]
        documents = [json.loads(line) for line in lines if line.startswith("{")]
        said = _said(documents)
        if error := documents[-1].get("error"):
            self.tally.broken += 1
            if error["code"] not in TOLD or not said:
                self.tally.wrong.append(f"{model}: {error}")
        elif self._is_right(model, number, said) and {d["model"] for d in documents} == {model}:
            self.tally.answered += 1
        else:
            self.tally.wrong.append(f"{model}, question {number}: {said[:200]!r}")

    def _is_right(self, model: str, number: int, said: str) -> bool:
        """The models know their answers by heart; of an adapter's nonsense the beginning is compared.

        Numbers differ a little with what else is in the batch, and with them what nonsense ends in.
        """
        if model in MODELS:
            return said.strip() == QUESTIONS[number]["answer"].strip()
        others = [text for name, text in self._adapted.items() if name != model]
        own = self._adapted[model]
        return said[:4] == own[:4] and said not in (*others, QUESTIONS[0]["answer"])


def _said(documents: list[dict[str, Any]]) -> str:
    choices = [document["choices"][0] for document in documents if document.get("choices")]
    return "".join((c.get("delta") or c.get("message") or {}).get("content") or "" for c in choices)
