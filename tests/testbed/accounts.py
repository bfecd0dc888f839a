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


def render_people(site: Site, ground: Ground) -> str:
    """What `sacctmgr` is told first: the QoS by name, the accounts, who may use which."""
    own = [name for name in site.qos if name != "normal"]
    *shared, other = ACCOUNTS
    lines = (
        ["add cluster testbed", f"add qos {','.join(own)} Flags=DenyOnLimit"]
        if own
        else ["add cluster testbed"]
    )
    lines.append(f"add account {','.join(ACCOUNTS)} Description=test Organization=test")
    people = ",".join(user for user in ("root", *ground.users) if user != ground.neighbour)
    for users, names in ((people, shared), (ground.neighbour, [other])):
        accounts = f"Account={','.join(names)} DefaultAccount={names[0]}"
        lines.append(f"add user {users} {accounts} QOS={','.join(['normal', *own])}")
    return "\n".join(lines) + "\n"


def render_limits(site: Site) -> str:
    """What it is told once the kinds of GPU are known: each QoS with its limits."""
    return "".join(f"modify qos {name} set {' '.join(_limits(site, name))}\n" for name in site.qos)


def _limits(site: Site, name: str) -> Iterator[str]:
    qos = site.qos[name]
    yield f"MaxWall={int(qos.max_time_h * 60)}"
    yield f"UsageFactor={qos.billing_factor}"
    if qos.max_jobs_per_user:
        yield f"MaxSubmitJobsPerUser={qos.max_jobs_per_user}"
    for slurm_name, ours in (("MaxTRESPerUser", "max_gpus_per_user"), ("GrpTRES", "max_gpus_in_qos")):
        tres = _tres(site, name, ours)
        if tres:
            yield f"{slurm_name}={tres}"


def _tres(site: Site, qos: str, limit: str) -> str:
    """`gres/gpu:h200=4,gres/gpu:…`: a limit on each kind of GPU."""
    parts = []
    for gpu in list_gpus(site):
        most = getattr(gpu.gpu_type.qos.get(qos), limit, None)
        if most is not None:
            parts.append(f"gres/{gpu.gres}={most}")
    return ",".join(parts)
