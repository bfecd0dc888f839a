"""The shipped facts, read once, and plans made of them."""

from __future__ import annotations

import functools
from typing import Any

from curc_llm.catalogue.load import load_catalogue
from curc_llm.plan.facts import Facts, make_facts_of
from curc_llm.plan.offer import Offer
from curc_llm.plan.plan import Plan
from curc_llm.plan.planner import make_plan, make_request
from curc_llm.plan.presets import load_presets
from curc_llm.sites.load import load_site


@functools.cache
def facts_of(site: str) -> Facts:
    return make_facts_of(load_site(site), load_catalogue(), load_presets())


def plan(model: str, site: str = "alpine", **asked: Any) -> Plan:
    return make_plan(make_request({"model": model, **asked}), facts_of(site))


def offer_of(gpu_name: str, site: str = "alpine") -> Offer:
    return next(offer for offer in facts_of(site).offers if offer.gpu_name == gpu_name)
