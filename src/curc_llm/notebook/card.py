"""SessionCard: a session at a glance; and the panel that a session already has."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from curc_llm.notebook.session_panel import SessionPanel

if TYPE_CHECKING:
    from curc_llm.client.session import Session

_PANELS: weakref.WeakKeyDictionary[Session, SessionPanel] = weakref.WeakKeyDictionary()


class SessionCard(SessionPanel):
    """Phase, time and SU left, endpoint, key, snippets, stop; after the end why, and "Launch again".

    Example:
        >>> session.card()                                 # doctest: +SKIP
    """

    def __init__(self, session: Session, **options: Any) -> None:
        super().__init__(session, **options)
        keep_panel(session, self)


def keep_panel(session: Session, panel: SessionPanel) -> None:
    """Remembers the widget of a session, so that it is shown again rather than made again."""
    _PANELS[session] = panel


def find_panel(session: Session) -> SessionPanel:
    """The widget of a session: the one that it has, else a new card."""
    panel = _PANELS.get(session)
    return panel if panel is not None and panel.comm is not None else SessionCard(session)
