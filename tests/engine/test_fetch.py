"""Downloads that are interrupted, damaged or out of room, from a real server in a real child process."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from curc_llm.engine.download import DownloadProgress, ModelDownloadError, look_up, run_download
from tests.engine.conftest import fill
from tests.fakes.fake_hub import FakeHub, FakeModel

pytestmark = pytest.mark.slow  # each starts a Python that imports huggingface_hub

MIB = 1 << 20
# huggingface_hub writes in pieces of 10 MiB.
WEIGHTS = os.urandom(16 * MIB)
FILES = {"config.json": b"{}", "small.safetensors": os.urandom(MIB), "model.safetensors": WEIGHTS}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.models["acme/tiny"] = FakeModel(dict(FILES), licence="mit")
        yield hub


class Fetcher:
    """Downloads as `curc-llm fetch` does."""

    def __init__(self, home: Path, url: str) -> None:
        self.hf_home = home / "hf"
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(p for p in (os.environ.get("PYTHONPATH"), "src") if p),
            "HOME": str(home),
            "HF_ENDPOINT": url,
            "NO_PROXY": "127.0.0.1",
            "HF_HUB_DISABLE_XET": "1",
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        }

    def steps(self, *, checksums: bool = True) -> AsyncGenerator[DownloadProgress]:
        return run_download(  # type: ignore[return-value]
            "acme/tiny", None, hf_home=self.hf_home, checksums=checksums, environ=self.environ
        )

    async def fetch(self, *, checksums: bool = True) -> list[DownloadProgress]:
        return [step async for step in self.steps(checksums=checksums)]

    async def fetch_until_half(self) -> None:
        """Stops as Ctrl-C does, once something of the large file is on the disk."""
        steps = self.steps()
        async for _ in steps:
            if any(path.stat().st_size >= 10 * MIB for path in self.partial()):
                break
        await steps.aclose()

    def partial(self) -> list[Path]:
        return list(self.hf_home.rglob("*.incomplete"))


@pytest.fixture
def fetcher(tmp_path: Path, hub: FakeHub) -> Fetcher:
    return Fetcher(tmp_path, hub.url)


def content(step: DownloadProgress) -> bytes:
    assert step.path is not None
    return (step.path / "model.safetensors").read_bytes()


async def test_a_look_tells_size_and_licence_and_fetches_nothing(fetcher: Fetcher, hub: FakeHub) -> None:
    found = await look_up("acme/tiny", None, hf_home=fetcher.hf_home, environ=fetcher.environ)
    total = sum(map(len, FILES.values()))
    assert (found.total_bytes, found.missing_bytes, found.largest_bytes) == (total, total, len(WEIGHTS))
    assert (found.licence, found.is_gated, found.files) == ("mit", False, 3)
    assert not [seen for seen in hub.seen if "/resolve/" in seen.path]


async def test_a_look_at_what_may_not_be_had_says_why(fetcher: Fetcher, hub: FakeHub) -> None:
    hub.models["acme/tiny"].gated = True
    with pytest.raises(ModelDownloadError) as caught:
        await look_up("acme/tiny", None, hf_home=fetcher.hf_home, environ=fetcher.environ)
    assert caught.value.code == "model_gated"
    with pytest.raises(ModelDownloadError):
        await look_up("acme/tiny", None, hf_home=fetcher.hf_home, python="/bin/false", environ={})


async def test_all_arrives_and_every_checksum_is_compared(fetcher: Fetcher) -> None:
    steps = await fetcher.fetch()
    assert content(steps[-1]) == WEIGHTS
    checking = [step for step in steps if step.phase == "checking" and step.path is None]
    assert (
        checking[-1].done_gib
        == checking[-1].total_gib
        == pytest.approx(sum(map(len, FILES.values())) / 2**30, abs=1e-6)
    )
    assert fetcher.partial() == []


async def test_after_an_interruption_it_goes_on_within_the_file(fetcher: Fetcher, hub: FakeHub) -> None:
    hub.holds_at = 11 * MIB
    await fetcher.fetch_until_half()
    assert [path.name.endswith(".left.incomplete") for path in fetcher.partial()] == [True]
    hub.holds_at = None
    found = await look_up("acme/tiny", None, hf_home=fetcher.hf_home, environ=fetcher.environ)
    assert found.missing_bytes <= len(WEIGHTS) - 10 * MIB + len(FILES["config.json"])
    assert content((await fetcher.fetch())[-1]) == WEIGHTS
    assert hub.ranges() == [f"bytes={10 * MIB}-"]
    assert fetcher.partial() == []


async def test_what_a_killed_download_left_is_taken_up_once_it_is_silent(
    fetcher: Fetcher, hub: FakeHub
) -> None:
    hub.holds_at = 11 * MIB
    await fetcher.fetch_until_half()
    left = fetcher.partial()[0]
    # As kill -9 leaves it: under the name that it had, at first perhaps still somebody's.
    left = left.rename(left.with_name(left.name.replace(".left", "")))
    hub.holds_at = None
    assert content((await fetcher.fetch())[-1]) == WEIGHTS
    assert hub.ranges() == []
    assert left.exists()
    (fetcher.hf_home / "hub" / "models--acme--tiny" / "blobs" / left.name.partition(".")[0]).unlink()
    os.utime(left, (time.time() - 100, time.time() - 100))
    assert content((await fetcher.fetch())[-1]) == WEIGHTS
    assert hub.ranges() == [f"bytes={10 * MIB}-"]


async def test_a_half_file_of_other_content_is_thrown_away_and_fetched_anew(
    fetcher: Fetcher, hub: FakeHub
) -> None:
    hub.holds_at = 11 * MIB
    await fetcher.fetch_until_half()
    fetcher.partial()[0].write_bytes(b"y" * 10 * MIB)
    hub.holds_at = None
    assert content((await fetcher.fetch())[-1]) == WEIGHTS
    assert hub.ranges() == [f"bytes={10 * MIB}-"]


async def test_a_connection_that_breaks_again_and_again_keeps_what_came(
    fetcher: Fetcher, hub: FakeHub
) -> None:
    hub.cut_after, hub.cuts = 11 * MIB, 2
    assert content((await fetcher.fetch())[-1]) == WEIGHTS
    assert hub.ranges() == [f"bytes={10 * MIB}-"]


async def test_a_file_that_arrives_damaged_is_named_and_not_kept(fetcher: Fetcher, hub: FakeHub) -> None:
    hub.models["acme/tiny"].spoilt["model.safetensors"] = 9
    with pytest.raises(ModelDownloadError) as caught:
        await fetcher.fetch()
    assert caught.value.code == "checksum_wrong"
    assert "model.safetensors" in caught.value.message
    assert not list(fetcher.hf_home.rglob("model.safetensors"))
    hub.models["acme/tiny"].spoilt.clear()
    assert content((await fetcher.fetch())[-1]) == WEIGHTS


async def test_a_small_file_that_arrives_damaged_is_fetched_again_once(
    fetcher: Fetcher, hub: FakeHub
) -> None:
    hub.models["acme/tiny"].spoilt["config.json"] = 1
    last = (await fetcher.fetch())[-1]
    assert last.path is not None
    assert (last.path / "config.json").read_bytes() == b"{}"


async def test_damage_on_the_disk_is_found_and_mended(fetcher: Fetcher, hub: FakeHub) -> None:
    path = (await fetcher.fetch())[-1].path
    assert path is not None
    with (path / "model.safetensors").open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    assert content((await fetcher.fetch(checksums=False))[-1]) != WEIGHTS
    assert content((await fetcher.fetch())[-1]) == WEIGHTS


@pytest.mark.root
async def test_a_disk_that_fills_up_on_the_way_is_told_and_what_came_is_kept(
    large_disk: Path, hub: FakeHub, tmp_path: Path
) -> None:
    fetcher = Fetcher(tmp_path, hub.url)
    fetcher.hf_home = large_disk / "hf"
    hub.holds_at = 2 * MIB
    # There is room when it begins; then somebody else takes it.
    with pytest.raises(ModelDownloadError) as caught:  # noqa: PT012 - the loop is what raises
        async for _ in fetcher.steps():
            fill(large_disk / "filler")
            hub.holds_at = None
    assert caught.value.code == "disk_full"
    assert "hf cache rm" in caught.value.remedy
    (large_disk / "filler").unlink()
    assert content((await fetcher.fetch())[-1]) == WEIGHTS
