"""Load: people who ask a session of the bed again and again, and what came of it."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Self

from curc_llm.session.succession import find_heir
from tests.testbed.login import Login


@dataclass
class Load:
    """So many people, each with one streamed request after the other.

    Args:
        login: whose session it is.
        session_id: which.
        people: how many ask at once.
        follows: they read the session's record before each request; else they stay with its first address.
        tokens: length of the answers.
    """

    login: Login
    session_id: str
    people: int
    follows: bool = False
    tokens: int = 10
    answered: int = 0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = self.login.paths(self.session_id).api_key.read_text().strip()
        self._url = self._find_url()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.people)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.wait()

    def wait(self) -> None:
        """Awaits the last answers."""
        for thread in self._threads:
            thread.join(60)

    def _find_url(self) -> str:
        record = self.login.record(find_heir(self.login.paths(self.session_id).root).root.name)
        assert record is not None
        addresses = {node.name: node.address for node in self.login.bed.ground.nodes}
        return f"http://{addresses[record.host]}:{record.port}/v1/chat/completions"

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.note(self.tokens)

    def note(self, tokens: int) -> None:
        """One request with an answer of that length; what came of it counts."""
        try:
            text = self.ask(max_tokens=tokens)
            assert text.rstrip().endswith("[DONE]"), text[-200:]
            self.answered += 1
        except (OSError, AssertionError) as error:
            told = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
            self.failures.append(f"{error!r} {told}")
            self._stopped.wait(0.2)

    def ask(self, **more: Any) -> str:
        """One streamed request; its whole answer."""
        url = self._find_url() if self.follows else self._url
        asked = {"model": "curc-guide", "stream": True, "max_tokens": self.tokens, **more}
        asked["messages"] = [{"role": "user", "content": "Hi"}]
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())
