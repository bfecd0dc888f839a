from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.cli.own_notebooks import FIRST, NOTE, copy_notebooks, find_shipped_notebooks
from curc_llm.errors import LaunchError


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name in (FIRST, "02-more.ipynb"):
        (folder / name).write_text(f"first edition of {name}")
    return folder


def test_a_checkout_has_the_notebooks() -> None:
    folder = find_shipped_notebooks()
    assert folder is not None
    assert (folder / FIRST).is_file()


def test_all_are_copied_into_a_folder_that_others_can_not_read(shipped: Path, tmp_path: Path) -> None:
    own = tmp_path / "deep" / "own"
    assert copy_notebooks(shipped, own) == []
    assert {path.name for path in own.iterdir()} == {FIRST, "02-more.ipynb", NOTE}
    assert own.stat().st_mode & 0o077 == 0


def test_an_update_renews_what_nobody_changed_and_leaves_the_rest(shipped: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    copy_notebooks(shipped, own)
    (own / FIRST).write_text("my own work")
    (own / "mine.ipynb").write_text("mine")
    for name in (FIRST, "02-more.ipynb"):
        (shipped / name).write_text(f"second edition of {name}")
    for _ in range(2):
        assert copy_notebooks(shipped, own) == [FIRST]
        assert (own / FIRST).read_text() == "my own work"
        assert (own / "02-more.ipynb").read_text() == "second edition of 02-more.ipynb"
        assert (own / "mine.ipynb").read_text() == "mine"


def test_one_that_was_deleted_comes_back_and_a_broken_note_is_no_trouble(
    shipped: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    copy_notebooks(shipped, own)
    (own / FIRST).unlink()
    (own / NOTE).write_text("not JSON")
    assert copy_notebooks(shipped, own) == []
    assert (own / FIRST).read_text() == f"first edition of {FIRST}"


def test_a_folder_that_can_not_be_written_is_told(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LaunchError, match="CURC_LLM_STATE_DIR"):
        copy_notebooks(shipped, tmp_path / "file" / "own")
