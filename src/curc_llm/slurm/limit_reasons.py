"""Reasons that name a limit: Slurm builds them of parts (`QOSMaxGRESPerUser`), and so are they explained."""

from __future__ import annotations

import re

# Slurm's words for what is limited (job_reason_string, Slurm 22.05 to 25), and ours.
_THINGS = {
    "GRES": "GPUs", "Cpu": "cores", "CPU": "cores", "Mem": "memory", "Memory": "memory", "Node": "nodes",
    "Billing": "service units", "License": "licences", "BB": "burst buffer", "Energy": "energy",
    "Unknown": "resources", "Jobs": "jobs", "SubmitJobs": "jobs", "SubmitJob": "jobs", "Wall": "time",
    "WallDuration": "time",
}  # fmt: skip
_REASON = re.compile(
    r"(?P<owner>QOS|Assoc)?(?P<kind>Grp|Max|Min)"
    rf"(?P<thing>{'|'.join(sorted(_THINGS, key=len, reverse=True))})"
    r"(?P<minutes>Minutes|RunMinutes)?(?:Per(?P<scope>Job|Node|User|Account))?(?:Limit|NotSatisfied)?"
)
_NEVER = "it will never start"


def explain_limit(word: str) -> str:
    """Why a job that a limit holds back waits; empty when the word isn't of that kind.

    Example:
        >>> explain_limit("QOSMaxGRESPerUser")
        'you hold all the GPUs that one person may at once with its QoS'
        >>> explain_limit("AssocGrpBillingMinutes")
        'the service units of its account are used up'
        >>> explain_limit("Priority")
        ''
    """
    found = _REASON.fullmatch(word)
    if found is None:
        return ""
    whose = "its QoS" if found["owner"] == "QOS" else "its account"
    thing = _THINGS[found["thing"]]
    if found["kind"] == "Min":
        return f"it asks for less than the least that {whose} takes ({thing}): {_NEVER}"
    if found["minutes"]:
        return _explain_minutes(found, thing, whose)
    if thing == "jobs":
        return _explain_jobs(found, whose)
    if found["kind"] == "Grp":
        return f"all that {whose} may use at once is in use ({thing})"
    return _explain_most(found["scope"], thing, whose)


def _explain_minutes(found: re.Match[str], thing: str, whose: str) -> str:
    used = thing if thing == "service units" else f"hours of {thing}"
    if found["kind"] == "Max":
        return f"it asks for more {used} than one job may have with {whose}: {_NEVER}"
    if found["minutes"] == "RunMinutes":
        return f"the running jobs of {whose} have as many {used} before them as they may"
    return f"the {used} of {whose} are used up"


def _explain_jobs(found: re.Match[str], whose: str) -> str:
    if found["kind"] == "Grp" or found["scope"] == "Account":
        return f"as many jobs of {whose} run as may at once"
    return f"as many of your jobs run as may at once with {whose}"


def _explain_most(scope: str | None, thing: str, whose: str) -> str:
    if scope == "User":
        return f"you hold all the {thing} that one person may at once with {whose}"
    if scope == "Account":
        return f"{whose} holds all the {thing} that it may at once"
    return f"it asks for more {thing} than one job may have with {whose}: {_NEVER}"
