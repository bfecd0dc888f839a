"""The /commands of `curc-llm chat`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from curc_llm.chat.sampling import RANGES
from curc_llm.cli.conversation import Conversation
from curc_llm.errors import CurcLlmError


class CommandError(CurcLlmError):
    """A /command was mistyped."""


@dataclass(frozen=True)
class Outcome:
    """What a command led to.

    Args:
        text: what to tell the person.
        question: what to ask the model now; None for nothing.
        leave: the chat is over.
    """

    text: str = ""
    question: str | None = None
    leave: bool = False


@dataclass(frozen=True)
class Context:
    """What commands work on: the conversation, and the models there are."""

    talk: Conversation
    models: list[str]


def is_command(line: str) -> bool:
    """Whether a line is meant as a command. `//` begins a question that begins with a slash."""
    return line.startswith("/") and not line.startswith("//")


def run_command(line: str, context: Context) -> Outcome:
    """Runs one command.

    Raises:
        CommandError: there is no such command, or its argument can't be used.
    """
    name, _, argument = line[1:].strip().partition(" ")
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        raise CommandError(
            f"There is no /{name}.", f"Did you mean /{near[0]}?" if near else "/help lists all."
        )
    return COMMANDS[name][1](context, argument.strip())


def _help(_: Context, __: str) -> Outcome:
    lines = [f"  {usage}" for usage, _ in COMMANDS.values()]
    keys = (
        "Enter sends; Alt-Enter or \\ at a line's end goes on below. Ctrl-C stops an answer, Ctrl-D leaves."
    )
    return Outcome("\n".join([*lines, keys]))


def _exit(_: Context, __: str) -> Outcome:
    return Outcome(leave=True)


def _system(context: Context, text: str) -> Outcome:
    context.talk.system = "" if text == "-" else text or context.talk.system
    shown = context.talk.system
    return Outcome(f"System prompt: {shown}" if shown else "There is no system prompt.")


def _retry(context: Context, _: str) -> Outcome:
    question = context.talk.retry()
    if question is None:
        raise CommandError("Nothing was asked yet, so nothing can be tried again.")
    return Outcome(question=question)


def _clear(context: Context, _: str) -> Outcome:
    context.talk.clear()
    return Outcome("The conversation is forgotten.")


def _save(context: Context, text: str) -> Outcome:
    path = _path(text, "/save chat.md, or chat.json for /load")
    context.talk.save(path)
    return Outcome(f"Saved to {path}. Only you can read it.")


def _load(context: Context, text: str) -> Outcome:
    path = _path(text, "/load chat.json")
    context.talk.load(path)
    return Outcome(f"Loaded {len(context.talk.messages) // 2} questions and answers.")


def _path(text: str, example: str) -> Path:
    if not text:
        raise CommandError("Which file?", f"For example: {example}")
    return Path(text).expanduser()


def _model(context: Context, name: str) -> Outcome:
    if name and name not in context.models:
        raise CommandError(f"There is no model {name!r}.", f"Models here: {', '.join(context.models)}.")
    context.talk.model = name or context.talk.model
    return Outcome(f"Model: {context.talk.model} (of {', '.join(context.models)})")


def _set(context: Context, text: str) -> Outcome:
    params = context.talk.params
    if text:
        name, _, value = text.partition(" ")
        _set_one(params, name, value.strip())
    shown = ", ".join(f"{name} {value}" for name, value in params.items())
    return Outcome(f"Set: {shown or 'nothing; the session chooses'}")


def _set_one(params: dict[str, float], name: str, text: str) -> None:
    if name not in RANGES:
        raise CommandError(f"{name!r} can't be set.", f"These can: {', '.join(RANGES)}.")
    if text in {"", "-"}:
        params.pop(name, None)
        return
    kind, low, high = RANGES[name]
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise CommandError(
            f"{name} can't be {text!r}.", f"It takes {low:g} to {high:g}, or - for the default."
        )
    params[name] = value


COMMANDS: dict[str, tuple[str, Callable[[Context, str], Outcome]]] = {
    "help": ("/help               this list", _help),
    "exit": ("/exit               leave", _exit),
    "quit": ("/quit               leave", _exit),
    "system": ("/system TEXT        set the system prompt; - for none", _system),
    "retry": ("/retry              ask the last question again", _retry),
    "clear": ("/clear              forget the conversation", _clear),
    "save": ("/save FILE          write it to a new file, .md or .json", _save),
    "load": ("/load FILE          go on with a saved .json", _load),
    "model": ("/model [NAME]       show or choose the model", _model),
    "set": ("/set [NAME VALUE]   parameters: temperature, top_p, max_tokens, seed ...", _set),
}
