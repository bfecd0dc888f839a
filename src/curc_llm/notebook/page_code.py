"""The page's code, which all widgets of a kernel share: it travels once, and a saved notebook has it once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import ipywidgets  # type: ignore[import-untyped]
import traitlets

STATIC = Path(__file__).parent / "static"


@cache
def read_bundle(name: str) -> str:
    """A bundled file's text; `make widgets` makes them."""
    return (STATIC / name).read_text(encoding="utf-8")


class PageCode(ipywidgets.Widget):  # type: ignore[misc]
    """A model without a view. Widgets name it; `widgets/src/loader.js` looks it up and imports what it holds.

    With half a megabyte in each widget instead, a notebook with forty of them took 20 MB to open, and some of
    them were given up meanwhile.

    Attributes:
        code: JavaScript, the module that draws every widget.
    """

    code = traitlets.Unicode().tag(sync=True)


_SHARED: list[PageCode] = []


def find_page_code() -> str:
    """How widgets name the shared model, as ipywidgets writes references; makes it when there is none.

    Example:
        >>> find_page_code()                     # doctest: +SKIP
        'IPY_MODEL_7c0e4d5f9a1b4e0c8b6f3d2a1c0e9f8d'
    """
    if not _SHARED or _SHARED[0].comm is None:  # somebody closed it, with `Widget.close_all()`, say
        _SHARED[:] = [PageCode(code=read_bundle("widgets.js"))]
    return f"IPY_MODEL_{_SHARED[0].model_id}"
