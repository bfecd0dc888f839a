"""How the model picks its tokens: what a person set, and nothing else, goes into a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curc_llm.errors import SettingsError

# Kind, lowest and highest value of each number that can be set anywhere: OpenAI's and vLLM's limits
# (vllm/sampling_params.py: _verify_args; a top-p of 0 is refused there).
RANGES: Mapping[str, tuple[type, float, float]] = {
    "temperature": (float, 0, 2),
    "top_p": (float, 0.001, 1),
    "max_tokens": (int, 1, 1_000_000),
    "seed": (int, 0, 2**63 - 1),
    "presence_penalty": (float, -2, 2),
    "frequency_penalty": (float, -2, 2),
}


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
    return Sampling(
        _parse("temperature", "Temperature", temperature),
        _parse("top_p", "Top-p", top_p),
        _parse("max_tokens", "Max. tokens", max_tokens),
        _parse("seed", "Seed", seed),
    )


def _parse(name: str, label: str, text: str) -> Any:
    kind, low, high = RANGES[name]
    number = parse_number(label, text, low, high, whole=kind is int)
    return None if number is None else kind(number)


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
