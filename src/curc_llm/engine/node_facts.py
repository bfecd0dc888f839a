"""What one node of a job is and has, as it matters to an engine over several nodes."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from curc_llm.engine.gpu_facts import GpuFacts, read_gpus
from curc_llm.engine.network import NodeNetwork
from curc_llm.engine.versions import LOOK_UP
from curc_llm.sites.network import Network
from curc_llm.spec.model_folder import WEIGHT_ENDINGS, fingerprint_folder

GIB = 2**30
PYTHON_S = 30.0
# Where the engine's Python has vLLM; nothing is imported.
FIND_VLLM = """
import importlib.util, os
found = importlib.util.find_spec("vllm")
print("vLLM in", os.path.realpath(os.path.dirname(found.origin)) if found and found.origin else "")
"""


class _Message(BaseModel):
    # Nodes may have different versions of curc-llm, which is to be told, not to be stumbled over.
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class PreflightRequest(_Message):
    """What each node is asked.

    Args:
        network: what the site says of it.
        device: `cuda` or `cpu`.
        engine_python: the Python that has vLLM.
        models: folders that every node must be able to read.
        folders: those that must have room on every node, besides its own one for temporary files.
        shared: files that every node must see.
        gpus_per_node: GPUs that the job has on each node; 0 when that isn't known.
        gpu_memory_utilization: share of a GPU's memory that must be free.
    """

    network: Network = Network()
    device: Literal["cuda", "cpu"] = "cpu"
    engine_python: str = ""
    models: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    gpus_per_node: int = 0
    gpu_memory_utilization: float = 0.92


class ModelFacts(_Message):
    """A model's folder as a node sees it; `error` when it can't read it."""

    path: str
    fingerprint: str = ""
    size_gib: float = 0.0
    error: str = ""


class FolderFacts(_Message):
    """A folder as a node sees it; `error` when nothing can be written there."""

    path: str
    free_gib: float = 0.0
    error: str = ""


class NodeFacts(_Message):
    """What one node told.

    Args:
        node: its name.
        network_error, network_remedy: why it has no interface to use; empty when it has.
        ports: its listening sockets, on `address`: for the other nodes, and for torch's rendezvous.
        versions: of curc-llm, Python, vLLM and torch.
        vllm_path: the folder of vLLM's code.
        unseen: of the shared files those that aren't there.
        memory_gib, cores: of the node itself.
        open_files: the hard limit.
        clock_s: Unix time at which it told.
    """

    node: str
    interface: str = ""
    address: str = ""
    kind: str = ""
    network_error: str = ""
    network_remedy: str = ""
    ports: tuple[int, int] = (0, 0)
    gpus: tuple[GpuFacts, ...] = ()
    driver: str = ""
    cuda: str = ""
    versions: dict[str, str] = {}
    vllm_path: str = ""
    models: tuple[ModelFacts, ...] = ()
    folders: tuple[FolderFacts, ...] = ()
    unseen: tuple[str, ...] = ()
    memory_gib: float = 0.0
    cores: int = 0
    open_files: int = 0
    clock_s: float = 0.0


def name_node(environ: Mapping[str, str]) -> str:
    """What Slurm calls this node; outside Slurm its host name."""
    return environ.get("SLURMD_NODENAME") or socket.gethostname()


def read_node_facts(request: PreflightRequest, environ: Mapping[str, str]) -> NodeFacts:
    """Everything that can be told without the other nodes; takes a second. `clock_s` is the end of it."""
    gpus, driver = read_gpus(environ) if request.device == "cuda" else ((), None)
    versions = _read_versions(request.engine_python)
    return NodeFacts(
        node=name_node(environ),
        gpus=gpus,
        driver=driver.version if driver else "",
        cuda=driver.cuda if driver else "",
        vllm_path=versions.pop("vLLM in", ""),
        versions=versions,
        models=tuple(look_at_model(Path(path)) for path in request.models),
        folders=tuple(look_at_folder(Path(p)) for p in dict.fromkeys((*request.folders, find_temp(environ)))),
        unseen=tuple(path for path in request.shared if not Path(path).exists()),
        memory_gib=round(psutil.virtual_memory().total / GIB, 1),
        cores=os.cpu_count() or 0,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        clock_s=time.time(),
    )


def find_temp(environ: Mapping[str, str]) -> str:
    """Where this node keeps temporary files: the first node's TMPDIR may not be there, or be another's."""
    try:
        return tempfile.gettempdir()
    except OSError:  # nowhere can anything be written; the look at it will tell
        return environ.get("TMPDIR", "/tmp")  # noqa: S108


def add_network(facts: NodeFacts, found: NodeNetwork, ports: tuple[int, int]) -> NodeFacts:
    """The facts with what the node uses to speak with the others."""
    own = {"interface": found.interface, "address": found.address, "kind": found.kind, "ports": ports}
    return facts.model_copy(update=own)


def look_at_model(folder: Path) -> ModelFacts:
    """Whether a model can be read here: its fingerprint, its size, the first byte of each weight file."""
    try:
        weights = [path for path in folder.iterdir() if path.name.endswith(WEIGHT_ENDINGS)]
        size = sum(path.stat().st_size for path in weights)
        for path in (folder / "config.json", *weights):
            with path.open("rb") as file:
                file.read(1)
    except OSError as error:
        return ModelFacts(path=str(folder), error=error.strerror or str(error))
    return ModelFacts(path=str(folder), fingerprint=fingerprint_folder(folder), size_gib=size / GIB)


def look_at_folder(folder: Path) -> FolderFacts:
    """Room in a folder, or where it would be made."""
    place = next((p for p in (folder, *folder.parents) if p.exists()), Path("/"))
    try:
        free = shutil.disk_usage(place).free / GIB
    except OSError as error:
        return FolderFacts(path=str(folder), error=error.strerror or str(error))
    error_text = "" if os.access(place, os.W_OK | os.X_OK) else "nothing can be written there"
    return FolderFacts(path=str(folder), free_gib=round(free, 2), error=error_text)


def _read_versions(engine_python: str) -> dict[str, str]:
    """By the engine's Python, in a process of its own; empty when there is no such Python here."""
    from curc_llm.engine.versions import own_version

    command = [engine_python or sys.executable, "-P", "-c", LOOK_UP + FIND_VLLM]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PYTHON_S, check=False)
        lines = done.stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        lines = []
    told = dict(line.rsplit(" ", 1) for line in lines if " " in line)
    return {"curc-llm": own_version(), **told}
