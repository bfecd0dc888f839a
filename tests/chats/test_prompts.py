from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from curc_llm.chats.prompts import (
    FILE,
    MOST_CHARS,
    PromptLibrary,
    PromptLibraryError,
    check_text,
    load_built_in,
)


@pytest.fixture
def library(tmp_path: Path) -> PromptLibrary:
    return PromptLibrary(tmp_path, host="hosta")


def own(library: PromptLibrary) -> list[str]:
    return [one.name for one in library.list() if not one.is_built_in]


def test_an_empty_library_has_the_built_in_prompts(library: PromptLibrary, tmp_path: Path) -> None:
    assert len(library.list()) == len(load_built_in()) >= 6
    assert all(check_text(one.text) and one.name for one in load_built_in())
    assert not list(tmp_path.iterdir())


def test_a_prompt_is_found_again_by_another_session(library: PromptLibrary, tmp_path: Path) -> None:
    saved = library.save("  My\nreviewer ", "Be stern. \U0001f600\n\n- kind")
    found = PromptLibrary(tmp_path, host="hosta").find("MY  REVIEWER")
    assert found == saved
    assert found.name == "My reviewer"
    assert found.to_json()["is_built_in"] is False
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_name_is_taken_once_unless_it_is_to_be_replaced(library: PromptLibrary) -> None:
    first = library.save("A", "one")
    with pytest.raises(PromptLibraryError, match="'a' already"):
        library.save("a", "two")
    assert library.save("a", "two", replaces=True).prompt_id == first.prompt_id
    assert [(one.name, one.text) for one in library.list() if not one.is_built_in] == [("a", "two")]


def test_ones_own_stands_in_place_of_a_built_in_one(library: PromptLibrary) -> None:
    name = load_built_in()[0].name
    library.save(name.upper(), "mine")
    assert [one.text for one in library.list() if one.name.casefold() == name.casefold()] == ["mine"]
    assert len(library.list()) == len(load_built_in())


def test_deleting_can_be_undone(library: PromptLibrary) -> None:
    one = library.save("A", "text")
    library.delete(one.prompt_id)
    assert own(library) == []
    assert [gone.name for gone in library.list(deleted=True)] == ["A"]
    library.restore(one.prompt_id)
    assert own(library) == ["A"]


def test_a_name_that_was_taken_meanwhile_cant_come_back(library: PromptLibrary) -> None:
    one = library.save("A", "text")
    library.delete(one.prompt_id)
    library.save("A", "other")
    with pytest.raises(PromptLibraryError, match="another prompt 'A' now"):
        library.restore(one.prompt_id)


def test_renaming_keeps_the_text(library: PromptLibrary) -> None:
    one, other = library.save("A", "text"), library.save("B", "else")
    assert library.rename(one.prompt_id, "C").text == "text"
    assert library.find("c").text == "text"
    assert library.rename(one.prompt_id, "c").name == "c"
    with pytest.raises(PromptLibraryError, match="'B' already"):
        library.rename(one.prompt_id, "B")
    assert own(library) == ["B", "c"]
    assert other.name == "B"


def test_built_in_ones_stay(library: PromptLibrary) -> None:
    built_in = load_built_in()[0]
    for change in (library.delete, lambda prompt_id: library.rename(prompt_id, "X")):
        with pytest.raises(PromptLibraryError, match="built in"):
            change(built_in.prompt_id)
    with pytest.raises(PromptLibraryError, match="isn't there any more"):
        library.delete("none")
    with pytest.raises(PromptLibraryError, match="no prompt 'x y'"):
        library.find("x\ny")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (" \n", "text", "needs a name"),
        ("A", " \n ", "is empty"),
        ("A", "x" * (MOST_CHARS + 1), "has 100,001 characters; up to 100,000"),
    ],
)
def test_what_cant_be_is_told(library: PromptLibrary, name: str, text: str, words: str) -> None:
    with pytest.raises(PromptLibraryError, match=words):
        library.save(name, text)


def test_bounds_hold(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curc_llm.chats.prompts.MOST_PROMPTS", 2)
    library.save("A", "1")
    library.save("B", "2")
    with pytest.raises(PromptLibraryError, match="holds 2 prompts"):
        library.save("C", "3")
    library.save("A", "4", replaces=True)
    monkeypatch.setattr("curc_llm.chats.prompts.MOST_BYTES", 10)
    with pytest.raises(PromptLibraryError, match="more than 0 MiB"):
        library.save("A", "5", replaces=True)


def test_two_hosts_write_files_of_their_own_and_see_each_other(tmp_path: Path) -> None:
    one, two = PromptLibrary(tmp_path, "hosta"), PromptLibrary(tmp_path, "hostb")
    first = one.save("A", "by one")
    two.save("B", "by two")
    two.rename(first.prompt_id, "A2")
    assert own(one) == own(two) == ["A2", "B"]
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "prompts~hostb.jsonl"}
    assert b"by two" not in (tmp_path / FILE).read_bytes()


def test_two_tabs_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(tab: int) -> None:
        for number in range(20):
            PromptLibrary(tmp_path, "hosta").save(f"{tab} {number}", "text " * 200)

    tabs = [threading.Thread(target=write, args=(tab,)) for tab in range(3)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert len(own(PromptLibrary(tmp_path, "hosta"))) == 60


def test_a_damaged_file_costs_only_what_is_damaged(library: PromptLibrary, tmp_path: Path) -> None:
    library.save("A", "one")
    with (tmp_path / FILE).open("ab") as file:
        odd = [{"id": 3}, {"id": "x" * 200, "name": "N", "text": "t"}, {"id": "y", "name": 3, "text": ["t"]}]
        odd += [{"id": "z", "deleted": True}]
        file.write(b"".join(json.dumps(line).encode() + b"\n" for line in odd) + b'{"id": "torn", "na')
    library.save("B", "two")
    assert own(library) == ["A", "B"]


def test_a_full_disk_is_told(library: PromptLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    library.save("A", "text")

    def fill(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("curc_llm.chats.files.os.write", fill)
    with pytest.raises(PromptLibraryError, match=r"The prompt can't be saved in .*: No space left"):
        library.save("B", "text")


def test_a_link_isnt_followed(library: PromptLibrary, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"id": "a", "name": "A", "text": "secret"}\n')
    (tmp_path / FILE).symlink_to(tmp_path / "secret")
    with pytest.raises(PromptLibraryError, match="can't be read"):
        library.list()
