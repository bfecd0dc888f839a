"""Reasons: why a job waits, in plain words. Slurm's word → what it means for the person who waits."""

from __future__ import annotations

import re

from curc_llm.slurm.limit_reasons import explain_limit

# The exact words first; then what a word begins with or contains (squeue manual, JOB REASON CODES; CURC's
# error-status-codes page, 2026-08-05, for those that it explains).
_EXACT = {
    "None": "Slurm has not looked at it yet",
    "Resources": "waiting until enough GPUs, cores or memory are free; it is next in line",
    "Priority": "others are before it in the queue",
    "Dependency": "waiting for another job",
    "DependencyNeverSatisfied": "waiting for a job that ended otherwise than it should: it will never start",
    "BeginTime": "it is not to start before the time that was asked for",
    "Cleaning": "its last run is still being cleared up before it starts again",
    "JobHeldUser": "it is held: release it with scontrol release",
    "JobHeldAdmin": "the centre's staff holds it: ask them",
    "JobHoldMaxRequeue": "it was started too often without success, so Slurm holds it",
    "Licenses": "waiting for a licence",
    "Reservation": "waiting for its reservation to begin",
    "ReservationDeleted": "its reservation is gone: cancel it and launch without",
    "NodeDown": "a node that it needs is down",
    "BadConstraints": "no node is as it asks: it will never start",
    "PartitionDown": "its partition is closed at the moment",
    "PartitionInactive": "its partition is closed at the moment",
    "PartitionNodeLimit": "it asks for more nodes than its partition gives",
    "PartitionTimeLimit": "it asks for more time than its partition gives: it will never start",
    "InvalidAccount": "its account is not valid: cancel it and launch with another",
    "InvalidQOS": "its QoS is not valid: cancel it and launch with another",
    "launch failed requeued held": "a node failed while it started, so Slurm holds it",
    "QOSNotAllowed": "its partition does not take its QoS",
    "AccountNotAllowed": "its partition does not take its account",
    "Prolog": "the node is being prepared",
    "SchedDefer": "Slurm has put it off for a moment",
    "FrontEndDown": "the cluster's front end is down",
    "NodeNotAvail": "its nodes are down or reserved",
    "JobLaunchFailure": "it could not be started: a file system or a node may be at fault",
    "NonZeroExitCode": "its last run failed, so Slurm holds it",
    "OutOfMemory": "its last run needed more memory than it had asked for",
    "DeadLine": "it can't end before its deadline: it will never start",
    "PartitionConfig": "its partition does not take a job like it: it will never start",
    "MaxMemPerLimit": "it asks for more memory than its partition gives: it will never start",
    "JobArrayTaskLimit": "as many tasks of its array run as may at once",
    "SystemFailure": "Slurm, a file system or the network has failed",
}  # fmt: skip
_PATTERNS = (
    (r"ReqNodeNotAvail.*[Rr]eserved for maint", "a maintenance begins on its nodes before it would end"),
    (r"ReqNodeNotAvail", "its nodes are down or reserved, often for a maintenance before it would end"),
    (r"Nodes required for job are DOWN", "nodes that it needs are down or reserved for other jobs"),
    (r"[Hh]eld", "it is held"),
    (r"^BurstBuffer", "waiting for the burst buffer"),
    (r"^Power", "waiting for electrical power"),
    (r"^FedJobLock$|^Block", "the cluster is busy with something else"),
    (r"^Partition\w+Limit$", "all that its partition gives at once is in use"),
    (r"^QOS", "a limit of its QoS is reached"),
    (r"^Assoc|PerAccount$|^AccountingPolicy$", "a limit of its account is reached"),
)


def explain_reason(reason: str) -> str:
    """Why a job waits, as a clause; an unknown word is passed on as Slurm wrote it, empty stays empty.

    Example:
        >>> explain_reason("QOSMaxGRESPerUser")
        'you hold all the GPUs that one person may at once with its QoS'
        >>> explain_reason("SomethingNew")
        'Slurm says: SomethingNew'
    """
    word = reason.strip().strip("()")
    if not word:
        return ""
    if word in _EXACT:
        return _EXACT[word]
    limit = explain_limit(word)
    if limit:
        return limit
    found = next((text for pattern, text in _PATTERNS if re.search(pattern, word)), "")
    return found or f"Slurm says: {word[:200]}"


def will_never_start(reason: str) -> bool:
    """True when waiting longer doesn't help: the job should be cancelled and launched otherwise.

    Example:
        >>> will_never_start("PartitionTimeLimit"), will_never_start("Priority")
        (True, False)
    """
    text = explain_reason(reason)
    return "never start" in text or "cancel it" in text
