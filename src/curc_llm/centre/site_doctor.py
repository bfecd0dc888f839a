"""SiteDoctor: an installation looked at from all sides: portal, app, Slurm, a compute node."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import curc_llm
from curc_llm.centre.app_settings import AppSettings
from curc_llm.centre.check_app import check_app
from curc_llm.centre.check_limits import check_limits
from curc_llm.centre.check_node import check_node, list_unknown, make_state_finding
from curc_llm.centre.check_partitions import check_partitions
from curc_llm.centre.check_portal import ELSEWHERE, check_host_name, check_portal
from curc_llm.centre.check_qos import check_qos
from curc_llm.centre.finding import Finding
from curc_llm.centre.portal_files import read_portal_files
from curc_llm.centre.probe_job import Probe, ask_probe, make_state_dir
from curc_llm.centre.slurm_facts import ask_slurm_facts
from curc_llm.errors import SlurmError, SlurmSilentError
from curc_llm.sites.site import Site
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.request import JobRequest
from curc_llm.variables import find_unset


@dataclass(frozen=True)
class Examination:
    """What is to be looked at.

    Args:
        site: what is expected.
        site_name: the site's name or file, as jobs get it.
        state_dir: where sessions are looked for from here.
        app: the installed app; None: only Slurm and nodes.
        portal_root: where the portal's file system begins.
        probe: the job that looks at a node; None: none is submitted.
        wait_s: seconds that the job may take to start and to answer.
        account: for trying limits.
    """

    site: Site
    site_name: str
    state_dir: Path
    app: AppSettings | None = None
    portal_root: Path = Path("/")
    probe: JobRequest | None = None
    wait_s: float = 600.0
    account: str = ""


def examine(asked: Examination, slurm: Slurm, say: Callable[[str], None]) -> Iterator[Finding]:
    """Every finding, in the order in which an installation is mended."""
    if asked.app is not None:
        is_shared = not asked.app.root.is_relative_to(Path.home())
        yield from check_app(asked.app, asked.site, is_shared=is_shared)
        yield from check_portal(asked.app, read_portal_files(asked.portal_root))
    else:
        hint = "Name the installed app's folder with --app to have it looked at."
        yield Finding("app", "folder", "unknown", "", "not named", hint)
    if not slurm.is_here():
        yield Finding("Slurm", "commands", "unknown", "", "not on this machine", "Run this where sbatch is.")
        yield from list_unknown("there is no Slurm here")
        return
    yield from _examine_slurm(asked, slurm)
    yield from _examine_node(asked, slurm, say)


def _examine_slurm(asked: Examination, slurm: Slurm) -> Iterator[Finding]:
    try:
        facts = ask_slurm_facts(slurm)
    except SlurmSilentError as error:
        yield Finding("Slurm", "answers", "unknown", "", error.message, error.remedy)
        return
    except SlurmError as error:
        yield Finding("Slurm", "answers", "differs", "to questions", error.message, error.remedy)
        return
    yield from check_partitions(asked.site, facts)
    yield from check_qos(asked.site, facts)
    yield from check_limits(asked.site, slurm, asked.account)


def _examine_node(asked: Examination, slurm: Slurm, say: Callable[[str], None]) -> Iterator[Finding]:
    if asked.probe is None:
        yield from list_unknown()
        if asked.app is not None:
            yield Finding("portal", "host_regex", "unknown", "", "no node's name is known", ELSEWHERE)
        return
    try:
        make_state_dir(asked.state_dir)
    except OSError as error:
        yield make_state_finding(asked.state_dir, error)
        reason = f"no job can write to {asked.state_dir}"
        yield from (f for f in list_unknown(reason) if f.what != "state_dir")
        return
    command = asked.app.command() if asked.app is not None else [sys.executable]
    modules = asked.app.modules if asked.app is not None else asked.site.runtime.modules
    probe = Probe(slurm, asked.state_dir, say)
    told: dict[str, Any] = ask_probe(probe, asked.probe, command, modules, asked.site_name, asked.wait_s)
    yield from check_node(told, asked.site, asked.state_dir, curc_llm.__version__)
    portal = read_portal_files(asked.portal_root)
    if asked.app is not None and "error" not in told and portal.is_here:
        yield check_host_name(asked.app, portal, told["short"], told["fqdn"])


def adopt_environment(app: AppSettings) -> None:
    """Takes over what the portal's jobs find in their environment, unless the caller has it already."""
    for name, value in {"CURC_LLM_SITE": app.site, **app.environment}.items():
        # A centre may set some variables on compute nodes only.
        if value and not find_unset(value, os.environ):
            os.environ.setdefault(name, value)
