"""From what a person calls a model to the model: a short name, a Hugging Face id, a folder."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from curc_llm.catalogue.folder import is_config, is_folder, read_folder
from curc_llm.catalogue.model import Catalogue, Model, Weights
from curc_llm.catalogue.plausible import HUB_ID
from curc_llm.errors import DownloadError, ModelNotFoundError

# Models that people know by name and whose weights nobody can have.
CLOSED = re.compile(r"(chat-?gpt|gpt-?[345]|o[134](-|$)|claude|gemini)")
NUM_NEAREST = 3
USUAL_PARAMS = 8e9  # of a family's models the one that most people begin with is about as large
MAX_SHOWN = 100  # characters of what was asked for, within an error


class Found(NamedTuple):
    """A model that was found.

    Args:
        name: its short name; for models outside the catalogue what was asked for.
        model: what is known of it.
        weights: set when the id of one quantisation was named: then that one is meant.
    """

    name: str
    model: Model
    weights: Weights | None = None


def find_model(wanted: str, catalogue: Catalogue, ask_hub: Callable[[str], Model] | None = None) -> Found:
    """The model that is meant.

    Args:
        wanted: a short name or a Hugging Face id (in upper or lower case), or a folder.
        catalogue: where to look.
        ask_hub: reads the numbers of a model with this Hugging Face id, such as `hub.read_hub_model`; None:
            the hub isn't asked.

    Raises:
        ModelNotFoundError: there is no such model; names the nearest ones.

    Example:
        >>> find_model("Qwen/Qwen3-8B", load_catalogue()).name
        'qwen3-8b'
    """
    wanted = wanted.strip()
    if wanted.startswith((".", "/", "~")):
        return _find_folder(wanted)
    if found := _find_entry(wanted, catalogue):
        return found
    if why := _find_broken(wanted, catalogue):
        raise ModelNotFoundError(why, "Mend or remove that entry.")
    if wanted and (is_folder(Path(wanted)) or is_config(Path(wanted))):
        return _find_folder(wanted)
    if HUB_ID.fullmatch(wanted) and ask_hub is not None:
        try:
            return Found(wanted, ask_hub(wanted))
        except DownloadError as error:  # the hub is out of reach
            raise _not_found(wanted, catalogue) from error
    raise _not_found(wanted, catalogue)


def nearest_names(wanted: str, catalogue: Catalogue, count: int = NUM_NEAREST) -> list[str]:
    """Short names of models that are called nearly like `wanted`, the nearest first.

    Example:
        >>> nearest_names("llama3.1-8b", load_catalogue())[0]
        'llama-3.1-8b-instruct'
    """
    # Ids count without their owner: the owner's letters would drown those of the name.
    spoken = wanted.lower().rpartition("/")[2]
    scores: dict[str, float] = {}
    for name, model in catalogue.models.items():
        called = [name, *(weights.hub_id.lower().rpartition("/")[2] for weights in model.weights)]
        scores[name] = max(_likeness(spoken, word) for word in called)
    near = [name for name in scores if scores[name] > 0.5] or [n for n in scores if scores[n] > 0.3]
    # Of names that are equally near those for all come before those for code, and embeddings come last.
    order = ("chat", "reasoning", "vision", "code", "audio", "base", "embeddings")

    def rank(name: str) -> tuple[float, int, float]:
        model = catalogue.models[name]
        far = abs(math.log(model.architecture.total_params / USUAL_PARAMS))
        return -scores[name], order.index(model.uses[0]), far

    return sorted(near, key=rank)[:count]


def _likeness(spoken: str, word: str) -> float:
    """How alike two names are, 0 to 1; a name that begins like the other one is nearer than letters say."""
    ratio = difflib.SequenceMatcher(None, spoken, word).ratio()
    squeezed, other = (re.sub(r"[^a-z0-9]", "", text) for text in (spoken, word))
    if squeezed and other.startswith(squeezed):
        return max(ratio, 0.9)
    # People leave endings such as -instruct away: a slip counts against the name's beginning alone.
    start = other[: len(squeezed) + 1]
    return max(ratio, 0.85 * difflib.SequenceMatcher(None, squeezed, start).ratio())


def _find_entry(wanted: str, catalogue: Catalogue) -> Found | None:
    low = wanted.lower()
    for name, model in catalogue.models.items():
        if name.lower() == low:
            return Found(name, model)
    for name, model in catalogue.models.items():
        for weights in model.weights:
            if weights.hub_id.lower() == low and low:
                return Found(name, model, weights)
    return None


def _find_broken(wanted: str, catalogue: Catalogue) -> str:
    return next((why for name, why in catalogue.broken.items() if name.lower() == wanted.lower()), "")


def _find_folder(wanted: str) -> Found:
    return Found(wanted, read_folder(Path(wanted).expanduser()))


def _not_found(wanted: str, catalogue: Catalogue) -> ModelNotFoundError:
    near = nearest_names(wanted, catalogue)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    if HUB_ID.fullmatch(wanted):
        fetch = f"{'Or fetch' if hint else 'Fetch'} its config.json where the hub can be reached"
        return ModelNotFoundError(
            f"{wanted} isn't in the catalogue, and its numbers can't be looked up from here.",
            f"{hint}{fetch} (hf download {wanted} config.json --local-dir FOLDER) and name that folder.",
        )
    if CLOSED.match(wanted.lower()):
        near = [name for name in near if name[:3] == wanted[:3].lower()]
        open_ones = f"Open ones with a name like it: {', '.join(near)}. " if near else ""
        return ModelNotFoundError(
            f"{wanted[:MAX_SHOWN]} isn't an open-weights model: only its maker can run it.",
            f"{open_ones}`curc-llm models` lists all that can run here.",
        )
    return ModelNotFoundError(
        f"There is no model {wanted[:MAX_SHOWN]!r} in the catalogue.",
        f"{hint}`curc-llm models` lists them all; a Hugging Face id or a folder does as well.",
    )
