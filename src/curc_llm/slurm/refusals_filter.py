"""What CURC's job filter refuses: the texts of its error-status-codes page (2026-08-05), in its order."""

from __future__ import annotations

from curc_llm.slurm.refusal import Refusal

FILTER_REFUSALS = (
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
        r"invalid\W+GRES\W+type was specified for the selected partition\W+(?P<partition>[\w.-]+)\W+"
        r"and QoS\W+(?P<qos>[\w.-]+?)\W*\. Valid\W+GRES\W+types .*?are:\s*(?P<allowed>.*?)\.?$",
        "The partition {partition} has no such GPU for the QoS {qos}.",
        "Ask for one of these GPU types: {allowed}.",
    ),
    Refusal(
        r"For the QoS\W+(?P<qos>[\w.-]+)\W+users can only request\W+(?P<most>\d+)\W+"
        r"GPU\(s\) of type\W+(?P<type>[\w.+-]+)",
        "With the QoS {qos} a job may have at most {most} GPU(s) of type {type}.",
        "Ask for at most {most}, or for a model that needs fewer.",
    ),
    Refusal(
        r"must specify\W+--ntasks\W+or\W+--mem",
        "A GPU job must say how many cores or how much memory it wants.",
        "Add --ntasks=1 and --mem.",
    ),
    Refusal(
        r"requesting\W+(?P<asked>\d+)\W+tasks, which exceeds .*?of\W+(?P<most>\d+)\W+tasks "
        r"for\W+(?P<gpus>\d+)\W+GPU",
        "{asked} tasks are more than the {most} that come with {gpus} GPU(s).",
        "Ask for one task.",
    ),
    Refusal(
        r"requesting\W+(?P<asked>\d+)\W+CPUs, which exceeds .*?of\W+(?P<most>\d+)\W+CPUs "
        r"for\W+(?P<gpus>\d+)\W+GPU",
        "{asked} cores are more than the {most} that come with {gpus} GPU(s).",
        "Ask for at most {most} cores (--cpus-per-task {most}), or leave the cores to curc-llm.",
    ),
    Refusal(
        r"requesting\W+(?P<asked>\d+)\W+MiB of RAM, which exceeds .*?of\W+(?P<most>\d+)\W+MiB of RAM "
        r"for\W+(?P<gpus>\d+)",
        "{asked} MiB of memory are more than the {most} MiB that come with {gpus} GPU(s).",
        "Ask for more GPUs or a smaller model, and tell the centre that curc-llm's site file is out of date.",
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
