"""SiteDesk: launching at a Slurm centre, as the portal's form does; the planner decides in this kernel."""

from __future__ import annotations

import getpass
from functools import cached_property
from typing import Any

from curc_llm.errors import CurcLlmError, SpecError
from curc_llm.launch.asked import make_site_request
from curc_llm.launch.site_plan import load_site_facts
from curc_llm.notebook import launch_choices as choices
from curc_llm.notebook.launch_values import LaunchValues, make_plan_request, make_session_request
from curc_llm.notebook.launch_verdict import judge_plan, refuse_error
from curc_llm.notebook.starting import Started, start_in_slurm
from curc_llm.plan.facts import Facts
from curc_llm.plan.planner import make_plan
from curc_llm.settings import Settings

State = dict[str, Any]
FIRST_MODEL = "qwen3-8b"


class SiteDesk:
    """Knows what a centre offers.

    Args:
        settings: the person's own; they name the site.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places: dict[tuple[str, str, str], list[State]] = {}

    @cached_property
    def facts(self) -> Facts:
        """The site's facts.

        Raises:
            SiteError, FactFileError: there is no such site, or its file is broken.
        """
        return load_site_facts(self._settings)

    def open(self) -> tuple[State, str]:
        """What the form offers, and the model that it begins with."""
        facts, site = self.facts, self.facts.site
        models = choices.list_models(facts, self._settings)
        about = {
            "title": site.title,
            "models": models,
            "embedders": choices.list_embedders(facts),
            "presets": choices.list_presets(facts.presets),
            "contexts": choices.list_contexts(),
            "qos": choices.list_qos(facts),
            "account": {
                "is_required": site.account.is_required,
                "default": self._settings.defaults.account or site.account.default,
                "examples": list(site.account.examples),
            },
        }
        return about, self._first_model({option["value"] for option in models})

    def _first_model(self, names: set[str]) -> str:
        """One's own choice, else what needs no download, else a small one that everybody can use."""
        wanted = (self._settings.active_model, self.facts.presets.presets.get("small"))
        named = [w if isinstance(w, str) else w.model for w in wanted if w is not None]
        return next((name for name in (*named, FIRST_MODEL) if name in names), "demo")

    def judge(self, values: LaunchValues) -> State:
        """The GPUs to choose from and the verdict; `values` when a choice was made for the person."""
        try:
            gpus = self._list_places(values)
            chosen = self._with_gpus(values, gpus)
            asked = make_site_request(self._settings, make_plan_request(chosen))
            verdict = judge_plan(make_plan(asked, self.facts), self.facts)
        except CurcLlmError as error:
            return {"gpus": [], "verdict": refuse_error(error, self.facts)}
        if self.needs_account(chosen):
            verdict = {**verdict, "notes": [_account_note(self.facts), *verdict["notes"]]}
        return {"gpus": gpus, "verdict": verdict, "values": chosen}

    def needs_account(self, values: LaunchValues) -> bool:
        """Whether an account is still to be named."""
        account = self.facts.site.account
        return account.is_required and not (
            values.account or self._settings.defaults.account or account.default
        )

    def _list_places(self, values: LaunchValues) -> list[State]:
        key = (values.wanted, values.preset, values.embed)
        if key not in self._places:
            model, preset, embed = key
            self._places[key] = choices.list_places(model, preset, self.facts, self._settings, embed)
        return self._places[key]

    def _with_gpus(self, values: LaunchValues, gpus: list[State]) -> LaunchValues:
        """The planner's own choice, where the person made none."""
        if values.gpus in {option["value"] for option in gpus}:
            return values
        best = next((o for o in gpus if o["best"]), None) or next((o for o in gpus if o["fits"]), None)
        return values.changed({"gpus": best["value"] if best is not None else ""})

    def launch(self, values: LaunchValues) -> Started:
        """Submits it.

        Raises:
            CurcLlmError: it can't work, Slurm refuses it, or the session's folder can't be written.
        """
        if self.needs_account(values):
            remedy = f"Ask for yours: sacctmgr show assoc user={getpass.getuser()}"
            raise SpecError(_account_note(self.facts), remedy)
        return start_in_slurm(make_session_request(values), self._settings, self.facts)


def _account_note(facts: Facts) -> str:
    example = f", such as {facts.site.account.examples[0]}" if facts.site.account.examples else ""
    return f"{facts.site.title} charges an account: name yours{example}."
