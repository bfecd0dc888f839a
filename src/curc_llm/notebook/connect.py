"""`curc_llm.connect()` in a notebook: never empty-handed. It connects, lets one pick, or launches."""

from __future__ import annotations

import os
from pathlib import Path

from curc_llm.client.connection import SESSION_VARIABLE, check_name, find_open_tunnel
from curc_llm.client.connection import connect as connect_client
from curc_llm.client.openai_package import begin_import
from curc_llm.client.secret import Secret
from curc_llm.client.session import Session
from curc_llm.client.source import LocalSource, Source
from curc_llm.errors import SessionEndedError
from curc_llm.launch.queued import discover_sessions, find_session
from curc_llm.notebook.brief_errors import cell_number, show_errors_briefly
from curc_llm.notebook.card import find_panel
from curc_llm.notebook.pending import PendingSource
from curc_llm.notebook.session_panel import SessionPanel, find_last_spec
from curc_llm.notebook.waiting import Waiting
from curc_llm.session.store import FoundSession, list_meant
from curc_llm.sites.placement import load_site_settings

# What was picked or launched in this kernel, by state folder: a cell that is run again connects to it again.
_CHOSEN: dict[Path, PendingSource] = {}


def connect(
    name: str | int | None = None,
    *,
    base_url: str | None = None,
    api_key: str | Secret | None = None,
    api_key_file: str | os.PathLike[str] | None = None,
    state_dir: str | os.PathLike[str] | None = None,
    wait: bool = False,
    wait_timeout_s: float | None = None,
    timeout_s: float = 3600.0,
    choose: bool = False,
) -> Session:
    """Connects to a session and shows its card. With several to choose from, or none, a widget helps.

    The kernel stays free: the widget works while other cells run. Until something is picked or launched,
    questions are answered with SessionNotReadyError; while a model loads, they wait for it.

    Args:
        name: session id, its beginning, or Slurm job id; or an address, as `base_url`.
        base_url: the endpoint of a session elsewhere, such as `http://127.0.0.1:8000/v1` at a tunnel's end.
        api_key: a key for `base_url`. A file is better: notebooks remember what is typed.
        api_key_file: a file that holds the key alone and that only you can read.
        state_dir: where sessions are looked for; your settings' `state_dir` when not given.
        wait: return only once the model can answer, showing progress meanwhile.
        wait_timeout_s: seconds to wait at most; None for as long as the session lives.
        timeout_s: seconds of silence after which a request is given up.
        choose: ask which session, even where one was chosen before.

    Raises:
        SessionNotFoundError: none has that name.
        ApiError, KeyFileError: nothing answers at that address, or the key can't be read.

    Example:
        >>> session = curc_llm.connect()                   # doctest: +SKIP
        >>> print(session.chat("Hello"))                   # doctest: +SKIP
    """
    show_errors_briefly()
    name = check_name(name)
    begin_import()  # while the person reads the card and writes the question
    folder = Path(state_dir).expanduser() if state_dir is not None else load_site_settings().state_dir
    if not name and base_url is None and not choose:
        name = _find_preset(folder)
    if name is not None or base_url is not None:
        source = _find_named(folder, name, base_url, api_key, api_key_file)
        return _show_card(PendingSource(source), folder, timeout_s, wait, wait_timeout_s)
    sessions = list_meant(discover_sessions(folder))
    known = None if choose else _recall(folder, sessions)
    if known is not None or len(sessions) == 1:
        source = known or PendingSource(LocalSource(sessions[0].paths))
        return _show_card(source, folder, timeout_s, wait, wait_timeout_s)
    if not sessions and not choose and (tunnel := find_open_tunnel(folder)) is not None:
        tunnel.record()  # that nothing answers there is told here and now
        return _show_card(PendingSource(tunnel), folder, timeout_s, wait, wait_timeout_s)
    return _ask(folder, sessions, timeout_s)


def _find_preset(folder: Path) -> str | None:
    """The session that the environment names; not one that is over while others run."""
    name = os.environ.get(SESSION_VARIABLE) or None
    running = {found.session_id for found in discover_sessions(folder)} if name else set()
    return name if not running or name in running else None


def _find_named(
    folder: Path,
    name: str | None,
    base_url: str | None,
    api_key: str | Secret | None,
    api_key_file: str | os.PathLike[str] | None,
) -> Source:
    """The source that a name or address means; also of a session that is over, whose card tells why."""
    try:
        session = connect_client(
            name, base_url=base_url, api_key=api_key, api_key_file=api_key_file, state_dir=folder
        )
    except SessionEndedError:
        return LocalSource(find_session(folder, name).paths)
    source: Source = session._source  # noqa: SLF001 - the notebook's side of the session
    source.record()  # an address that doesn't answer, or a key that is refused, is told here and now
    return source


def _recall(folder: Path, sessions: list[FoundSession]) -> PendingSource | None:
    """What was chosen in this kernel before, as long as it runs."""
    known = _CHOSEN.get(folder)
    running = {found.paths.root for found in sessions}
    is_running = known is not None and known.paths is not None and known.paths.root in running
    return known if is_running else None


def _make_session(source: PendingSource, timeout_s: float) -> Session:
    return Session(source, timeout_s=timeout_s, wait=True)


def _show_card(
    source: PendingSource, folder: Path, timeout_s: float, wait: bool, wait_timeout_s: float | None
) -> Session:
    session = _make_session(source, timeout_s)
    _display(find_panel(session))
    _CHOSEN[folder] = source
    if wait:
        session.wait_until_ready(wait_timeout_s, progress=Waiting())
    return session


def _ask(folder: Path, sessions: list[FoundSession], timeout_s: float) -> Session:
    """Shows what helps: the list of sessions, or the form to launch one."""
    advice = "Pick one in the widget above." if sessions else "Launch one in the widget above."
    source = PendingSource(advice=advice)
    source.on_choice(lambda: _CHOSEN.__setitem__(folder, source))
    session = _make_session(source, timeout_s)
    if sessions:
        from curc_llm.notebook.picker import PickerWidget

        _display(PickerWidget(session, sessions, folder))
        return session
    from curc_llm.notebook.launch import LaunchWidget

    last, why = find_last_spec(folder)
    _display(LaunchWidget(session, state_dir=folder, notice=why, like=last))
    return session


def _display(panel: SessionPanel) -> None:
    from IPython.display import display

    display(panel)  # type: ignore[no-untyped-call]
    panel.shown_in_cell = cell_number()
