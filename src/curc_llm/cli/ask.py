"""`curc-llm ask`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import load, session_option, verb_options
from curc_llm.cli.output import Output, write_piece

if TYPE_CHECKING:
    from curc_llm.client import Answer, Session


@click.command()
@click.argument("prompt", nargs=-1, required=True)
@session_option
@click.option("-m", "--model", help="Served model name; the session's first when not given.")
@click.option("--system", help="Instructions for the model.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option(
    "--temperature", type=click.FloatRange(0, 2), help="0 for the likeliest answer, higher for variety."
)
@click.option("--no-stream", is_flag=True, help="Write the answer once it is whole.")
@click.option("--no-wait", is_flag=True, help="Fail at once when the model still loads.")
@verb_options
def ask(
    prompt: tuple[str, ...],
    session: str | None,
    model: str | None,
    no_stream: bool,
    no_wait: bool,
    config: Path | None,
    as_json: bool,
    **params: Any,
) -> None:
    """Ask a question; the answer alone goes to standard output.

    PROMPT may have several parts; `-` stands for standard input.

    \b
    Examples:
      curc-llm ask "What is a login node?"
      curc-llm ask "Explain this error:" - < slurm-123.out
    """  # noqa: D301 - click wants the character
    from curc_llm.client import connect

    text = _read_prompt(prompt)
    given = {name: value for name, value in params.items() if value is not None}
    with connect(session, state_dir=load(config).state_dir) as found:
        model = model or found.default_model
        if not no_wait:
            found.wait_until_ready(model=model)
        if as_json or no_stream:
            answer = found.chat(text, model=model, **given)
            Output(as_json).data(answer.text, make_answer_json(answer))
        else:
            answer = _stream(found, text, model, given)
    if answer.finish_reason == "length":
        Output(as_json).say("(The answer was cut off at the limit of tokens; --max-tokens sets it.)")


def _read_prompt(parts: tuple[str, ...]) -> str:
    texts = [sys.stdin.buffer.read().decode("utf-8", "replace") if part == "-" else part for part in parts]
    text = "\n\n".join(texts).strip()
    if not text:
        raise click.UsageError("The question is empty.")
    return text


def _stream(session: Session, text: str, model: str, params: dict[str, Any]) -> Answer:
    with session.stream(text, model=model, **params) as stream:
        try:
            for piece in stream:
                write_piece(piece)
        finally:
            write_piece("\n")
    return stream.answer


def make_answer_json(answer: Answer) -> dict[str, Any]:
    """An answer as plain JSON values."""
    usage = answer.usage
    return {
        "answer": answer.text,
        "reasoning": answer.reasoning,
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "completion_tokens": usage.completion_tokens if usage else None,
    }
