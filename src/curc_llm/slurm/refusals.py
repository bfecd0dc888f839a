"""Refusals: what sbatch says when it takes no job, as one sentence and a remedy. A row is a pattern and its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What Slurm's commands print when nobody answers: nothing is known then (slurm_errno.h, and seen on 22.05).
_SILENT = re.compile(
    r"Unable to contact slurm|Socket timed out|Connection refused|connect failure|Zero Bytes were transmitted|"
    r"Communication connection failure|Transport endpoint|Connection timed out|No route to host|"
    r"Unable to establish control|slurm_persist_conn_open|Unspecified transport|Protocol authentication error|"
    r"slurmdbd.*(?:refused|unable to contact|not running)|Problem talking to the database|"
    r"temporarily unable to accept|in standby mode|Resource temporarily unavailable",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Refusal:
    """A pattern of Slurm's text with what to tell a person; `{name}` is the pattern's group of that name."""

    pattern: str
    message: str
    remedy: str


# CURC's job filter: the texts of its documentation (error-status-codes page, 2026-08-05), in its order.
_CURC = (
    Refusal(
        r"The (?P<partition>\S+) partition accepts the following QoS values:\s*(?P<allowed>.+)",
        "The partition {partition} doesn't take the QoS that was asked for.",
        "Ask for one of these QoS: {allowed}.",
    ),
    Refusal(
        r"must specify\W+--nodes\W+for all GPU",
        "A GPU job must say how many nodes it wants.",
        "Add --nodes=1.",
    ),
    Refusal(
        r"All GPU jobs are limited to 1 node",
        "GPU jobs may have one node only.",
        "Ask for no more GPUs than one node has, or for a smaller or more quantised model.",
    ),
    Refusal(r"list of\W+gres\W+options", "Only one kind of GPU may be asked for.", "Name one GPU type."),
    Refusal(
        r"invalid\W+--gres\W+input",
        "The GPUs were not asked for as Slurm wants it.",
        "Write --gres=gpu:TYPE:COUNT; curc-llm gpus lists the types.",
    ),
    Refusal(
        r"must use the\W+gres\W+name\W+gpu",
        "Something other than GPUs was asked for in a GPU partition.",
        "Write --gres=gpu:TYPE:COUNT.",
    ),
    Refusal(
        r"invalid\W+GRES\W+type was specified for the selected partition\W+(?P<partition>[\w.-]+)\W+and QoS\W+"
        r"(?P<qos>[\w.-]+?)\W*\. Valid\W+GRES\W+types .*?are:\s*(?P<allowed>.*?)\.?$",
        "The partition {partition} has no such GPU for the QoS {qos}.",
        "Ask for one of these GPU types: {allowed}.",
    ),
    Refusal(
        r"For the QoS\W+(?P<qos>[\w.-]+)\W+users can only request\W+(?P<most>\d+)\W+GPU\(s\) of type\W+(?P<type>[\w.+-]+)",
        "With the QoS {qos} a job may have at most {most} GPU(s) of type {type}.",
        "Ask for at most {most}, or for a model that needs fewer.",
    ),
    Refusal(
        r"must specify\W+--ntasks\W+or\W+--mem",
        "A GPU job must say how many cores or how much memory it wants.",
        "Add --ntasks=1 and --mem.",
    ),
    Refusal(
        r"requesting\W+(?P<asked>\d+)\W+tasks, which exceeds .*?of\W+(?P<most>\d+)\W+tasks for\W+(?P<gpus>\d+)\W+GPU",
        "{asked} tasks are more than the {most} that come with {gpus} GPU(s).",
        "Ask for one task.",
    ),
    Refusal(
        r"requesting\W+(?P<asked>\d+)\W+CPUs, which exceeds .*?of\W+(?P<most>\d+)\W+CPUs for\W+(?P<gpus>\d+)\W+GPU",
        "{asked} cores are more than the {most} that come with {gpus} GPU(s).",
        "Ask for at most {most} cores (--cpus-per-task {most}), or leave the cores to curc-llm.",
    ),
    Refusal(
        r"requesting\W+(?P<asked>\d+)\W+MiB of RAM, which exceeds .*?of\W+(?P<most>\d+)\W+MiB of RAM for\W+(?P<gpus>\d+)",
        "{asked} MiB of memory are more than the {most} MiB that come with {gpus} GPU(s).",
        "Ask for more GPUs or a smaller model, and tell the centre's support that curc-llm's site file is out of date.",
    ),
    Refusal(
        r"partition has not been provided",
        "No partition was named.",
        "Name one with --partition, or a GPU type with --gpu.",
    ),
    Refusal(
        r"cannot be a mix of GPU and CPU only partitions",
        "Partitions with and without GPUs were named together.",
        "Name one partition.",
    ),
    Refusal(r"Quality of Service \(QoS\) has not been provided", "No QoS was named.", "Name one with --qos."),
    Refusal(r"list of QoS is currently not supported", "More than one QoS was named.", "Name one."),
    Refusal(r"Time has not been specified", "No wall time was given.", "Say how many hours, with --hours."),
    Refusal(
        r"requested runtime of the\W+(?P<qos>[\w.-]+)\W+QoS cannot exceed\W+(?P<most>[\d.]+)\W*hour",
        "With the QoS {qos} a job may run at most {most} hour(s).",
        "Ask for at most {most} hours, or for a QoS with more.",
    ),
    Refusal(
        r"requested runtime of the\W+(?P<qos>[\w.-]+)\W+QoS must be greater than\W+(?P<least>[\d.]+)\W*hour",
        "With the QoS {qos} a job must run longer than {least} hour(s).",
        "Ask for more than {least} hours, or for a QoS for shorter jobs.",
    ),
    Refusal(
        r"GPU partitions, users must specify\W+--gres",
        "A job in a GPU partition must ask for GPUs.",
        "Name a GPU type and a count.",
    ),
    Refusal(
        r"list of GPU partitions is provided",
        "With several GPU partitions no GPU type can be named.",
        "Name one partition.",
    ),
)

# Slurm's own (slurm_errno.c; the same words from 22.05 to 25).
_SLURM = (
    Refusal(
        r"Invalid account or account/partition combination",
        "Slurm doesn't know you under that account, or not in that partition.",
        "Name an account of yours with --account; `sacctmgr show assoc user=$USER format=account` lists them.",
    ),
    Refusal(
        r"Invalid qos specification",
        "That QoS doesn't exist, or your account may not use it.",
        "Name another with --qos.",
    ),
    Refusal(
        r"(?:MaxWall|QOSMaxWallDurationPerJobLimit|AssocMaxWall|Requested time limit is invalid)",
        "More time was asked for than is allowed.",
        "Ask for fewer hours, or for a QoS with more.",
    ),
    Refusal(
        r"Requested node configuration is not available",
        "No node of the partition has so many GPUs, cores or so much memory of the kind that was asked for.",
        "Ask for fewer GPUs or another GPU type; curc-llm gpus lists them.",
    ),
    Refusal(
        r"QOSMaxSubmitJobPerUserLimit|AssocMaxSubmitJobLimit|MaxSubmitJobs|QOSMaxJobsPerUser",
        "You have as many jobs as the QoS or your account allows.",
        "End one with curc-llm stop or scancel, or wait until one ends.",
    ),
    Refusal(
        r"QOSMax(?:GRES|Tres|Gres)Per|QOSGrpGRES|AssocGrpGRES|AssocMax(?:GRES|Tres)",
        "More GPUs were asked for than the QoS or your account allows.",
        "Ask for fewer GPUs or another QoS.",
    ),
    Refusal(
        r"QOS(?:Max|Grp)(?:Cpu|Mem|Node)\w*|AssocMax(?:Cpu|Mem|Node)\w*",
        "More cores, memory or nodes were asked for than the QoS or your account allows.",
        "Ask for fewer GPUs, or for another QoS.",
    ),
    Refusal(
        r"Job violates accounting/QOS policy",
        "The job goes beyond a limit of the QoS or of your account (number of jobs, GPUs, time or service units).",
        "Ask for less, wait until a job of yours ends, or name another account or QoS.",
    ),
    Refusal(
        r"Invalid generic resource|Invalid gres",
        "The GPU type is one that Slurm doesn't know, or the GPUs are not written as it wants them.",
        "curc-llm gpus lists the types; if one of them is refused, tell the centre's support.",
    ),
    Refusal(
        r"invalid partition specified|Invalid partition name",
        "The partition doesn't exist.",
        "Name another with --partition; sinfo lists them.",
    ),
    Refusal(
        r"User's group not permitted|Access/permission denied|not permitted to use this partition",
        "You may not use that partition, or may not change that job.",
        "Ask the centre's support for access, or name another partition.",
    ),
    Refusal(
        r"Requested reservation is invalid|reservation.*(?:invalid|unknown)|Access denied to requested reservation",
        "The reservation doesn't exist, is over, or isn't yours.",
        "Launch without --reservation, or name another.",
    ),
    Refusal(
        r"partition.*(?:is not available|state)|Required partition not available",
        "The partition is closed at the moment.",
        "Name another partition, or wait.",
    ),
    Refusal(
        r"Memory required by task is not available|Requested memory",
        "No node of the partition has so much memory.",
        "Ask for more GPUs or a smaller model.",
    ),
    Refusal(
        r"More processors requested than permitted|CPU count per node can not be satisfied|Too many tasks",
        "More cores were asked for than a node of the partition has.",
        "Ask for fewer cores, or leave them to curc-llm.",
    ),
    Refusal(
        r"Node count specification invalid|More nodes requested than permitted|can't run \d+ processes",
        "The number of nodes is more than the partition allows.",
        "Ask for fewer GPUs.",
    ),
    Refusal(
        r"Invalid feature specification", "No node has the feature of --constraint.", "Launch without it."
    ),
    Refusal(
        r"Invalid job id|Job/step already completing or completed",
        "There is no such job any more.",
        "curc-llm ls shows your sessions.",
    ),
    Refusal(
        r"Unable to open file|No such file or directory|couldn't chdir",
        "Slurm can't use the folder of the session.",
        "Set state_dir to a folder that compute nodes see too.",
    ),
    Refusal(
        r"Invalid user id|Unable to (?:find|lookup) user|User not found",
        "Slurm doesn't know your user name yet.",
        "New accounts take some time; if it stays so, ask the centre's support.",
    ),
    Refusal(
        r"Pathname of a file, directory or other parameter too long|Script.*too large",
        "The path of the session's folder is too long for Slurm.",
        "Set state_dir to a shorter path.",
    ),
    Refusal(
        r"maximum job count|Unable to allocate resources.*full",
        "Slurm's queue is full.",
        "Wait some minutes and launch again.",
    ),
    Refusal(
        r"Unable to process configuration file|ClusterName needs to be specified|Could not establish a configuration",
        "Slurm's commands find no configuration here, so this machine isn't part of a cluster.",
        "Launch from a login node or from Open OnDemand; on CURC load the module slurm/alpine.",
    ),
)
REFUSALS = (*_CURC, *_SLURM)
_NOISE = re.compile(r"^(?:\w+: )?(?:error: |fatal: |warning: )?", re.IGNORECASE)
_LAST_WORDS = re.compile(
    r"Batch job submission failed: Unspecified error|allocation failure: Unspecified error"
)


def is_silence(text: str) -> bool:
    """True when a command failed because Slurm doesn't answer, not because it refused.

    Example:
        >>> is_silence("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
        True
    """
    return _SILENT.search(text) is not None


def explain_refusal(text: str) -> tuple[str, str]:
    """What Slurm's refusal means and what to do; text that nothing is known of is passed on.

    Args:
        text: what a command of Slurm printed as it failed.

    Example:
        >>> explain_refusal("sbatch: error: The requested runtime of the gpu-testing QoS cannot exceed 1 hour(s).")[0]
        'With the QoS gpu-testing a job may run at most 1 hour(s).'
    """
    for row in REFUSALS:
        found = re.search(row.pattern, text, re.MULTILINE)
        if found:
            values = {name: value.strip().rstrip(".") for name, value in found.groupdict().items() if value}
            return row.message.format(**values), row.remedy.format(**values)
    said = _last_words(text) or "nothing"
    return f"Slurm refused it and said: {said}.", "If this doesn't tell you why, ask the centre's support."


def _last_words(text: str) -> str:
    """Slurm's own words in one line, without the commands' names before them and without their empty last line."""
    kept = [_NOISE.sub("", line).strip() for line in text.splitlines() if not _LAST_WORDS.search(line)]
    line = " ".join(word for word in kept if word)
    return "".join(letter for letter in line if letter.isprintable())[:300].rstrip(". ")
