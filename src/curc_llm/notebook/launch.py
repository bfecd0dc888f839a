"""LaunchWidget: three fields, live fit and cost, the queue, and then the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import traitlets

from curc_llm.notebook.card import keep_panel
from curc_llm.notebook.session_panel import SessionPanel
from curc_llm.spec import LaunchSpec

if TYPE_CHECKING:
    from curc_llm.client.session import Session


class LaunchWidget(SessionPanel):
    """Launches a session as `curc-llm launch` does, and becomes its card.

    Args:
        session: connected to what is launched.
        state_dir: where sessions are kept; the settings' when not given.
        notice: a sentence above the form.
        like: fill in what this one was launched with.
    """

    view = traitlets.Unicode("launch").tag(sync=True)

    def __init__(
        self,
        session: Session,
        *,
        state_dir: Path | None = None,
        notice: str = "",
        like: LaunchSpec | None = None,
    ) -> None:
        super().__init__(session, state_dir=state_dir)
        keep_panel(session, self)
        self.open_launch(notice, like)
