"""Starts vLLM's server. Run as a file by the Python that has vLLM: it imports nothing of curc-llm.

Nearly all of vLLM's start is Python importing modules, in each of its processes. Half of that is saved here:

- vLLM starts its engine core as a new Python, which runs the main file again first. This one is small, where
  vLLM's own would be imported whole.
- Ray, which vLLM imports wherever it is installed, is left out of engines that don't use it (2.5 s of CPU).
- The garbage collector rests during imports; it would look through all modules again and again and find
  nothing (2 s of 9).

And what the CPU build does wrong with LoRA adapters is mended (see `leave_base_alone`).
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

# `vllm serve` needs a distribution named `vllm`, which the CPU build isn't; the module works with both.
SERVER_MODULE = "vllm.entrypoints.openai.api_server"
CORE_MODULE = "vllm.v1.engine.core"
SERVE_MODULE = "vllm.entrypoints.cli.serve"
# vLLM's flag for a node that only works for the server of another one.
HEADLESS = "--headless"
# Set to 1 for an engine whose workers Ray starts.
USES_RAY = "CURC_ENGINE_USES_RAY"
# Set to 1 for an engine that has adapters and no GPU.
MENDS_LORA = "CURC_ENGINE_MENDS_LORA"
TORCH_OPS = "vllm.lora.ops.torch_ops"


class Withhold(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes `import NAME` fail as if NAME weren't installed, while `find_spec` still tells that it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A specification whose loading fails, for that name alone."""
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == self._name else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Never makes one."""
        raise ModuleNotFoundError(f"This engine doesn't use {spec.name}.", name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Is never reached."""


def import_without_gc(name: str) -> None:
    """Imports a module while the garbage collector rests; a failure is left to whoever imports it next."""
    gc.disable()
    try:
        importlib.import_module(name)
    except ImportError:
        pass
    finally:
        gc.enable()


def leave_base_alone(operation: Callable[..., None]) -> Callable[..., None]:
    """One of vLLM's CPU operations for adapters, without effect on tokens that have none.

    Their index is -1, which the operation takes for the last adapter's: whoever asked for the model alone, in
    a batch with somebody who asked for an adapter, got an answer of both (vllm#48421, open in vLLM 0.32).
    """

    def run(inputs: Any, weights: Any, output: Any, indices: Any, *more: Any, **named: Any) -> None:
        is_base = (indices[: inputs.shape[0]] < 0).unsqueeze(1)
        operation(inputs.masked_fill(is_base, 0), weights, output, indices, *more, **named)

    return run


def mend_lora() -> None:
    """Replaces the operations, before anything has taken them from their module."""
    if os.environ.get(MENDS_LORA) != "1":
        return
    package, module = importlib.import_module(TORCH_OPS), importlib.import_module(f"{TORCH_OPS}.lora_ops")
    for name in ("bgmv_shrink", "bgmv_expand", "bgmv_expand_slice"):
        mended = leave_base_alone(getattr(module, name))
        setattr(module, name, mended)
        setattr(package, name, mended)


def main() -> None:
    """Runs vLLM with this process's arguments: its server, or on a further node what works for it."""
    if HEADLESS in sys.argv:
        run_headless()
        return
    import runpy  # here, so that the engine core's process doesn't import it

    import_without_gc(SERVER_MODULE)
    mend_lora()
    sys.modules.pop(SERVER_MODULE, None)  # it is run next, and must not be there already
    runpy.run_module(SERVER_MODULE, run_name="__main__")


def run_headless() -> None:
    """What `vllm serve --headless` does (vllm/entrypoints/cli/serve.py); the server's module can't."""
    import_without_gc(SERVE_MODULE)
    serve = importlib.import_module(SERVE_MODULE)
    # The names that it imports itself, from modules that move between versions.
    given = serve.make_arg_parser(serve.FlexibleArgumentParser()).parse_args()
    given.api_server_count = 0
    serve.validate_parsed_serve_args(given)
    serve.run_headless(given)


# `__mp_main__` is what multiprocessing calls this file in a process that it starts.
if __name__ in {"__main__", "__mp_main__"}:
    if os.environ.get(USES_RAY) != "1":
        sys.meta_path.insert(0, Withhold("ray"))
    if __name__ == "__main__":
        main()
    else:
        import_without_gc(CORE_MODULE)
        mend_lora()
