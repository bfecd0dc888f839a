"""What a session shows in a notebook and runs over many rows: thin methods, each in a module of its own.

The client may not import what stands above it (`batch`, `notebook`), and a script must not pay for widgets,
so each of these looks its function up by name when it is first called.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from curc_llm.errors import MissingPackageError

# Method of Session -> "module:function". The function (or class) gets the session, then what the method got.
_FACES = {
    "map": "curc_llm.batch:map_rows",
    "embed_map": "curc_llm.batch:embed_rows",
    "chat_widget": "curc_llm.notebook.chat:ChatWidget",
    "compare": "curc_llm.notebook.compare:CompareWidget",
    "card": "curc_llm.notebook.card:find_panel",
    "metrics_widget": "curc_llm.notebook.metrics:find_metrics_widget",
}
# Packages of `curc-llm[jupyter]`: their absence is told in a sentence.
OPTIONAL_PACKAGES = {
    "IPython", "anywidget", "ipykernel", "ipywidgets", "matplotlib", "numpy", "pandas", "pyarrow",
    "traitlets",
}  # fmt: skip


class Faces:
    """The methods of `Session` that other parts of curc-llm provide."""

    def map(self, rows: Any, **options: Any) -> Any:
        """Asks the model once for each row and returns the answers in the rows' order.

        Args:
            rows: a list of prompts or conversations, or a DataFrame.
            options: see `curc_llm.batch.map_rows`: template, schema, output, concurrency, wait, and the
                parameters that `chat` takes.

        Example:
            >>> session.map(["One?", "Two?"], max_tokens=20)       # doctest: +SKIP
        """
        return self._show("map", rows, **options)

    def embed_map(self, rows: Any, **options: Any) -> Any:
        """Embeds each row, with checkpoints, as `map` asks for each row; see `curc_llm.batch.embed_rows`."""
        return self._show("embed_map", rows, **options)

    def chat_widget(self, **options: Any) -> Any:
        """A chat in the notebook; see `curc_llm.notebook.chat.ChatWidget`."""
        return self._show("chat_widget", **options)

    def compare(self, *columns: Any, **options: Any) -> Any:
        """One question to several models or settings, side by side; see `CompareWidget`."""
        return self._show("compare", *columns, **options)

    def card(self, **options: Any) -> Any:
        """The session at a glance: phase, time and SU left, endpoint, snippets, stop; see `SessionCard`."""
        return self._show("card", **options)

    def metrics_widget(self, **options: Any) -> Any:
        """Live figures of the session; see `MetricsWidget`. `metrics()` returns the same as numbers."""
        return self._show("metrics_widget", **options)

    def _show(self, face: str, *args: Any, **options: Any) -> Any:
        try:
            return find_face(face)(self, *args, **options)
        except ModuleNotFoundError as error:  # some packages are imported only when they are used
            raise explain_missing(error, f"session.{face}()") from None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """In a notebook a session as a cell's last line shows its card; elsewhere its repr."""
        if not _is_in_notebook():
            return {"text/plain": repr(self)}
        try:
            return self.card()._repr_mimebundle_(include=include, exclude=exclude)
        except MissingPackageError as error:
            return {"text/plain": f"{self!r}\n{error}"}


def find_face(name: str) -> Any:
    """The function behind a method of `Faces`."""
    module, _, function = _FACES[name].partition(":")
    return getattr(importlib.import_module(module), function)


def explain_missing(error: ModuleNotFoundError, what: str) -> Exception:
    """The error to raise instead: ours for an optional package, else the same.

    Args:
        error: what the import said.
        what: what was asked for, such as `session.card()`.
    """
    package = (error.name or "").partition(".")[0]
    if package not in OPTIONAL_PACKAGES:
        return error
    return MissingPackageError(
        f"{what} needs the package {package}, which isn't installed.",
        "Install it with: pip install 'curc-llm[jupyter]'",
    )


def _is_in_notebook() -> bool:
    """True in a kernel that can show widgets; a plain IPython shell is none."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None
