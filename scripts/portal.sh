#!/usr/bin/env bash
# A portal with this app, on loopback, over a real Slurm with fake GPUs: to click through form, card and chat without a
# cluster. Options: see `make portal PORTAL_FLAGS=--help`.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
  echo "make portal starts a Slurm and makes its users, so it needs root (in a container, for example)." >&2
  exit 2
fi
mapfile -t packages < tests/testbed/packages.txt
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  echo "Installing ${packages[*]} ..."
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
exec .venv/bin/python -m tests.testbed.portal "$@"
