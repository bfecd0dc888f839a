#!/usr/bin/env bash
# Makes the environment `.venv` in this checkout: curc-llm, its engine (vLLM) and what the tests need.
#   ENGINE=cuda|cpu   which build of vLLM; default: cuda where an NVIDIA driver is loaded, else cpu
#   PYTHON=...        which Python (3.11 or newer); default: the system's, so that other users can run it
# Needs no root. On a cluster, run it in a checkout on /projects: homes are too small.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

if [ -z "${ENGINE:-}" ]; then
  if [ -d /proc/driver/nvidia/gpus ] || [ -e /dev/nvidiactl ]; then ENGINE=cuda; else ENGINE=cpu; fi
fi
case "$ENGINE" in cuda | cpu) ;; *) say "ENGINE is '$ENGINE'; it can be cuda or cpu."; exit 2 ;; esac

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# An interpreter below a home can't be run by other users, so the system's come first.
choose_python() {
  local candidate
  for candidate in ${PYTHON:-} /usr/bin/python3.11 /usr/bin/python3.12 /usr/bin/python3.13 /usr/bin/python3 python3; do
    if suits "$candidate"; then command -v "$candidate"; return; fi
  done
  echo 3.12 # none here: uv brings one
}

# uv makes environments without pip, and one of them may be the first python3 on PATH.
pip() { if python3 -m pip --version >/dev/null 2>&1; then python3 -m pip "$@"; else /usr/bin/python3 -m pip "$@"; fi; }
# Mirrors and wheel folders are configured for pip; uv doesn't read pip's settings.
pip_setting() { pip config get "$1" 2>/dev/null | head -1 || true; }
find_links=${PIP_FIND_LINKS:-$(pip_setting global.find-links)}
index=${PIP_INDEX_URL:-$(pip_setting global.index-url)}
[ -z "$find_links" ] || export UV_FIND_LINKS=${UV_FIND_LINKS:-${find_links// /,}}
[ -z "$index" ] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
# Where the home is another (small) file system, packages are cached beside the environment.
if [ "$(stat -c %d "$HOME" 2>/dev/null)" != "$(stat -c %d .)" ]; then export UV_CACHE_DIR=${UV_CACHE_DIR:-$PWD/.cache/uv}; fi

uv=$(command -v uv || true)
if [ -z "$uv" ] || ! "$uv" pip install --help 2>/dev/null | grep -q -- --excludes; then
  [ -x .tools/bin/uv ] || pip install -qq --disable-pip-version-check --root-user-action=ignore --target .tools 'uv>=0.13'
  uv=$PWD/.tools/bin/uv
fi

python=$(choose_python)
if ! suits .venv/bin/python; then "$uv" venv --quiet --clear --python "$python" .venv; fi

options=(--quiet --python .venv/bin/python --excludes requirements/excludes-"$ENGINE".txt)
# A CPU build of torch comes from a folder of wheels where there is one, else from PyTorch's own index.
if [ "$ENGINE" = cpu ] && ! compgen -G "${find_links:-/nowhere}/torch-*cpu*" >/dev/null; then options+=(--torch-backend cpu); fi
say "Installing curc-llm with vLLM for $ENGINE into .venv (about 3 GB) ..."
"$uv" pip install "${options[@]}" --no-deps -r requirements/"$ENGINE".txt
"$uv" pip install --quiet --python .venv/bin/python --no-deps --editable .
[ -n "${INSTALLING:-}" ] || say "Done. Next: make demo, or .venv/bin/curc-llm doctor"
