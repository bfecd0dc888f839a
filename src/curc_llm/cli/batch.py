"""`curc-llm batch`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import load, session_option, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.batch.progress import Progress
    from curc_llm.batch.run import Run

INTERRUPTED = 130
NOT_BEGUN = "The batch was stopped before it asked a row. Run the same again to begin."


def _read_params(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """`--set NAME=VALUE`: the value as JSON where it is some, else as text."""
    params: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} isn't NAME=VALUE, such as top_k=5.")
        try:
            params[name] = json.loads(value)
        except ValueError:
            params[name] = value
    return params


def _read_schema(_ctx: click.Context, _parameter: click.Parameter, given: str | None) -> Any:
    """A file's schema; what begins with a brace is the schema itself."""
    if given is None:
        return None
    is_inline = given.lstrip().startswith("{")
    try:
        return json.loads(given if is_inline else Path(given).read_bytes())
    except OSError as error:
        raise click.BadParameter(f"{given} can't be read: {error.strerror}.") from None
    except ValueError as error:
        what = "The schema" if is_inline else given
        raise click.BadParameter(f"{what} isn't JSON: {error}.") from None


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path, dir_okay=False))
@session_option
@click.option("-m", "--model", help="Served model name; the session's first when not given.")
@click.option("--template", help='Makes a prompt of each row\'s columns: "Summarise: {text}".')
@click.option("--prompt-column", metavar="NAME", help="The column that holds the prompts.")
@click.option("--system", help="Instructions for the model.")
@click.option(
    "--schema",
    metavar="FILE|JSON",
    callback=_read_schema,
    help="A JSON schema that answers must have, in a file or as it is; its fields become columns.",
)
@click.option(
    "--endpoint",
    type=click.Choice(["chat", "completions", "embeddings"]),
    default="chat",
    show_default=True,
    help="What rows are sent to, unless they are in OpenAI's batch format.",
)
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 for the likeliest answer.")
@click.option(
    "--set", "params", multiple=True, metavar="NAME=VALUE", callback=_read_params, help="Any other parameter."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    help="Rows under way at once; not given: as many as keep the engine full.",
)
@click.option("--restart", is_flag=True, help="Forget earlier results in OUT and ask all rows anew.")
@click.option("--retry-failed", is_flag=True, help="Ask rows again that failed in an earlier run.")
@verb_options
def batch(
    source: Path,
    target: Path,
    session: str | None,
    config: Path | None,
    as_json: bool,
    concurrency: int | None,
    restart: bool,
    retry_failed: bool,
    params: dict[str, Any],
    **wish: Any,
) -> None:
    """Ask a file of prompts, row by row, and write the answers to another file.

    IN is JSONL (OpenAI's batch format, or objects with columns), CSV, TSV or Parquet; OUT is JSONL (OpenAI's
    batch format), or a table with the answers beside the rows. Whatever stops it, the same command goes on
    where it stopped, also with another session of the same model: no row is lost or asked twice.

    \b
    Examples:
      curc-llm batch requests.jsonl answers.jsonl
      curc-llm batch notes.csv out.csv --template "Summarise: {text}" --max-tokens 200
    """  # noqa: D301 - click wants the character
    given = {name: wish.pop(name) for name in ("max_tokens", "temperature")}
    params = {**{name: value for name, value in given.items() if value is not None}, **params}
    output = Output(as_json)
    run: Run | None = None
    try:
        from curc_llm.batch.asked import Wish
        from curc_llm.batch.files import FileJob, make_file_run
        from curc_llm.batch.run import RunOptions
        from curc_llm.client import connect

        options = RunOptions(concurrency, restart=restart, retry_failed=retry_failed)
        job = FileJob(source, target, Wish(params=params, **wish))
        with connect(session, state_dir=load(config).state_dir) as found:
            run = make_file_run(found, job, options)
            with contextlib.closing(run):
                _follow(run, output, target)
    except KeyboardInterrupt:
        output.say(NOT_BEGUN if run is None else str(run.explain_interrupt()))
        raise click.exceptions.Exit(INTERRUPTED) from None


def _follow(run: Run, output: Output, target: Path) -> None:
    """Runs it before the person's eyes, and says how it went."""
    from curc_llm.batch.trouble import BatchStoppedError
    from curc_llm.batch.watching import describe_end, watch

    try:
        watch(run)
    except BatchStoppedError as stopped:
        if not stopped.interrupted:
            raise
        raise KeyboardInterrupt from None
    run.result()
    progress = run.progress
    output.data(_render(progress, target), _describe(progress, target, run.path))
    for said in describe_end(progress, run.path):
        output.say(said)
    if progress.failed:
        raise click.exceptions.Exit(1)


def _render(progress: Progress, target: Path) -> str:
    from curc_llm.client.progress import render_duration

    asked = progress.settled - progress.resumed
    how = (
        f"{asked:,} in {render_duration(progress.elapsed_s)}" if asked else "all of them from an earlier run"
    )
    tokens = progress.prompt_tokens + progress.completion_tokens
    cost = "" if progress.su_used is None else f", {progress.su_used:,.1f} {progress.su_unit}"
    return f"{progress.done:,} of {progress.total:,} rows answered ({how}; {tokens:,} tokens{cost}): {target}"


def _describe(progress: Progress, target: Path, path: Path) -> dict[str, Any]:
    """The result for scripts: fixed keys, None where nothing is known."""
    return {
        "output": str(target),
        "rows_file": str(path),
        "done": progress.done,
        "failed": progress.failed,
        "total": progress.total,
        "resumed": progress.resumed,
        "elapsed_s": round(progress.elapsed_s, 3),
        "rows_per_s": round(progress.rows_per_s, 3),
        "prompt_tokens": progress.prompt_tokens,
        "completion_tokens": progress.completion_tokens,
        "su": progress.su_used,
        "reasons": [{"message": message, "rows": count} for message, count in progress.reasons],
    }
