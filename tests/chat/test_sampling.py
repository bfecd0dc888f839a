from __future__ import annotations

import pytest

from curc_llm.chat.sampling import Sampling, parse_sampling
from curc_llm.errors import SettingsError


def test_empty_fields_put_nothing_into_the_request() -> None:
    assert parse_sampling("", "  ", "", "").to_json() == {}


def test_zero_is_a_temperature_and_a_seed() -> None:
    assert parse_sampling("0", "0.9", "256", "0").to_json() == {
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 256,
        "seed": 0,
    }


def test_a_decimal_comma_will_do() -> None:
    assert parse_sampling("0,7", "", "", "") == Sampling(temperature=0.7)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("3", "", "", ""), "Temperature can't be '3': it is a number from 0 to 2."),
        (("warm", "", "", ""), "Temperature can't be 'warm'"),
        (("nan", "", "", ""), "Temperature can't be 'nan'"),
        (("", "0", "", ""), "Top-p can't be '0'"),
        (("", "", "1.5", ""), "Max. tokens can't be '1.5': it is a whole number from 1"),
        (("", "", "", "-1"), "Seed can't be '-1'"),
    ],
)
def test_a_wrong_number_is_refused_with_its_name_and_range(fields: tuple[str, ...], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_sampling(*fields)
    assert words in str(caught.value)
    assert "leave it empty" in caught.value.remedy
