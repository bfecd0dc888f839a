"""The process that downloads a model: tells on stdout, in JSON lines, how far it is and how it ended."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType

from huggingface_hub import constants

from curc_llm.engine import hub
from curc_llm.engine.download import ModelDownloadError
from curc_llm.engine.download_errors import explain, not_cached
from curc_llm.engine.partial import is_large, keep, list_open

TELL_EVERY_S = 0.5
AWAKE_EVERY_S = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Downloads one model; see `download.py` for what is printed. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="curc_llm.engine.download", description=__doc__)
    parser.add_argument("--model", required=True, help="Hugging Face id")
    parser.add_argument("--revision", help="branch, tag or commit")
    parser.add_argument("--offline", action="store_true", help="use only what is in the cache")
    parser.add_argument("--checksums", action="store_true", help="read every file again and compare")
    parser.add_argument("--adapter", action="store_true", help="it is a LoRA adapter")
    parser.add_argument("--look", action="store_true", help="only tell what would be fetched")
    options = parser.parse_args(arguments)
    offline = options.offline or constants.HF_HUB_OFFLINE
    try:
        if options.look:
            look(options.model, options.revision)
            return 0
        folder = get_model(
            options.model,
            options.revision,
            offline=offline,
            checksums=options.checksums,
            is_adapter=options.adapter,
        )
    except Exception as error:  # noqa: BLE001 - whatever it was, whoever started us must be told
        trouble = explain(error, options.model, options.revision)
        tell(phase="failed", code=trouble.code, message=trouble.message, remedy=trouble.remedy)
        return 1
    tell(phase="done", path=str(folder), revision=folder.name)
    return 0


def look(repo_id: str, revision: str | None) -> None:
    """Tells what a model is and what of it is missing; fetches nothing.

    Raises:
        ModelDownloadError: it can't be had.
    """
    model = hub.read_model(repo_id, revision)
    tell(
        phase="found",
        repo_id=repo_id,
        commit=model.commit,
        licence=model.licence,
        is_gated=model.is_gated,
        files=len(model.files),
        total_bytes=model.total_bytes,
        missing_bytes=hub.count_needed(model),
        largest_bytes=max(model.files.values()),
        path=str(model.folder),
    )


def get_model(
    repo_id: str,
    revision: str | None,
    *,
    offline: bool,
    checksums: bool = False,
    is_adapter: bool = False,
) -> Path:
    """The folder of a model, downloaded if it must be.

    Args:
        repo_id: Hugging Face id.
        revision: branch, tag or commit; None for the main branch.
        offline: use only what is in the cache.
        checksums: also read every file and compare it with what the hub states.
        is_adapter: whether it is a LoRA adapter, not a model.

    Raises:
        ModelDownloadError: it can't be had.
    """
    if offline:
        return _cached(repo_id, revision, is_adapter)
    try:
        model = hub.read_model(repo_id, revision, is_adapter=is_adapter)
    except ModelDownloadError as error:
        # A hub that is down is no reason not to serve what is here.
        is_down = error.code == "hub_unreachable"
        found = hub.find_cached(repo_id, revision, is_adapter=is_adapter) if is_down else None
        if found is None:
            raise
        return found
    if model.missing():
        hub.check_space(model)
        _fetch(model)
    if checksums:
        _check(model)
    hub.remember_revision(model, revision)
    return model.folder


def _check(model: hub.HubModel) -> None:
    """Compares all checksums; a file that is wrong is fetched anew, once."""
    try:
        _compare(model)
    except ModelDownloadError as error:
        if error.code != "checksum_wrong":
            raise
        _fetch(model)
        _compare(model)


def _compare(model: hub.HubModel) -> None:
    lock, total = threading.Lock(), model.total_bytes
    done, told_at = 0, 0.0

    def told(count: int) -> None:
        nonlocal done, told_at
        with lock:
            done += count
            if time.monotonic() - told_at > TELL_EVERY_S:
                told_at = time.monotonic()
                _tell("checking", done, total, len(model.files))

    hub.check_content(model, told)
    _tell("checking", total, total, len(model.files))


def _cached(repo_id: str, revision: str | None, is_adapter: bool) -> Path:
    folder = hub.find_cached(repo_id, revision, is_adapter=is_adapter)
    if folder is None:
        raise not_cached(repo_id)
    return folder


def _fetch(model: hub.HubModel) -> None:
    def give_up(number: int, _frame: FrameType | None) -> None:
        # huggingface_hub waits for all its threads, and takes up nothing that they have begun.
        for path in list_open(model.cache / "blobs"):
            if hub.resumes() and is_large(path):
                keep(path)
            else:
                path.unlink(missing_ok=True)
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, give_up)
    signal.signal(signal.SIGINT, give_up)
    ended = threading.Event()
    teller = threading.Thread(target=_tell_progress, args=(model, ended), daemon=True)
    teller.start()
    try:
        _run_awake(lambda: hub.fetch(model))
    finally:
        ended.set()
        teller.join()


def _run_awake(work: Callable[[], object]) -> None:
    """Works in another thread: the main one alone acts on signals, and may miss them waiting for a lock."""
    with ThreadPoolExecutor(1) as worker:
        task = worker.submit(work)
        while not task.done():
            wait([task], AWAKE_EVERY_S)
        task.result()


def _tell_progress(model: hub.HubModel, ended: threading.Event) -> None:
    is_over = False
    while not is_over:
        is_over = ended.wait(TELL_EVERY_S)
        _tell("downloading", hub.count_bytes(model), model.total_bytes, len(model.files))


def _tell(phase: str, done_bytes: int, total_bytes: int, files: int) -> None:
    done, total = round(done_bytes / hub.GIB, 6), round(total_bytes / hub.GIB, 6)
    tell(phase=phase, done_gib=done, total_gib=total, files=files)


def tell(**fields: object) -> None:
    """Prints one JSON line at once."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
