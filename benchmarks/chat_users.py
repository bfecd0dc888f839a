"""Many people with the chat's page open, who all ask at once; a process of its own. JSON in, JSON lines out.

Standard input: `ChatLoad` as JSON. Standard output:
`{"chatting": true}` once everybody reads, then the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from chat_page import Answer, Marks, Page, load_config
from processes import measure_cpu_s

# People don't open their pages all at once, so their timers don't tick together.
OPEN_S = 5.0
IDLE_S = 5.0


@dataclass(frozen=True)
class ChatLoad:
    """What is asked.

    Args:
        url: the page's address.
        login_url, tokens: where cookies are had, and each user's one-use token; empty for an open page.
        users: open pages.
        stagger_s: over how long their first messages are spread.
        rounds: how many messages each writes, the next as soon as the answer is there.
        question: what they write.
        first, last: the answer's first and last piece.
        pids: processes whose CPU time is wanted, by name.
    """

    url: str
    login_url: str = ""
    tokens: list[str] = field(default_factory=list)
    users: int = 1
    stagger_s: float = 0.5
    rounds: int = 1
    question: str = "How do I draw samples?"
    first: str = ""
    last: str = ""
    pids: dict[str, int] = field(default_factory=dict)


async def run(load: ChatLoad) -> dict[str, Any]:
    """Opens the pages, lets them rest, asks, and says what people saw and what it cost."""
    async with contextlib.AsyncExitStack() as stack:
        connector = await stack.enter_async_context(aiohttp.TCPConnector(limit=0, keepalive_timeout=60))
        browsers = [await stack.enter_async_context(make_browser(load, connector)) for _ in range(load.users)]
        for browser, token in zip(browsers, load.tokens, strict=False):
            await log_in(browser, load, token)
        config = await load_config(browsers[0], load.url)
        pages = [Page(browser, load.url, config) for browser in browsers]
        await asyncio.gather(
            *(open_later(page, OPEN_S * number / load.users) for number, page in enumerate(pages))
        )
        await asyncio.sleep(1.0)
        idle = Cost(load.pids)
        await asyncio.sleep(IDLE_S)
        rest, cost = idle.to_json(), Cost(load.pids)
        answers = await ask_all(load, pages)
        first_ended_at = min(answer.ended_at for answer in answers)
        result = {"idle": rest, **cost.to_json(), "first_ended_at": first_ended_at}
        await asyncio.gather(*(page.close() for page in pages))
    return {**result, "answers": [asdict(answer) for answer in answers]}


def make_browser(load: ChatLoad, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    """What keeps one user's cookie."""
    # As a browser does; the gateway lets no other page post here.
    origin = {"Origin": "{0.scheme}://{0.netloc}".format(urlsplit(load.url))}
    jar, timeout = aiohttp.CookieJar(unsafe=True), aiohttp.ClientTimeout(total=None)
    return aiohttp.ClientSession(
        timeout=timeout, connector=connector, connector_owner=False, cookie_jar=jar, headers=origin
    )


class Cost:
    """CPU time of the processes that were named, and of this one, from its making on."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._began, self._before, self._client_s = time.monotonic(), self._measure(), time.process_time()

    def _measure(self) -> dict[str, float]:
        return {name: measure_cpu_s(pid) for name, pid in self._pids.items()}

    def to_json(self) -> dict[str, Any]:
        """Seconds that passed, and seconds of CPU."""
        now, spent_s = self._measure(), time.monotonic() - self._began
        cpu_s = {name: round(now[name] - before, 3) for name, before in self._before.items()}
        client_s = round(time.process_time() - self._client_s, 3)
        return {"elapsed_s": round(spent_s, 3), "cpu_s": cpu_s, "client_cpu_s": client_s}


async def log_in(http: aiohttp.ClientSession, load: ChatLoad, token: str) -> None:
    """Trades the token for the cookie, as the login page does."""
    data = {"token": token}
    async with http.post(load.login_url, data=data, allow_redirects=False) as reply:
        if reply.status != 303:
            raise RuntimeError(f"The login answered {reply.status}")


async def open_later(page: Page, delay_s: float) -> None:
    """Opens a page after a while."""
    await asyncio.sleep(delay_s)
    await page.open()


async def ask_all(load: ChatLoad, pages: list[Page]) -> list[Answer]:
    """Everybody asks; says so once everybody reads."""
    marks = Marks(load.first.encode(), load.last.encode())
    asking = [
        asyncio.create_task(ask_later(page, load, marks, load.stagger_s * i / len(pages)))
        for i, page in enumerate(pages)
    ]
    await asyncio.sleep(load.stagger_s + 0.5)
    print(json.dumps({"chatting": True}), flush=True)
    return [answer for answers in await asyncio.gather(*asking) for answer in answers]


async def ask_later(page: Page, load: ChatLoad, marks: Marks, delay_s: float) -> list[Answer]:
    """One person's messages, after a while."""
    await asyncio.sleep(delay_s)
    return [await page.ask(load.question, marks, number) for number in range(load.rounds)]


def main() -> None:
    """Runs what standard input says."""
    result = asyncio.run(run(ChatLoad(**json.load(sys.stdin))))
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
