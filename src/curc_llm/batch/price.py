"""What a session costs per hour, and when it ends: from its spec and its record."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.client.source import Source
from curc_llm.errors import CurcLlmError
from curc_llm.spec import read_launch_spec


@dataclass(frozen=True)
class Price:
    """What an hour costs.

    Args:
        su_per_h: service units; None where nothing is billed, or where it can't be known from here.
        unit: what the site calls them.
    """

    su_per_h: float | None = None
    unit: str = "SU"


def find_price(source: Source) -> Price:
    """The price that was planned; none for a session outside Slurm, or known by its address alone."""
    if source.paths is None:
        return Price()
    try:
        spec = read_launch_spec(source.paths.spec)
        plan = next((origin.plan for origin in spec.origins if origin.plan is not None), None)
        if spec.slurm is None or plan is None or plan.su_per_h is None:
            return Price()
        return Price(plan.su_per_h, _find_unit(spec.site_file or spec.site))
    except CurcLlmError:
        return Price()


def _find_unit(site: str) -> str:
    from curc_llm.sites.load import load_site

    return load_site(site).billing.unit
