"""`python -m tests.testbed.portal`: the app in a portal over a real Slurm with fake GPUs."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.testbed.bed import Bed, BedError
from tests.testbed.ground import Ground
from tests.testbed.portal.apache import ApacheError
from tests.testbed.portal.app_copy import copy_app
from tests.testbed.portal.portal import ROOT, Portal


def main() -> int:
    """Starts it, says where it is, waits for Ctrl-C, takes everything away."""
    options = _read_options()
    bed = Bed(Ground(options.number), options.site)
    settings = {
        "VERSION": options.portal,
        "CSP": str(int(options.csp)),
    }
    portal = Portal(bed, app=options.app, options=settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _say(f"Starting Slurm with the rules of {options.site}, fake GPUs and a portal ...")
        bed.up()
        if options.site != "alpine" and options.app == ROOT:
            portal.app = copy_app(ROOT, portal.folder / "app", options.site)
        portal.up()
        _say(_describe(portal))
        signal.pause()
    except (BedError, ApacheError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    except (KeyboardInterrupt, SystemExit):
        _say("\nTaking it all away ...")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        portal.down()
        bed.down(wipe=not options.keep)
    return 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make portal", description=__doc__)
    parser.add_argument("--number", type=int, default=9, help="which test bed, 1 to 9")
    parser.add_argument("--site", default="alpine", help="a shipped site")
    parser.add_argument("--app", type=Path, default=ROOT, help="the app's folder")
    parser.add_argument("--portal", default="4.2", help="as which release it behaves: 3.1, 4.0, 4.1 or 4.2")
    parser.add_argument("--csp", action="store_true", help="with the portal's content policy on")
    parser.add_argument(
        "--keep", action="store_true", help="keep the users, their homes and the accounting at the end"
    )
    return parser.parse_args()


def _describe(portal: Portal) -> str:
    ground = portal.bed.ground
    people = {
        "researcher": ground.user,
        "another person": ground.neighbour,
        "from another university": ground.guest,
    }
    lines = [
        f"  {portal.login_of(user):24} {portal.password_of(user):20} {who}" for who, user in people.items()
    ]
    return "\n".join(
        [
            f"\n{portal.address('new')}   as Open OnDemand since 4.1",
            f"{portal.address('old')}   as before (Authorization reaches the session)",
            f"{portal.address('tls')}   with https (its certificate was made here)",
            "\nUsers and passwords:",
            *lines,
            "\nNo GPU is here: choose 'own model' and type demo, and a small model answers on the processor.",
            f"Slurm in a shell: export SLURM_CONF={ground.slurm_conf}",
            "Ctrl-C ends it and leaves nothing.",
        ]
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
