"""Where a download goes: one's own cache, or a plain folder that others share; and whether it has room."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curc_llm.engine.download import FoundModel
from curc_llm.errors import DownloadError, SiteError
from curc_llm.settings import Settings
from curc_llm.sites.site import Site
from curc_llm.sites.storage import expand_path

GIB = 2**30
SPARE_BYTES = GIB // 4  # as engine/hub.py keeps
SITE = "site"
WORK = ".curc-llm-fetch"  # with the user's number behind it: several people may fill one folder


@dataclass(frozen=True)
class Place:
    """Where a model goes.

    Args:
        hf_home: the Hugging Face folder that is fetched into.
        folder: the plain folder that the model becomes in the end; None when it stays in the cache.
    """

    hf_home: Path
    folder: Path | None = None

    @property
    def shown(self) -> Path:
        """What people know it by."""
        return self.folder or self.hf_home


def make_place(
    to: str | None, hub_id: str, settings: Settings, site: Site, environ: Mapping[str, str]
) -> Place:
    """The place that is meant.

    Args:
        to: a folder that holds models, `site` for the centre's, None for one's own cache.
        hub_id: the model; its folder gets the second half of this as name.
        settings: the person's own.
        site: the centre.
        environ: the environment.

    Raises:
        SiteError: the centre keeps no models, or its folder isn't known here.
        DownloadError: the folder isn't there or can't be written.
    """
    if to is None:
        return Place(settings.hf_home)
    if to == SITE and not site.storage.models_dir:
        raise SiteError(f"{site.title} keeps no models for everyone.", "Name a folder: --to FOLDER")
    parent = expand_path(site.storage.models_dir, environ) if to == SITE else Path(to).expanduser().absolute()
    if not parent.is_dir():
        raise DownloadError(f"There is no folder {parent}.", "Make it first, or name another one after --to.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise DownloadError(f"You can't write into {parent}.", "Leave out --to to use your own cache.")
    return Place(parent / f"{WORK}-{os.getuid()}", parent / hub_id.rpartition("/")[2])


def check_room(place: Place, found: FoundModel) -> int:
    """Bytes that are free where the model goes.

    Raises:
        DownloadError: what is missing of it doesn't fit.
    """
    parents = (place.hf_home, *place.hf_home.parents)
    there = next(path for path in parents if path.exists())
    free = shutil.disk_usage(there).free
    if found.missing_bytes and free < found.missing_bytes + SPARE_BYTES:
        raise DownloadError(
            f"{found.repo_id} needs {found.missing_bytes / GIB:.1f} GiB more, and {place.shown} has "
            f"{free / GIB:.1f} GiB free.",
            "Delete what you don't need (hf cache rm), name a larger folder (--to, or hf_home in your "
            "settings), or fetch smaller weights (--quantisation).",
        )
    return free


def is_published(place: Place, found: FoundModel) -> bool:
    """Whether the shared folder holds the model already.

    Raises:
        DownloadError: there is something else of that name.
    """
    if place.folder is None or not place.folder.exists():
        return False
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    if (len(files), sum(path.stat().st_size for path in files)) == (found.files, found.total_bytes):
        return True
    raise DownloadError(
        f"{place.folder} exists already, and isn't the {found.repo_id} that the hub has now.",
        "Launch it as it is, remove it first, or name another folder after --to.",
    )


def publish(snapshot: Path, place: Place) -> Path:
    """Turns what was fetched into the plain folder, which appears all at once, as readable as its parent.

    Raises:
        DownloadError: the folder can't be made.
    """
    if place.folder is None:
        return snapshot
    new = place.folder.with_name(f".{place.folder.name}.new")
    try:
        shutil.rmtree(new, ignore_errors=True)
        _link_all(snapshot, new, stat.S_IMODE(place.folder.parent.stat().st_mode))
        new.rename(place.folder)
        _remove_work(snapshot, place)
    except OSError as error:
        raise DownloadError(
            f"{place.folder} can't be made: {error.strerror}.", "Start again; what is fetched is kept."
        ) from error
    return place.folder


def _remove_work(snapshot: Path, place: Place) -> None:
    """Removes this model's part of the working folder, and the folder when no other download is in it."""
    shutil.rmtree(snapshot.parents[1], ignore_errors=True)
    if not list(place.hf_home.glob("hub/models--*")):
        shutil.rmtree(place.hf_home, ignore_errors=True)


def _link_all(snapshot: Path, new: Path, mode: int) -> None:
    """Gives every file of the snapshot a second name; nothing is copied, so it takes no room and no time."""
    for path in snapshot.rglob("*"):
        if path.is_file():
            target = new / path.relative_to(snapshot)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path.resolve(), target)
            target.chmod(0o600 | mode & 0o066)
    for folder in (new, *(path for path in new.rglob("*") if path.is_dir())):
        folder.chmod(0o700 | mode & 0o7077)
