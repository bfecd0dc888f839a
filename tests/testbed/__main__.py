"""`python -m tests.testbed up|down|status|restart`: a Slurm to try things on; see bed.py."""

from __future__ import annotations

import argparse
import sys

from tests.testbed.bed import Bed, BedError
from tests.testbed.ground import Ground


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    parser.add_argument("verb", choices=("up", "down", "status", "restart"))
    parser.add_argument("--number", type=int, default=1, help="which bed, 1 to 9")
    parser.add_argument("--site", default="alpine", help="a shipped site or a site file")
    parser.add_argument("--wipe", action="store_true", help="with down: remove its folder and its users too")
    options = parser.parse_args()
    bed = Bed(Ground(options.number), options.site)
    try:
        return _run(bed, options)
    except BedError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1


def _run(bed: Bed, options: argparse.Namespace) -> int:
    if options.verb in ("down", "restart"):
        bed.down(wipe=options.wipe)
    if options.verb in ("up", "restart"):
        seconds = bed.up()
        sys.stdout.write(f"Up in {seconds:.1f} s. In your shell: export SLURM_CONF={bed.ground.slurm_conf}\n")
        sys.stdout.write(
            f"Users: {', '.join(bed.ground.users)}. Nodes: /etc/hosts as in {bed.ground.hosts}\n"
        )
    parts = bed.status()
    if options.verb == "status":
        sys.stdout.write("".join(f"{name:12} {'up' if runs else 'down'}\n" for name, runs in parts.items()))
    return 0 if all(parts.values()) or options.verb == "down" else 1


if __name__ == "__main__":
    sys.exit(main())
