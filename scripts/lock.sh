#!/usr/bin/env bash
# Writes requirements/{cpu,cuda}.txt anew from pyproject.toml: exact versions, no addresses of indexes.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .tools/bin/uv)
export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
common=(--quiet --universal --no-header --no-emit-index-url --no-emit-find-links --extra serve --extra jupyter --extra dev --python-version 3.11)
"$uv" pip compile "${common[@]}" --extra engine-cpu --excludes requirements/excludes-cpu.txt pyproject.toml -o requirements/cpu.txt
# The CUDA build of torch must not be shadowed by a CPU wheel in a local folder.
unset UV_FIND_LINKS
"$uv" pip compile "${common[@]}" --extra engine pyproject.toml -o requirements/cuda.txt
