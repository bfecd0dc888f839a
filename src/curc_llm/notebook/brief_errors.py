"""Our errors in a notebook: the sentence and what to do, without the wall of a traceback."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from curc_llm.errors import CurcLlmError

# JupyterLab, Notebook and VS Code draw these codes; a colour would be hard to read on their red ground.
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"
MORE = "The full traceback: %tb"


def render_error(error: CurcLlmError) -> list[str]:
    """The lines that stand below the cell.

    Example:
        >>> render_error(CurcLlmError("No session runs.", "Start one: connect()"))[1]
        'Start one: connect()'
    """
    lines = [f"{BOLD}{type(error).__name__}{PLAIN}: {error.message}"]
    return [*lines, *([error.remedy] if error.remedy else []), MORE]


def show_errors_briefly(shell: Any = None) -> None:
    """From now on an error of curc-llm that ends a cell is shown as its sentence and remedy.

    Other errors, and handlers that others have set, stay as they are. Calling it again changes nothing.

    Args:
        shell: IPython's; the running one when not given. Outside IPython nothing is done.
    """
    shell = shell or find_shell()
    if shell is None or CurcLlmError in shell.custom_exceptions:
        return
    others, before = shell.custom_exceptions, shell.CustomTB
    # IPython puts its own guard around a handler, and asks it for the lines that it showed.

    def handle(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
        tb_offset: int | None = None,
    ) -> Any:
        if not isinstance(error, CurcLlmError):
            return before(kind, error, trace, tb_offset=tb_offset)
        _remember(kind, error, trace)
        lines = render_error(error)
        shell._showtraceback(kind, error, lines)  # noqa: SLF001 - IPython's own way, which ipykernel extends
        return lines

    shell.set_custom_exc((*others, CurcLlmError), handle)


def find_shell() -> Any:
    """IPython's shell; None outside IPython. IPython itself is not imported."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def cell_number() -> int:
    """The number of the cell that runs, or ran last; 0 outside IPython."""
    return int(getattr(find_shell(), "execution_count", 0))


def _remember(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What `%tb` shows later."""
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
