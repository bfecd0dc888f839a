"""Where a session is known from: its folder on this file system, or a URL with a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError

from curc_llm.client.secret import Secret
from curc_llm.client.versions import explain_unreadable
from curc_llm.client.wire import get_json
from curc_llm.errors import ApiError, SessionEndedError, SessionNotFoundError, SessionNotReadyError
from curc_llm.launch.heirs import find_heir
from curc_llm.launch.queued import load_session
from curc_llm.session.keys import read_secret_file
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll


class Source(Protocol):
    """What the client needs to know of a session, wherever it knows it from."""

    @property
    def name(self) -> str:
        """What to call the session in a sentence or command."""

    @property
    def paths(self) -> SessionPaths | None:
        """The session's folder; None when it isn't on this file system."""

    @property
    def key_file(self) -> Path | None:
        """The file that holds the key; None when only the key itself is known."""

    def base_url(self) -> str:
        """The endpoint, ending in /v1."""

    def secret(self) -> Secret:
        """The key."""

    def record(self) -> SessionRecord:
        """The session's record as it is now."""


@dataclass(frozen=True)
class LocalSource:
    """A session whose folder can be read; once it was handed over, the one that goes on for it.

    Args:
        paths: its files.
        poll: where Slurm is asked, should it be a job that doesn't speak for itself.
    """

    paths: SessionPaths
    poll: SlurmPoll = field(default_factory=lambda: SlurmPoll(Slurm()), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The session id, which its folder is named after."""
        return self.paths.root.name

    @property
    def key_file(self) -> Path:
        """The owner's key file in the session's folder."""
        return self._heir().api_key

    def _heir(self) -> SessionPaths:
        """The session itself, or the one that it was handed over to: asked anew each time."""
        return find_heir(self.paths.root, self.poll)

    def base_url(self) -> str:
        """The endpoint.

        Raises:
            SessionEndedError: the session is over.
            SessionNotReadyError: it has no port yet.
        """
        record = self.record()
        check_not_over(record)
        if record.base_url is None:
            raise SessionNotReadyError(
                f"Session {self.name} has no port yet: it is {record.status}.",
                f"See how it gets on: curc-llm status {self.name} --watch",
            )
        return record.base_url

    def secret(self) -> Secret:
        """The owner's key, read anew each time."""
        return Secret(read_secret_file(self.key_file))

    def record(self) -> SessionRecord:
        """The record on disk, with the status to believe."""
        found = load_session(self._heir().root, self.poll)
        if found is None:
            raise explain_unreadable(self.paths.record) or SessionNotFoundError(
                f"Session {self.name} has no record any more.", "Was its folder removed?"
            )
        return found.record


@dataclass(frozen=True)
class RemoteSource:
    """A session known by its endpoint alone.

    Args:
        url: the endpoint, ending in /v1.
        key: the key.
        key_file: where the key was read from; None when it was given as a text.
    """

    url: str
    key: Secret
    key_file: Path | None = None
    paths: None = None

    @property
    def name(self) -> str:
        """Its address."""
        return self.url

    def base_url(self) -> str:
        """The endpoint."""
        return self.url

    def secret(self) -> Secret:
        """The key."""
        return self.key

    def record(self) -> SessionRecord:
        """What `GET /status` says.

        Raises:
            ApiError: nothing answers there, the key is refused, or it is no curc-llm session.
        """
        try:
            status, body = get_json(root_url(self.url) + "/status", self.key)
        except OSError as error:
            raise ApiError(
                f"Nothing answers at {self.url}: {describe_oserror(error)}.",
                "Is the session up, and the tunnel open?",
            ) from None
        if status in {401, 403}:
            raise ApiError(f"{self.url} refuses the key.", "Use the key of this session.", status=status)
        try:
            return SessionRecord.model_validate(body)
        except ValidationError:
            raise ApiError(
                f"{self.url} is not a curc-llm session (HTTP {status}).", "Check the address.", status=status
            ) from None


def check_not_over(record: SessionRecord) -> None:
    """Raises SessionEndedError, with the reason, when nothing of the session runs any more."""
    if not record.status.is_over:
        return
    name, reason = record.session_id, record.reason
    if reason is None:
        message, remedy = (
            f"Session {name} ended without saying why.",
            f"Look at: curc-llm logs {name} --part job",
        )
    else:
        message, remedy = f"Session {name} has ended: {reason.message}", reason.remedy
    raise SessionEndedError(message, remedy or "Start another with: curc-llm serve MODEL (or curc-llm demo)")


def describe_oserror(error: OSError) -> str:
    """Why nothing answered, in the system's words.

    Example:
        >>> describe_oserror(ConnectionRefusedError(111, "Connection refused"))
        'Connection refused'
    """
    reason = getattr(error, "reason", error)  # urllib wraps the error that tells
    return str(getattr(reason, "strerror", None) or reason).rstrip(".")


def root_url(base_url: str) -> str:
    """The session's address without the ending /v1.

    Example:
        >>> root_url("http://c1:8000/node/c1/8000/v1")
        'http://c1:8000/node/c1/8000'
    """
    return base_url.rstrip("/").removesuffix("/v1")


def parse_base_url(text: str) -> str:
    """An endpoint as people paste it, with or without /v1, checked and made to end in /v1.

    Raises:
        ApiError: it isn't an http(s) address, or carries a password.
    """
    parts = urlsplit(text.strip())
    if parts.username or parts.password:
        raise ApiError(
            "The address holds a user name or password.", "Leave it out; the key goes into api_key_file."
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ApiError(f"{text!r} is not an http address.", "It looks like http://127.0.0.1:8000/v1")
    return root_url(f"{parts.scheme}://{parts.netloc}{parts.path}") + "/v1"
