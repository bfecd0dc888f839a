#!/usr/bin/env bash
# Lint, format, strict types, layers and shell scripts; any finding fails.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH
ruff check --quiet .
ruff format --quiet --check .
mypy --no-error-summary
lint-imports --no-cache >/tmp/lint-imports.$$ 2>&1 || { cat /tmp/lint-imports.$$; rm -f /tmp/lint-imports.$$; exit 1; }
rm -f /tmp/lint-imports.$$
for script in scripts/*.sh .ci/run; do bash -n "$script"; done
if command -v shellcheck >/dev/null; then shellcheck scripts/*.sh .ci/run; else echo "shellcheck isn't installed: left out." >&2; fi
python -m curc_llm.cli.main table --check 2>/dev/null || { echo "ood_app/launch_table.json is stale: curc-llm table" >&2; exit 1; }
echo "check: all clean" >&2
