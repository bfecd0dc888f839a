"""Where a person's sessions, caches and models are kept at their site."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.sites.load import find_site_file
from curc_llm.sites.placement import find_folders, load_site_settings


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Alpine, with its file systems below a folder of the test's."""
    path = tmp_path / "centre.yml"
    text = Path(str(find_site_file("alpine"))).read_text()
    path.write_text(
        text.replace("/projects/", f"{tmp_path}/projects/").replace("/scratch/", f"{tmp_path}/scratch/")
    )
    (tmp_path / "projects" / "ralphie").mkdir(parents=True)
    (tmp_path / "scratch" / "alpine" / "ralphie").mkdir(parents=True)
    return path


def environ_of(site: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(site.parent / "home"), "USER": "ralphie", "CURC_LLM_SITE": str(site), **more}


def test_sessions_and_models_are_kept_where_the_site_says_and_not_in_the_home(
    site: Path, tmp_path: Path
) -> None:
    settings = load_site_settings(environ=environ_of(site))
    cache = tmp_path / "scratch" / "alpine" / "ralphie" / "curc-llm"
    assert settings.state_dir == tmp_path / "projects" / "ralphie" / "curc-llm"
    assert (settings.cache_dir, settings.hf_home) == (cache, cache / "huggingface")


def test_what_a_person_sets_counts_more_than_the_site(site: Path, tmp_path: Path) -> None:
    mine = environ_of(site, CURC_LLM_STATE_DIR=str(tmp_path / "mine"), HF_HOME=str(tmp_path / "hub"))
    settings = load_site_settings(environ=mine)
    assert (settings.state_dir, settings.hf_home) == (tmp_path / "mine", tmp_path / "hub")
    all_programs = load_site_settings(environ=environ_of(site, XDG_CACHE_HOME=str(tmp_path / "xdg")))
    assert all_programs.cache_dir == tmp_path / "xdg" / "curc-llm"


@pytest.mark.parametrize("user", ["nobody-there", ""])
def test_without_a_folder_there_the_home_is_used(site: Path, user: str) -> None:
    settings = load_site_settings(environ=environ_of(site) | {"USER": user})
    assert settings.state_dir == site.parent / "home" / ".local" / "state" / "curc-llm"


def test_a_site_that_can_not_be_read_is_told_elsewhere() -> None:
    assert find_folders("/no/such/site.yml", {}) == {}
    assert find_folders("local", {"HOME": "/home/ralphie"}) == {}
