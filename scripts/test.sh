#!/usr/bin/env bash
# The whole test run. With --user: only what needs neither root nor Debian packages.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
# Containers set it; each of a thousand processes would then compile all that it imports.
unset PYTHONDONTWRITEBYTECODE
mapfile -t packages <tests/testbed/packages.txt
packages+=(chromium nginx-light shellcheck)
marks=()
if [ "${1:-}" = --user ]; then
  marks=(-m "not root")
  command -v chromium >/dev/null || marks=(-m "not root and not browser")
elif [ "$(id -u)" != 0 ]; then
  echo "make test installs Debian packages and makes a second user, so it needs root. Without root: make test-user" >&2
  exit 2
elif ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
scripts/check.sh
scripts/check_base.sh
rm -f .coverage .coverage.*
order=(--dist loadgroup --no-loadscope-reorder) # groups as tests/order.py makes and sorts them
# More workers than cores: most of the time is waiting for processes to start and to end.
coverage run -m pytest -n 4 "${order[@]}" "${marks[@]}"
# By itself, since a Slurm whose daemons wait for a processor counts its nodes as lost. Three beds at a time.
# Their files alone: to collect all tests takes each worker 15 s.
mapfile -t beds < <(grep -rlE 'mark\.slurm\b' tests --include='test_*.py')
[ "${1:-}" = --user ] || coverage run -m pytest -n 3 "${order[@]}" --run-slurm -m slurm "${beds[@]}"
coverage combine --quiet
coverage report
