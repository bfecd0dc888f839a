"""Fact files: mistakes name the file, the line and what is allowed."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, ValidationError

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
        Source.model_validate({"title": "t", "url": "https://u.example", "date": "long ago"})


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
        ("name: [", "car.yml, line 2 isn't YAML", "Mend that line."),
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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hours: 24:00:00", "`24:00:00` is a time of the clock: write hours as a number, such as 24"),
        ("hours: 1:30.5", "`1:30.5` is a time of the clock"),
        ("size: .inf", "`.inf` is no number"),
        ("size: .NaN", "`.NaN` is no number"),
        ("size: 1.0e+999", "`1.0e+999` is no number"),
        ("size: !!int x", "`x` is no number"),
        ("size: " + "9" * 5000, "is no number"),
        ("size: 010", "`010` begins with 0"),
        ("date: 2026-13-45", "`2026-13-45` is no date that there is"),
        ("date: !!timestamp x", "`x` is no date"),
        ("? [a, b]\n: 1", "a name can't be a list"),
        ("a: [1", "isn't YAML: while parsing a flow sequence"),
        ("a: *nope", "isn't YAML: found undefined alias"),
    ],
)
def test_what_yaml_would_take_for_something_else_is_refused_with_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "site.yml"
    path.write_text(f"# a site\n{text}\n")
    with pytest.raises(FactFileError) as caught:
        read_yaml(path, "site file")
    assert re.match(rf"{re.escape(str(path))}, line [23]\b", caught.value.message)
    assert problem in caught.value.message
    assert "unicode string" not in caught.value.message
    assert caught.value.remedy == "Mend that line."


def test_a_character_that_yaml_has_no_place_for_is_told(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text("a: 'x\x00'")
    with pytest.raises(FactFileError, match=r"site.yml isn't YAML: it holds a character .* \(number 6\)"):
        read_yaml(path, "site file")


def test_values_may_be_written_once_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text("a: &a {b: 1}\nc:\n  <<: *a\n  d: 2026-11-21\n  e: 1.5\n  f: 1:x\n")
    expected = {"b": 1, "d": dt.date(2026, 11, 21), "e": 1.5, "f": "1:x"}
    assert read_yaml(path, "site file")[1]["c"] == expected


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FactFileError, match="is a folder, not a settings file"):
        read_yaml(tmp_path, "settings file")


@pytest.mark.parametrize(
    "url", ["not a url", "www.colorado.edu", "ftp://x/y", "https://", "javascript:x", ""]
)
def test_a_source_has_a_web_address(url: str) -> None:
    with pytest.raises(ValueError, match="must be a web address"):
        Source.model_validate({"title": "t", "url": url, "date": "2026-11-21"})


class Values(Frozen):
    whole: int = Field(default=1, ge=1, le=9)
    share: float = Field(default=0.5, gt=0, lt=1)
    yes: bool = True
    text: str = Field(default="a", pattern=r"^[a-z0-9_]+$")
    word: Literal["a", "b"] = "a"
    lines: Wheel | None = None
    days: tuple[dt.date, ...] = Field(default=(), min_length=1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"whole": "big"}, "`whole` can't be 'big': it must be a whole number."),
        ({"whole": 1.5}, "it must be a whole number."),
        ({"whole": 0}, "it must be at least 1."),
        ({"whole": 10}, "it must be at most 9."),
        ({"share": "x"}, "it must be a number."),
        ({"share": "inf"}, "it must be a number that can be counted with."),
        ({"share": 0}, "it must be more than 0."),
        ({"share": 1}, "it must be less than 1."),
        ({"yes": "perhaps"}, "it must be true or false."),
        ({"text": 5}, "it must be text (put quotes around it)."),
        ({"text": "A"}, "only small letters, digits and _ may stand there."),
        ({"word": "c"}, "it must be 'a' or 'b'."),
        ({"lines": 5}, "it must hold `name: value` lines."),
        ({"days": 5}, "it must be a list."),
        ({"days": []}, "it must hold at least 1."),
        ({"days": ["August"]}, "`days.0` can't be 'August': it must be a date such as 2026-11-21."),
        ({"whole": "9" * 500}, f"`whole` can't be '{'9' * 59}…: it must be at most 9."),
    ],
)
def test_values_are_refused_in_words_for_people(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Values.model_validate(values)
    assert explain(caught.value.errors()[0]).endswith(said)


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
