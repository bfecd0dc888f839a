"""SessionPanel: the one widget that leads to a session: picks it or launches it, then shows its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from curc_llm.errors import CurcLlmError
from curc_llm.launch.queued import discover_sessions
from curc_llm.notebook.base import Panel
from curc_llm.notebook.brief_errors import cell_number
from curc_llm.notebook.card_part import CardPart
from curc_llm.notebook.pending import PendingSource
from curc_llm.notebook.picker_part import PickerPart
from curc_llm.sites.placement import load_site_settings
from curc_llm.spec import LaunchSpec, read_launch_spec

if TYPE_CHECKING:  # the launch form brings the planner, and is seldom needed
    from curc_llm.client.session import Session
    from curc_llm.notebook.launch_part import LaunchPart
    from curc_llm.notebook.launch_values import LaunchValues
    from curc_llm.notebook.starting import Started
    from curc_llm.session.store import FoundSession

State = dict[str, Any]
NOTHING_RUNS = (
    "No session is connected. Start one in a terminal: curc-llm launch MODEL (on a cluster) or curc-llm demo "
    "(on this machine); then run this cell again."
)


class SessionPanel(Panel):
    """Picker, launch form and card of one notebook session, whichever is called for.

    Args:
        session: what the notebook calls `session`.
        state_dir: where sessions are looked for; the settings' when not given.
    """

    view = traitlets.Unicode("card").tag(sync=True)

    def __init__(self, session: Session, *, state_dir: Path | None = None) -> None:
        self.session = session
        self._source = adopt_source(session)
        self._state_dir = state_dir
        self._picker: PickerPart | None = None
        self._launch: LaunchPart | None = None
        self._card: CardPart | None = None
        self.shown_in_cell = 0  # where connect() has just shown it
        super().__init__()
        for name, handler in self._list_actions().items():
            self.on_action(name, handler)
        self._source.on_choice(self._follow)
        if self._source.chosen is not None:
            self._follow()

    def _list_actions(self) -> dict[str, Callable[[Any], Mapping[str, Any] | None]]:
        """What the page's buttons do. Each finds its part when it is pressed: parts come and go."""
        return {
            "pick": lambda data: self._picker.pick(data) if self._picker else None,
            "refresh": lambda data: self._picker.refresh(data) if self._picker else None,
            "change": lambda data: self._launch.change(data) if self._launch else None,
            "submit": lambda data: self._launch.submit(data) if self._launch else None,
            "open_launch": lambda _: self.open_launch(),
            "close_launch": lambda _: self.close_launch(),
            "key": lambda _: self._card.reveal_key() if self._card else None,
            "stop": lambda _: self._card.stop() if self._card else None,
        }

    def open_picker(self, sessions: list[FoundSession], state_dir: Path) -> None:
        """Lets a person choose among sessions."""
        self._picker = PickerPart(sessions, state_dir, self.show, self._source.choose)
        self.show(now=True)

    def open_launch(self, notice: str = "", like: LaunchSpec | None = None) -> None:
        """Lets a person launch a session.

        Args:
            notice: a sentence above the form.
            like: fill in what this one was launched with; the card's session when there is one.
        """
        from curc_llm.notebook.launch_part import LaunchPart

        settings = load_site_settings()
        if self._state_dir is not None:
            settings = settings.model_copy(update={"state_dir": self._state_dir})
        like = like or (self._card.spec if self._card is not None else None)
        values = values_like(like) if like is not None else None
        self._launch = LaunchPart(settings, self.show, self._take_started, values, notice)
        self._launch.begin()
        self.show(now=True)

    def close_launch(self) -> None:
        """Puts the form away."""
        self._launch = None
        self.show(now=True)

    def _take_started(self, started: Started) -> None:
        self._source.choose(started.source)

    def _follow(self) -> None:
        """Shows the card of what was just chosen, and has the client speak to it from now on."""
        self.session.close()  # its connections; the next request asks for address and key anew
        card = self._card or CardPart(self.session, self._source, self.show)
        card.follow()
        self._card, self._picker, self._launch = card, None, None
        self.show(now=True)

    def make_state(self) -> State:
        """What the page shows."""
        parts = {"picker": self._picker, "launch": self._launch, "card": self._card}
        return {name: part.make_state() if part is not None else None for name, part in parts.items()}

    def render_text(self) -> str:
        """Card, list or advice, as text."""
        if self._card is not None:
            return self._card.render_text()
        return self._picker.render_text() if self._picker is not None else NOTHING_RUNS

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget; as the last line of the very cell whose connect() showed it already, a text."""
        if self.shown_in_cell and self.shown_in_cell == cell_number():
            return {"text/plain": repr(self.session)}
        return super()._repr_mimebundle_(**options)

    def close(self) -> None:
        """Takes the widget away; the session runs on."""
        if self._card is not None:
            self._card.leave()
        super().close()


def adopt_source(session: Session) -> PendingSource:
    """The session's source as one that can become another, so that "Launch again" keeps the variable."""
    source = session._source  # noqa: SLF001 - the notebook's side of the session
    if not isinstance(source, PendingSource):
        source = PendingSource(source)
        session._source = session._clients._source = source  # noqa: SLF001
    return source


def values_like(spec: LaunchSpec) -> LaunchValues:
    """The form's fields as an earlier session was launched."""
    from curc_llm.notebook.launch_values import LaunchValues, values_of

    origin = spec.origins[0] if spec.origins else None
    hours = f"{spec.wall_time_s / 3600:g}" if spec.wall_time_s else ""
    if origin is None or origin.request is None:
        wanted = origin.wanted if origin is not None else spec.engines[0].model
        return LaunchValues(model=wanted, hours=hours)
    plan = origin.plan
    asked = origin.request.model_copy(update={"model": origin.wanted})
    if plan is not None and plan.gpu_type and plan.num_gpus:
        where = {"partition": plan.partition, "gpu_type": plan.gpu_type, "num_gpus": plan.num_gpus}
        asked = asked.model_copy(update=where)
    return values_of(asked, {origin.wanted}).changed({"hours": hours})


def find_last_spec(state_dir: Path) -> tuple[LaunchSpec | None, str]:
    """What ran last, and why it ended: for whom nothing runs any more."""
    ended = discover_sessions(state_dir, over_too=True, ask_all=False)
    for found in ended[:1]:
        reason = found.record.reason
        why = f"Your last session {found.session_id} has ended: {reason.message}" if reason else ""
        try:
            return read_launch_spec(found.paths.spec), why
        except CurcLlmError:
            return None, why
    return None, ""
