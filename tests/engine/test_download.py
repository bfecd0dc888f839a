"""A real huggingface_hub downloads from a small hub on loopback, in the child that a session starts."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from curc_llm.engine.download import (
    DownloadProgress,
    ModelDownloadError,
    find_token_file,
    make_download_environment,
    run_download,
)
from tests.fakes.fake_hub import FakeHub, FakeModel

pytestmark = pytest.mark.slow  # each starts a Python that imports huggingface_hub

MIB = 1 << 20
# huggingface_hub writes in pieces of 10 MiB, and only what was written is kept when a connection breaks.
WEIGHTS = os.urandom(12 * MIB)
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "small.safetensors": os.urandom(MIB),
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"twice",
    "README.md": b"# about",
}
NEEDED = {"config.json", "tokenizer.json", "small.safetensors", "model.safetensors"}
NEEDED_GIB = sum(len(FILES[name]) for name in NEEDED) / (1 << 30)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.models["acme/tiny"] = FakeModel(dict(FILES))
        yield hub


class Person:
    """Who downloads: a home of their own, perhaps with a token, and the hub they use."""

    def __init__(self, home: Path, url: str) -> None:
        self.hf_home = home / "hf"
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(p for p in (os.environ.get("PYTHONPATH"), "src") if p),
            "HOME": str(home),
            "HF_ENDPOINT": url,
            "NO_PROXY": "127.0.0.1",
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        }

    async def download(
        self, model: str = "acme/tiny", revision: str | None = None, *, offline: bool = False
    ) -> list[DownloadProgress]:
        steps = run_download(model, revision, hf_home=self.hf_home, offline=offline, environ=self.environ)
        return [step async for step in steps]

    async def failure(self, model: str = "acme/tiny", **more: object) -> ModelDownloadError:
        with pytest.raises(ModelDownloadError) as caught:
            await self.download(model, **more)  # type: ignore[arg-type]
        return caught.value


@pytest.fixture
def person(tmp_path: Path, hub: FakeHub) -> Person:
    return Person(tmp_path, hub.url)


async def test_a_model_arrives_whole_and_without_what_vllm_never_reads(person: Person, hub: FakeHub) -> None:
    last = (await person.download())[-1]
    assert last.path is not None
    assert (last.path / "model.safetensors").read_bytes() == WEIGHTS
    assert {path.name for path in last.path.iterdir()} == NEEDED
    assert last.revision == hub.models["acme/tiny"].commit


async def test_progress_rises_to_the_whole_size(person: Person, hub: FakeHub) -> None:
    hub.bytes_per_s = 12 * MIB
    steps = [step for step in await person.download() if step.path is None]
    done = [step.done_gib for step in steps]
    assert done == sorted(done)
    assert any(0 < share < NEEDED_GIB for share in done)
    assert steps[-1].done_gib == steps[-1].total_gib == pytest.approx(NEEDED_GIB, abs=1e-6)
    assert steps[0].files == len(NEEDED)


async def test_a_broken_transfer_goes_on_where_it_was(person: Person, hub: FakeHub) -> None:
    hub.cut_after, hub.cuts = 11 * MIB, 1
    last = (await person.download())[-1]
    assert last.path is not None
    assert (last.path / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.ranges() == [f"bytes={10 * MIB}-"]


async def test_a_second_download_asks_for_no_file_again(person: Person, hub: FakeHub) -> None:
    first = (await person.download())[-1]
    hub.seen.clear()
    assert (await person.download())[-1].path == first.path
    assert not [seen for seen in hub.seen if "/resolve/" in seen.path]


async def test_an_interrupted_download_keeps_whole_files_and_leaves_no_torn_ones(
    person: Person, hub: FakeHub
) -> None:
    hub.holds_at = 11 * MIB
    steps = run_download("acme/tiny", None, hf_home=person.hf_home, environ=person.environ)
    async for step in steps:
        whole = {path.name for path in person.hf_home.rglob("snapshots/*/*")}
        is_torn = 0 < step.done_gib < step.total_gib and list(person.hf_home.rglob("*.incomplete"))
        if is_torn and whole == NEEDED - {"model.safetensors"}:
            break
    await steps.aclose()  # type: ignore[attr-defined]
    assert not list(person.hf_home.rglob("*.incomplete"))
    hub.holds_at = None
    hub.seen.clear()
    assert (await person.download())[-1].path is not None
    fetched = {
        seen.path.rpartition("/")[2] for seen in hub.seen if seen.method == "GET" and "/resolve/" in seen.path
    }
    assert fetched == {"model.safetensors"}


async def test_offline_uses_what_is_there_and_asks_nobody(person: Person, hub: FakeHub) -> None:
    first = (await person.download())[-1]
    hub.seen.clear()
    assert (await person.download(offline=True))[-1].path == first.path
    assert hub.seen == []


async def test_offline_without_a_copy_says_so(person: Person, hub: FakeHub) -> None:
    error = await person.failure(offline=True)
    assert error.code == "model_not_cached"
    assert "acme/tiny" in error.message
    assert hub.seen == []


async def test_a_hub_that_is_down_does_not_matter_when_the_model_is_there(
    person: Person, hub: FakeHub
) -> None:
    first = (await person.download())[-1]
    hub.broken = True
    assert (await person.download())[-1].path == first.path


async def test_a_hub_that_is_out_of_reach_is_named_with_its_address(tmp_path: Path) -> None:
    person = Person(tmp_path, "http://127.0.0.1:9")
    error = await person.failure()
    assert error.code == "hub_unreachable"
    assert "http://127.0.0.1:9" in error.message
    assert "login node" in error.remedy


async def test_a_gated_model_is_refused_before_anything_is_fetched(person: Person, hub: FakeHub) -> None:
    hub.models["acme/tiny"].gated = True
    error = await person.failure()
    assert error.code == "model_gated"
    assert f"{hub.url}/acme/tiny" in error.remedy
    assert "curc-llm token" in error.remedy
    assert not [seen for seen in hub.seen if "/resolve/" in seen.path]


async def test_a_gated_model_arrives_with_the_token_of_the_persons_own_file(
    person: Person, hub: FakeHub, tmp_path: Path
) -> None:
    hub.models["acme/tiny"].gated = True
    hub.models["acme/tiny"].allowed_tokens = hub.valid_tokens = {"hf_right"}
    token = tmp_path / ".cache" / "huggingface" / "token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_right")
    assert (await person.download())[-1].path is not None
    assert {seen.token for seen in hub.seen} == {"hf_right"}


async def test_a_token_without_access_hears_that_it_must_wait(person: Person, hub: FakeHub) -> None:
    hub.models["acme/tiny"].gated = True
    hub.valid_tokens = {"hf_other"}
    person.environ["HF_TOKEN"] = "hf_other"
    error = await person.failure()
    assert error.code == "model_gated"
    assert "has not been let in" in error.remedy
    assert "hf_other" not in str(error)


async def test_a_token_that_the_hub_refuses_is_called_invalid(person: Person, hub: FakeHub) -> None:
    person.environ["HF_TOKEN"] = "hf_wrong_and_secret"
    error = await person.failure()
    assert error.code == "token_invalid"
    assert "hf_wrong" not in str(error)


async def test_a_model_that_is_not_there_is_said_to_be_missing_or_private(person: Person) -> None:
    error = await person.failure("acme/typo")
    assert error.code == "model_not_found"
    assert "acme/typo" in error.message


async def test_a_revision_that_is_not_there_is_named(person: Person) -> None:
    error = await person.failure(revision="v9")
    assert error.code == "revision_not_found"
    assert "'v9'" in error.message


async def test_a_full_disk_is_told_before_anything_is_fetched(person: Person, hub: FakeHub) -> None:
    hub.models["acme/tiny"].stated_sizes["model.safetensors"] = 1 << 60
    error = await person.failure()
    assert error.code == "disk_full"
    assert "1073741824.0 GiB" in error.message
    assert not [seen for seen in hub.seen if "/resolve/" in seen.path]


async def test_a_file_of_another_length_than_stated_is_not_taken(person: Person, hub: FakeHub) -> None:
    hub.models["acme/tiny"].stated_sizes["model.safetensors"] = len(WEIGHTS) + 5
    error = await person.failure()
    assert error.code == "download_broken"


async def test_a_file_that_was_cut_on_the_disk_is_fetched_again(person: Person) -> None:
    path = (await person.download())[-1].path
    assert path is not None
    os.truncate(path / "model.safetensors", 1000)
    assert (await person.download())[-1].path == path
    assert (path / "model.safetensors").read_bytes() == WEIGHTS


async def test_a_repository_of_gguf_files_is_refused_with_the_reason(person: Person, hub: FakeHub) -> None:
    hub.models["acme/gguf"] = FakeModel({"config.json": b"{}", "model.Q4.gguf": b"x"})
    error = await person.failure("acme/gguf")
    assert error.code == "not_a_model"
    assert "GGUF" in error.message


async def test_an_adapter_is_no_model(person: Person, hub: FakeHub) -> None:
    hub.models["acme/lora"] = FakeModel({"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"})
    assert (await person.failure("acme/lora")).code == "not_a_model"


async def test_a_cache_that_is_a_file_is_told(person: Person) -> None:
    person.hf_home.write_text("not a folder")
    error = await person.failure()
    assert error.code in {"cache_permission", "download_failed"}
    assert str(person.hf_home) in error.message


async def test_a_python_without_the_package_ends_with_a_sentence(person: Person) -> None:
    steps = run_download(
        "acme/tiny", None, hf_home=person.hf_home, python="/bin/false", environ=person.environ
    )
    with pytest.raises(ModelDownloadError) as caught:
        await anext(steps)
    assert caught.value.code == "download_failed"


async def test_a_cancelled_download_leaves_no_process(person: Person, hub: FakeHub) -> None:
    hub.holds_at = 2 * MIB

    async def follow() -> None:
        async for _ in run_download("acme/tiny", None, hf_home=person.hf_home, environ=person.environ):
            started.set()

    started = asyncio.Event()
    task = asyncio.create_task(follow())
    await asyncio.wait_for(started.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_that_know(person.hf_home) == []


def processes_that_know(path: Path) -> list[str]:
    """The processes with a path in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if str(path).encode() in environ.read_bytes():
                found.append(environ.parent.name)
    return found


def test_the_download_sees_the_hub_token_and_no_other_secret(tmp_path: Path) -> None:
    base = {"HF_TOKEN": "t", "OPENAI_API_KEY": "s", "CURC_LLM_OFFLINE": "0", "https_proxy": "http://p"}
    environment = make_download_environment(base, tmp_path)
    assert environment["HF_TOKEN"] == "t"
    assert environment["https_proxy"] == "http://p"
    assert not {"OPENAI_API_KEY", "CURC_LLM_OFFLINE"} & environment.keys()
    assert environment["HF_HOME"] == str(tmp_path)


def test_the_token_file_is_found_where_the_person_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    assert find_token_file({"HF_HOME": str(tmp_path)}) == tmp_path / "token"
    assert find_token_file({"HF_TOKEN_PATH": str(tmp_path / "token")}) == tmp_path / "token"
    assert find_token_file({"HOME": str(tmp_path)}) is None
