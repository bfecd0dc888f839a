from __future__ import annotations

import os
from pathlib import Path

import pytest

from curc_llm.attachments import AttachmentError, complete_path, paths, resolve_path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("data", "Docs", ".config", "data/runs"):
        (tmp_path / folder).mkdir()
    for name, size in (
        ("data.csv", 2048),
        ("draft.md", 1),
        (".bashrc", 1),
        ("data/a.txt", 3),
        ("zeta.txt", 0),
    ):
        (tmp_path / name).write_bytes(bytes(size))
    return tmp_path


def list_texts(text: str, home: Path, **options: object) -> list[str]:
    return [one.text for one in complete_path(text, home, **options).found]  # type: ignore[arg-type]


def test_folders_come_first_and_end_with_a_slash(home: Path) -> None:
    assert list_texts("", home) == ["data/", "Docs/", "data.csv", "draft.md", "zeta.txt"]
    assert list_texts("da", home) == ["data/", "data.csv"]
    assert list_texts("data/", home) == ["data/runs/", "data/a.txt"]


def test_hidden_names_come_when_asked_for(home: Path) -> None:
    assert list_texts(".", home) == [".config/", ".bashrc"]


def test_what_was_typed_stays_as_it_was(home: Path) -> None:
    assert list_texts("~", home)[0] == "~/data/"
    assert list_texts("~/dr", home) == ["~/draft.md"]
    assert list_texts(f"{home}/z", home) == [f"{home}/zeta.txt"]
    assert list_texts("$SCRATCH/a", home, variables={"SCRATCH": str(home / "data")}) == ["$SCRATCH/a.txt"]
    assert list_texts("${S}/a", home, variables={"S": str(home / "data")}) == ["${S}/a.txt"]


def test_sizes_are_told(home: Path) -> None:
    folder, file = complete_path("data", home).found
    assert (file.size, file.num_bytes, file.name, file.path, file.is_folder) == (
        "2 KiB",
        2048,
        "data.csv",
        home / "data.csv",
        False,
    )
    assert (folder.size, folder.is_folder) == ("", True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("none/", "There is no folder none/"),
        ("data.csv/", "data.csv/ is no folder."),
        ("xyz", "Nothing in ~ begins like this that you can read."),
        ("$OTHER/", "$OTHER isn't known here; known are: $S. Write the whole path."),
        ("~root/", "~root isn't known here; only ~ is, your own home. Write the whole path."),
        ("~root", "~root isn't known here; only ~ is, your own home. Write the whole path."),
        ("a\0/", "a\0/ can't be looked into: no folder can have such a name."),
        ("loop/", "loop/ can't be looked into: Too many levels of symbolic links."),
    ],
)
def test_nothing_found_has_a_reason(home: Path, text: str, reason: str) -> None:
    (home / "loop").symlink_to("loop")
    found = complete_path(text, home, variables={"S": "/s"})
    assert (found.found, found.reason) == ((), reason)


def test_a_folder_that_may_not_be_read_has_a_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert complete_path("data/", home).reason == "data/ can't be looked into: you have no permission."


def test_what_cannot_be_read_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "data.csv" and real(path, mode))
    assert list_texts("da", home) == ["data/"]


def test_what_is_no_file_or_has_no_name_that_can_be_shown_is_left_out(home: Path) -> None:
    os.mkfifo(home / "data.pipe")
    (home / "data-gone").symlink_to(home / "nothing")
    (home / "data\nx").write_text("")
    (home / os.fsdecode(b"data\xff")).write_text("")
    (home / "data-link").symlink_to(home / "data")
    assert list_texts("da", home) == ["data/", "data-link/", "data.csv"]


def test_only_so_many_are_shown(home: Path) -> None:
    found = complete_path("", home, 2)
    assert [one.name for one in found.found] == ["data", "Docs"]
    assert found.reason == "3 more; type on to see them."


def test_a_huge_folder_is_not_gone_through_to_its_end(home: Path) -> None:
    for i in range(300):
        (home / "data" / f"{i}.txt").write_text("")
    found = complete_path("data/", home, most_entries=50)
    assert found.reason.startswith("data/ has too many entries to look at all of them")
    assert len(found.found) <= 50
    assert "too many" in complete_path("data/", home, most_s=-1).reason


def test_a_file_system_that_slows_down_ends_the_search(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MOST_S", -2.0)
    assert complete_path("da", home, most_s=1.0).found == ()


def test_paths_lead_where_they_say(home: Path) -> None:
    assert resolve_path("data/a.txt", home) == home / "data/a.txt"
    assert resolve_path(" /etc/hosts ", home) == Path("/etc/hosts")
    assert resolve_path("~", home) == home
    with pytest.raises(AttachmentError, match="known are: none"):
        resolve_path("$HOME/x", home)
