"""Ranking: which of several launches that work is recommended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from curc_llm.plan.candidates import Choice, is_full_quality
from curc_llm.plan.presets import Preset

if TYPE_CHECKING:
    from curc_llm.plan.search import Found
    from curc_llm.plan.trial import Trial

MUCH_FASTER = 2.0  # below that nobody notices
MUCH_DEARER = 2.0  # beyond that it is another kind of launch

# How useful a launch is, the best first; where one reaches a step, those that don't are left out.
_STEPS: tuple[Callable[[Trial], bool], ...] = (
    lambda trial: trial.is_roomy and trial.is_fast,
    lambda trial: trial.is_roomy,
    lambda trial: trial.is_good_context,
    lambda _: True,
)


def choose_best(found: Sequence[Found], choices: Sequence[Choice], preset: Preset) -> Found:
    """The launch to recommend.

    Useful ones only, as long as there are any: with room for the preset's requests, and as fast as it wants.
    Of these the best class of quality, the lowest price of the GPUs, the fewest nodes, then GPUs, then the
    finest weights, then most room. Cores are left out of the price: they follow from the checkpoint's size
    and come to a few per cent. For development price counts before quality; a preset that names formats
    ranks by them; one for quick answers takes the quickest where no launch is as quick as it wants.

    Args:
        found: launches that work; at least one.
        choices: the weights, the most wanted first.
        preset: the goal.
    """
    is_cheap = preset.goal == "development"

    def rank(launch: Found) -> tuple[float, ...]:
        quality = _class(launch, choices, preset)
        price = (
            _slowness(launch.trial, preset),
            round(launch.gpu_su_per_h, 2),
            launch.trial.num_nodes,
            launch.trial.num_gpus,
        )
        rest = (choices.index(launch.trial.choice), -launch.trial.room)
        return (*price, quality, *rest) if is_cheap else (quality, *price, *rest)

    return min(most_useful(found), key=rank)


def most_useful(found: Sequence[Found]) -> list[Found]:
    """Those launches that are as useful as the most useful one."""
    kept = ([launch for launch in found if is_so(launch.trial)] for is_so in _STEPS)
    return next((launches for launches in kept if launches), [])


def choose_smallest(found: Sequence[Found]) -> Found | None:
    """The cheapest launch, whatever its room and quality."""
    return min(found, key=lambda x: (round(x.gpu_su_per_h, 2), x.trial.num_gpus, -x.trial.room), default=None)


def choose_finer(
    found: Sequence[Found], best: Found, choices: Sequence[Choice], preset: Preset
) -> Found | None:
    """The best launch with finer weights than the recommended one; None when its are the finest."""
    model, own = best.trial.model, choices.index(best.trial.choice)
    finer = [
        x for x in found if choices.index(x.trial.choice) < own and is_full_quality(x.trial.choice, model)
    ]
    return choose_best(finer, choices, preset) if finer else None


def choose_faster(found: Sequence[Found], best: Found) -> Found | None:
    """The cheapest useful launch that answers much faster with the same weights and isn't much dearer."""
    least = best.trial.tokens_per_s * MUCH_FASTER
    most_su = best.gpu_su_per_h * MUCH_DEARER
    faster = [
        launch
        for launch in most_useful(found)
        if launch.trial.choice is best.trial.choice
        and launch.trial.tokens_per_s >= least > 0
        and launch.gpu_su_per_h <= most_su
    ]
    return choose_smallest(faster)


def _slowness(trial: Trial, preset: Preset) -> float:
    """What counts before the price where quick answers are wanted and these are not quick."""
    return 0.0 if trial.is_fast or preset.goal != "latency" else -trial.tokens_per_s


def _class(launch: Found, choices: Sequence[Choice], preset: Preset) -> int:
    choice = launch.trial.choice
    return (
        choices.index(choice)
        if preset.quantisations
        else int(not is_full_quality(choice, launch.trial.model))
    )
