"""Where a model goes, whether it has room there, and how it appears in a folder that others share."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from curc_llm.engine.download import FoundModel
from curc_llm.errors import DownloadError, SiteError
from curc_llm.launch.fetch_place import Place, check_room, is_published, make_place, publish
from curc_llm.settings import Settings, load_settings
from curc_llm.sites.load import load_site

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={"HOME": str(tmp_path)})


def found(missing_bytes: int = 9) -> FoundModel:
    return FoundModel("acme/tiny", "c0ffee", "mit", False, 2, 9, missing_bytes, 7, "/p")


def make_snapshot(place: Place) -> Path:
    """A cache as huggingface_hub lays it out."""
    repo = place.hf_home / "hub" / "models--acme--tiny"
    snapshot = repo / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (repo / "blobs").mkdir()
    for number, (name, data) in enumerate(FILES.items()):
        (repo / "blobs" / str(number)).write_bytes(data)
        (snapshot / name).symlink_to(f"../../blobs/{number}")
    return snapshot


def test_without_a_word_it_goes_into_ones_own_cache(settings: Settings) -> None:
    place = make_place(None, "acme/tiny", settings, load_site("alpine"), {})
    assert place == Place(settings.hf_home)
    assert not is_published(place, found())


def test_the_centres_folder_needs_to_be_known_here(settings: Settings, tmp_path: Path) -> None:
    alpine = load_site("alpine")
    with pytest.raises(SiteError, match="CURC_LLM_DIR"):
        make_place("site", "acme/tiny", settings, alpine, {})
    (tmp_path / "hf-transformers").mkdir()
    place = make_place("site", "acme/tiny", settings, alpine, {"CURC_LLM_DIR": str(tmp_path)})
    assert place.folder == tmp_path / "hf-transformers" / "tiny"
    without = alpine.model_copy(update={"storage": alpine.storage.model_copy(update={"models_dir": ""})})
    with pytest.raises(SiteError, match="keeps no models"):
        make_place("site", "acme/tiny", settings, without, {})


def test_a_folder_that_is_not_there_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="There is no folder"):
        make_place(str(tmp_path / "typo"), "acme/tiny", settings, load_site("alpine"), {})


def test_too_little_room_names_what_is_needed_and_what_there_is(tmp_path: Path) -> None:
    place = Place(tmp_path / "not" / "yet")
    assert check_room(place, found()) > 0
    with pytest.raises(DownloadError) as caught:
        check_room(place, found(missing_bytes=1 << 60))
    assert "needs 1073741824.0 GiB more" in caught.value.message
    assert "--quantisation" in caught.value.remedy
    assert check_room(place, found(missing_bytes=0)) > 0


@pytest.mark.parametrize(("mode", "file_mode"), [(0o755, 0o644), (0o2775, 0o664), (0o700, 0o600)])
def test_a_shared_model_appears_at_once_and_as_readable_as_its_folder(
    tmp_path: Path, mode: int, file_mode: int
) -> None:
    tmp_path.chmod(mode)
    place = Place(tmp_path / ".work", tmp_path / "tiny")
    folder = publish(make_snapshot(place), place)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert not (folder / "config.json").is_symlink()
    assert stat.S_IMODE((folder / "config.json").stat().st_mode) == file_mode
    assert stat.S_IMODE(folder.stat().st_mode) == mode
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert is_published(place, found())


def test_another_download_into_the_same_folder_keeps_its_files(tmp_path: Path) -> None:
    place = Place(tmp_path / ".work", tmp_path / "tiny")
    snapshot = make_snapshot(place)
    other = place.hf_home / "hub" / "models--acme--other"
    other.mkdir()
    publish(snapshot, place)
    assert other.exists()
    assert not snapshot.exists()


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    place = Place(tmp_path / ".work", tmp_path / "tiny")
    (tmp_path / "tiny").mkdir()
    with pytest.raises(DownloadError, match="exists already"):
        is_published(place, found())


def test_a_folder_that_can_not_be_made_keeps_what_was_fetched(tmp_path: Path) -> None:
    place = Place(tmp_path / ".work", tmp_path / "tiny")
    snapshot = make_snapshot(place)
    (tmp_path / "tiny").write_text("a file in the way")
    with pytest.raises(DownloadError, match="can't be made"):
        publish(snapshot, place)
    assert (snapshot / "config.json").exists()
