"""What `curc-llm tunnel` shows: the local address, how to use it, and what becomes of the tunnel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from curc_llm.cli.output import Output, render_pairs
from curc_llm.client.tunnel import LOOPBACK, Login, TunnelEnd
from curc_llm.client.tunnel_watch import (
    TunnelEvent,
    TunnelLost,
    TunnelMoved,
    TunnelOpen,
    TunnelOver,
    TunnelSilent,
)
from curc_llm.session.login import make_login_token

if TYPE_CHECKING:
    from pathlib import Path

    from curc_llm.client.tunnel_watch import TunnelPlan
    from curc_llm.session.store import FoundSession


def render_direct(base_url: str, end: TunnelEnd, login: Login) -> str:
    """What to say on a machine that reaches the session by itself."""
    command = f"curc-llm tunnel --host {end.host} --port {end.port} --login-host {login}"
    return f"No tunnel is needed here: {base_url}\nOn your own computer run:\n  {command}"


class TunnelScreen:
    """Shows events as text or as JSON lines.

    Args:
        plan: of the tunnel.
        found: the session, when its folder can be read here.
        output: where to.
        key_file: a file on this computer that holds the session's key; None when there is none.
    """

    def __init__(
        self, plan: TunnelPlan, found: FoundSession | None, output: Output, key_file: Path | None = None
    ) -> None:
        self._plan = plan
        self._found = found
        self._key_file = key_file
        self._output = output
        self.was_open = False

    def begin(self) -> None:
        """Says what is tried."""
        self._output.say(f"Connecting through {self._plan.login} …")
        if self._plan.may_ask:
            self._output.say("ssh may ask for your password, and for Duo.")

    def show(self, event: TunnelEvent) -> None:
        """Shows one event."""
        match event:
            case TunnelOpen():
                self._show_open(event)
            case TunnelLost(message, wait_s):
                self._tell("lost", f"{message} Trying again in {wait_s:g} s …", reason=message, wait_s=wait_s)
            case TunnelMoved(end):
                text = f"The session has moved to {end}; laying the tunnel there …"
                self._tell("moved", text, host=end.host, port=end.port)
            case TunnelSilent(end):
                self._tell("silent", f"{end} doesn't answer just now; the session isn't over, so waiting …")
            case TunnelOver(message):
                self._tell("ended", f"{message} The tunnel is closed.", reason=message)

    def _tell(self, event: str, text: str, **fields: Any) -> None:
        self._output.say(text)
        if self._output.as_json:
            self._output.data("", {"event": event, **fields})

    def _show_open(self, event: TunnelOpen) -> None:
        was_open, self.was_open = self.was_open, True
        value = self._make_value(event)
        if self._output.as_json:
            self._output.data("", value)
        elif was_open:
            self._output.say(f"The tunnel is open again: {value['base_url']}")
        else:
            self._output.data(self._render(value), None)

    def _make_value(self, event: TunnelOpen) -> dict[str, Any]:
        root = f"http://{LOOPBACK}:{event.local_port}"
        found = self._found
        return {
            "event": "open",
            "base_url": f"{root}/v1",
            "local_port": event.local_port,
            "host": event.end.host,
            "port": event.end.port,
            "session_id": found.session_id if found else None,
            "key_file": str(self._key_file) if self._key_file else None,
            "login_url": _make_login_url(root, found) if found else None,
        }

    def _render(self, value: dict[str, Any]) -> str:
        url, key_file = value["base_url"], value["key_file"] or "FILE"
        pairs = [
            ("Tunnel", f"{value['host']}:{value['port']}"),
            ("", f"through {self._plan.login}"),
            ("Endpoint", url),
            *(_own_session(value) if self._found else _other_session(value)),
            *self._render_python(url, key_file),
            ("Close", "Ctrl-C; the session goes on"),
        ]
        return render_pairs(pairs)

    def _render_python(self, url: str, key_file: str) -> list[tuple[str, str]]:
        if self._key_file is not None and self._found is None:
            return [("Python", "curc_llm.connect()")]
        return [("Python", f'curc_llm.connect(base_url="{url}",'), ("", f'  api_key_file="{key_file}")')]


def _make_login_url(root: str, found: FoundSession) -> str:
    token = make_login_token(found.paths.login_secret, time.time())
    return f"{root}/login#token={token}"


def _own_session(value: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Key", f"{value['key_file']}"),
        ("Chat", f"{value['login_url']}"),
        ("", "(opens once, within 10 minutes)"),
    ]


def _other_session(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Without the session's folder: where the key and the link are to be had."""
    on_cluster = [("Key", "on the session's card, or on the cluster:"), ("", "curc-llm endpoint --show-key")]
    return [
        *([("Key", value["key_file"])] if value["key_file"] else on_cluster),
        ("Chat", "on the cluster: curc-llm endpoint --login-link"),
        ("", f"and put {LOOPBACK}:{value['local_port']} in place of its host and port"),
    ]
