"""`curc-llm logs`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import find, make_poll, session_argument, verb_options
from curc_llm.cli.output import Output, make_printable

if TYPE_CHECKING:
    from curc_llm.session.store import FoundSession

PARTS = ("engine", "job", "gateway", "chat", "access", "error", "audit")
FOLLOW_EVERY_S = 0.3
BLOCK_BYTES = 65536


@click.command()
@session_argument
@click.option("--part", type=click.Choice(PARTS), default="engine", show_default=True, help="Whose log.")
@click.option(
    "-m",
    "--model",
    help="Which engine's log, by served model name (of replicas NAME, NAME@2 …); the first when not given.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on showing lines until the session ends or Ctrl-C.")
@click.option(
    "-n", "lines", type=click.IntRange(min=0), default=50, show_default=True, help="Last lines to show."
)
@verb_options
def logs(
    session: str | None,
    part: str,
    model: str | None,
    follow: bool,
    lines: int,
    config: Path | None,
    as_json: bool,
) -> None:
    """Show what a session wrote into its logs.

    `access`, `error` and `audit` hold one JSON object per line. No log holds prompts or keys.
    """
    found = find(config, session, follows=False)
    path = _log_file(found, part, model)
    output = Output(as_json)
    shown, position = read_tail(path, lines)
    if not path.exists():
        output.say(f"{path} isn't there (yet).{_why_not(found)}")
    if as_json and not follow:
        value = {"session_id": found.session_id, "file": str(path), "lines": [_to_json(x) for x in shown]}
        output.data("", value)
        return
    _write(shown, as_json)
    if follow:
        _follow(found, path, position, as_json)


def _why_not(found: FoundSession) -> str:
    """What a session without that log is doing; its job's own log may tell more."""
    if not found.record.slurm_job_id or found.record.pid:
        return ""
    if found.status.is_over:
        return f" The job's own words: curc-llm logs {found.session_id} --part job"
    return f" The session is {found.status} (job {found.record.slurm_job_id})."


def _log_file(found: FoundSession, part: str, model: str | None) -> Path:
    paths = found.paths
    jsonl = {"access": paths.access_log, "error": paths.error_log, "audit": paths.audit_log}
    if part in jsonl:
        return jsonl[part]
    return paths.log(f"engine-{_engine_name(found, model)}" if part == "engine" else part)


def _engine_name(found: FoundSession, model: str | None) -> str:
    from curc_llm.errors import ModelNotFoundError
    from curc_llm.spec import name_replicas

    names = name_replicas(engine.served_model_name for engine in found.record.engines)
    if model is not None and model not in names:
        raise ModelNotFoundError(
            f"Session {found.session_id} doesn't serve {model!r}.", f"Models here: {', '.join(names)}."
        )
    return model or (names[0] if names else "")


def read_tail(path: Path, count: int) -> tuple[list[str], int]:
    """The last `count` whole lines of a file (none when it is missing), and the byte position behind them."""
    try:
        with path.open("rb") as file:
            position = end = file.seek(0, 2)
            data = b""
            while position > 0 and data.count(b"\n") <= count:
                position = max(0, position - BLOCK_BYTES)
                file.seek(position)
                data = file.read(end - position)
    except OSError:
        return [], 0
    whole, _, rest = data.rpartition(b"\n")
    lines = whole.decode("utf-8", "replace").split("\n") if whole else []
    return lines[-count:] if count else [], end - len(rest)


def read_new(path: Path, position: int) -> tuple[list[str], int]:
    """Whole lines added since `position` (all, when a shorter file took its place); the new position."""
    try:
        with path.open("rb") as file:
            file.seek(position if file.seek(0, 2) >= position else 0)
            start = file.tell()
            data = file.read()
    except OSError:
        return [], position
    whole, newline, _ = data.rpartition(b"\n")
    if not newline:
        return [], start
    return whole.decode("utf-8", "replace").split("\n"), start + len(whole) + 1


def _follow(found: FoundSession, path: Path, position: int, as_json: bool) -> None:
    from curc_llm.launch.queued import load_session

    poll = make_poll()
    while True:
        now = load_session(found.paths.root, poll)
        lines, position = read_new(path, position)
        _write(lines, as_json)
        if not lines and (now is None or now.status.is_over):
            return
        time.sleep(FOLLOW_EVERY_S)


def _write(lines: list[str], as_json: bool) -> None:
    for line in lines:
        click.echo(json.dumps(_to_json(line), ensure_ascii=False) if as_json else make_printable(line))


def _to_json(line: str) -> Any:
    """A JSONL line's object; any other line as a string."""
    try:
        value = json.loads(line)
    except ValueError:
        return line
    return value if isinstance(value, dict) else line
