"""A model on the hub and its copy in the cache: what is to be fetched, may it be, is there room, is it whole.

Runs in the process that downloads, and blocks. All of it goes through huggingface_hub, so the cache is the
one that every other tool of Hugging Face uses.
"""

from __future__ import annotations

import glob
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo, constants, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name

from curc_llm.engine.checksums import find_wrong
from curc_llm.engine.download import ModelDownloadError
from curc_llm.engine.download_errors import cache_trouble, explain
from curc_llm.engine.model_files import (
    ADAPTER_FILES,
    choose_adapter_files,
    choose_files,
    has_config,
    has_weights,
)
from curc_llm.engine.partial import MAX_BYTES, LargeFile, fetch_large, is_large
from curc_llm.session.files import write_private

GIB = 2**30
# File systems are slow when full, and other files grow meanwhile.
SPARE_BYTES = GIB // 4
# huggingface_hub itself resumes a broken transfer five times, a second apart; then we wait longer.
RETRY_WAITS_S = (3.0, 10.0, 30.0)
STALE_S = 3600.0


@dataclass(frozen=True)
class HubModel:
    """One revision of a model.

    Args:
        repo_id: its id.
        commit: the revision.
        files: those that are needed, with their sizes in bytes.
        digests: of these files, as the hub states them: SHA-256 of large ones, git's SHA-1 of small ones.
        licence: as the model's card names it; empty when it names none.
        is_gated: whether its owner asks people to accept conditions.
    """

    repo_id: str
    commit: str
    files: Mapping[str, int]
    digests: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    is_gated: bool = False

    @property
    def cache(self) -> Path:
        """The model's folder in the cache."""
        return cache_folder(self.repo_id)

    @property
    def folder(self) -> Path:
        """The folder that vLLM is given."""
        return self.cache / "snapshots" / self.commit

    @property
    def total_bytes(self) -> int:
        """Bytes of all needed files."""
        return sum(self.files.values())

    def missing(self) -> dict[str, int]:
        """The needed files that aren't there, or aren't as long as they should be, with their sizes."""
        return {path: size for path, size in self.files.items() if _size(self.folder / path) != size}


def cache_folder(repo_id: str) -> Path:
    """Where huggingface_hub keeps a model."""
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model")


def find_cached(repo_id: str, revision: str | None, *, is_adapter: bool = False) -> Path | None:
    """The folder of a model or adapter in the cache, whole as far as can be told; None without one."""
    try:
        folder = Path(
            snapshot_download(repo_id, revision=revision, local_files_only=True, ignore_patterns=["*"])
        )
    except (LocalEntryNotFoundError, OSError, ValueError):
        return None
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.exists()]
    is_whole = {*ADAPTER_FILES} <= {*names} if is_adapter else has_config(names) and has_weights(names)
    return folder if is_whole else None


def read_model(repo_id: str, revision: str | None, *, is_adapter: bool = False) -> HubModel:
    """Asks the hub what a model consists of, and whether we may have it.

    Args:
        repo_id: its id.
        revision: branch, tag or commit; None for the main branch.
        is_adapter: whether it must be a LoRA adapter.

    Raises:
        ModelDownloadError: it doesn't exist, is gated, is no model for vLLM, or the hub can't be reached.
    """
    with told_as_trouble(repo_id, revision):
        api = HfApi()
        info = api.model_info(repo_id, revision=revision, files_metadata=True)
        if info.gated:
            api.auth_check(repo_id)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    files = choose_adapter_files(sizes) if is_adapter else choose_files(sizes)
    (_check_is_adapter if is_adapter else _check_is_model)(repo_id, sizes, files)
    stated = {s.rfilename: s.lfs.sha256 if s.lfs else s.blob_id or "" for s in info.siblings or []}
    digests = {path: stated[path] for path in files if stated[path]}
    return HubModel(repo_id, info.sha or "", files, digests, _licence_of(info), bool(info.gated))


def _licence_of(info: ModelInfo) -> str:
    """What the card calls its licence: `license`, or the name of another (hub docs, model cards)."""
    card = info.card_data
    found = (getattr(card, "license_name", None) or getattr(card, "license", None)) if card else None
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found or "")


def _check_is_model(repo_id: str, sizes: Mapping[str, int], files: Mapping[str, int]) -> None:
    if has_config(files) and has_weights(files):
        return
    if any(path.endswith(".gguf") for path in sizes):
        text = f"{repo_id} holds its weights as GGUF only, which this engine doesn't load."
        raise ModelDownloadError("not_a_model", text, "Use the model that it was made from.")
    what = "weights" if has_config(files) else "config.json"
    text = f"{repo_id} holds no {what}, so it isn't a model that vLLM can serve."
    remedy = "Check the id: data sets can't be served, adapters only with their model (--adapter NAME=ID)."
    raise ModelDownloadError("not_a_model", text, remedy)


def _check_is_adapter(repo_id: str, _: Mapping[str, int], files: Mapping[str, int]) -> None:
    if missing := [name for name in ADAPTER_FILES if name not in files]:
        text = f"{repo_id} holds no {missing[0]}, so it isn't an adapter that vLLM can serve."
        raise ModelDownloadError("not_an_adapter", text, "Check the id; a whole model is served as one.")


def check_space(model: HubModel) -> None:
    """Makes sure before anything is fetched that all of it has room.

    Raises:
        ModelDownloadError: the disk is too full, or the cache can't be written.
    """
    needed = count_needed(model)
    if not needed:
        return
    try:
        model.cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(model.cache).free
    except OSError as error:
        raise cache_trouble(error) from error
    if free < needed + SPARE_BYTES:
        room = f"{model.cache.parent} has {free / GIB:.1f} GiB free"
        raise ModelDownloadError(
            "disk_full",
            f"{model.repo_id} needs {needed / GIB:.1f} GiB, and {room}.",
            "Delete models that you no longer need (hf cache rm), or set hf_home to a larger file system.",
        )


def fetch(model: HubModel) -> None:
    """Fetches what is missing, and makes sure that every file is as long as it should be.

    Without the hub's own protocol (HF_HUB_DISABLE_XET) large files go on where an earlier download stopped.

    Raises:
        ModelDownloadError: the connection broke for good, the disk is full, or files stay wrong.
    """
    for path in model.missing():
        _forget(model.folder / path)
    _remove_stale(model)
    for wait_s in (*RETRY_WAITS_S, None):
        try:
            with told_as_trouble(model.repo_id, model.commit):
                if resumes():
                    _fetch_large(model)
                snapshot_download(
                    model.repo_id,
                    revision=model.commit,
                    allow_patterns=[glob.escape(path) for path in model.files],
                )
            break
        except ModelDownloadError as error:
            if error.code != "hub_unreachable" or wait_s is None:
                raise
            time.sleep(wait_s)
    if wrong := model.missing():
        name = next(iter(wrong))
        text = f"{name} of {model.repo_id} isn't as long as the hub says, and {len(wrong) - 1} other files."
        raise ModelDownloadError("download_broken", text, "Start again; what is right is kept.")


def resumes() -> bool:
    """Whether half-fetched files can be taken up: only plain HTTP writes them from the beginning on."""
    return bool(constants.HF_HUB_DISABLE_XET)


def _fetch_large(model: HubModel) -> None:
    large = [
        LargeFile(path, model.digests[path], size)
        for path, size in model.missing().items()
        if len(model.digests.get(path, "")) == 64 and size <= MAX_BYTES and not _has_blob(model, path)
    ]
    for _ in range(2):  # what an old half of a file made wrong is right the second time
        arrived = set(fetch_large(model.repo_id, model.commit, large, model.cache / "blobs"))
        large = [file for file in large if file.path not in arrived]
    if large:
        raise wrong_content(model.repo_id, sorted(file.path for file in large))


def wrong_content(repo_id: str, paths: list[str]) -> ModelDownloadError:
    """Files arrived that aren't what the hub says they are."""
    others = f" and {len(paths) - 1} other files" if len(paths) > 1 else ""
    text = f"{paths[0]}{others} of {repo_id} did not arrive as the hub has it: the checksum is another."
    remedy = "Start again: what is wrong was thrown away. If it stays so, a proxy on the way may be at fault."
    return ModelDownloadError("checksum_wrong", text, remedy)


def check_content(model: HubModel, told: Callable[[int], None]) -> None:
    """Reads every file and compares its checksum; what is wrong is removed, so that it is fetched again.

    Args:
        model: which.
        told: is called with each number of bytes that were read.

    Raises:
        ModelDownloadError: a file is not what the hub has, or can't be read.
    """
    with told_as_trouble(model.repo_id, model.commit):
        wrong = find_wrong(model.folder, model.digests, told)
    for path in wrong:
        _forget(model.folder / path)
    if wrong:
        raise wrong_content(model.repo_id, sorted(wrong))


def remember_revision(model: HubModel, revision: str | None) -> None:
    """Notes which commit a branch or tag stood for, as huggingface_hub does, so that it is found offline."""
    if revision == model.commit:
        return
    reference = model.cache / "refs" / (revision or constants.DEFAULT_REVISION)
    with suppress(OSError):  # a read-only cache serves as well; only offline starts need the note
        reference.parent.mkdir(parents=True, exist_ok=True)
        write_private(reference, model.commit)
        reference.chmod(0o644)  # a cache may be shared


def count_bytes(model: HubModel) -> int:
    """Bytes of a model that are on the disk, half-fetched files included."""
    missing = model.missing()
    partial = sum(_size(path) or 0 for path in list_partial(model.cache))
    placed = sum(size for path, size in missing.items() if _has_blob(model, path))
    return min(model.total_bytes, model.total_bytes - sum(missing.values()) + placed + partial)


def count_needed(model: HubModel) -> int:
    """Bytes that are still to be fetched; half-fetched files count only where they can be taken up."""
    if resumes():
        return model.total_bytes - count_bytes(model)
    return sum(model.missing().values())


def _has_blob(model: HubModel, path: str) -> bool:
    """Whether a file arrived whole, but a snapshot doesn't name it yet."""
    digest = model.digests.get(path)
    return bool(digest) and _size(model.cache / "blobs" / str(digest)) == model.files[path]


def list_partial(cache: Path) -> list[Path]:
    """The files of a model that are being fetched."""
    return list((cache / "blobs").glob("*.incomplete"))


def _remove_stale(model: HubModel) -> None:
    """Removes what a killed download left, but for what this one goes on from."""
    wanted = set(model.digests.values()) if resumes() else set()
    for path in list_partial(model.cache):
        with suppress(OSError):
            is_wanted = is_large(path) and path.name.partition(".")[0] in wanted
            if time.time() - path.stat().st_mtime > STALE_S and not is_wanted:
                path.unlink()


def _forget(path: Path) -> None:
    """Removes a file of wrong length and the blob behind it, so that it is fetched again."""
    with suppress(OSError):
        if path.exists():
            path.resolve().unlink()
        path.unlink(missing_ok=True)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


@contextmanager
def told_as_trouble(repo_id: str, revision: str | None) -> Iterator[None]:
    """Turns huggingface_hub's exceptions into sentences for people."""
    try:
        yield
    except Exception as error:
        raise explain(error, repo_id, revision) from error
