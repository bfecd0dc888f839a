"""`python -m curc_llm.chat`: the chat process."""

from __future__ import annotations

import gc
import signal
import sys

from curc_llm.chat.environment import prepare_environment
from curc_llm.chat.options import parse_options


def main() -> None:
    """Serves the chat page until TERM or INT."""
    options = parse_options(sys.argv[1:])
    signal.signal(signal.SIGTERM, _leave)
    # Nothing is freed while modules load: without the collector the start is a seventh shorter.
    gc.disable()
    with prepare_environment(options.socket.parent):
        # Gradio reads its environment when it is imported.
        from curc_llm.chat.server import serve

        serve(options)


def _leave(*_: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
