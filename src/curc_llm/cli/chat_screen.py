"""Both faces of `curc-llm chat`: a terminal with line editing and Markdown, and plain lines for pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from curc_llm.cli.chat_commands import COMMANDS
from curc_llm.cli.output import make_printable, print_error, write_piece
from curc_llm.errors import CurcLlmError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings
    from rich.console import Console
    from rich.live import Live

    from curc_llm.client.stream import Stream

REFRESH_PER_SECOND = 8
FENCES = ("```", "~~~")


class Screen(Protocol):
    """What the chat reads from and writes to."""

    def read(self) -> str | None:
        """The next question or command; None at the end of input."""

    def show(self, stream: Stream) -> None:
        """Shows an answer while it arrives. KeyboardInterrupt ends it."""

    def say(self, text: str) -> None:
        """Talk that is no answer."""


class PlainScreen:
    """Lines in, answers out: for pipes and scripts. A backslash at a line's end goes on in the next."""

    def read(self) -> str | None:
        """The next line or lines; undecodable bytes are replaced."""
        parts: list[str] = []
        while raw := sys.stdin.buffer.readline():
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if not line.endswith("\\"):
                return "\n".join([*parts, line])
            parts.append(line[:-1])
        return "\n".join(parts) if parts else None

    def show(self, stream: Stream) -> None:
        """Writes the pieces as they come."""
        try:
            for piece in stream:
                write_piece(piece)
        finally:
            write_piece("\n")

    def say(self, text: str) -> None:
        """Talk goes to standard error, so that answers stay alone."""
        print(make_printable(text), file=sys.stderr, flush=True)


class TerminalScreen:
    """A terminal: history, editing of several lines, Markdown while it is written.

    Args:
        history_file: where questions are remembered; made with mode 0600.
    """

    def __init__(self, history_file: Path) -> None:
        from rich.console import Console

        self._console: Console = Console()
        self._prompt = _make_prompt(history_file)

    def read(self) -> str | None:
        """The next question. Ctrl-C clears what was typed, Ctrl-D leaves."""
        while True:
            try:
                return self._prompt.prompt("› ")
            except KeyboardInterrupt:
                self.say("(Ctrl-D or /exit leaves)")
            except EOFError:
                return None

    def show(self, stream: Stream) -> None:
        """Writes finished blocks for good and the unfinished one live, so that long answers scroll well."""
        from rich.live import Live

        text, thought, written = "", "", 0
        with Live(console=self._console, refresh_per_second=REFRESH_PER_SECOND, transient=True) as live:
            try:
                for piece in stream.pieces():
                    thought += make_printable(piece.text) if piece.kind == "reasoning" else ""
                    text += make_printable(piece.text) if piece.kind == "text" else ""
                    end = find_block_end(text)
                    self._write(live.console, text[written:end])
                    written = max(written, end)
                    self._update(live, text[written:], thought if not text else "")
            finally:
                live.update("")
                self._write(live.console, text[written:])

    def say(self, text: str) -> None:
        """Talk, dimmed."""
        self._console.print(make_printable(text), style="dim", markup=False, highlight=False)

    def _write(self, console: Console, text: str) -> None:
        if text.strip():
            from rich.markdown import Markdown

            console.print(Markdown(text, hyperlinks=False))

    def _update(self, live: Live, tail: str, thought: str) -> None:
        """The last lines of what isn't finished; more than the window holds would smear over it."""
        from rich.text import Text

        lines = (thought or tail).splitlines()[-max(1, self._console.height - 2) :]
        live.update(Text("\n".join(lines), style="dim italic" if thought else ""))


def find_block_end(text: str) -> int:
    """Where the last finished Markdown block ends: behind an empty line outside of fenced code.

    Example:
        >>> find_block_end("one\\n\\ntwo"), find_block_end("```\\na\\n\\nb")
        (5, 0)
    """  # noqa: D301
    end, fence, position = 0, "", 0
    for line in text.splitlines(keepends=True):
        position += len(line)
        mark = line.strip()[:3]
        if mark in FENCES and fence in {"", mark}:
            fence = "" if fence else mark
        if not fence and line == "\n":
            end = position
    return end


def _make_prompt(history_file: Path) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    commands = WordCompleter([f"/{name}" for name in COMMANDS], sentence=True)
    private = _make_private(history_file)
    return PromptSession(
        history=FileHistory(str(history_file)) if private else InMemoryHistory(),
        completer=commands,
        complete_while_typing=False,
        multiline=True,
        key_bindings=_make_keys(),
        prompt_continuation="  ",
    )


def _make_private(path: Path) -> bool:
    """Makes a file that only its owner can read; False when that can't be, and then nothing is remembered."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        path.chmod(0o600)
    except OSError:
        return False
    return True


def _make_keys() -> KeyBindings:
    """Enter sends unless the line ends with a backslash; Alt-Enter always goes on below."""
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def go_on(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def read_lines(screen: Screen) -> Iterator[str]:
    """Everything that is typed until the end of input, but empty lines."""
    while (line := screen.read()) is not None:
        if line.strip():
            yield line


def show_error(error: CurcLlmError) -> None:
    """An error that doesn't end the chat."""
    print_error(error.message, error.remedy)
