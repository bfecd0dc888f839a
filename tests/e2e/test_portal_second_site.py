"""Another centre: its site file alone changes form, job and card; the same portal, the same way in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.portal_visit import PAGES, wait_until
from tests.testbed.bed import Bed
from tests.testbed.login import Login
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


@pytest.fixture
def cheap_engine(portal: Portal) -> Iterator[Login]:
    """The researcher, whose own settings name an engine that is ready in a second."""
    login = Login(portal.bed)
    login.clear()
    login.use_fake_engine()
    settings = portal.bed.home(login.user) / ".config" / "curc-llm" / "config.yml"
    line = f"engine_python: {login.more['CURC_LLM_ENGINE_PYTHON']}"
    login.run("sh", "-c", f"mkdir -p {settings.parent} && echo '{line}' > {settings}")
    yield login
    settings.unlink()


def log_in(client: httpx.Client, portal: Portal) -> None:
    user = portal.bed.ground.user
    form = {"httpd_username": portal.login_of(user), "httpd_password": portal.password_of(user)}
    client.post("/public/in", data=form)


def launch(client: httpx.Client, gpus: str) -> None:
    """Fills in the form and presses Launch."""
    values = {"cluster": "capella", "llm_model": "own", "llm_own_model": "demo", "llm_gpus": gpus}
    values |= {"bc_num_hours": "1", "auto_accounts": "ucb-general"}
    answer = client.post(
        APP, data={f"batch_connect_session_context[{name}]": value for name, value in values.items()}
    )
    assert answer.status_code == 302, re.findall("<pre>(.*?)</pre>", answer.text, re.DOTALL)


def cancel_all(portal: Portal) -> None:
    jobs = portal.bed.run("squeue", "-h", "-o", "%i").stdout.split()
    subprocess.run(["scancel", *jobs], env=portal.bed.user_environment(None), check=True)


def test_form_launch_card_and_login_work_at_the_second_site(portal: Portal) -> None:
    user = portal.bed.ground.user
    with httpx.Client(base_url=portal.address(), timeout=60) as client:
        log_in(client, portal)
        page = client.get(APP + "/new").text
        assert "H100" in page
        assert "A100" not in page
        launch(client, "h100-x1")
        assert portal.bed.run("squeue", "-h", "-o", "%P %b").stdout.split()[0] == "capella"
        card = wait_until(lambda: way_in(client), 30, "the card's way in")
        login = re.search(r'action="(/node/[^"]+/login)".*?name="token" value="([^"]+)"', card, re.DOTALL)
        assert login, card
        origin = {"Origin": portal.address()}
        answer = client.post(login[1], data={"token": login[2]}, headers=origin)
        assert answer.status_code == 303
        assert client.get(login[1].replace("/login", "/status")).json()["owner"] == user
    cancel_all(portal)


def test_a_launch_over_two_nodes_from_the_form_runs_on_both(portal: Portal, cheap_engine: Login) -> None:
    with httpx.Client(base_url=portal.address(), timeout=60) as client:
        log_in(client, portal)
        launch(client, "h100-x8")
        wait_until(lambda: way_in(client), 60, "the card's way in")
    name = wait_until(lambda: next((s["session_id"] for s in cheap_engine.ask_json("ls")), ""), 30, "it")
    cheap_engine.wait_until(lambda: cheap_engine.status(name)["status"] == "ready", 60, "the model")
    job_id = cheap_engine.status(name)["slurm_job_id"]
    assert portal.bed.run("squeue", "-h", "-j", job_id, "-o", "%D %N").stdout.split() == ["2", "tn[1-2]"]
    assert cheap_engine.curc_llm("ask", "-s", name, "Hello").stdout.strip()
    cancel_all(portal)


def way_in(client: httpx.Client) -> str:
    """The list of cards once the newest has its button."""
    html = client.get(SESSIONS, headers={"Accept": "text/vnd.turbo-stream.html"}).text
    return html if "Open chat" in html else ""
