"""What goes wrong with downloads, in sentences for people."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from curc_llm.engine.download import ModelDownloadError
from curc_llm.engine.scrub import scrub

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
SERVER_AT_FAULT = {408, 425, 429, 500, 502, 503, 504}


def explain(error: BaseException, repo_id: str, revision: str | None) -> ModelDownloadError:
    """The trouble that an exception of huggingface_hub stands for."""
    if isinstance(error, ModelDownloadError):
        return error
    if isinstance(error, GatedRepoError):
        return _gated(repo_id)
    if isinstance(error, RevisionNotFoundError):
        text = f"{repo_id} has no revision {revision!r}."
        return ModelDownloadError(
            "revision_not_found", text, "Leave revision empty, or name a branch or commit."
        )
    if isinstance(error, RepositoryNotFoundError):
        text = f"There is no model {repo_id} on the hub, or it is private and you can't see it."
        return ModelDownloadError(
            "model_not_found",
            text,
            "Check the id's spelling; for a private one store your token: curc-llm token",
        )
    if isinstance(error, OfflineModeIsEnabled):
        return not_cached(repo_id)
    if isinstance(error, HfHubHTTPError):
        return _refused(error, repo_id)
    if isinstance(error, LocalEntryNotFoundError):
        return explain(error.__cause__, repo_id, revision) if error.__cause__ else not_cached(repo_id)
    return _local(error, repo_id)


def not_cached(repo_id: str) -> ModelDownloadError:
    """The model isn't there, and the hub must not be asked."""
    text = f"{repo_id} isn't in {constants.HF_HUB_CACHE}, and nothing may be downloaded (offline)."
    return ModelDownloadError(
        "model_not_cached",
        text,
        "Start once with offline set to false, or name a folder that holds the model.",
    )


def cache_trouble(error: OSError) -> ModelDownloadError:
    """The cache can't be used."""
    place = error.filename or constants.HF_HUB_CACHE
    if error.errno in NO_ROOM:
        text = f"No room is left in {Path(str(place)).parent} (disk full, or your quota is used up)."
        return ModelDownloadError(
            "disk_full", text, "Delete what you don't need (hf cache rm), or move hf_home."
        )
    text = f"The model cache can't be written: {place}: {os.strerror(error.errno or errno.EIO)}."
    return ModelDownloadError("cache_permission", text, "Set hf_home to a folder that you can write.")


def _gated(repo_id: str) -> ModelDownloadError:
    page = f"{constants.ENDPOINT}/{repo_id}"
    text = f"{repo_id} is gated: its owner gives it only to people who accept the conditions."
    if get_token():
        return ModelDownloadError(
            "model_gated", text, f"Accept them at {page}; your account has not been let in yet."
        )
    remedy = f"Accept them at {page}, then store your token with: curc-llm token"
    return ModelDownloadError("model_gated", text, remedy)


def _refused(error: HfHubHTTPError, repo_id: str) -> ModelDownloadError:
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        text = "The hub does not accept your Hugging Face token."
        return ModelDownloadError("token_invalid", text, "Make a new one and store it with: curc-llm token")
    if status == 403:
        return _gated(repo_id)
    text = f"The hub answered {status} when asked for {repo_id}."
    code = "hub_unreachable" if status in SERVER_AT_FAULT else "download_failed"
    return ModelDownloadError(code, text, "Try again later.")


def _local(error: BaseException, repo_id: str) -> ModelDownloadError:
    # httpx's exceptions, by whichever name this version of huggingface_hub imports it.
    if {"TransportError", "ConnectionError"} & {kind.__name__ for kind in type(error).__mro__}:
        text = f"The hub at {constants.ENDPOINT} can't be reached ({scrub(str(error))[:120]})."
        remedy = "Compute nodes often have no internet: download on a login node first, or set https_proxy."
        return ModelDownloadError("hub_unreachable", text, remedy)
    if isinstance(error, OSError) and error.errno in NO_ROOM | FORBIDDEN:
        return cache_trouble(error)
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        text = f"A file of {repo_id} arrived incomplete."
        return ModelDownloadError("download_broken", text, "Start again; what is complete is kept.")
    line = (str(error).splitlines() or [""])[0]
    return ModelDownloadError("download_failed", f"{repo_id}: {type(error).__name__}: {scrub(line)[:300]}")
