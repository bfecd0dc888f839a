"""MetricsWidget: how busy a session is, live."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import traitlets

from curc_llm.notebook.metrics_state import History, make_metrics_state, render_metrics, render_moment
from curc_llm.notebook.renewed import Renewed
from curc_llm.notebook.session_panel import adopt_source
from curc_llm.notebook.watch import Look, Watch, find_watch

if TYPE_CHECKING:
    from curc_llm.client.session import Session

_WIDGETS: weakref.WeakKeyDictionary[Session, MetricsWidget] = weakref.WeakKeyDictionary()


class MetricsWidget(Renewed):
    """Tokens per second, latencies, requests, KV cache and GPU memory; the last two minutes as curves.

    Example:
        >>> session.metrics_widget()                       # doctest: +SKIP
    """

    view = traitlets.Unicode("metrics").tag(sync=True)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._source = adopt_source(session)
        self._history = History()
        self._look = Look()
        self._watch: Watch | None = None
        super().__init__()
        self._source.on_choice(self._follow)
        self._follow()

    def _follow(self) -> None:
        """Looks at the session that the source stands for now."""
        self._leave()
        if self._source.chosen is not None:
            self._history.clear()
            self._watch = find_watch(self._source.chosen, self._session.metrics)
            self._watch.listen(self._take, wants_metrics=True)
        self.show(now=True)

    def _leave(self) -> None:
        if self._watch is not None:
            self._watch.leave(self._take)
            self._watch = None

    def _take(self, look: Look) -> None:
        is_end = look.is_over and not self._look.is_over
        self._keep(look)
        self.show(now=is_end)
        if is_end:
            self.renew_text()

    def _keep(self, look: Look) -> None:
        self._look = look
        if look.metrics is not None:
            self._history.add(look.metrics)

    def make_state(self) -> dict[str, Any]:
        """What the page shows."""
        return make_metrics_state(self._look, self._history, self._source.name)

    def render_text(self) -> str:
        """The figures as text, asked for at once when there are none yet, and when that was."""
        if self._history.latest is None and self._watch is not None:
            self._keep(self._watch.look())
        text = render_metrics(self.make_state())
        latest = self._history.latest
        return text if latest is None else f"{text}\n{render_moment(latest.taken_at)}"

    def close(self) -> None:
        """Takes the widget away."""
        self._leave()
        super().close()


def find_metrics_widget(session: Session) -> MetricsWidget:
    """A session's widget: the one that it has, else a new one; so however many cells, one is fed."""
    widget = _WIDGETS.get(session)
    if widget is None or widget.comm is None:
        widget = _WIDGETS[session] = MetricsWidget(session)
    return widget
