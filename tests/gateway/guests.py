"""People who come to a gateway: the owner, guests by name or by link, and strangers of the portal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from curc_llm.session.keys import ApiKey, read_secret_file
from curc_llm.session.shares import add_share, make_invitation, make_link_name, make_shared_key
from tests.gateway.conftest import Reply, RunningGateway

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SAME = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Browser:
    """A browser: it keeps its cookie, and comes through the portal if its person is a user of it."""

    gateway: RunningGateway
    portal_user: str | None = None
    cookie: str = ""
    seen: list[Reply] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return "" if self.portal_user is None else "/node/n1/8"

    @property
    def headers(self) -> dict[str, str]:
        portal = {} if self.portal_user is None else {"X-Forwarded-User": self.portal_user}
        return {**portal, **({"Cookie": self.cookie} if self.cookie else {})}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        post = SAME if method == "POST" else {}
        return await self.gateway.ask(method, self.prefix + path, body, {**self.headers, **post, **own})

    async def open(self, token: str) -> Reply:
        """Opens a link: the page posts its token."""
        reply = await self.ask("POST", "/login", f"token={quote(token, safe='')}".encode(), **FORM)
        if "set-cookie" in reply.headers:
            self.cookie = reply.headers["set-cookie"].split(";")[0]
        return reply


def share(gateway: RunningGateway, user: str, **limits: Any) -> ApiKey:
    """Shares with a user of the portal."""
    return add_share(gateway.paths.keys, gateway.paths.login_secret, user, **limits)


def share_link(gateway: RunningGateway, label: str = "lab", **limits: Any) -> ApiKey:
    """Shares with whoever opens the link."""
    return share(gateway, make_link_name(label), **limits)


def invite(gateway: RunningGateway, entry: ApiKey) -> str:
    """A fresh invitation."""
    return make_invitation(read_secret_file(gateway.paths.login_secret), entry, time.time())


def key_of(gateway: RunningGateway, entry: ApiKey) -> str:
    """The guest's API key."""
    return make_shared_key(read_secret_file(gateway.paths.login_secret), entry.share_id)


async def let_in(gateway: RunningGateway, entry: ApiKey, portal_user: str | None = None) -> Browser:
    """A guest's browser that is in."""
    browser = Browser(gateway, portal_user)
    assert (await browser.open(invite(gateway, entry))).status == 303
    return browser
