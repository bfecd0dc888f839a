"""Fact files: mistakes name the file, the line and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.errors import FactFileError, SettingsError
from curc_llm.factfile import Fact, Frozen, Source, explain, line_of, make_facts, read_yaml


class Wheel(Fact):
    size: int = 1


class Car(Frozen):
    name: str
    wheels: dict[str, Wheel] = {}
    spare: Wheel | None = None
    repairs: tuple[Wheel, ...] = ()


def load(tmp_path: Path, text: str) -> Car:
    path = tmp_path / "car.yml"
    path.write_text(text)
    text, values = read_yaml(path, "car file")
    return make_facts(Car, values, path, text)


GOOD = """\
name: beetle
wheels:
  left:
    source: book
    size: 15
"""


def test_values_become_an_unchangeable_object(tmp_path: Path) -> None:
    car = load(tmp_path, GOOD)
    assert car.wheels["left"].size == 15
    with pytest.raises(ValueError, match="frozen"):
        car.name = "other"


def test_a_source_needs_a_date() -> None:
    with pytest.raises(ValueError, match="date"):
        Source.model_validate({"title": "t", "url": "u", "date": "long ago"})


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("name: a\nweels: {}", "line 2: there is nothing named `weels`", "Did you mean `wheels`?"),
        (GOOD + "    sice: 3", "line 6: there is nothing named `wheels.left.sice`", "Did you mean `size`?"),
        (GOOD + "    colour: red", "line 6", "Allowed there: size, source, sources, verified."),
        (GOOD.replace("15", "big"), "line 5: `wheels.left.size` can't be 'big'", "Mend the value."),
        (GOOD.replace("    source: book\n", ""), "line 3: `wheels.left.source` is missing", "Add it."),
        ("wheels: {}", "line 1: `name` is missing", "Add it."),
        ("nane: a", "line 1: there is nothing named `nane`", "Did you mean `name`?"),
        ("name: a\nspare:\n  source: b\n  sise: 2", "line 4", "Did you mean `size`?"),
        (
            "name: a\nrepairs:\n  - source: b\n  - source: b\n    sise: 2",
            "line 5: there is nothing named `repairs.1.sise`",
            "`size`",
        ),
        ("name: [", "car.yml isn't YAML", "Mend that line."),
        ("- name", "must hold `name: value` lines", "Look at a car file"),
        ("", "must hold `name: value` lines", "Look at a car file"),
    ],
)
def test_a_mistake_names_file_line_and_what_is_allowed(
    tmp_path: Path, text: str, message: str, remedy: str
) -> None:
    with pytest.raises(FactFileError) as caught:
        load(tmp_path, text)
    assert message in caught.value.message
    assert "car.yml" in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "line"), [("name: a\nname: b", 2), ("name: a\nwheels:\n  left: {}\n  right: {}\n  left: {}", 5)]
)
def test_a_key_that_stands_twice_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(FactFileError, match=rf"car.yml, line {line}: `(name|left)` stands twice\.$"):
        load_message(tmp_path, text)


def load_message(tmp_path: Path, text: str) -> None:
    try:
        load(tmp_path, text)
    except FactFileError as error:
        raise FactFileError(error.message) from None


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(FactFileError, match=r"The car file .*none\.yml can't be read"):
        read_yaml(tmp_path / "none.yml", "car file")
    binary = tmp_path / "binary.yml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FactFileError, match="can't be read"):
        read_yaml(binary, "car file")


def test_an_empty_file_may_count_as_one_that_sets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.yml"
    path.write_text("# nothing yet\n")
    assert read_yaml(path, "settings file", may_be_empty=True) == ("# nothing yet\n", {})


def test_yaml_can_make_no_objects(tmp_path: Path) -> None:
    with pytest.raises(FactFileError, match="line 1"):
        load(tmp_path, "name: !!python/object/apply:os.system ['true']")


def test_lines_of_missing_values_are_those_of_their_parent() -> None:
    assert line_of(GOOD, ["wheels", "left", "size"]) == 5
    assert line_of(GOOD, ["wheels", "left", "nothing"]) == 3
    assert line_of(GOOD, ["name", "deeper"]) == 1
    assert line_of("a:\n- b\n- c: 1", ["a", "1", "c"]) == 3
    assert line_of("a:\n- b", ["a", "7"]) == 1


def test_the_kind_of_thing_that_is_missing_can_be_said() -> None:
    error = {"type": "extra_forbidden", "loc": ("a", "b")}
    assert explain(error, "setting") == "there is no setting named `a.b`."
    assert explain(error) == "there is nothing named `a.b`."


def test_mistakes_in_fact_files_are_mistakes_in_settings() -> None:
    assert issubclass(FactFileError, SettingsError)
