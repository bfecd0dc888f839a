"""Finding the session that a person means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from curc_llm.client.secret import Secret
from curc_llm.client.session import Session
from curc_llm.client.source import LocalSource, RemoteSource, Source, check_not_over, parse_base_url
from curc_llm.client.versions import find_unreadable
from curc_llm.errors import KeyFileError, SessionNotFoundError
from curc_llm.launch.queued import discover_sessions, find_session
from curc_llm.session.keys import read_secret_file

# Names the session that is meant where several run, for example in the JupyterLab of `curc-llm demo --lab`.
SESSION_VARIABLE = "CURC_LLM_SESSION"


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
) -> Session:
    """Connects to a session: the only one that runs, or the one that is named.

    On a computer where none runs it is the one at the end of `curc-llm tunnel`, if one stands there.

    Args:
        name: session id, its beginning, or Slurm job id; or an address, as `base_url`. When not given, the
            one that CURC_LLM_SESSION names (`curc-llm demo --lab` sets it), or the only one.
        base_url: the endpoint of a session elsewhere, such as `http://127.0.0.1:8000/v1` at a tunnel's end.
        api_key: a key for `base_url`. A file is better: notebooks and shells remember what is typed.
        api_key_file: a file that holds the key alone and that only you can read.
        state_dir: where sessions are looked for; your settings' `state_dir` when not given.
        wait: return only once the model can answer, showing progress meanwhile.
        wait_timeout_s: seconds to wait at most; None for as long as the session lives.
        timeout_s: seconds of silence after which a request is given up.

    Raises:
        SessionNotFoundError: no session runs, or none has that name.
        AmbiguousSessionError: several run and none was named.
        SessionEndedError: the session that was named is over; the text says why.
        KeyFileError: the key is missing, or others can read its file.

    Example:
        >>> with connect() as session:                 # doctest: +SKIP
        ...     print(session.chat("Hello"))
    """
    name = check_name(name)
    api_key = (
        Secret(api_key) if isinstance(api_key, str) else api_key
    )  # tracebacks that show locals show ****
    if not name and base_url is None:
        name = os.environ.get(SESSION_VARIABLE) or None
    if name is not None and name.startswith(("http://", "https://")):
        name, base_url = None, name
    if base_url is not None:
        source: Source = _make_remote(parse_base_url(base_url), api_key, api_key_file, state_dir)
    else:
        source = _find_own(_state_dir(state_dir), name)
        check_not_over(source.record())
    session = Session(source, timeout_s=timeout_s)
    if wait:
        session.wait_until_ready(wait_timeout_s)
    return session


def check_name(name: Any) -> str | None:
    """The name as text; a Slurm job's number may be given as one.

    Raises:
        SessionNotFoundError: it is something else.
    """
    if name is None or isinstance(name, str):
        return name
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    raise SessionNotFoundError(
        f"connect() was given {type(name).__name__} {name!r:.40}, and takes a session's id or address.",
        "curc-llm ls shows your sessions.",
    )


def _find_own(state_dir: Path, name: str | None) -> Source:
    """A session whose folder is here, else the one at the end of `curc-llm tunnel`."""
    try:
        return LocalSource(find_session(state_dir, name).paths)
    except SessionNotFoundError as error:
        tunnel = find_open_tunnel(state_dir) if name is None else None
        if tunnel is not None:
            return tunnel
        raise find_unreadable(state_dir, name) or error from None


def _make_remote(
    url: str,
    key: Secret | None,
    key_file: str | os.PathLike[str] | None,
    state_dir: str | os.PathLike[str] | None,
) -> RemoteSource:
    if key is not None:
        return RemoteSource(url, key)
    if key_file is None and (tunnel := find_open_tunnel(_state_dir(state_dir), url)) is not None:
        return tunnel
    path = Path(key_file).expanduser() if key_file is not None else _own_key_file(url, _state_dir(state_dir))
    return RemoteSource(url, Secret(read_secret_file(path)), path)


def find_open_tunnel(state_dir: Path, base_url: str | None = None) -> RemoteSource | None:
    """The session at the end of a tunnel that stands on this computer; see `tunnel_note.find_tunnel`."""
    if not (state_dir / "tunnels").is_dir():  # nearly everywhere: on clusters nobody needs one
        return None
    from curc_llm.client.tunnel_note import find_tunnel

    return find_tunnel(state_dir, base_url)


def _own_key_file(url: str, state_dir: Path) -> Path:
    """Where the key of my own session at that address is."""
    for found in discover_sessions(state_dir):
        if found.record.base_url == url:
            return found.paths.api_key
    raise KeyFileError(f"There is no key for {url}.", "Give api_key_file= with a file that holds it.")


def _state_dir(given: str | os.PathLike[str] | None) -> Path:
    if given is not None:
        return Path(given).expanduser()
    from curc_llm.sites.placement import load_site_settings

    return load_site_settings().state_dir
