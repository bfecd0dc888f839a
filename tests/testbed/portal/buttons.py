"""Buttons: Launch and Delete of the portal for one user of a bed: the app's own form without a browser."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.bed import Bed

PRESS = Path(__file__).with_name("press.rb")


@dataclass(frozen=True)
class Buttons:
    """What a person presses.

    Args:
        bed: the Slurm.
        app: the app's folder, as `copy_app` leaves it.
        user: who.
    """

    bed: Bed
    app: Path
    user: str

    def launch(self, **values: str) -> None:
        """Fills in the form, by its fields' ids, and presses Launch; the job is in Slurm then."""
        self._press("launch", json.dumps(values))

    def delete_all(self) -> None:
        """Presses Delete on every card."""
        self._press("delete")

    def _press(self, button: str, said: str = "") -> None:
        environment = {"PORTAL_APP": str(self.app), "PORTAL_CLUSTER": self.bed.site_name}
        done = subprocess.run(
            [*self.bed.as_user(self.user), "ruby", str(PRESS), button], input=said, text=True, cwd="/",
            env=self.bed.user_environment(self.user) | environment, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
