"""`python -m curc_llm.chat`: the chat process."""

from __future__ import annotations

import sys

from curc_llm.chat.environment import prepare_environment
from curc_llm.chat.options import parse_options


def main() -> None:
    """Serves the chat page until TERM or INT."""
    options = parse_options(sys.argv[1:])
    with prepare_environment(options.socket.parent):
        # Gradio reads its environment when it is imported.
        from curc_llm.chat.server import serve

        serve(options)


if __name__ == "__main__":
    main()
