"""What Slurm itself refuses (slurm_errno.c; the same words from 22.05 to 25)."""

from __future__ import annotations

from curc_llm.slurm.refusal import Refusal

# Slurm says so too of nodes that are there but down or drained; see `start.expect_start`.
NO_SUCH_NODE = (
    "No node of the partition has so many GPUs, cores or so much memory of the kind that was asked for."
)

SLURM_REFUSALS = (
    Refusal(
        r"Invalid account or account/partition combination",
        "Slurm doesn't know you under that account, or not in that partition.",
        "Name an account of yours with --account; `sacctmgr show assoc user=$USER format=account` lists all.",
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
        NO_SUCH_NODE,
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
        "The job goes beyond a limit of the QoS or of your account (jobs, GPUs, time or service units).",
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
        r"Requested reservation is invalid|reservation.*(?:invalid|unknown)|"
        r"Access denied to requested reservation",
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
        r"Unable to process configuration file|ClusterName needs to be specified|"
        r"Could not establish a configuration",
        "Slurm's commands find no configuration here, so this machine isn't part of a cluster.",
        "Launch from a login node or from Open OnDemand; on CURC load the module slurm/alpine.",
    ),
)
