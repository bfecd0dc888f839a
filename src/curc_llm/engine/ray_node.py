"""Ray on one node of an engine: what it is told, so that nobody else reaches it or stumbles over it. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

RAY_START = Path(__file__).with_name("ray_start.py")
NO_PORT = 65536  # one more than the highest


def make_ray_environment(token: Path | None, base: Mapping[str, str], temp_dir: Path) -> dict[str, str]:
    """An engine's environment with Ray's part; whatever else Ray would heed is taken out of it.

    Without a token, anybody who reaches Ray's ports runs code as the owner (CVE-2023-48022, CVE-2025-62593).
    A token that lies in somebody's home (`~/.ray/auth_token`) counts only where it can be seen, so ours is
    named. vLLM hands its whole environment on to its workers (v1/executor/ray_env_utils.py): that holds the
    path of the token's file, never the token.

    Args:
        token: file with the token, 0600, which all nodes see.
        base: the engine's environment.
        temp_dir: a folder on this node for Ray alone; sockets lie deep in it, so its path must be short.

    Example:
        >>> make_ray_environment(Path("/s/ray.token"), {"RAY_ADDRESS": "x"}, Path("/tmp/r"))["RAY_AUTH_MODE"]
        'token'
    """
    kept = {name: value for name, value in base.items() if not name.startswith("RAY_")}
    own = {
        "RAY_TMPDIR": str(temp_dir),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Nobody reads Ray's figures, and their ports ask for no key. The agents open none without collection
        # (ray_config_def.h); the dashboard goes on without its own when no port has that number
        # (dashboard/head.py).
        "RAY_enable_metrics_collection": "0",
        "DASHBOARD_METRIC_PORT": str(NO_PORT),
        "RAY_DISABLE_IMPORT_WARNING": "1",
        # What a worker says must reach the engine's log as it is: the diagnosis reads it.
        "RAY_DEDUP_LOGS": "0",
        "RAY_COLOR_PREFIX": "0",
    }
    if token is not None:
        own |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    return kept | own


def render_ray_node(
    engine_python: str,
    *,
    place: int,
    num_nodes: int,
    head_address: str,
    head_port: int,
    address: str,
    gpus: int,
    temp_dir: Path,
    command: Sequence[str] = (),
) -> list[str]:
    """The command that joins this node to the engine's Ray; on the first node vLLM runs once all are there.

    Args:
        engine_python: the Python that has Ray.
        place: of this node in the job, from 0.
        num_nodes: nodes that must be there before vLLM starts.
        head_address: the first node's.
        head_port: of Ray on the first node.
        address: this node's.
        gpus: that Ray may use here, as Slurm gave them; Ray itself would count the whole machine's.
        temp_dir: see `make_ray_environment`.
        command: vLLM; only on the first node.

    Example:
        >>> render_ray_node("python", place=1, num_nodes=2, head_address="10.0.0.1", head_port=6379,
        ...     address="10.0.0.2", gpus=4, temp_dir=Path("/tmp/r"))[2:4]
        ['--place', '1']
    """
    values = {
        "place": place,
        "num-nodes": num_nodes,
        "head": head_address,
        "port": head_port,
        "address": address,
        "gpus": gpus,
        "temp-dir": temp_dir,
    }
    options = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return [engine_python, str(RAY_START), *options, *(["--", *command] if command else [])]


def choose_temp_dir(runtime_dir: Path) -> Path:
    """Where Ray keeps its sockets on this node: in the session's own folder there, never in `/tmp/ray`.

    The first user of `/tmp/ray` owns it, and all others fail (ray#4593).

    Example:
        >>> choose_temp_dir(Path("/tmp/curc-llm-1-x")).name
        'r'
    """
    return Path(os.fspath(runtime_dir)) / "r"
