"""Gets a model from the hub before its engine starts: in a child process, with progress, refusals explained.

`python -m curc_llm.engine.download --model ID [--revision R] [--offline] [--checksums]` prints one JSON
object per line: `{"phase": "downloading", "done_gib", "total_gib", "files"}` at most twice a second, with
`--checksums` then the same as `"checking"`, and at the end `{"phase": "done", "path", "revision"}` or
`{"phase": "failed", "code", "message", "remedy"}`. With `--look` it only tells what would be fetched, as
`{"phase": "found", …}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curc_llm.engine.environment import is_secret
from curc_llm.engine.hub_token import token_path
from curc_llm.errors import DownloadError

STOP_GRACE_S = 5.0


@dataclass(frozen=True)
class DownloadProgress:
    """How far a download is.

    Args:
        done_gib: GiB that are there.
        total_gib: GiB of the whole model.
        files: number of files.
        phase: `downloading`, or `checking` while checksums are compared.
        path: the model's folder; only in the last one, when all is there.
        revision: the commit that was downloaded; only in the last one.
    """

    done_gib: float = 0.0
    total_gib: float = 0.0
    files: int = 0
    phase: str = "downloading"
    path: Path | None = None
    revision: str | None = None


@dataclass(frozen=True)
class FoundModel:
    """What the hub says of a model before anything of it is fetched.

    Args:
        repo_id: Hugging Face id.
        commit: the revision.
        licence: as its card names it; empty when it names none.
        is_gated: its owner asks people to accept conditions (and this person did, or it would be refused).
        files: number of files that are needed.
        total_bytes: of all of them.
        missing_bytes: still to be fetched; 0 when all is there.
        largest_bytes: of the largest file.
        path: the folder that the model will be in.
    """

    repo_id: str
    commit: str
    licence: str
    is_gated: bool
    files: int
    total_bytes: int
    missing_bytes: int
    largest_bytes: int
    path: str


class ModelDownloadError(DownloadError):
    """A download failed for a reason that has a name.

    Args:
        code: a stable name, such as `model_gated`.
        message: what happened.
        remedy: what to do next.
    """

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code


async def run_download(
    model: str,
    revision: str | None,
    *,
    hf_home: Path,
    offline: bool = False,
    checksums: bool = False,
    is_adapter: bool = False,
    python: str = sys.executable,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[DownloadProgress]:
    """Downloads a model in a child process and tells how far it is; the last item has the path.

    What is there already is kept, so a broken download goes on where it was, file by file. When the model is
    whole the path comes at once, and with `offline` nothing is asked of the hub.

    Args:
        model: Hugging Face id.
        revision: branch, tag or commit; None for the main branch.
        hf_home: Hugging Face's folder.
        offline: use only what is in the cache.
        checksums: afterwards read every file and compare it with what the hub states.
        is_adapter: whether it is a LoRA adapter, not a model.
        python: a Python that has curc-llm and huggingface_hub.
        environ: the environment to start from; None for this process's.

    Raises:
        ModelDownloadError: it can't be downloaded; says why and what to do.
    """
    wanted = {"--offline": offline, "--checksums": checksums, "--adapter": is_adapter}
    flags = [flag for flag, is_on in wanted.items() if is_on]
    environ = make_download_environment(os.environ if environ is None else environ, hf_home)
    process = await _start(python, model, revision, flags, environ)
    try:
        async for step in _read_steps(process):
            yield step
    finally:
        await _end(process)


async def look_up(
    model: str,
    revision: str | None,
    *,
    hf_home: Path,
    python: str = sys.executable,
    environ: Mapping[str, str] | None = None,
) -> FoundModel:
    """Asks the hub, in a child process, what a download would bring; takes what `run_download` takes.

    Raises:
        ModelDownloadError: it can't be downloaded; says why and what to do.
    """
    environ = make_download_environment(os.environ if environ is None else environ, hf_home)
    process = await _start(python, model, revision, ["--look"], environ)
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        told = _parse(await process.stdout.readline())
    finally:
        await _end(process)
    match told.pop("phase", None):
        case "found":
            return FoundModel(**told)
        case "failed":
            raise ModelDownloadError(**told)
    raise ModelDownloadError("download_failed", "The hub's answer could not be read.", "Start again.")


async def _start(
    python: str, model: str, revision: str | None, flags: list[str], environ: Mapping[str, str]
) -> asyncio.subprocess.Process:
    arguments = ["--model", model, *(["--revision", revision] if revision else []), *flags]
    return await asyncio.create_subprocess_exec(
        *(python, "-m", "curc_llm.engine.download", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environ,
    )


async def _read_steps(process: asyncio.subprocess.Process) -> AsyncIterator[DownloadProgress]:
    """The child's progress, until it is done; raises what it tells of its failure."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    last, trouble = DownloadProgress(), None
    async for line in process.stdout:
        told = _parse(line)
        match told.pop("phase", None):
            case "downloading" | "checking" as phase:
                last = DownloadProgress(**told, phase=phase)
                yield last
            case "done":
                last = replace(last, path=Path(told["path"]), revision=told["revision"])
                yield last
            case "failed":
                trouble = ModelDownloadError(**told)
    status = await process.wait()
    if trouble is None and last.path is None:
        text = f"The download ended without a word (exit status {status})."
        trouble = ModelDownloadError("download_failed", text, "Start again; what is complete is kept.")
    if trouble is not None:
        raise trouble


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_GRACE_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def make_download_environment(base: Mapping[str, str], hf_home: Path) -> dict[str, str]:
    """The environment of the download: the one place that may know the person's Hugging Face token.

    The token comes from their own file or their HF_TOKEN; other secrets stay out.
    """
    kept = {
        k: v for k, v in base.items() if k == "HF_TOKEN" or not (is_secret(k) or k.startswith("CURC_LLM_"))
    }
    token = find_token_file(base)
    return {
        **kept,
        "HF_HOME": str(hf_home),
        # HF_HOME moves the token's file along with it: so the file is named.
        **({"HF_TOKEN_PATH": str(token)} if token else {}),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONSAFEPATH": "1",
    }


def find_token_file(environ: Mapping[str, str]) -> Path | None:
    """The file in which `hf auth login` stored the person's token; None without one."""
    path = token_path(environ)
    return path if path.is_file() else None


if __name__ == "__main__":
    from curc_llm.engine.fetch import main

    sys.exit(main())
