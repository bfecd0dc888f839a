"""Sentences for what huggingface_hub, the network and the disk raise."""

from __future__ import annotations

import errno

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from curc_llm.engine.download_errors import ModelDownloadError, cache_trouble, explain

REQUEST = httpx2.Request("GET", "http://hub/api")


def refused(status: int) -> HfHubHTTPError:
    return HfHubHTTPError("no", response=httpx2.Response(status, request=REQUEST))


def not_found_because(cause: Exception | None) -> LocalEntryNotFoundError:
    error = LocalEntryNotFoundError("not here")
    error.__cause__ = cause
    return error


CASES = [
    (refused(401), "token_invalid", "token"),
    (refused(403), "model_gated", "acme/tiny is gated"),
    (refused(503), "hub_unreachable", "answered 503"),
    (refused(418), "download_failed", "answered 418"),
    (OfflineModeIsEnabled("off"), "model_not_cached", "acme/tiny"),
    (not_found_because(None), "model_not_cached", "acme/tiny"),
    (not_found_because(httpx2.ConnectError("no route")), "hub_unreachable", "no route"),
    (httpx2.ReadTimeout("slow"), "hub_unreachable", "slow"),
    (ConnectionResetError("reset"), "hub_unreachable", "reset"),
    (OSError(errno.EDQUOT, "quota", "/home/me/x"), "disk_full", "/home/me"),
    (PermissionError(errno.EACCES, "denied", "/shared/hf"), "cache_permission", "/shared/hf"),
    (OSError("Consistency check failed: file should be of size 3"), "download_broken", "incomplete"),
    (ValueError("odd HF_TOKEN=hf_abcdefghijkl\nmore"), "download_failed", "ValueError: odd HF_TOKEN=***"),
    (ModelDownloadError("own", "Mine.", "Do."), "own", "Mine."),
]


@pytest.mark.parametrize(("error", "code", "said"), CASES, ids=lambda case: type(case).__name__)
def test_each_failure_has_a_code_and_a_sentence(error: Exception, code: str, said: str) -> None:
    trouble = explain(error, "acme/tiny", None)
    assert trouble.code == code
    assert said in trouble.message
    assert "hf_abc" not in str(trouble)


def test_a_read_only_cache_names_its_place_and_the_setting() -> None:
    trouble = cache_trouble(OSError(errno.EROFS, "read-only", "/apps/hf"))
    assert trouble.code == "cache_permission"
    assert "/apps/hf: Read-only file system" in trouble.message
    assert "hf_home" in trouble.remedy


def test_an_error_without_place_still_has_one() -> None:
    assert "huggingface" in cache_trouble(OSError(errno.ENOSPC, "full")).message
