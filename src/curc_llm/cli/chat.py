"""`curc-llm chat`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, session_option, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.cli.chat_commands import Context
    from curc_llm.cli.chat_screen import Screen
    from curc_llm.cli.conversation import Conversation
    from curc_llm.client import Answer, Session, Stream


@click.command()
@session_option
@click.option("-m", "--model", help="Served model name; the session's first when not given.")
@click.option("--system", default="", help="Instructions for the model.")
@verb_options
def chat(session: str | None, model: str | None, system: str, config: Path | None, as_json: bool) -> None:
    """Chat with a session's model in the terminal.

    /help lists what can be typed besides questions. In a pipe each line is a question, and only answers go to
    standard output.
    """
    from curc_llm.cli.chat_commands import Context
    from curc_llm.cli.conversation import Conversation
    from curc_llm.client import connect

    settings = load(config)
    with connect(session, state_dir=settings.state_dir) as found:
        models = [e.served_model_name for e in found.status().models if e.runner == "generate"]
        talk = Conversation(model or found.default_model, system)
        found.wait_until_ready(model=talk.model)
        screen = _make_screen(settings.state_dir, as_json)
        screen.say(f"{talk.model} in session {found.session_id}. /help lists commands, /exit leaves.")
        _Chat(found, Context(talk, models), screen, Output(as_json)).run()


def _make_screen(state_dir: Path, as_json: bool) -> Screen:
    from curc_llm.cli.chat_screen import PlainScreen, TerminalScreen

    if sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        return TerminalScreen(state_dir / "chat_history")
    return PlainScreen()


class _Chat:
    """The loop: read, ask, show. Errors are told and the chat goes on, unless the session is over."""

    def __init__(self, session: Session, context: Context, screen: Screen, output: Output) -> None:
        self._session = session
        self._context = context
        self._screen = screen
        self._output = output

    @property
    def _talk(self) -> Conversation:
        return self._context.talk

    def run(self) -> None:
        from curc_llm.cli.chat_screen import read_lines, show_error
        from curc_llm.errors import CurcLlmError, SessionEndedError

        failed = False
        for line in read_lines(self._screen):
            try:
                if not self._handle(line):
                    break
            except SessionEndedError:
                raise
            except CurcLlmError as error:
                show_error(error)
                failed = True
        if failed and not sys.stdin.isatty():
            sys.exit(1)  # a script must notice; a person has seen it

    def _handle(self, line: str) -> bool:
        """False when the chat is over."""
        from curc_llm.cli.chat_commands import is_command, run_command

        if not is_command(line):
            self._ask(line.removeprefix("/") if line.startswith("//") else line)
            return True
        outcome = run_command(line, self._context)
        if outcome.text:
            self._screen.say(outcome.text)
        if outcome.question is not None:
            self._ask(outcome.question)
        return not outcome.leave

    def _ask(self, question: str) -> None:
        talk = self._talk
        messages = talk.ask(question)
        if self._output.as_json:
            self._answer_json(messages)
            return
        answer = self._stream(messages)
        if answer:
            talk.keep(answer.text)
        if answer.finish_reason == "length":
            self._screen.say("(cut off at the limit of tokens; /set max_tokens raises it)")

    def _stream(self, messages: list[dict[str, str]]) -> Answer:
        """The answer, or what had come of it when Ctrl-C stopped it."""
        from curc_llm.client import Answer

        stream: Stream | None = None
        try:
            with self._session.stream(messages, model=self._talk.model, **self._talk.params) as stream:
                self._screen.show(stream)
        except KeyboardInterrupt:
            self._screen.say("(stopped)")
        return stream.answer if stream is not None else Answer()

    def _answer_json(self, messages: list[dict[str, str]]) -> None:
        from curc_llm.cli.ask import make_answer_json

        answer = self._session.chat(messages, model=self._talk.model, **self._talk.params)
        self._talk.keep(answer.text)
        self._output.data("", make_answer_json(answer))
