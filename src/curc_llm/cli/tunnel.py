"""`curc-llm tunnel`."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import complete_session, find, load, verb_options
from curc_llm.cli.output import Output

if TYPE_CHECKING:
    from curc_llm.client.tunnel import Login, TunnelEnd
    from curc_llm.client.tunnel_note import NoteKeeper
    from curc_llm.client.tunnel_watch import TunnelPlan
    from curc_llm.session.store import FoundSession
    from curc_llm.settings import Settings


@click.command()
@click.argument("session", required=False, metavar="[SESSION|JOB]", shell_complete=complete_session)
@click.option(
    "--local-port", type=click.IntRange(1, 65535), help="Port on this computer; the session's, if free."
)
@click.option("--login-host", "--login", "login", metavar="USER@HOST", help="Where you log in with ssh.")
@click.option(
    "--host", metavar="NODE", help="The session's node, as its card shows it, instead of a SESSION."
)
@click.option("--port", type=click.IntRange(1, 65535), help="The session's port, as its card shows it.")
@click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Holds the session's key, for connect() on this computer; asked for when not given.",
)
@click.option("--via-node", is_flag=True, help="Log in on the node itself, through the login host.")
@click.option(
    "--ssh-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings for ssh instead of ~/.ssh/config.",
)
@verb_options
def tunnel(
    session: str | None,
    local_port: int | None,
    login: str | None,
    host: str | None,
    port: int | None,
    api_key_file: Path | None,
    via_node: bool,
    ssh_config: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Open a way from your own computer to a session on the cluster, and keep it open.

    On your own computer: `curc-llm tunnel --host NODE --port PORT --login-host USER@HOST`, as the session's
    card prints it. ssh asks for your password and Duo as ever. Given the session's key, `curc_llm.connect()`
    there then needs no argument. Ctrl-C closes the tunnel; the session goes on.
    """
    from curc_llm.cli.tunnel_key import find_key
    from curc_llm.client.tunnel import TunnelEnd, check_host, choose_local_port
    from curc_llm.client.tunnel_note import NoteKeeper
    from curc_llm.client.tunnel_target import FixedTarget, SessionTarget
    from curc_llm.client.tunnel_watch import TunnelPlan

    _check_usage(session, host, port)
    settings, output = load(config), Output(as_json)
    found = None if host else _find(config, session)
    target: FixedTarget | SessionTarget
    if host and port:
        target = FixedTarget(TunnelEnd(check_host(host), port, via_node))
    else:
        assert found is not None  # noqa: S101 - looked up above, or refused
        target = SessionTarget(found.paths, via_node)
    end = target.find_end()
    if login is None and _tell_direct(end, found, settings, output):
        return
    plan = TunnelPlan(
        target,
        _find_login(login, found, settings),
        choose_local_port(local_port, end.port),
        output.say,
        ssh_config=ssh_config,
        may_ask=sys.stdin.isatty(),
    )
    key_file = found.paths.api_key if found else find_key(api_key_file, end, settings.state_dir, output)
    _run(plan, found, output, NoteKeeper(settings.state_dir, key_file), key_file)


def _check_usage(session: str | None, host: str | None, port: int | None) -> None:
    if session and host:
        raise click.UsageError("Give a SESSION, or --host and --port, not both.")
    if (host is None) != (port is None):
        raise click.UsageError("--host and --port belong together; the session's card shows both.")


def _find(config: Path | None, session: str | None) -> FoundSession:
    from curc_llm.errors import SessionNotFoundError

    try:
        return find(config, session)
    except SessionNotFoundError as error:
        raise SessionNotFoundError(
            error.message,
            "Sessions are known on the cluster. Here: curc-llm tunnel --host NODE --port PORT --login-host "
            "USER@HOST, as the session's card shows it.",
        ) from None


def _find_login(text: str | None, found: FoundSession | None, settings: Settings) -> Login:
    """Where to log in: what was said, else the centre's login host with the session's owner."""
    from curc_llm.client.tunnel import parse_login
    from curc_llm.errors import TunnelError
    from curc_llm.sites.load import load_site

    if text is not None:
        return parse_login(text)
    hosts = load_site(settings.site).login_hosts
    if not hosts:
        raise TunnelError(
            f"The site {settings.site} names no login host.", "Say where you log in: --login-host USER@HOST"
        )
    owner = f"{found.record.owner}@" if found else ""
    return parse_login(f"{owner}{hosts[0]}")


def _tell_direct(end: TunnelEnd, found: FoundSession | None, settings: Settings, output: Output) -> bool:
    """Says so where no tunnel is needed, and what to run on one's own computer; False where one is needed."""
    from curc_llm.cli.tunnel_screen import render_direct
    from curc_llm.client.tunnel_target import is_direct

    if found is None or not (_is_here(found) or is_direct(end)):
        return False
    base_url = found.record.base_url or ""
    text = render_direct(base_url, end, _find_login(None, found, settings))
    output.data(text, {"event": "direct", "base_url": base_url})
    return True


def _is_here(found: FoundSession) -> bool:
    import socket

    return found.record.host == socket.gethostname()


def _run(
    plan: TunnelPlan, found: FoundSession | None, output: Output, notes: NoteKeeper, key_file: Path | None
) -> None:
    from curc_llm.cli.tunnel_screen import TunnelScreen
    from curc_llm.client.tunnel_watch import keep_open

    screen = TunnelScreen(plan, found, output, key_file)
    screen.begin()
    with _ending_as_ctrl_c(), contextlib.closing(notes), contextlib.closing(keep_open(plan)) as events:
        try:
            for event in events:
                notes.take(event)
                screen.show(event)
        except KeyboardInterrupt:
            if not screen.was_open:
                raise
            output.say("\nThe tunnel is closed; the session goes on.")


@contextlib.contextmanager
def _ending_as_ctrl_c() -> Iterator[None]:
    """A closed terminal or a plain kill ends the tunnel as Ctrl-C does, so that no ssh stays behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
