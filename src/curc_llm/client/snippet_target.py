"""What a snippet speaks to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curc_llm.client.source import Source

# Stands where the key's file isn't known here: a session that was given by address and key.
NO_KEY_FILE = "FILE_WITH_THE_KEY"


@dataclass(frozen=True)
class Target:
    """What a snippet speaks to.

    Args:
        session_id: the session.
        base_url: its endpoint, ending in /v1.
        model: served model name.
        key_file: the file that holds the key.
        host: the node that the session runs on.
        max_model_len: context length in tokens, None when not known yet.
        login: where the session's owner logs in with ssh.
        is_local: its folder is on this file system, so that its id alone finds it.
    """

    session_id: str
    base_url: str
    model: str
    key_file: str
    host: str
    max_model_len: int | None = None
    login: str = "LOGIN_NODE"
    is_local: bool = True


def make_target(source: Source, model: str | None = None) -> Target:
    """The target of a session's snippets.

    Args:
        source: the session.
        model: served model name; the first that writes text when not given.
    """
    record, paths = source.record(), source.paths
    writers = [e for e in record.models if e.runner == "generate"] or list(record.models)
    name = model or (writers[0].served_model_name if writers else "MODEL")
    engine = record.engine(name)
    return Target(
        session_id=source.name,
        base_url=source.base_url(),
        model=name,
        key_file=str(paths.api_key) if paths is not None else str(source.key_file or NO_KEY_FILE),
        host=record.host,
        max_model_len=engine.max_model_len if engine else None,
        login=f"{record.owner}@LOGIN_NODE",
        is_local=paths is not None,
    )
