"""The desks of all open pages, and the chats that each person has."""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from pathlib import Path

import gradio as gr

from curc_llm.chat.desk import Desk
from curc_llm.chat.page_view import find_user
from curc_llm.chats.people import open_store
from curc_llm.chats.store import ChatStore

MOST_DESKS = 2000
# An open page is heard of more often than that (panel_actions.py).
OPEN_S = 60.0


class Desks:
    """Finds the desk of a page.

    Args:
        state_dir: the owner's state folder.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._stores: dict[str, ChatStore] = {}
        self._desks: OrderedDict[tuple[str, str], Desk] = OrderedDict()

    def find(self, request: gr.Request) -> Desk:
        """The desk of the page that asks, made when it is new. A page never gets another person's desk.

        Args:
            request: with the person's name, as the gateway gave it, and the page's session hash.
        """
        return self.find_by(find_user(request), str(request.session_hash))

    def find_by(self, user: str, page_id: str) -> Desk:
        """As `find`, by name and page."""
        key = (user, page_id)
        if key not in self._desks:
            self._desks[key] = Desk(self._find_store(user), user, f"{user} {page_id}")
        self._desks[key].heard_at = time.monotonic()
        self._desks.move_to_end(key)
        while len(self._desks) > MOST_DESKS:
            self._desks.popitem(last=False)
        return self._desks[key]

    def count_open(self) -> int:
        """How many pages were heard of in the last `OPEN_S` seconds."""
        since = time.monotonic() - OPEN_S
        heard = (desk.heard_at >= since for desk in reversed(self._desks.values()))
        return sum(1 for _ in itertools.takewhile(bool, heard))

    def _find_store(self, user: str) -> ChatStore:
        if user not in self._stores:
            self._stores[user] = open_store(self.state_dir, user)
        return self._stores[user]
