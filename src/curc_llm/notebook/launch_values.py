"""What a person entered into the launch widget, and the request that it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from pydantic import ValidationError

from curc_llm.errors import SpecError
from curc_llm.factfile import explain
from curc_llm.launch.request import SessionRequest
from curc_llm.notebook.launch_choices import OWN, Place, parse_place
from curc_llm.plan.planner import make_request
from curc_llm.plan.request import PlanRequest

MOST_CHARACTERS = 512


@dataclass(frozen=True)
class LaunchValues:
    """The fields of the launch widget: texts, as a person typed or chose them.

    Args:
        model: a name of the catalogue, an entry of the settings, `demo`, or `own`.
        own_model: a Hugging Face id or a folder, where `model` is `own`.
        embed: an embedding model to serve beside it; empty for none.
        gpus: partition, kind and number (`Place.slug`); empty for an automatic choice.
        hours: wall time in hours.
        account, qos, reservation: Slurm's words; empty for none.
        preset: a purpose; empty for none.
        context_tokens: context length in tokens; empty for an automatic choice.
        idle_min: minutes without a request until the session ends; 0 for never.
        mail: whether the job writes an e-mail when the session is ready.
    """

    model: str = ""
    own_model: str = ""
    embed: str = ""
    gpus: str = ""
    hours: str = "4"
    account: str = ""
    preset: str = ""
    context_tokens: str = ""
    qos: str = ""
    idle_min: str = "30"
    reservation: str = ""
    mail: bool = False

    @property
    def wanted(self) -> str:
        """What the person calls the model."""
        return self.own_model.strip() if self.model == OWN else self.model

    def changed(self, given: Mapping[str, Any]) -> Self:
        """With new values; names that aren't fields are ignored, and texts are cut at a sane length."""
        names = {field.name for field in fields(self)}
        new = {name: _clean(value) for name, value in given.items() if name in names}
        if "mail" in new:
            new["mail"] = bool(given["mail"])
        return replace(self, **new)


def _clean(value: Any) -> Any:
    return "" if value is None else str(value)[:MOST_CHARACTERS].strip()


def read_number(text: str, title: str, low: float, high: float) -> float | None:
    """A number that a person typed; None when the field is empty.

    Raises:
        SpecError: it is none, or lies outside low to high.

    Example:
        >>> read_number("1.5", "Hours", 0, 24), read_number("", "Hours", 0, 24)
        (1.5, None)
    """
    if not text:
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise SpecError(f"{title} can't be {text[:40]!r}.", f"It is a number from {low:g} to {high:g}.")
    return number


def read_hours(values: LaunchValues) -> float | None:
    """The wall time in hours; None for the usual one.

    Raises:
        SpecError: it isn't a number of hours above 0, up to a month.
    """
    return read_number(values.hours, "Hours", 0.05, 31 * 24)


def make_plan_request(values: LaunchValues) -> PlanRequest:
    """What the planner is asked.

    Raises:
        SpecError, PlanError: a value can't be meant; the text says what can.
    """
    if not values.wanted:
        raise SpecError("No model is named.", "Write a Hugging Face id such as Qwen/Qwen3-4B, or a folder.")
    place = parse_place(values.gpus)
    asked: dict[str, Any] = {"model": values.wanted, **(_where(place) if place else {})}
    tokens = read_number(values.context_tokens, "The context length", 16, 16 * 1024 * 1024)
    more = {
        "hours": read_hours(values),
        "account": values.account or None,
        "qos": values.qos or None,
        "preset": values.preset or None,
        "embed": values.embed or None,
        "max_model_len": int(tokens) if tokens else None,
    }
    return make_request({**asked, **{name: value for name, value in more.items() if value is not None}})


def _where(place: Place) -> dict[str, Any]:
    return {"partition": place.partition, "gpu_type": place.gpu_type, "num_gpus": place.num_gpus}


def make_session_request(values: LaunchValues) -> SessionRequest:
    """What `curc-llm launch` would be asked.

    Raises:
        SpecError, PlanError: a value can't be meant; the text says what can.
    """
    plan = make_plan_request(values)
    idle_min = read_number(values.idle_min, "The idle time", 0, 7 * 24 * 60)
    try:
        return SessionRequest(
            plan=plan, idle_stop_min=idle_min, reservation=values.reservation, mail_on_ready=values.mail
        )
    except ValidationError as error:
        text = explain(error.errors()[0])
        raise SpecError(f"{text[:1].upper()}{text[1:]}", "Mend that value.") from error


def values_of(request: PlanRequest, models: set[str]) -> LaunchValues:
    """The fields that mean a request, such as an earlier session's or a suggested one.

    Args:
        request: what was asked.
        models: names that the form offers; any other goes into the field for one's own.
    """
    is_known = request.model in models
    place = Place(request.partition or "", request.gpu_type or "", request.num_gpus or 0)
    return LaunchValues(
        model=request.model if is_known else OWN,
        own_model="" if is_known else request.model,
        gpus=place.slug if parse_place(place.slug) and place.num_gpus else "",
        hours=f"{request.hours:g}" if request.hours else "4",
        account=request.account or "",
        preset=request.preset or "",
        embed=request.embed or "",
        context_tokens=str(request.max_model_len) if request.max_model_len else "",
        qos=request.qos or "",
    )
