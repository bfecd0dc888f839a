"""`python -m tests.testbed.portal`: the app in a portal over a real Slurm with fake GPUs."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path
from typing import NoReturn

from tests.testbed.bed import Bed, BedError
from tests.testbed.ground import Ground
from tests.testbed.portal.apache import ApacheError
from tests.testbed.portal.app_copy import copy_app
from tests.testbed.portal.portal import ROOT, Portal

ENDS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Starts it, says where it is, waits for Ctrl-C, takes everything away."""
    options = _read_options()
    bed = Bed(Ground(options.number), options.site)
    settings = {
        "VERSION": options.portal,
        "CSP": str(int(options.csp)),
    }
    portal = Portal(bed, app=options.app, options=settings)
    for number in ENDS:
        signal.signal(number, _end)
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
    except SystemExit:
        _say("\nTaking it all away ...")
    finally:
        _ignore_ends()
        portal.down()
        bed.down(wipe=not options.keep)
    return 0


def _end(*_: object) -> NoReturn:
    """The first order to end counts; no further one may stop the taking away halfway."""
    _ignore_ends()
    sys.exit(0)


def _ignore_ends() -> None:
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


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
            "A researcher's shell, with Slurm, curc-llm and the nodes' names (as root):",
            f"  {render_shell(portal.bed)}",
            "Ctrl-C ends it and leaves nothing.",
        ]
    )


def render_shell(bed: Bed) -> str:
    """The command of a shell as on a login node: it finds Slurm, the nodes by name, and curc-llm."""
    user = bed.ground.user
    environment = bed.user_environment(user) | {"TERM": "xterm", "SLURM_CONF": str(bed.ground.slurm_conf)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    values = [f"{name}={value}" for name, value in environment.items()]
    home = f"--chdir={bed.home(user)}"
    return shlex.join([*bed.knowing_nodes(), *bed.as_user(user), "env", "-i", home, *values, "bash"])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
