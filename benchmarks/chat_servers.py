"""The chats that are compared, each before the same gateway and the same fake engine."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chat_text import FIRST, LAST
from chat_users import ChatLoad
from our_gateway import SOURCE, OurSession, run_our_gateway
from probe import get_status
from processes import find_free_port, run_child, wait_until

from curc_llm.session.keys import read_keys, read_secret_file
from curc_llm.session.shares import add_share, find_shares, make_invitation, make_link_name

HERE = Path(__file__).parent
OURS, NAIVE = "curc-llm", "gr.ChatInterface, a token at a time"
START_LIMIT_S = 90


@dataclass(frozen=True)
class Chat:
    """One chat.

    Args:
        name: the row's name.
        port: of its page.
        path: of its page.
        pid: root of its process tree.
        gateway_port, gateway_pid: the gateway that it asks.
        session: whose key and login count.
    """

    name: str
    port: int
    path: str
    pid: int
    gateway_port: int
    gateway_pid: int
    session: OurSession

    def make_load(self, users: int) -> ChatLoad:
        """What the chat's users do; each a guest with chats of their own, where the page has a login."""
        needs_login = self.name == OURS
        tokens = [self._invite(number) for number in range(users)] if needs_login else []
        return ChatLoad(
            url=f"http://127.0.0.1:{self.port}{self.path}",
            login_url=f"http://127.0.0.1:{self.port}/login" if needs_login else "",
            tokens=tokens,
            users=users,
            first=FIRST,
            last=LAST,
            pids={"chat": self.pid, "gateway": self.gateway_pid},
        )

    def _invite(self, number: int) -> str:
        paths, label = self.session.paths, f"user{number}"
        found = find_shares(read_keys(paths.keys).keys, label)
        share = found[0] if found else add_share(paths.keys, paths.login_secret, make_link_name(label))
        return make_invitation(read_secret_file(paths.login_secret), share, time.time())


@contextlib.contextmanager
def run_our_chat(session: OurSession, engine_socket: Path, source: Path = SOURCE) -> Iterator[Chat]:
    """The chat as a session runs it: its own process, behind the gateway, the page below the login."""
    folder = session.folder
    chat_socket, log = folder / "chat.sock", folder / "chat.log"
    command = [sys.executable, "-m", "curc_llm.chat", "--socket", str(chat_socket)]
    command += ["--gateway-socket", str(session.private_socket), "--state-dir", str(folder / "state")]
    (folder / "state").mkdir(exist_ok=True)
    with (
        run_our_gateway(session, engine_socket, source, chat_socket) as (port, gateway_pid),
        run_child(command, log, env=make_environment(folder, source)) as child,
    ):
        target = f"unix:{chat_socket}"
        wait_until(lambda: get_status(target, "/chat/") == 200, child, log, START_LIMIT_S)
        yield Chat(OURS, port, "/chat/", child.pid, port, gateway_pid, session)


@contextlib.contextmanager
def run_naive_chat(session: OurSession, gateway_port: int, gateway_pid: int) -> Iterator[Chat]:
    """The chat that one writes first; it asks the same gateway, with the owner's key."""
    port, log = find_free_port(), session.folder / "naive-chat.log"
    base_url = f"http://127.0.0.1:{gateway_port}/v1"
    command = [sys.executable, str(HERE / "naive_chat.py"), str(port), base_url]
    command += [str(session.key_file), session.model]
    with run_child(command, log, env=make_environment(session.folder, SOURCE)) as child:
        wait_until(lambda: get_status(f"tcp:{port}", "/config") == 200, child, log, START_LIMIT_S)
        yield Chat(NAIVE, port, "/", child.pid, gateway_port, gateway_pid, session)


def make_environment(folder: Path, source: Path) -> dict[str, str]:
    """Next to nothing, and no word to the outside."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(source),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "HF_HUB_OFFLINE": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }
