from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curc_llm.chats.tree import END, find_shown, list_siblings, mend_parents

NAMES = st.sampled_from([None, "a", "b", "c", "d", "e"])
PARENTS = st.dictionaries(st.sampled_from("abcde"), NAMES)


def test_the_branch_that_was_added_last_is_shown() -> None:
    parents = {"q": None, "a": "q", "edited": None, "b": "edited"}
    assert find_shown(parents, ["q", "a", "edited", "b"]) == ["edited", "b"]


def test_an_earlier_branch_is_shown_down_to_its_end() -> None:
    parents = {"q": None, "a": "q", "more": "a", "b": "q"}
    assert find_shown(parents, ["q", "a", "more", "b"]) == ["q", "b"]
    assert find_shown(parents, ["q", "a", "more", "b", "a"]) == ["q", "a", "more"]


def test_a_deep_message_brings_back_all_above_it() -> None:
    parents = {"q": None, "a": "q", "x": None, "b": "a"}
    assert find_shown(parents, ["q", "a", "x", "b"]) == ["q", "a", "b"]


def test_none_shows_nothing_until_the_next_message() -> None:
    parents = {"q": None, "new": None}
    assert find_shown(parents, ["q", None]) == []
    assert find_shown(parents, ["q", None, "new"]) == ["new"]


def test_what_stands_below_the_end_is_not_shown_until_something_follows() -> None:
    parents = {"q": None, "a": "q", "more": "a", "b": "q"}
    assert find_shown(parents, ["q", "a", "more", "q", END]) == ["q"]
    assert find_shown(parents, ["q", "a", "more", "q", END, "b"]) == ["q", "b"]
    assert find_shown(parents, ["q", "a", "more", "q", END, "a"]) == ["q", "a", "more"]
    assert find_shown(parents, [END]) == []


def test_a_branch_that_is_not_there_changes_nothing() -> None:
    assert find_shown({"q": None}, ["q", "lost"]) == ["q"]


def test_what_follows_a_lost_message_follows_the_one_before_it() -> None:
    assert mend_parents({"q": None, "next": "lost"}) == {"q": None, "next": "q"}


@given(PARENTS, st.lists(NAMES, max_size=12))
def test_no_parents_lead_in_circles(parents: dict[str, str | None], shown: list[str | None]) -> None:
    mended = mend_parents(parents)
    for name in mended:
        steps, node = 0, mended[name]
        while node is not None:
            node, steps = mended[node], steps + 1
            assert steps <= len(mended)
    path = find_shown(mended, shown)
    assert len(path) == len(set(path))


def test_versions_are_those_with_the_same_parent() -> None:
    assert list_siblings({"q": None, "a": "q", "b": "q", "z": None}, "b") == ["a", "b"]
