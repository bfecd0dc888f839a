"""A client that is older or newer than the session it speaks to.

A newer job may write a record with words that this client doesn't know; an older job lacks routes that came
later. Both are told with the one thing to do; whatever else works goes on working.
"""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from curc_llm.errors import ApiError, CurcLlmError, VersionError
from curc_llm.session.record import RECORD_VERSION, SessionRecord
from curc_llm.session.store import read_record, session_folders

if TYPE_CHECKING:
    from curc_llm.client.source import Source

# May 2024, the first that counts a stream's tokens (`stream_options`); tests/client/test_openai_versions.py.
OLDEST_OPENAI = "1.26"
UPGRADE = "Upgrade this one: pip install --upgrade curc-llm"
# An answer like this is what an older gateway says of a route that came later.
MISSING_ROUTE = {(404, "not_found"), (405, "method_not_allowed")}


def find_own_version() -> str:
    """The version of this curc-llm; empty when it isn't installed."""
    try:
        return metadata.version("curc-llm")
    except metadata.PackageNotFoundError:
        return ""


def parse_version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing.

    Example:
        >>> parse_version("0.10.2.dev1") > parse_version("0.9")
        True
    """
    numbers = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(number) for number in numbers.group().split(".")) if numbers else ()


def list_versions(record: SessionRecord) -> dict[str, str]:
    """Names and versions of both sides, as a report of a problem should name them.

    Args:
        record: the session's; what its job runs is under names beginning with `session `.
    """
    own = {"curc-llm": find_own_version() or "not installed"}
    for name in ("openai", "pydantic"):
        own[name] = metadata.version(name)
    return own | {f"session {name}": version for name, version in record.versions.items()}


def check_openai(installed: str) -> None:
    """Raises VersionError when another package brought an openai that is too old.

    Args:
        installed: its version.
    """
    if parse_version(installed) < parse_version(OLDEST_OPENAI):
        raise VersionError(
            f"openai {installed} is installed; curc-llm needs {OLDEST_OPENAI} or newer.",
            "Install a newer one: pip install --upgrade openai",
        )


def explain_old_job(error: ApiError, source: Source) -> ApiError:
    """The same error, with a better remedy when the session is simply older than the client."""
    if (error.status, error.code) not in MISSING_ROUTE:
        return error
    try:
        theirs = source.record().versions.get("curc-llm", "")
    except CurcLlmError:
        return error
    ours = find_own_version()
    if not parse_version(theirs) or parse_version(theirs) >= parse_version(ours):
        return error
    remedy = (
        f"Session {source.name} runs curc-llm {theirs}, older than this {ours}: start a new session for it."
    )
    return ApiError(error.message, remedy, status=error.status, code=error.code)


def explain_unreadable(record_file: Path) -> VersionError | None:
    """The error to raise for a record that can't be read because a newer curc-llm wrote it; else None."""
    try:
        value = json.loads(record_file.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict) or read_record(record_file) is not None:
        return None
    theirs = value.get("versions")
    version = theirs.get("curc-llm") if isinstance(theirs, dict) else None
    known = parse_version(str(version or "")) > parse_version(find_own_version())
    if value.get("version", 0) <= RECORD_VERSION and not known:
        return None
    writer = f"curc-llm {version}" if version else "a newer curc-llm"
    return VersionError(
        f"Session {record_file.parent.name} was started by {writer}; this is {find_own_version()}"
        " and can't read its record.",
        UPGRADE,
    )


def find_unreadable(state_dir: Path, name: str | None) -> VersionError | None:
    """The first session that only a newer curc-llm can read, among all or those whose id begins so."""
    for folder in sorted(session_folders(state_dir), reverse=True):
        if folder.name.startswith(name or "") and (error := explain_unreadable(folder / "session.json")):
            return error
    return None
