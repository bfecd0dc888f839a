"""Accounts: the bed's Unix users, and what accounting knows of them and of the site's QoS."""

from __future__ import annotations

import pwd
from collections.abc import Iterator

from curc_llm.sites.lookup import list_gpus
from curc_llm.sites.site import Site
from tests.testbed.ground import Ground
from tests.testbed.network import run

# Accounts of the users; the last is the neighbour's alone.
ACCOUNTS = ("ucb-general", "ucb123_asc1", "csu-general")


def make_users(ground: Ground) -> None:
    """People with private homes below the bed's folder."""
    for name in ground.users:
        home = ground.home / name
        if not _exists(name):
            run("useradd", "--badname", "--no-create-home", "--home-dir", home, "--shell", "/bin/bash", name)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        entry = pwd.getpwnam(name)
        run("chown", f"{entry.pw_uid}:{entry.pw_gid}", home)


def remove_users(ground: Ground) -> None:
    """Only for `down --wipe`."""
    for name in ground.users:
        if _exists(name):
            run("userdel", name, check=False)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def render_accounting(site: Site, ground: Ground) -> str:
    """What `sacctmgr` is told: each QoS with its limits, each person with their accounts."""
    return "\n".join([*_qos_lines(site), *_account_lines(site, ground)]) + "\n"


def _qos_lines(site: Site) -> Iterator[str]:
    for name, qos in site.qos.items():
        yield f"add qos {name}"
        limits = [f"MaxWall={int(qos.max_time_h * 60)}", f"UsageFactor={qos.billing_factor}"]
        if qos.max_jobs_per_user:
            limits.append(f"MaxSubmitJobsPerUser={qos.max_jobs_per_user}")
        per_user = _tres(site, name, "max_gpus_per_user")
        in_all = _tres(site, name, "max_gpus_in_qos")
        limits += [f"MaxTRESPerUser={per_user}"] * bool(per_user) + [f"GrpTRES={in_all}"] * bool(in_all)
        yield f"modify qos {name} set Flags=DenyOnLimit {' '.join(limits)}"


def _tres(site: Site, qos: str, limit: str) -> str:
    """`gres/gpu:h200=4,gres/gpu:…`: a limit on each kind of GPU."""
    parts = []
    for gpu in list_gpus(site):
        most = getattr(gpu.gpu_type.qos.get(qos), limit, None)
        if most is not None:
            parts.append(f"gres/{gpu.gres}={most}")
    return ",".join(parts)


def _account_lines(site: Site, ground: Ground) -> Iterator[str]:
    names = ",".join(["normal", *(name for name in site.qos if name != "normal")])
    for account in ACCOUNTS:
        yield f"add account {account} Description=test Organization=test"
    for user in ("root", *ground.users):
        first, second, other = ACCOUNTS
        accounts = [other] if user == ground.neighbour else [first, second]
        yield f"add user {user} Account={','.join(accounts)} DefaultAccount={accounts[0]}"
        yield f"modify user {user} set QOS={names}"
