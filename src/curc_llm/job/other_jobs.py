"""What a session needs to submit others like itself: its own spec, the site's word, Slurm."""

from __future__ import annotations

import os
import sys

from curc_llm.errors import CurcLlmError, LaunchError
from curc_llm.job.other_session import OtherSession, submit
from curc_llm.launch.other_spec import find_su_per_h
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import SessionRecord
from curc_llm.sites.load import load_site
from curc_llm.sites.site import Runtime
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.spec import LaunchSpec, read_launch_spec

# Apptainer and its forerunner set these in what they run.
IN_IMAGE = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")


def list_models(record: SessionRecord) -> set[tuple[str, str]]:
    """What a session serves: names, and which model each of them is."""
    return {(engine.served_model_name, engine.model) for engine in record.engines}


class OtherJobs:
    """Submits sessions from inside this session's job.

    Args:
        paths: of this session; its spec is read as it was submitted, without what only this node knows.
        record: of this session.
    """

    def __init__(self, paths: SessionPaths, record: SessionRecord) -> None:
        self.spec: LaunchSpec = read_launch_spec(paths.spec)
        self.su_per_h = find_su_per_h(self.spec, record)
        self.slurm = Slurm()
        self.poll = SlurmPoll(self.slurm)
        self._launched = list_models(record)
        self._refusal = ""
        self.unit = "SU"
        self.may_extend = False
        # The Python that runs here is there on the nodes, whatever the site's file says.
        self.runtime = Runtime(source="", python=sys.executable)
        self._read_site()
        if any(os.environ.get(name) for name in IN_IMAGE):
            # Neither Slurm's commands nor, in the other job, this Python are there as they are here.
            self._refusal = "This session runs inside an Apptainer image, which can't start other jobs."

    def _read_site(self) -> None:
        try:
            site = load_site(self.spec.site_file or self.spec.site)
        except CurcLlmError:  # its file can't be seen from here; its modules are loaded in this job already
            return
        self.unit, self.may_extend = site.billing.unit, site.runtime.users_may_extend
        self.runtime = site.runtime.model_copy(update={"python": sys.executable})
        if not site.runtime.jobs_may_submit:
            self._refusal = (
                f"{site.title} takes no jobs from compute nodes, so no other job can be started here."
            )

    def find_refusal(self, record: SessionRecord) -> str:
        """Why no job can be started for the session as it is now; empty when one can."""
        return self._refusal or self.find_difference(record)

    def find_difference(self, record: SessionRecord) -> str:
        """Why other jobs, which have this session's spec, would serve something else; empty if they don't."""
        if list_models(record) == self._launched:
            return ""
        return "The session serves another model than it was launched with, which other jobs don't know of."

    def submit(self, spec: LaunchSpec, record: SessionRecord) -> OtherSession:
        """Submits a session.

        Args:
            spec: the other one's.
            record: of this session, as it is now.

        Raises:
            LaunchError: the site takes no jobs from compute nodes, or the session's model was exchanged.
            CurcLlmError: what `launch_slurm` raises.
        """
        if refusal := self.find_refusal(record):
            raise LaunchError(refusal)
        return submit(spec, self.runtime, self.slurm)
