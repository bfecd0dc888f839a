"""How the model picks its tokens: what a person set, and nothing else, goes into a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curc_llm.errors import SettingsError


@dataclass(frozen=True)
class Sampling:
    """What a person may set; None leaves the choice to the model's own settings.

    Args:
        temperature: 0 picks the likeliest token each time; higher is more varied.
        top_p: picks among the likeliest tokens that make up this share, 0 to 1.
        max_tokens: longest answer, in tokens.
        seed: the same seed gives the same answer when little else runs.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields of a request.

        Example:
            >>> Sampling(temperature=0.0, seed=7).to_json()
            {'temperature': 0.0, 'seed': 7}
        """
        return {name: value for name, value in vars(self).items() if value is not None}


def parse_sampling(temperature: str, top_p: str, max_tokens: str, seed: str) -> Sampling:
    """Reads what a person wrote into the four fields; an empty one stays unset.

    Raises:
        SettingsError: a field holds something else than a number in its range.

    Example:
        >>> parse_sampling("0,2", "", "100", "")
        Sampling(temperature=0.2, top_p=None, max_tokens=100, seed=None)
    """
    whole = parse_number("Max. tokens", max_tokens, 1, 1_000_000, whole=True)
    number = parse_number("Seed", seed, 0, 2**63 - 1, whole=True)
    return Sampling(
        parse_number("Temperature", temperature, 0, 2),
        parse_number("Top-p", top_p, 0.001, 1),
        None if whole is None else int(whole),
        None if number is None else int(number),
    )


def parse_number(name: str, text: str, low: float, high: float, whole: bool = False) -> float | None:
    """Reads one number; a decimal comma will do.

    Raises:
        SettingsError: it isn't a number from `low` to `high`.
    """
    text = (text or "").strip()
    if not text:
        return None
    try:
        value = int(text) if whole else float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        limits = f"{low:,} to {high:,}" if whole else f"{low:g} to {high:g}"  # g would write 1e+06
        raise SettingsError(
            f"{name} can't be {text[:20]!r}: it is {kind} from {limits}.",
            "Mend it in the settings, or leave it empty for the model's default.",
        )
    return value
