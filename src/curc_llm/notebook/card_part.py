"""The card as a part of a widget: it follows one session and does what its buttons say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from curc_llm.client.snippets import TITLES
from curc_llm.client.source import Source
from curc_llm.errors import CurcLlmError, SpecError
from curc_llm.notebook.card_state import State, make_card, render_card
from curc_llm.notebook.pending import PendingSource
from curc_llm.notebook.watch import Look, Watch, find_watch
from curc_llm.sites.load import load_site
from curc_llm.spec import LaunchSpec, read_launch_spec

if TYPE_CHECKING:
    from curc_llm.client.session import Session


class CardPart:
    """Follows the session that a source stands for, and the next one when that changes.

    Args:
        session: what the notebook calls `session`.
        source: its source.
        on_change: called when there is something new to show, from any thread.
    """

    def __init__(self, session: Session, source: PendingSource, on_change: Callable[[], None]) -> None:
        self._session = session
        self._source = source
        self._on_change = on_change
        self._watch: Watch | None = None
        self._spec: LaunchSpec | None = None
        self._snippets: tuple[str, list[State]] = ("", [])
        self._problem: State | None = None
        self._is_stopping = False
        self.look = Look()

    @property
    def spec(self) -> LaunchSpec | None:
        """What the session was launched with, where that can be read here."""
        return self._spec

    def follow(self) -> None:
        """Looks at the session that the source stands for now."""
        chosen = self._source.chosen
        if chosen is None:
            return
        self.leave()
        self._spec, self._is_stopping, self._problem = _read_spec(chosen), False, None
        self._watch = find_watch(chosen, self._session.metrics)
        # The first look is taken here, so that a card is never shown empty.
        self.look = self._watch.latest if self._watch.is_running else self._watch.look()
        self._watch.listen(self._take)

    def leave(self) -> None:
        """Looks no more."""
        if self._watch is not None:
            self._watch.leave(self._take)
            self._watch = None

    def _take(self, look: Look) -> None:
        self.look = look
        self._on_change()

    def make_state(self) -> State:
        """What the page shows; it holds no secret."""
        state = make_card(self.look, self._source.name, spec=self._spec, unit=self._unit())
        record = self.look.record
        address = state.get("base_url")
        key_file = self._source.key_file if address else None
        return {
            **state,
            "key_file": str(key_file) if key_file is not None else "",
            "can_copy_key": bool(address),
            "snippets": self._make_snippets(str(address)) if address else [],
            "can_stop": record is not None and not record.status.is_over and self._source.paths is not None,
            "can_launch_again": record is not None and record.status.is_over,
            "is_stopping": self._is_stopping and not state.get("is_over", False),
            "problem": self._problem,
        }

    def _unit(self) -> str:
        if self._spec is None or not self._spec.site:
            return "SU"
        try:
            return load_site(self._spec.site_file or self._spec.site).billing.unit
        except CurcLlmError:
            return "SU"

    def _make_snippets(self, address: str) -> list[State]:
        if self._snippets[0] != address:
            try:
                texts = self._session.snippets()
            except (CurcLlmError, OSError):
                return []
            made = [{"name": n, "title": TITLES.get(n, n), "text": text} for n, text in texts.items()]
            self._snippets = (address, made)
        return self._snippets[1]

    def render_text(self) -> str:
        """The card as text."""
        state = make_card(self.look, self._source.name, spec=self._spec, unit=self._unit())
        key_file = self._source.key_file if state.get("base_url") else None
        return render_card({**state, "key_file": str(key_file or "")}, time.time())

    def reveal_key(self, _: Any = None) -> Mapping[str, Any]:
        """The key, for the clipboard of the person who asks; it is kept nowhere.

        Raises:
            KeyFileError: it can't be read.
        """
        return {"key": self._source.secret().reveal()}

    def stop(self, _: Any = None) -> None:
        """Ends the session, in a thread: that can take a minute."""
        if self._is_stopping:
            return
        self._is_stopping, self._problem = True, None
        threading.Thread(target=self._stop, name="curc-llm-stop", daemon=True).start()
        self._on_change()

    def _stop(self) -> None:
        try:
            self._session.stop()
        except CurcLlmError as error:
            self._problem = {"message": error.message, "remedy": error.remedy}
        except OSError as error:
            self._problem = {"message": f"It can't be stopped: {error.strerror}.", "remedy": ""}
        finally:
            self._is_stopping = False
        if self._watch is not None and self._problem is None:
            self._take(self._watch.look())
        self._on_change()


def _read_spec(source: Source) -> LaunchSpec | None:
    if source.paths is None:
        return None
    try:
        return read_launch_spec(source.paths.spec)
    except SpecError:
        return None
