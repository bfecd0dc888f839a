"""Where uploaded files lie until they are read: a private folder of the session, bounded, gone at its end."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from curc_llm.attachments.errors import AttachmentError
from curc_llm.attachments.limits import DEFAULT_LIMITS, MIB, AttachmentLimits
from curc_llm.attachments.names import make_file_name, make_name
from curc_llm.attachments.sizes import render_size
from curc_llm.attachments.source import Source, open_source

_TO_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True)
class Upload:
    """An uploaded file.

    Args:
        path: where it lies.
        name: what its owner calls it, made harmless.
        num_bytes: its size.
    """

    path: Path
    name: str
    num_bytes: int


class Uploads:
    """Takes uploads over from the web server's folder. Safe in threads.

    Args:
        folder: in the session's runtime folder; made here, for its owner alone.
        limits: bytes of one file and of all.
        inbox: what is taken must lie in it; None: anywhere. The page names the files, and a page can lie.

    Example:
        >>> uploads = Uploads(runtime_dir / "uploads", inbox=gradio_folder)    # doctest: +SKIP
        >>> upload = uploads.take(temporary, "results.csv")                    # doctest: +SKIP
        >>> attachment = read_attachment(upload.path, upload.name)             # doctest: +SKIP
        >>> uploads.discard(upload)                                            # doctest: +SKIP
    """

    def __init__(
        self, folder: Path, limits: AttachmentLimits = DEFAULT_LIMITS, inbox: Path | None = None
    ) -> None:
        self.folder = folder
        self._limits = limits
        self._inbox = inbox
        self._lock = threading.Lock()

    @property
    def num_bytes(self) -> int:
        """What all uploads take."""
        try:
            with os.scandir(self.folder) as entries:
                return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
        except FileNotFoundError:
            return 0

    def take(self, temporary: Path | str, name: str) -> Upload:
        """Takes a file over; the one in the inbox is removed, also when it is refused.

        Args:
            temporary: as the web server left it.
            name: as the browser sent it.

        Raises:
            AttachmentError: it is too large, there is no room left, or it is no file of the inbox.
        """
        path, shown = Path(temporary), make_name(name)
        self._check_inbox(path, shown)
        try:
            with self._lock, open_source(path, shown) as source:
                self._check_size(source)
                return self._copy(source, name)
        except OSError as error:
            raise AttachmentError(
                f"{shown} can't be kept on the node: {error.strerror}.",
                "Attach it by its path on the cluster.",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def discard(self, upload: Upload) -> None:
        """Removes one upload, such as after it was read."""
        with contextlib.suppress(OSError):
            upload.path.unlink()

    def clear(self) -> None:
        """Removes all uploads and the folder."""
        with self._lock:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _check_inbox(self, path: Path, shown: str) -> None:
        if self._inbox is None:
            return
        if path.is_symlink() or not path.resolve().is_relative_to(self._inbox.resolve()):
            raise AttachmentError(f"{shown} is no upload of this page.", "Upload it again.")

    def _check_size(self, source: Source) -> None:
        limits, size = self._limits, render_size(source.num_bytes)
        if source.num_bytes > limits.max_upload_mib * MIB:
            raise AttachmentError(
                f"{source.name} has {size}; up to {limits.max_upload_mib:g} MiB can be uploaded.",
                "Copy it to the cluster and attach it by its path, or attach a part of it.",
            )
        used = self.num_bytes
        if used + source.num_bytes > limits.max_uploads_mib * MIB:
            raise AttachmentError(
                f"{source.name} has {size}, and uploads take {render_size(used)} of "
                f"{limits.max_uploads_mib:g} MiB already.",
                "Attach it by its path on the cluster, or remove other attachments.",
            )

    def _copy(self, source: Source, name: str) -> Upload:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        path = self.folder / f"{secrets.token_hex(8)}-{make_file_name(name)}"
        num_bytes = 0
        try:
            with open(os.open(path, _TO_MAKE, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
                while num_bytes < source.num_bytes and (data := source.read(MIB, num_bytes)):
                    file.write(data)
                    num_bytes += len(data)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return Upload(path, source.name, num_bytes)
