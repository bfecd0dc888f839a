"""What Ray is told on a node, so that nobody else reaches it or stumbles over it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

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
