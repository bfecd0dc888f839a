"""Command: runs Slurm's programs, with a time-out, a clean environment, and errors that people understand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curc_llm.errors import SlurmError, SlurmSilentError
from curc_llm.slurm.refusals import explain_refusal, is_silence
from curc_llm.slurm.request import JobRequest
from curc_llm.slurm.script import render_arguments

# Time-outs in seconds. Slurm's own commands give up after MessageTimeout (10 s by default) and try once more.
QUERY_S = 20.0
SUBMIT_S = 60.0
# What Slurm's commands, and through sbatch the job, get to see. All else stays where it is: keys of other
# services, SBATCH_ and SQUEUE_ variables that would change what is asked, PYTHONPATH, the environment's own.
PASSED_ON = (
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SLURM_CONF",
    "MODULEPATH", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH",
)  # fmt: skip
_JOB_ID = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Slurm:
    """Slurm's commands, as found on PATH.

    Args:
        environment: where PATH and the variables that are passed on come from.
        query_s, submit_s: seconds until a command counts as silent.

    Example:
        >>> Slurm().cancel("12345")
    """

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    query_s: float = QUERY_S
    submit_s: float = SUBMIT_S

    def is_here(self) -> bool:
        """Whether this machine has Slurm's commands at all."""
        return shutil.which("sbatch", path=self.environment.get("PATH")) is not None

    def submit(self, request: JobRequest, script: str, folder: Path | None = None) -> str:
        """Submits a script; returns the job's id.

        Args:
            request: what Slurm is asked for.
            script: what `script.render_script` made of it.
            folder: where the job starts.

        Raises:
            SlurmError: it was refused.
            SlurmSilentError: no answer in time; the job may exist all the same.
        """
        arguments = ["--parsable", *render_arguments(request, folder)]
        done = self._run(["sbatch", *arguments], self.submit_s, script)
        lines = done.stdout.split()
        job_id = lines[-1].partition(";")[0] if lines else ""
        if _JOB_ID.fullmatch(job_id) is None:
            raise SlurmError(
                f"sbatch told no job id but {done.stdout[:80]!r}.", "See whether it runs: squeue --me"
            )
        return job_id

    def test(self, request: JobRequest, script: str) -> str:
        """Asks whether a job would be taken, without submitting it; returns what sbatch says of its start.

        Raises:
            SlurmError: it would be refused.
            SlurmSilentError: no answer in time.
        """
        done = self._run(["sbatch", "--test-only", *render_arguments(request)], self.query_s, script)
        return done.stderr + done.stdout

    def cancel(self, job_id: str) -> None:
        """Ends a job; a job that has ended already is no trouble.

        Raises:
            SlurmError: it isn't the caller's.
            SlurmSilentError: no answer in time.
        """
        self._run(["scancel", check_job_id(job_id)], self.query_s)

    def query(self, *command: str) -> str:
        """Runs a command that only asks; returns what it printed.

        Raises:
            SlurmError: it failed, or isn't here.
            SlurmSilentError: no answer in time.
        """
        return self._run(command, self.query_s).stdout

    def _run(
        self, command: Sequence[str], timeout_s: float, script: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            done = _start(command, timeout_s, script, self._environment(for_job=script is not None))
        except FileNotFoundError as error:
            raise SlurmError(
                f"{command[0]} isn't on this machine, so Slurm can't be asked here.",
                "Use a login node or Open OnDemand. To serve a model on this machine: curc-llm serve.",
            ) from error
        except OSError as error:
            raise SlurmError(f"{command[0]} can't be run: {error.strerror}.") from error
        except subprocess.TimeoutExpired as error:
            raise _make_silence(command[0], f"no answer within {timeout_s:g} s") from error
        if done.returncode == 0:
            return done
        said = f"{done.stderr}\n{done.stdout}"
        if is_silence(said):
            raise _make_silence(command[0], "the controller or its database can't be reached")
        raise SlurmError(*explain_refusal(said))

    def _environment(self, *, for_job: bool) -> dict[str, str]:
        kept = {name: self.environment[name] for name in PASSED_ON if name in self.environment}
        return kept if for_job else kept | {"SLURM_TIME_FORMAT": "%s"}


def check_job_id(job_id: str) -> str:
    """The id, if it is one.

    Raises:
        SlurmError: it isn't a number.
    """
    if _JOB_ID.fullmatch(job_id) is None:
        raise SlurmError(f"{job_id[:40]!r} isn't a job id of Slurm's.", "Give the number that squeue shows.")
    return job_id


def _start(
    command: Sequence[str], timeout_s: float, script: str | None, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        raise FileNotFoundError(command[0])
    return subprocess.run(
        [program, *command[1:]],
        input=script if script is not None else "",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        env=dict(environment),
        check=False,
    )


def _make_silence(command: str, what: str) -> SlurmSilentError:
    return SlurmSilentError(
        f"Slurm is silent ({command}: {what}), so nothing is known at the moment.",
        "Sessions that run are not touched by this. Try again in a minute.",
    )
