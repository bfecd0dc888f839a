"""Where one session keeps its files."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from curc_llm.errors import LaunchError

# A unix socket's path must fit sockaddr_un.sun_path: 108 bytes with its end mark (unix(7)).
MAX_SOCKET_PATH_BYTES = 107
RUNTIME_PREFIX = "curc-llm-"


@dataclass(frozen=True)
class SessionPaths:
    """The files of one session below its own folder, which only its owner can enter.

    Args:
        root: the session's folder.

    Example:
        >>> SessionPaths(Path("/s/local-1")).record
        PosixPath('/s/local-1/session.json')
    """

    root: Path

    @property
    def record(self) -> Path:
        """The session record; holds no secret."""
        return self.root / "session.json"

    @property
    def spec(self) -> Path:
        """The LaunchSpec that the job was started with."""
        return self.root / "spec.json"

    @property
    def slurm(self) -> Path:
        """Which Slurm job the session is (SlurmNote); missing outside Slurm."""
        return self.root / "slurm.json"

    @property
    def api_key(self) -> Path:
        """The owner's API key, alone, mode 0600."""
        return self.root / "api.key"

    @property
    def keys(self) -> Path:
        """The list of keys that the gateway accepts (digests only), mode 0600."""
        return self.root / "keys.json"

    @property
    def left_keys(self) -> Path:
        """The keys of the session that this one goes on for, until it takes them (digests only)."""
        return self.root / "left-keys.json"

    @property
    def login_secret(self) -> Path:
        """The secret that signs login tokens and cookies, mode 0600."""
        return self.root / "login.key"

    @property
    def logs(self) -> Path:
        """The folder of the log files."""
        return self.root / "logs"

    @property
    def access_log(self) -> Path:
        """One JSON object per request; never any prompt text."""
        return self.logs / "access.jsonl"

    @property
    def error_log(self) -> Path:
        """One JSON object per failed request or failure of a part."""
        return self.logs / "error.jsonl"

    @property
    def audit_log(self) -> Path:
        """One JSON object per change of keys, login, refusal, start and end."""
        return self.logs / "audit.jsonl"

    def log(self, part: str) -> Path:
        """The log file of one part: `job`, `gateway`, `chat` or `engine-<served model name>`."""
        return self.logs / f"{part.replace('/', '_')}.log"

    def remove_secrets(self) -> None:
        """Deletes the keys, the login secret and Ray's tokens; what can't be deleted is told on stderr."""
        tokens = self.root.glob("ray-*.token")
        for secret in (self.api_key, self.login_secret, self.keys, self.left_keys, *tokens):
            try:
                secret.unlink(missing_ok=True)
            except OSError as error:
                sys.stderr.write(f"{secret} can't be removed: {error.strerror}\n")

    def make(self) -> None:
        """Makes the folders, readable by their owner alone."""
        try:
            for folder in (self.root, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
        except OSError as error:
            raise LaunchError(
                f"The session folder {self.root} can't be written: {error.strerror}.",
                "Set state_dir (or CURC_LLM_STATE_DIR) to a folder you can write, with free space.",
            ) from error


def make_runtime_dir() -> Path:
    """Makes a short-named 0700 folder on this machine for the session's unix sockets.

    Sockets can't live in the state folder: it may be on NFS, and its path may be too long.
    """
    for parent in list_runtime_parents():
        _remove_abandoned(parent)
        return Path(tempfile.mkdtemp(prefix=f"{RUNTIME_PREFIX}{os.getpid()}-", dir=parent))
    raise LaunchError("No folder for sockets can be written.", "Set TMPDIR to a short path you can write.")


def list_runtime_parents() -> tuple[Path, ...]:
    """Where runtime folders can be made on this machine, the best first; empty when nowhere."""
    candidates = [os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp"]  # noqa: S108 - mkdtemp makes it private
    return tuple(
        Path(parent)
        for parent in candidates
        if parent and len(parent) < MAX_SOCKET_PATH_BYTES - 60 and os.access(parent, os.W_OK | os.X_OK)
    )


def _remove_abandoned(parent: Path) -> None:
    """Removes our runtime folders whose job was killed too thoroughly to do it itself."""
    for folder in parent.glob(f"{RUNTIME_PREFIX}[0-9]*-*"):
        pid = folder.name.removeprefix(RUNTIME_PREFIX).split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)
