#!/usr/bin/env bash
# Installs the wheel with its base dependencies alone into a fresh environment and uses what needs only those.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo "$PWD/.tools/bin/uv")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$uv" build --quiet --wheel --out-dir "$folder" .
"$uv" venv --quiet --python .venv/bin/python "$folder/venv"
# The tests' own versions of the base packages, so that this asks no index for newer ones.
"$uv" pip install --quiet --python "$folder/venv/bin/python" --constraints requirements/cpu.txt "$folder"/curc_llm-*.whl
cd "$folder"
HOME=$folder venv/bin/python - <<'PYTHON'
import importlib, importlib.metadata, importlib.util

for heavy in ("gradio", "uvicorn", "vllm", "torch", "ray", "ipywidgets", "huggingface_hub"):
    assert importlib.util.find_spec(heavy) is None, f"the base install brought {heavy}"
for name in ("errors", "settings", "spec", "session.store", "session.keys", "session.login", "launch", "client", "cli.main"):
    importlib.import_module(f"curc_llm.{name}")
import curc_llm

assert curc_llm.__version__ == importlib.metadata.version("curc-llm")
assert callable(curc_llm.connect)
PYTHON
HOME=$folder venv/bin/curc-llm --help >/dev/null
HOME=$folder venv/bin/curc-llm ls --json >/dev/null
echo "check-base: the base install works alone" >&2
