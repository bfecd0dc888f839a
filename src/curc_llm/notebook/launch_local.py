"""LocalDesk: starting a session on this machine, where there is no Slurm to launch with."""

from __future__ import annotations

from typing import Any

from curc_llm.errors import CurcLlmError, SpecError
from curc_llm.notebook import launch_choices as choices
from curc_llm.notebook.launch_values import LaunchValues, read_hours, read_number
from curc_llm.notebook.launch_verdict import judge_local, refuse
from curc_llm.notebook.starting import Started, plan_here, start_here
from curc_llm.settings import Settings

State = dict[str, Any]
ELSEWHERE = (
    "This machine has no Slurm. A session on a cluster is reached from here through a tunnel: in a terminal, "
    "the curc-llm tunnel command that its card prints; give it the session's key, then run this cell again."
)


class LocalDesk:
    """Knows what this machine offers.

    Args:
        settings: the person's own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self) -> tuple[State, str]:
        """What the form offers, and the model that it begins with."""
        models = choices.list_local_models(self._settings)
        named = {option["value"] for option in models}
        wanted = self._settings.active_model
        about: State = {"title": "this machine", "models": models, "hint": ELSEWHERE}
        return about, wanted if wanted is not None and wanted in named else "demo"

    def judge(self, values: LaunchValues) -> State:
        """The verdict."""
        try:
            if not values.wanted:
                raise SpecError("No model is named.", "Write a Hugging Face id, or a folder.")
            hours = read_hours(values)
            planned = plan_here(values.wanted, hours, self._settings)
        except CurcLlmError as error:
            return {"gpus": [], "verdict": refuse(error.message, error.remedy)}
        plan = planned.origins[0].plan if planned.origins else None
        return {"gpus": [], "verdict": judge_local(planned.notes, plan, hours)}

    def launch(self, values: LaunchValues) -> Started:
        """Starts it.

        Raises:
            CurcLlmError: it can't work here, there is no vLLM, or the session's folder can't be written.
        """
        idle_min = read_number(values.idle_min, "The idle time", 0, 7 * 24 * 60)
        return start_here(values.wanted, read_hours(values), self._settings, idle_min)
