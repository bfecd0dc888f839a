"""What the portal's form sent becomes a SessionRequest. Each value is a string that may hold anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from curc_llm.launch.portal_adapters import read_adapters
from curc_llm.launch.portal_values import PortalValueError, check_choice, read_text, read_whole_number
from curc_llm.launch.request import SessionRequest
from curc_llm.plan.facts import Facts
from curc_llm.plan.offer import Offer
from curc_llm.plan.request import PlanRequest

OWN = "own"
MAX_HOURS = 31 * 24
MAX_IDLE_MIN = 7 * 24 * 60
MAX_CONTEXT_TOKENS = 16 * 1024 * 1024
_CATALOGUE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_SLURM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_GPUS = re.compile(r"(?P<slug>[a-z0-9-]{1,60})-x(?P<count>[1-9]\d{0,2})")


def make_portal_request(context: Mapping[str, Any], facts: Facts) -> SessionRequest:
    """The request that a form's values mean.

    The portal checks none of them, and a relaunch sends whatever it finds: so all are checked here again.

    Args:
        context: user_defined_context.json: strings by the form's ids; ids that aren't ours are ignored.
        facts: of the site; names its GPU types and presets.

    Raises:
        PortalValueError: a value can't be meant; names it and what is allowed.

    Example:
        >>> make_portal_request({"llm_model": "qwen3-4b", "bc_num_hours": "2"}, facts).plan.hours
        2.0
    """
    partition, gpu_type, num_gpus = _read_gpus(context, facts)
    plan = PlanRequest(
        model=_read_model(context),
        partition=partition,
        gpu_type=gpu_type,
        num_gpus=num_gpus,
        hours=_number(context, "bc_num_hours", "hours", 1, MAX_HOURS),
        account=_slurm_name(context, "auto_accounts", "account"),
        qos=_slurm_name(context, "llm_qos", "QoS"),
        preset=_read_preset(context, facts),
        max_model_len=_number(context, "llm_context", "context length", 16, MAX_CONTEXT_TOKENS),
    )
    idle_min = _number(context, "llm_idle_min", "idle stop", 0, MAX_IDLE_MIN)
    try:
        return SessionRequest(
            plan=plan,
            idle_stop_min=idle_min,
            reservation=_slurm_name(context, "llm_reservation", "reservation") or "",
            adapters=read_adapters(read_text(context, "llm_adapters")),
            mail_on_ready=read_text(context, "llm_mail") in {"1", "true", "on", "yes"},
        )
    except ValidationError as error:
        raise PortalValueError(
            "reservation", read_text(context, "llm_reservation"), "a name of Slurm's"
        ) from error


def _read_model(context: Mapping[str, Any]) -> str:
    """The catalogue's name, or one's own model as typed: an id, a path, a settings entry or `demo`."""
    name = read_text(context, "llm_model")
    if name != OWN:
        return check_choice("model", name, _CATALOGUE_NAME, "one of the form's models")
    own = read_text(context, "llm_own_model")
    allowed = "a Hugging Face id such as Qwen/Qwen3-4B, or a folder's full path"
    if not own or len(own) > 400 or not own.isprintable() or own.startswith("-"):
        raise PortalValueError("own model", own, allowed)
    if ".." in own.split("/"):
        raise PortalValueError("own model", own, f"{allowed}, without ..")
    return own


def _read_gpus(context: Mapping[str, Any], facts: Facts) -> tuple[str | None, str | None, int | None]:
    """Partition, GPU type and count of a choice such as `a100-80gb-x2`; all None for an automatic choice."""
    text = read_text(context, "llm_gpus")
    if not text:
        return None, None, None
    found = _GPUS.fullmatch(text)
    offer = find_offer(found["slug"], facts) if found else None
    if found is None or offer is None:
        near = ", ".join(dict.fromkeys(f"{slug(o.gpu_name)}-x1" for o in facts.offers))
        raise PortalValueError("GPUs", text, f"a GPU type and a count of {facts.site.title}: {near} …")
    return offer.partition_name, offer.gpu_name, int(found["count"])


def find_offer(wanted: str, facts: Facts) -> Offer | None:
    """The GPU type of the site whose slug is `wanted`; the first where several partitions have it."""
    return next((offer for offer in facts.offers if slug(offer.gpu_name) == wanted), None)


def slug(name: str) -> str:
    """A GPU type's name as the form's options have it: the portal's scripts choke on dots and underscores.

    Example:
        >>> slug("a100_3g.20gb")
        'a100-3g-20gb'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _read_preset(context: Mapping[str, Any], facts: Facts) -> str | None:
    name = read_text(context, "llm_preset")
    if not name:
        return None
    if name not in facts.presets.presets:
        raise PortalValueError("preset", name, f"one of {', '.join(facts.presets.presets)}, or nothing")
    return name


def _slurm_name(context: Mapping[str, Any], field: str, title: str) -> str | None:
    text = read_text(context, field)
    return check_choice(title, text, _SLURM_NAME, "letters, digits and . _ + -") if text else None


def _number(context: Mapping[str, Any], field: str, title: str, low: int, high: int) -> int | None:
    return read_whole_number(read_text(context, field), title, low, high)
