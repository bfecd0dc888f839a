"""The bundle that is shipped is the one that the sources make; npm is needed to make it, not to check it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIDGETS = ROOT / "widgets"
STATIC = ROOT / "src" / "curc_llm" / "notebook" / "static"
MAX_BUNDLE_BYTES = 600_000
MAX_LOADER_BYTES = 2_000


def hash_sources() -> str:
    """As widgets/build.mjs computes it."""
    names = [f"src/{path.name}" for path in (WIDGETS / "src").iterdir()]
    digest = hashlib.sha256()
    for name in sorted([*names, "build.mjs", "package.json", "package-lock.json"]):
        digest.update(f"{name}\n".encode() + (WIDGETS / name).read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", ["loader.js", "widgets.js", "widgets.css"])
def test_the_bundle_is_made_of_these_sources(name: str) -> None:
    first = (STATIC / name).read_text(encoding="utf-8").partition("\n")[0]
    found = re.search(r"sha256:([0-9a-f]{64})", first)
    assert found, f"{name} says nothing of its sources: make widgets"
    assert found[1] == hash_sources(), f"{name} isn't made of the sources in widgets/: make widgets"


def test_versions_are_pinned() -> None:
    versions = re.findall(r'"([\w.-]+)": "(\d[\w.]*)"', (WIDGETS / "package.json").read_text())
    assert {name for name, _ in versions} == {"dompurify", "esbuild", "highlight.js", "katex", "marked"}


def test_the_bundle_fetches_nothing() -> None:
    script = (STATIC / "widgets.js").read_text(encoding="utf-8")
    code = script.rpartition("/*\nThis file contains:")[0]
    assert not re.search(
        r"(?<!\.)\bfetch\((?!\)\{)|XMLHttpRequest|importScripts|sendBeacon|new WebSocket|\bimport\(", code
    )
    assert "@import" not in (STATIC / "widgets.css").read_text(encoding="utf-8")
    assert "url(" not in (STATIC / "widgets.css").read_text(encoding="utf-8")


def test_what_loads_it_imports_that_text_and_fetches_nothing() -> None:
    code = (STATIC / "loader.js").read_text(encoding="utf-8")
    assert re.findall(r"\bimport\((\w+)\)", code) == re.findall(r"(\w+)=URL\.createObjectURL", code)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|importScripts|sendBeacon|WebSocket|https?:", code)


def test_what_travels_once_is_small_and_what_travels_with_each_widget_tiny() -> None:
    assert (STATIC / "widgets.js").stat().st_size < MAX_BUNDLE_BYTES
    assert (STATIC / "loader.js").stat().st_size < MAX_LOADER_BYTES


def test_licences_of_what_is_inside_are_told() -> None:
    script = (STATIC / "widgets.js").read_text(encoding="utf-8")
    for name in ("dompurify", "highlight.js", "katex", "marked"):
        assert re.search(rf"^{re.escape(name)} \d+\.\d+\.\d+ \(", script, re.MULTILINE), name
