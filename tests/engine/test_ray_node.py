"""What Ray is told on a node, so that nobody else reaches it or stumbles over it."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ray._common.network_utils import parse_address

from curc_llm.engine import ray_start
from curc_llm.engine.ray_node import RAY_START, choose_temp_dir, make_ray_environment, render_ray_node

STRAY = {"RAY_ADDRESS": "ray://elsewhere:10001", "RAY_AUTH_MODE": "disabled", "PATH": "/bin"}
# The longest name that Ray makes below its folder (ray/_private/node.py: session_DATE_TIME_MICROSECONDS_PID).
DEEPEST = "session_2026-11-22_15-00-00_123456_1234567/sockets/plasma_store.4194304"


def render(**more: object) -> list[str]:
    given = {
        "place": 0, "num_nodes": 2, "head_address": "127.0.0.1", "head_port": 1, "address": "127.0.0.1",
        "gpus": 4, "temp_dir": Path("/tmp/r"),
    }  # fmt: skip
    return render_ray_node(sys.executable, **{**given, **more})  # type: ignore[arg-type]


def test_a_token_is_asked_for_and_what_a_shell_says_of_ray_counts_for_nothing() -> None:
    environment = make_ray_environment(Path("/s/ray.token"), STRAY, Path("/run/r"))
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == "/s/ray.token"
    assert environment["RAY_TMPDIR"] == "/run/r"
    assert environment["PATH"] == "/bin"
    assert "RAY_ADDRESS" not in environment


def test_sockets_in_ray_s_folder_keep_within_what_the_kernel_takes() -> None:
    folder = choose_temp_dir(Path("/tmp/curc-llm-4194304-abcdefgh"))
    assert len(os.fsencode(folder / DEEPEST)) <= 107


def test_only_the_first_node_runs_vllm_and_ray_counts_slurm_s_gpus() -> None:
    first, second = render(command=["python", "launcher.py"]), render(place=1)
    assert first[-3:] == ["--", "python", "launcher.py"]
    assert "--" not in second
    assert second[second.index("--gpus") + 1] == "4"


def test_no_port_of_figures_is_opened_for_they_ask_for_no_key() -> None:
    environment = make_ray_environment(None, {}, Path("/run/r"))
    assert environment["RAY_enable_metrics_collection"] == "0"
    assert int(environment["DASHBOARD_METRIC_PORT"]) > 65535
    options = argparse.Namespace(place=0, head="::1", port=1, address="::1", gpus=1, temp_dir="/tmp/r")
    assert {"--no-monitor", "--include-dashboard=false"} <= set(ray_start.render_start(options))


def test_a_head_with_an_ipv6_address_is_found_by_ray() -> None:
    options = argparse.Namespace(place=1, head="fd00::1", port=6379, address="fd00::2", gpus=1, temp_dir="/r")
    (given,) = [word for word in ray_start.render_start(options) if word.startswith("--address=")]
    assert parse_address(given.removeprefix("--address=")) == ("fd00::1", "6379")


@pytest.mark.slow
def test_a_head_that_never_comes_is_told_and_where_it_should_be() -> None:
    script = (
        f"import sys; sys.argv[0] = 'x'; sys.path.insert(0, {str(RAY_START.parent)!r}); import ray_start; "
    )
    script += "ray_start.JOIN_S = 0.2; sys.exit(ray_start.main())"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    words = render(place=1, head_port=port)[2:]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"Ray's head at 127.0.0.1:{port} can't be reached" in done.stderr
