"""What a session needs to submit others like itself: its own spec, the site's word, Slurm."""

from __future__ import annotations

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
        self.refusal = ""
        self.unit = "SU"
        self.may_extend = False
        # The Python that runs here is there on the nodes, whatever the site's file says.
        self.runtime = Runtime(source="", python=sys.executable)
        self._read_site()

    def _read_site(self) -> None:
        try:
            site = load_site(self.spec.site)
        except (
            CurcLlmError
        ):  # described by a file of the person's own: its modules are loaded in this job already
            return
        self.unit, self.may_extend = site.billing.unit, site.runtime.users_may_extend
        self.runtime = site.runtime.model_copy(update={"python": sys.executable})
        if not site.runtime.jobs_may_submit:
            self.refusal = (
                f"{site.title} takes no jobs from compute nodes, so no other job can be started here."
            )

    def submit(self, spec: LaunchSpec) -> OtherSession:
        """Submits a session.

        Raises:
            LaunchError: the site takes no jobs from compute nodes.
            CurcLlmError: what `launch_slurm` raises.
        """
        if self.refusal:
            raise LaunchError(self.refusal)
        return submit(spec, self.runtime, self.slurm)
