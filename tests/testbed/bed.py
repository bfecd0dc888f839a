"""Bed: a real Slurm of two nodes with accounting, fake GPUs and a site's rules, on one machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from curc_llm.sites.load import load_site
from curc_llm.sites.site import Site
from tests.testbed import accounts, daemon, network
from tests.testbed.configuration import count_devices, render_configuration
from tests.testbed.ground import CONTROLLER, Ground
from tests.testbed.network import run

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "ip", "nsenter", "unshare")
# Memory and file syncs that a test doesn't need.
DATABASE_OPTIONS = (
    "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=8M",
    "--innodb-doublewrite=0", "--innodb-file-per-table=0", "--innodb-flush-method=nosync",
    "--aria-sync-log-dir=NEVER", "--performance-schema=off", "--skip-log-bin", "--skip-name-resolve",
)  # fmt: skip


# A node's states in which it does what it should.
_TAKING_JOBS = {"idle", "mixed", "allocated", "completing"}


class BedError(RuntimeError):
    """The bed can't be made here, or a part of it doesn't come up."""


@dataclass
class Bed:
    """A Slurm to test against.

    Args:
        ground: where it stands.
        site_name: whose partitions, QoS, GPUs and rules it has.
        kill_wait_s: seconds between TERM and KILL when a job ends.
        min_job_age_s: seconds that `squeue` and `scontrol` still know an ended job.
        paper_nodes: nodes that Slurm would start when a job needs them: for `sbatch --test-only` alone.
    """

    ground: Ground = field(default_factory=Ground)
    site_name: str = "alpine"
    kill_wait_s: int = 5
    min_job_age_s: int = 300
    paper_nodes: int = 0
    _lock: IO[str] | None = None

    @property
    def site(self) -> Site:
        return load_site(self.site_name)

    @property
    def environment(self) -> dict[str, str]:
        """What every command of this Slurm needs in its environment."""
        return {"SLURM_CONF": str(self.ground.slurm_conf), "CURC_LLM_TESTBED": str(self.ground.folder)}

    def up(self) -> float:
        """Starts what doesn't run yet; returns the seconds it took."""
        began = time.monotonic()
        self._check_machine()
        self._take_lock()
        self._make_folders()
        network.make_network(self.ground)
        accounts.make_users(self.ground)
        self._write_configuration()
        self._start_munge()
        self._start_database()
        self._start_slurm()
        return time.monotonic() - began

    def down(self, *, wipe: bool = False, network_stays: bool = False) -> None:
        """Stops everything, jobs and what they left too.

        Args:
            wipe: nothing stays on disk either.
            network_stays: somebody else takes the network away.
        """
        names = [f"slurmd.{node.name}" for node in self.ground.nodes]
        for name in (*names, "slurmctld", "slurmdbd"):
            daemon.stop(self.ground, name)
        left = [pid for node in self.ground.nodes for pid in network.pids_on(node)]
        daemon.stop_pids(left, patience_s=3)
        for name in ("mariadbd", "munged"):
            daemon.stop(self.ground, name)
        if not network_stays:
            network.remove_network(self.ground)
        if wipe:
            accounts.remove_users(self.ground)
            shutil.rmtree(self.ground.folder, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Lets others use the bed, up or down."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def status(self) -> dict[str, bool]:
        """Which parts run."""
        names = [
            "munged",
            "mariadbd",
            "slurmdbd",
            "slurmctld",
            *(f"slurmd.{n.name}" for n in self.ground.nodes),
        ]
        return {name: daemon.is_running(self.ground, name) for name in names}

    def run(
        self, *command: str | Path, user: str | None = None, check: bool = True, **options: object
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as a user of the bed (root when none is named), as on a login node.

        Raises:
            BedError: it failed, and `check` is on.
        """
        arguments = [*(self.as_user(user) if user else ()), *map(str, command)]
        options = {"cwd": "/", "timeout": 60, "capture_output": True, "text": True} | options
        done = subprocess.run(arguments, env=self.user_environment(user), **options)  # type: ignore[call-overload]
        if check and done.returncode:
            raise BedError(f"{' '.join(arguments)} failed: {done.stderr}{done.stdout}")
        return done

    def as_user(self, user: str) -> list[str]:
        """What stands in front of a command to run it as another Unix user, without a shell in between."""
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]

    def user_environment(self, user: str | None) -> dict[str, str]:
        """The environment of a login: nothing of the caller's but the path."""
        home = str(self.ground.home / user) if user else os.environ.get("HOME", "/root")
        name = user or "root"
        return {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "USER": name,
            "LOGNAME": name,
            "LANG": "C.UTF-8",
        } | (self.environment)

    def knowing_nodes(self) -> list[str]:
        """What stands in front of a command (as root) so that it finds the nodes by name."""
        script = 'mount --bind "$0" /etc/hosts; exec "$@"'
        return ["unshare", "-m", "sh", "-c", script, str(self.ground.hosts)]

    def home(self, user: str | None = None) -> Path:
        """A user's home."""
        return self.ground.home / (user or self.ground.user)

    def clear(self) -> None:
        """Ends every job and waits until the nodes are free."""
        for user in ("root", *self.ground.users):
            self.run("scancel", "--user", user, check=False)
        if not daemon.wait_until(lambda: not self.run("squeue", "-h", check=False).stdout.strip(), 30):
            raise BedError("The bed's jobs don't end: " + self.run("squeue").stdout)

    def _check_machine(self) -> None:
        if os.geteuid() != 0:
            raise BedError("The test bed needs root: it makes users and network namespaces.")
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
        if missing:
            packages = " ".join((Path(__file__).parent / "packages.txt").read_text().split())
            raise BedError(
                f"{', '.join(missing)} is missing: apt-get install --no-install-recommends {packages}"
            )

    def _take_lock(self) -> None:
        """One process at a time makes or uses a bed; the lock goes with the process."""
        if self._lock is not None:
            return
        self.ground.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = (self.ground.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise BedError(f"Another process uses test bed {self.ground.number}.") from None
        self._lock = lock

    def _make_folders(self) -> None:
        ground = self.ground
        for folder in (ground.folder, ground.etc, ground.run, ground.log, ground.home, ground.folder / "dev"):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name, owner in (("munge", "munge"), ("state", "slurm"), ("database", "slurm")):
            (ground.folder / name).mkdir(mode=0o755, exist_ok=True)
            run("chown", f"{owner}:", ground.folder / name)  # not below: it may be in use
        for folder in (ground.run, ground.log):
            run("chown", "slurm:", folder)
        for node in ground.nodes:
            (ground.folder / f"spool.{node.name}").mkdir(exist_ok=True)
        for number in range(count_devices(self.site)):
            device = ground.folder / "dev" / f"nvidia{number}"
            if not device.exists():
                os.mknod(device, 0o20666, os.makedev(1, 3))

    def _write_configuration(self) -> None:
        files = render_configuration(
            self.site,
            self.ground,
            kill_wait_s=self.kill_wait_s,
            min_job_age_s=self.min_job_age_s,
            paper_nodes=self.paper_nodes,
        )
        for old in self.ground.etc.glob("*.lua"):
            old.unlink()
        for name, text in files.items():
            (self.ground.etc / name).write_text(text)
        secret = self.ground.etc / "slurmdbd.conf"
        secret.chmod(0o600)
        run("chown", "slurm:", secret)

    def _start(self, name: str, *command: str | Path) -> None:
        daemon.start(
            self.ground, name, command, self.environment | {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
        )

    def _wait(
        self, name: str, command: Sequence[str | Path], expected: str = "", seconds: float = 30
    ) -> None:
        """Waits until a command works (and prints what is expected)."""

        def answers() -> bool:
            done = self.run(*command, check=False)
            return done.returncode == 0 and expected in done.stdout

        if not daemon.wait_until(answers, seconds):
            raise BedError(f"{name} doesn't come up; its log: {self._tail(name)}")

    def _tail(self, name: str) -> str:
        paths = [self.ground.log / f"{name}.out", self.ground.log / f"{name}.log"]
        return " ".join(p.read_text(errors="replace")[-1500:] for p in paths if p.exists())

    def _start_munge(self) -> None:
        folder = self.ground.folder / "munge"
        key = folder / "key"
        if not key.exists():
            key.write_bytes(os.urandom(128))
            key.chmod(0o400)
            run("chown", "munge:", key)
        self._start(
            "munged", "setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "--",
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.ground.munge_socket}",
            f"--pid-file={folder / 'pid'}", f"--log-file={folder / 'log'}", f"--seed-file={folder / 'seed'}",
        )  # fmt: skip
        self._wait("munged", ["munge", "-S", self.ground.munge_socket, "-n"])

    def _start_database(self) -> None:
        data = self.ground.folder / "database"
        is_new = not (data / "mysql").exists()
        if is_new:
            run("mariadb-install-db", "--no-defaults", "--user=slurm", f"--datadir={data}", "--skip-test-db",
                "--auth-root-authentication-method=normal", *DATABASE_OPTIONS)  # fmt: skip
        self._start(
            "mariadbd", "mariadbd", "--no-defaults", "--user=slurm", f"--datadir={data}",
            f"--socket={data / 'socket'}", f"--port={self.ground.port(6)}", "--bind-address=127.0.0.1",
            f"--pid-file={data / 'pid'}", f"--tmpdir={data}", *DATABASE_OPTIONS,
        )  # fmt: skip
        client = ["mariadb", "--no-defaults", f"--socket={data / 'socket'}", "-uroot"]
        self._wait("mariadbd", [*client, "-e", "select 1"])
        if is_new:
            run(*client, text=_DATABASE)

    def _start_slurm(self) -> None:
        self._start("slurmdbd", "slurmdbd", "-D")
        self._wait("slurmdbd", ["sacctmgr", "-n", "list", "cluster"])
        # As much as possible before the controller runs: it would be told of each line, which takes time.
        # But the kinds of GPU, and so limits on them, are known only once it has run.
        self._tell_accounting("people", accounts.render_people(self.site, self.ground))
        self._start_controller()
        self._tell_accounting("limits", accounts.render_limits(self.site))
        self._start_nodes()

    def _tell_accounting(self, what: str, text: str) -> None:
        told = self.ground.folder / f"accounting-{what}"
        if _read(told) != text:
            self.run("sacctmgr", "-i", input=text)
            told.write_text(text)

    def _start_controller(self) -> None:
        self._start("slurmctld", "unshare", "-u", "sh", "-c", f"hostname {CONTROLLER}; exec slurmctld -D")
        self._wait("slurmctld", ["scontrol", "ping"], "is UP")

    def _start_nodes(self) -> None:
        # Not `ip netns exec`: it mounts /sys anew, and slurmd then misses the cgroups that it insists on.
        enter = 'exec nsenter --net="/run/netns/$3" slurmd -D -N "$2"'
        mount = 'mount --bind "$1/hosts" /etc/hosts; mount --bind "$1/resolv.conf" /etc/resolv.conf'
        script = f'{mount}; hostname "$2"; {enter}'
        for node in self.ground.nodes:
            self._start(
                f"slurmd.{node.name}", "unshare", "-mu", "sh", "-c", script, "sh",
                self.ground.etc, node.name, node.namespace,
            )  # fmt: skip
        self._wait_for_nodes()

    def _wait_for_nodes(self) -> None:
        def take_jobs() -> bool:
            names = ",".join(node.name for node in self.ground.nodes)
            asked = ("sinfo", "-h", "-N", "-n", names, "-o", "%T", "-p", "urgent")
            states = self.run(*asked, check=False).stdout.split()
            if any(state.startswith(("down", "drain")) for state in states):
                self.run("scontrol", "update", f"nodename={names}", "state=resume", check=False)
            return len(states) == len(self.ground.nodes) and set(states) <= _TAKING_JOBS

        if not daemon.wait_until(take_jobs, 30):
            raise BedError(f"The nodes don't come up: {self._tail('slurmd.' + self.ground.nodes[0].name)}")


_DATABASE = """
create database slurm_acct;
create user slurm@'127.0.0.1' identified by 'not-a-secret';
grant all on slurm_acct.* to slurm@'127.0.0.1';
"""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
