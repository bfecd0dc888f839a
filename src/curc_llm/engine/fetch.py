"""The process that downloads a model: tells on stdout, in JSON lines, how far it is and how it ended."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from huggingface_hub import constants

from curc_llm.engine import hub
from curc_llm.engine.download import ModelDownloadError
from curc_llm.engine.download_errors import explain, not_cached

TELL_EVERY_S = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Downloads one model; see `download.py` for what is printed. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="curc_llm.engine.download", description=__doc__)
    parser.add_argument("--model", required=True, help="Hugging Face id")
    parser.add_argument("--revision", help="branch, tag or commit")
    parser.add_argument("--offline", action="store_true", help="use only what is in the cache")
    options = parser.parse_args(arguments)
    try:
        folder = get_model(
            options.model, options.revision, offline=options.offline or constants.HF_HUB_OFFLINE
        )
    except Exception as error:  # noqa: BLE001 - whatever it was, whoever started us must be told
        trouble = explain(error, options.model, options.revision)
        tell(phase="failed", code=trouble.code, message=trouble.message, remedy=trouble.remedy)
        return 1
    tell(phase="done", path=str(folder), revision=folder.name)
    return 0


def get_model(repo_id: str, revision: str | None, *, offline: bool) -> Path:
    """The folder of a model, downloaded if it must be.

    Raises:
        ModelDownloadError: it can't be had.
    """
    if offline:
        return _cached(repo_id, revision)
    try:
        model = hub.read_model(repo_id, revision)
    except ModelDownloadError as error:
        # A hub that is down is no reason not to serve what is here.
        found = hub.find_cached(repo_id, revision) if error.code == "hub_unreachable" else None
        if found is None:
            raise
        return found
    if model.missing():
        hub.check_space(model)
        _fetch(model)
    hub.remember_revision(model, revision)
    return model.folder


def _cached(repo_id: str, revision: str | None) -> Path:
    folder = hub.find_cached(repo_id, revision)
    if folder is None:
        raise not_cached(repo_id)
    return folder


def _fetch(model: hub.HubModel) -> None:
    already = set(hub.list_partial(model.cache))

    def give_up(number: int, _frame: FrameType | None) -> None:
        # huggingface_hub waits for all its threads, and nothing takes up the files that they have begun.
        for path in set(hub.list_partial(model.cache)) - already:
            path.unlink(missing_ok=True)
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, give_up)
    ended = threading.Event()
    teller = threading.Thread(target=_tell_progress, args=(model, ended), daemon=True)
    teller.start()
    try:
        hub.fetch(model)
    finally:
        ended.set()
        teller.join()


def _tell_progress(model: hub.HubModel, ended: threading.Event) -> None:
    is_over = False
    while not is_over:
        is_over = ended.wait(TELL_EVERY_S)
        done, total = hub.count_bytes(model) / hub.GIB, model.total_bytes / hub.GIB
        tell(phase="downloading", done_gib=round(done, 6), total_gib=round(total, 6), files=len(model.files))


def tell(**fields: object) -> None:
    """Prints one JSON line at once."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
