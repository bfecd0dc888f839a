"""PickerWidget: which of several sessions a notebook is to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import traitlets

from curc_llm.notebook.card import keep_panel
from curc_llm.notebook.session_panel import SessionPanel

if TYPE_CHECKING:
    from curc_llm.client.session import Session
    from curc_llm.session.store import FoundSession


class PickerWidget(SessionPanel):
    """A list of sessions: model, GPU, time left, owner; becomes the card of the one that is picked.

    Args:
        session: connected to what is picked.
        sessions: those to choose from.
        state_dir: where they were found.
    """

    view = traitlets.Unicode("picker").tag(sync=True)

    def __init__(self, session: Session, sessions: list[FoundSession], state_dir: Path) -> None:
        super().__init__(session, state_dir=state_dir)
        keep_panel(session, self)
        self.open_picker(sessions, state_dir)
