"""A widget whose text is renewed where it was shown, for those who read the notebook without its kernel."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from curc_llm.notebook.base import Panel


class Renewed(Panel):
    """A panel that goes on after its cell: the text that the notebook keeps would be that of its beginning.

    Its output has a name, so that it can be sent once more. Only at an end: JupyterLab draws the widget anew
    then, which would flicker if it came ten times a second.
    """

    def __init__(self, **traits: Any) -> None:
        self._display_id = ""
        super().__init__(**traits)

    def _ipython_display_(self, **_: Any) -> None:
        self._display_id = self._display_id or uuid.uuid4().hex
        self._publish(update=False)

    def renew_text(self) -> None:
        """Sends all its outputs once more, with the text of now; from any thread."""
        if self._display_id and self.comm is not None:
            with contextlib.suppress(
                Exception
            ):  # a kernel that is being shut down; the widget itself is fine
                self._publish(update=True)

    def _publish(self, *, update: bool) -> None:
        from IPython.display import publish_display_data

        bundle = self._repr_mimebundle_()
        if bundle is not None:
            data, metadata = bundle
            publish_display_data(  # type: ignore[no-untyped-call]
                data, metadata, transient={"display_id": self._display_id}, update=update
            )
