"""What Hugging Face's cache on this machine holds of a model; the hub itself isn't asked."""

from __future__ import annotations

from pathlib import Path

from curc_llm.plan.plan import Plan
from curc_llm.spec.model_folder import find_downloaded

__all__ = ["find_downloaded", "keep_downloaded"]


def keep_downloaded(plan: Plan, hf_home: Path) -> Plan:
    """The plan without the catalogue's revision, where another one is here and that one isn't.

    A model that somebody has downloaded is served as it is, not fetched again.
    """
    if plan.revision is None or find_downloaded(hf_home, plan.hub_id, plan.revision) is not None:
        return plan
    is_here = find_downloaded(hf_home, plan.hub_id) is not None
    return plan.model_copy(update={"revision": None}) if is_here else plan
