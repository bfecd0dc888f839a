"""`POST /scale` and `POST /extend`: who may ask for other jobs, and what is refused before any is started."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.gateway.channel import Extend, Scale
from curc_llm.session.keys import add_key
from tests.gateway.conftest import RunningGateway, wait_for
from tests.gateway.guests import let_in, share
from tests.gateway.test_login import cookie_of

SAME = {"Sec-Fetch-Site": "same-origin"}
RECORD = {"session_id": "s1", "owner": "me", "slurm_job_id": "77"}


@pytest.fixture
async def job(gateway: RunningGateway) -> RunningGateway:
    """The gateway of a session that is a Slurm job."""
    await gateway.tell(record=RECORD)
    return gateway


def wishes(gateway: RunningGateway) -> list[Scale | Extend]:
    return [message for message in gateway.messages if isinstance(message, Scale | Extend)]


async def test_the_owner_s_wish_reaches_the_supervisor_and_the_audit_log(job: RunningGateway) -> None:
    asked = {"min_replicas": 1, "max_replicas": 4, "su_budget": 500, "target_queue": 2}
    reply = await job.ask("POST", "/scale", asked, job.auth)
    assert (reply.status, reply.json["status"]) == (202, "accepted")
    await wait_for(lambda: wishes(job) == [Scale(1, 4, 2, 500)])
    line = next(line for line in await job.wait_log("audit", 2) if line["event"] == "scale")
    assert (line["name"], line["max_replicas"], line["su_budget"]) == ("owner", 4, 500)


async def test_what_is_not_named_stays_where_there_are_rules(gateway: RunningGateway) -> None:
    rules = {"min_replicas": 2, "max_replicas": 4, "target_queue": 2, "su_budget": 500, "add_after_s": 9}
    now = {**rules, "drain_after_s": 60, "is_on": True, "su_spent": 12}
    await gateway.tell(record={**RECORD, "scale": now})
    assert (await gateway.ask("POST", "/scale", {"su_budget": 800}, gateway.auth)).status == 202
    refused = await gateway.ask("POST", "/scale", {"min_replicas": 5}, gateway.auth)
    assert "it must be at most max_replicas (4)" in refused.json["error"]["message"]
    assert (await gateway.ask("POST", "/scale", {"max_replicas": 3}, gateway.auth)).status == 202
    await gateway.tell(record={**RECORD, "scale": {**now, "is_on": False}})
    assert (await gateway.ask("POST", "/scale", {"su_budget": 900}, gateway.auth)).status == 202
    kept = Scale(2, 4, 2, 800, 9, 60)
    await wait_for(lambda: wishes(gateway) == [kept, Scale(max_replicas=3), Scale(su_budget=900)])


async def test_page_and_private_socket_do_it_too(job: RunningGateway) -> None:
    headers = {**await cookie_of(job), **SAME}
    assert (await job.ask("POST", "/extend", {"hours": 4}, headers)).status == 202
    assert (await job.private("POST", "/scale", {"is_on": False})).status == 202
    await wait_for(lambda: wishes(job) == [Extend(4.0), Scale(is_on=False)])


@pytest.mark.parametrize("path", ["/scale", "/extend"])
async def test_nobody_else_may(job: RunningGateway, path: str) -> None:
    ana = await let_in(job, share(job, "ana"), "ana")
    program = {"X-Api-Key": add_key(job.paths.keys, "program", scopes=("chat", "manage"))}
    replies = [
        await ana.ask("POST", path, {}),
        await job.private("POST", path, {}, {"X-Curc-Llm-User": "ana"}),
        await job.ask("POST", path, {}, program),
    ]
    assert [(r.status, r.code) for r in replies] == [(403, "permission_denied")] * 3
    assert (await job.ask("GET", path, None, job.auth)).status == 405
    assert wishes(job) == []


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/scale", {"max_replicas": 65}, "max_replicas is 65; it must be a whole number from 1 to 64."),
        ("/scale", {"max_replicas": 0}, "max_replicas is 0"),
        ("/scale", {"max_replicas": True}, "max_replicas is True"),
        ("/scale", {"max_replicas": "3"}, "max_replicas is '3'"),
        ("/scale", {"min_replicas": 3, "max_replicas": 2}, "it must be at most max_replicas (2)"),
        ("/scale", {"max_replicas": 2, "su_budget": -1}, "su_budget is -1"),
        ("/scale", b'{"max_replicas": 2, "su_budget": NaN}', "su_budget is nan"),
        ("/scale", {"max_replicas": 2, "su_budget": 1e300}, "su_budget is 1e+300"),
        ("/scale", {"most": 2}, "There is no field 'most'. Fields: min_replicas, max_replicas"),
        ("/scale", {"is_on": 1}, "is_on is 1; it must be true or false."),
        ("/scale", b"[3]", "The body must be a JSON object"),
        ("/scale", b"{" * 3000, "The body must be a JSON object"),
        ("/extend", {}, "hours is None; it must be a number from 0.1 to 744."),
        ("/extend", {"hours": 1000}, "hours is 1000"),
        ("/extend", {"hours": 2, "is_now": "yes"}, "is_now is 'yes'"),
    ],
)
async def test_what_cannot_be_meant_is_refused_and_says_what_is_allowed(
    job: RunningGateway, path: str, body: Any, told: str
) -> None:
    reply = await job.ask("POST", path, body, job.auth)
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert told in reply.json["error"]["message"]
    assert wishes(job) == []


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"slurm_job_id": None}, "no_slurm_job"),
        ({"parent": "slurm-a"}, "is_replica"),
        ({"successor": "slurm-b"}, "handed_over"),
    ],
)
async def test_a_session_that_can_have_no_other_jobs_says_why(
    gateway: RunningGateway, record: dict[str, Any], code: str
) -> None:
    await gateway.tell(record={**RECORD, **record})
    reply = await gateway.ask("POST", "/scale", {"max_replicas": 2}, gateway.auth)
    assert (reply.status, reply.code) == (409, code)


async def test_an_ending_session_starts_nothing(job: RunningGateway) -> None:
    await job.tell(accepting=False, drain_message="Its time is over.")
    reply = await job.ask("POST", "/extend", {"hours": 1}, job.auth)
    assert (reply.status, reply.code) == (409, "session_ending")
