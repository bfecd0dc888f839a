"""The settings reference knows every setting, and what it says of each is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from curc_llm.settings import ENV_PREFIX, ModelSettings, Settings, load_settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
WITHOUT_VARIABLE = {"models", "defaults", "adapters"}
# Defaults that the page states in words, since they depend on the machine or on other settings.
DERIVED = {
    *("state_dir", "cache_dir", "hf_home", "catalogue", "models", "defaults", "runner", "time_h"),
    *("trust_remote_code", "enforce_eager", "seed", "served_model_name", "device", "bind_host"),
}
Row = tuple[str, str, str, str]


def read_rows(heading: str) -> dict[str, Row]:
    """Variable, example, what empty means, and meaning of each setting below a heading."""
    part = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \|(.*?)\|(.*?)\|(.*?)\|(.*)\|$", part, re.MULTILINE)
    return {name: (v.strip(), e.strip(), d.strip(), t.strip()) for name, v, e, d, t in found}


OWN = read_rows("Of the whole program")
OF_MODELS = read_rows("Of one model")
ROWS = [*OWN.items(), *OF_MODELS.items()]


def test_every_setting_has_its_row_and_no_row_is_of_nothing() -> None:
    assert set(OWN) == set(Settings.model_fields)
    assert set(OF_MODELS) == set(ModelSettings.model_fields)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[name for name, _ in ROWS])
def test_a_row_has_the_variable_an_example_and_a_meaning(name: str, row: Row) -> None:
    variable, example, empty, meaning = row
    assert variable == ("" if name in WITHOUT_VARIABLE else f"`{ENV_PREFIX}{name.upper()}`")
    assert example.startswith("`")
    assert empty.strip()
    assert meaning.strip()


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[name for name, _ in ROWS])
def test_the_example_can_be_used_as_it_stands(name: str, row: Row, tmp_path: Path) -> None:
    value = yaml.safe_load(row[1].strip("`"))
    values = {name: value} if name in OWN else {"models": {"mine": {name: value}}}
    values |= {"models": {value: {}}} if name == "active_model" else {}
    path = tmp_path / "settings.yml"
    path.write_text(yaml.safe_dump(values))
    settings = load_settings(path, {"HOME": str(tmp_path), "USER": "me"})
    found = getattr(settings, name) if name in OWN else getattr(settings.models["mine"], name)
    assert found not in (None, (), {})


@pytest.mark.parametrize("name", sorted((set(OWN) | set(OF_MODELS)) - DERIVED))
def test_the_default_is_the_one_that_is_stated(name: str, tmp_path: Path) -> None:
    settings = load_settings(environ={"HOME": str(tmp_path)})
    default = getattr(settings, name) if name in OWN else getattr(settings.defaults, name)
    stated = (OWN | OF_MODELS)[name][2]
    if default is None:
        assert not re.fullmatch(r"`[^`]*`", stated)
    else:
        assert yaml.safe_load(stated.strip("`")) == default
