"""Knocks at ports like a stranger: reads `[[address, port], …]`, writes what came of each. Run as a file.

Nothing of the project is imported: a stranger has none of it.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

PATIENCE_S = 1.0
ASKED = b"GET /v1/models HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
# One method of each of Ray's services, which ask for the token only at those that they have.
RAY_METHODS = (
    "NodeInfoGcsService/GetAllNodeInfo",
    "NodeManagerService/GetNodeStats",
    "CoreWorkerService/GetCoreWorkerStats",
    "ObjectManagerService/Pull",
    "RayletDriver/ClusterInfo",
    "ReporterService/HealthCheck",
)
SHOWN = 60


def knock(address: str, port: int) -> str:
    """What a port says to who has no key: `refused`, `401`, `asks for a token`, or what it let through."""
    try:
        with socket.create_connection((address, port), PATIENCE_S) as door:
            door.settimeout(PATIENCE_S)
            door.sendall(ASKED)
            heard = door.recv(4096)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "accepts, says nothing"
    except OSError as error:
        return f"accepts, breaks off: {error.strerror}"
    return describe(address, port, heard)


def describe(address: str, port: int, heard: bytes) -> str:
    """What the first bytes of an answer mean."""
    if not heard:
        return "accepts, hangs up"
    if heard.startswith(b"HTTP/1."):
        status = heard.split()[1].decode()
        return status if status in ("401", "403") else f"answers HTTP {status}"
    if heard[3:4] == b"\x04":  # a settings frame is the first of HTTP/2
        return call(address, port)
    return "greets as ZMQ" if heard.startswith(b"\xff\0") else f"says {heard[:SHOWN]!r}"


def call(address: str, port: int) -> str:
    """What a gRPC server says to a call without a token."""
    import grpc  # only where it is needed: it takes longer than all else

    with grpc.insecure_channel(f"{address}:{port}") as channel:
        for method in RAY_METHODS:
            try:
                given = channel.unary_unary(f"/ray.rpc.{method}")(b"", timeout=PATIENCE_S * 5)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    continue
                is_asked = error.code() is grpc.StatusCode.UNAUTHENTICATED
                return "asks for a token" if is_asked else f"gRPC {error.code().name} at {method}"
            return f"answers gRPC {method} with {len(given)} bytes"
    return "gRPC of another kind"


def main() -> int:
    asked = json.load(sys.stdin)
    with ThreadPoolExecutor(max(1, len(asked))) as pool:
        json.dump(list(pool.map(lambda door: knock(*door), asked)), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
