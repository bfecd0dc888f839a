"""Another centre: its site file alone changes form, job and card; the same portal, the same way in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.portal_visit import PAGES, wait_until
from tests.testbed.bed import Bed
from tests.testbed.portal.app_copy import copy_app
from tests.testbed.portal.portal import ROOT, Portal

pytestmark = [pytest.mark.slurm, pytest.mark.root, pytest.mark.slow]
APP = f"{PAGES}/batch_connect/sys/curc-llm/session_contexts"
SESSIONS = f"{PAGES}/batch_connect/sessions"


@pytest.fixture
def portal(second_bed: Bed) -> Iterator[Portal]:
    second_bed.clear()
    portal = Portal(second_bed)
    portal.app = copy_app(ROOT, portal.folder / "app", second_bed.site_name)
    with portal:
        yield portal
    second_bed.clear()


def test_form_launch_card_and_login_work_at_the_second_site(portal: Portal) -> None:
    user = portal.bed.ground.user
    with httpx.Client(base_url=portal.address(), timeout=60) as client:
        form = {"httpd_username": portal.login_of(user), "httpd_password": portal.password_of(user)}
        client.post("/public/in", data=form)
        page = client.get(APP + "/new").text
        assert "H100" in page
        assert "A100" not in page
        values = {"cluster": "capella", "llm_model": "own", "llm_own_model": "demo", "llm_gpus": "h100-x1"}
        values |= {"bc_num_hours": "1", "auto_accounts": "ucb-general"}
        answer = client.post(
            APP, data={f"batch_connect_session_context[{name}]": value for name, value in values.items()}
        )
        assert answer.status_code == 302, re.findall("<pre>(.*?)</pre>", answer.text, re.DOTALL)
        assert portal.bed.run("squeue", "-h", "-o", "%P %b").stdout.split()[0] == "capella"
        card = wait_until(lambda: way_in(client), 30, "the card's way in")
        login = re.search(r'action="(/node/[^"]+/login)".*?name="token" value="([^"]+)"', card, re.DOTALL)
        assert login, card
        origin = {"Origin": portal.address()}
        answer = client.post(login[1], data={"token": login[2]}, headers=origin)
        assert answer.status_code == 303
        assert client.get(login[1].replace("/login", "/status")).json()["owner"] == user
    jobs = portal.bed.run("squeue", "-h", "-o", "%i").stdout.split()
    subprocess.run(["scancel", *jobs], env=portal.bed.user_environment(None), check=True)


def way_in(client: httpx.Client) -> str:
    """The list of cards once the newest has its button."""
    html = client.get(SESSIONS, headers={"Accept": "text/vnd.turbo-stream.html"}).text
    return html if "Open chat" in html else ""
