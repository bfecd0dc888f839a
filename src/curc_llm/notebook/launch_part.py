"""The launch form as a part of a widget: what may be chosen, what comes of it, and the launch itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from curc_llm.errors import CurcLlmError, SlurmError, SlurmSilentError
from curc_llm.notebook import launch_choices as choices
from curc_llm.notebook.latest import Latest
from curc_llm.notebook.launch_local import LocalDesk
from curc_llm.notebook.launch_site import SiteDesk
from curc_llm.notebook.launch_values import LaunchValues
from curc_llm.notebook.starting import Started
from curc_llm.settings import Settings
from curc_llm.sites.load import LOCAL
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.refusals import explain_refusal

State = dict[str, Any]
ASK_S = 10.0
MODELS = ("model", "own_model", "embed")  # fields that say what is served
UNCONFIGURED = "Could not establish a configuration source"  # what Slurm's commands say of it


class LaunchPart:
    """A form of three fields whose choices and verdict come from the planner, and its button.

    Planning and launching run in threads, so the kernel stays free.

    Args:
        settings: the person's own.
        on_change: called when there is something new to show, from any thread.
        on_started: called with the session once it is submitted or started.
        values: what stands in the fields at first; the settings' own choice when not given.
        notice: a sentence above the form, such as why the last session ended.
    """

    def __init__(
        self,
        settings: Settings,
        on_change: Callable[[], None],
        on_started: Callable[[Started], None],
        values: LaunchValues | None = None,
        notice: str = "",
    ) -> None:
        self._on_change, self._on_started = on_change, on_started
        self._settings = settings
        self.values = values or LaunchValues()
        self.notice = notice
        self._about: State = {"models": [], "title": "", "is_local": not may_be_centre(settings)}
        self._judged: State = {"gpus": [], "verdict": None}
        self._problem: State | None = None
        self._is_launching = False
        self._judging = Latest(self._judge)

    @cached_property
    def desk(self) -> SiteDesk | LocalDesk:
        """Where sessions are launched from here; Slurm is asked, so not in the kernel's main thread."""
        return make_desk(self._settings)

    def begin(self) -> None:
        """Reads what there is to choose from, in a thread."""
        self._judging.ask(self.values)

    def make_state(self) -> State:
        """What the page shows."""
        own = {"values": vars(self.values), "notice": self.notice, "problem": self._problem}
        return {**self._about, **self._judged, **own, "is_launching": self._is_launching}

    def change(self, given: Any) -> Mapping[str, Any]:
        """Takes new values of the fields, and has them judged."""
        values = self.values.changed(given if isinstance(given, Mapping) else {})
        if any(getattr(values, name) != getattr(self.values, name) for name in MODELS):
            values = values.changed({"gpus": ""})  # other models need other GPUs
        self.values, self._problem = values, None
        self._judged = {**self._judged, "verdict": None}
        self._judging.ask(values)
        self._on_change()
        return {}

    def submit(self, given: Any) -> Mapping[str, Any]:
        """Launches what the fields say, in a thread. A second click meanwhile does nothing."""
        if self._is_launching:
            return {}
        self.values = self.values.changed(given if isinstance(given, Mapping) else {})
        self._is_launching, self._problem = True, None
        threading.Thread(target=self._launch, name="curc-llm-launch", daemon=True).start()
        self._on_change()
        return {}

    def wait(self, timeout_s: float) -> bool:
        """Waits until nothing is being judged; for tests."""
        return self._judging.wait(timeout_s)

    def _judge(self, values: LaunchValues) -> None:
        try:
            if not self._about["models"]:
                self._about, values = self._open(values)
            judged = self.desk.judge(values)
        except CurcLlmError as error:
            self._problem = {"message": error.message, "remedy": error.remedy}
            judged = {"gpus": self._judged["gpus"], "verdict": None}
        if self.values == values:  # else something newer is asked for, and judged next
            self._judged = {name: value for name, value in judged.items() if name != "values"}
            self.values = judged.get("values", self.values)
        self._on_change()

    def _open(self, values: LaunchValues) -> tuple[State, LaunchValues]:
        about, first = self.desk.open()
        is_local = isinstance(self.desk, LocalDesk)
        names = {option["value"] for option in about["models"]}
        if not is_local and not values.hours:  # as of a session without an end; a job has one
            values = values.changed({"hours": LaunchValues.hours})
        if not values.model:
            values = values.changed({"model": first})
        elif values.model not in names:
            values = values.changed({"model": choices.OWN, "own_model": values.model})
        self.values = values
        return {**about, "is_local": is_local}, values

    def _launch(self) -> None:
        try:
            started = self.desk.launch(self.values)
        except CurcLlmError as error:
            self._problem = {"message": error.message, "remedy": error.remedy}
        except OSError as error:
            self._problem = {"message": f"It can't be launched: {error}.", "remedy": "Try: curc-llm doctor"}
        else:
            self._on_started(started)
        finally:
            self._is_launching = False
        self._on_change()


def make_desk(settings: Settings) -> SiteDesk | LocalDesk:
    """Where sessions are launched from here: the centre's Slurm, or this machine where there is none."""
    is_centre = may_be_centre(settings) and is_configured(Slurm(query_s=ASK_S))
    return SiteDesk(settings) if is_centre else LocalDesk(settings)


def may_be_centre(settings: Settings) -> bool:
    """What can be told of it without asking anybody."""
    return settings.site != LOCAL and Slurm().is_here()


def is_configured(slurm: Slurm) -> bool:
    """Whether Slurm's commands belong to a cluster; a package manager may have brought them without one.

    A controller that is silent, as during maintenance, is a cluster's all the same.
    """
    try:
        slurm.query("scontrol", "--version")
    except SlurmSilentError:
        return True
    except SlurmError as error:
        return error.message != explain_refusal(UNCONFIGURED)[0]
    return True
