"""Options that verbs share, and completion of session ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from curc_llm.session.store import FoundSession
    from curc_llm.settings import Settings
    from curc_llm.slurm.poll import SlurmPoll

Function = TypeVar("Function", bound=Callable[..., Any])
# As in curc_llm.spec.adapter, which takes too long to import for every command.
MAX_LORA_RANKS = ("1", "8", "16", "32", "64", "128", "256", "320", "512")


def complete_session(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Ids of the running sessions that begin with what was typed."""
    from curc_llm.errors import CurcLlmError
    from curc_llm.session.store import discover_sessions

    try:
        sessions = discover_sessions(load(ctx.params.get("config")).state_dir)
    except CurcLlmError:
        return []
    return [s.session_id for s in sessions if s.session_id.startswith(incomplete)]


def verb_options(function: Function) -> Function:
    """Adds what every verb takes: `--json` and `-c FILE`."""
    function = click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")(function)
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings file to use besides your own.",
    )(function)


def check_site(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """For `--site`: an empty name is a slip, such as a variable that isn't set; nobody means the default."""
    if value is not None and not value.strip():
        raise click.BadParameter(
            "it is empty: name a site, or leave --site away for the one in your settings."
        )
    return value


def adapter_options(function: Function) -> Function:
    """Adds `--adapter`, `--max-loras` and `--max-lora-rank`."""
    for option in (
        click.option(
            "--max-lora-rank",
            type=click.Choice(MAX_LORA_RANKS),
            help="Largest rank of adapters; what they need, at least 16, when not given.",
        ),
        click.option(
            "--max-loras",
            type=click.IntRange(1, 64),
            help="Adapters that one batch may use; also makes room for adapters that you add later.",
        ),
        click.option(
            "--adapter",
            "adapters",
            multiple=True,
            metavar="NAME=PATH",
            help="Also serve this LoRA adapter, a folder or Hugging Face id, as NAME; can be repeated.",
        ),
    ):
        function = option(function)
    return function


def session_argument(function: Function) -> Function:
    """Adds the optional argument SESSION."""
    return click.argument("session", required=False, shell_complete=complete_session)(function)


def session_option(function: Function) -> Function:
    """Adds the option `-s SESSION`, for verbs whose arguments mean something else."""
    return click.option(
        "-s", "--session", shell_complete=complete_session, help="Session id, its beginning, or Slurm job id."
    )(function)


def load(config: Path | None, flags: Mapping[str, Any] | None = None) -> Settings:
    """The settings for one run of the command line."""
    from curc_llm.sites.placement import load_site_settings

    return load_site_settings(config, flags=flags)


def make_poll() -> SlurmPoll:
    """One place to ask Slurm for the whole run of a command, however often it looks."""
    from curc_llm.slurm.command import Slurm
    from curc_llm.slurm.poll import SlurmPoll

    return SlurmPoll(Slurm())


def find(
    config: Path | None, session: str | None, *, ask_slurm: bool = False, follows: bool = True
) -> FoundSession:
    """The session that is meant, ended ones included when it is named.

    Args:
        config: the settings file that the command line names.
        session: what the command line calls the session.
        ask_slurm: ask Slurm even where the session's own word is fresh.
        follows: take the session that it was handed over to, if it was, and say so.

    Raises:
        SessionNotFoundError: there is none.
        AmbiguousSessionError: there are several.
    """
    from curc_llm.launch.heirs import follow_session
    from curc_llm.launch.queued import find_session

    named = find_session(load(config).state_dir, session, ask_all=ask_slurm)
    found = follow_session(named) if follows else named
    if found is not named:
        click.echo(f"Session {named.session_id} goes on as {found.session_id}.", err=True)
    return found
