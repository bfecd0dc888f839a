"""What all widgets share: one page of JavaScript, a state for it, commands from it.

A widget sends its page one JSON value, the trait `state`, at most ten times a second. The page sends commands
(`model.send({action, id, data})`); each is answered, so that a page whose kernel is gone can say so. What a
command returns goes to the page as a message and is kept nowhere: keys travel that way, never in a trait, for
traits are saved with the notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from curc_llm.errors import CurcLlmError
from curc_llm.notebook.pace import Pace
from curc_llm.notebook.page_code import find_page_code, read_bundle

Handler = Callable[[Any], Mapping[str, Any] | None]


class Panel(anywidget.AnyWidget):
    """A widget of ours.

    A subclass sets `view`, and overrides `make_state` and `render_text`.

    Example:
        >>> class Hello(Panel):                                      # doctest: +SKIP
        ...     view = traitlets.Unicode("card").tag(sync=True)
        ...     def make_state(self):
        ...         return {"text": "Hello"}
    """

    _esm = read_bundle("loader.js")
    _css = read_bundle("widgets.css")
    page = traitlets.Unicode().tag(sync=True)
    view = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    _pace: Pace | None = None  # a widget whose making failed is closed, too

    def __init__(self, **traits: Any) -> None:
        self._handlers: dict[str, Handler] = {}
        self._pace = Pace(self._show)
        super().__init__(page=find_page_code(), **traits)
        self.on_msg(self._take_message)
        self.on_action("ping", lambda _: None)

    def make_state(self) -> dict[str, Any]:
        """What the page shows, as JSON. No secret: it is saved with the notebook."""
        return {}

    def render_text(self) -> str:
        """What is shown where widgets can't be: in a terminal, in a converted notebook."""
        return f"{type(self).__name__}: run this cell again to use it."

    def show(self, *, now: bool = False) -> None:
        """Sends the page how things are; from any thread, as often as you like.

        Args:
            now: at once, rather than within a tenth of a second.
        """
        if self._pace is not None:
            self._pace.flush() if now else self._pace.ask()

    def on_action(self, name: str, handler: Handler) -> None:
        """Sets what a command of the page does.

        Args:
            name: the command.
            handler: is given its data; must return at once (start a thread for what takes time). A mapping
                that it returns is sent to the page, a `CurcLlmError` that it raises is shown there.
        """
        self._handlers[name] = handler

    def close(self) -> None:
        """Takes the widget away."""
        if self._pace is not None:
            self._pace.close()
        super().close()

    def _show(self) -> None:
        self.state = self.make_state()

    def _take_message(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict) or "action" not in content:
            return
        self.send({"ack": content.get("id"), **self._act(content["action"], content.get("data"))})

    def _act(self, name: Any, data: Any) -> dict[str, Any]:
        handler = self._handlers.get(name)
        if handler is None:
            trouble = {"message": f"This kernel knows no command {name!r}.", "remedy": "Run the cell again."}
            return {"trouble": trouble}
        try:
            return {"result": dict(handler(data) or {})}
        except CurcLlmError as error:
            return {"trouble": {"message": error.message, "remedy": error.remedy}}
        except Exception as error:  # noqa: BLE001 - else the page would wait for an answer
            told = f"Something unexpected went wrong ({type(error).__name__}: {str(error)[:300]})."
            return {"trouble": {"message": told, "remedy": "Try again; if it stays, report it."}}

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/plain": self.render_text()}, metadata

    def open(self) -> None:
        """Opens the line to the page. Commands then arrive while cells run, if the kernel can do that."""
        super().open()
        free_comm(self.comm)


def free_comm(comm: Any) -> None:
    """Lets a page's messages arrive where the page sent them: on the kernel's subshell for widgets.

    ipykernel 7.4 routes them to the thread that last *sent* something, which for a widget made in a cell is
    the main one: Stop would wait until the running cell is done. Without its hook it doesn't.
    """
    if getattr(comm, "_reply_subshell_for", None) is not None:
        comm._reply_subshell_for = None  # noqa: SLF001 - there is no public way
