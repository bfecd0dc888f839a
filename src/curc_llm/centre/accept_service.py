"""Promises about what a session does: its address, its page, phases, answers, time, cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from curc_llm.centre.accepted import Accepted
from curc_llm.centre.promise import Promise, UnknownPromiseError, expect, try_promise
from curc_llm.centre.slurm_facts import parse_tres
from curc_llm.centre.web import ANSWER_S, BROWSER, ask
from curc_llm.launch.queued import discover_sessions
from curc_llm.session.keys import read_secret_file
from curc_llm.slurm.accounting import JobUse, ask_use, count_cost
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll

MOST_CONNECT_S = 3.0
MOST_PAGE_S = 3.0
# Slurm tells a job's start in whole seconds, so a second of what is measured may not be the session's.
CLOCK_S = 1.0
MOST_END_S = 90.0  # between the record's end and Slurm's
COST_TOLERANCE = 0.05
ORDER = ("queued", "environment", "downloading", "loading", "compiling", "ready")


def check_start(session: Accepted) -> Iterator[Promise]:
    """What is promised of the first seconds, looked at as soon as the session has an address."""
    yield try_promise(
        "connection", f"The session has an address within {MOST_CONNECT_S:.0f} s of the job's start.",
        lambda: see_connection(session),
    )  # fmt: skip
    yield try_promise(
        "page_at_once",
        "Its page answers at once, and tells what the model is doing.",
        lambda: see_page(session),
    )
    yield try_promise(
        "portal_path",
        "It answers under the portal's path /node/HOST/PORT too.",
        lambda: see_portal_path(session),
    )


def see_connection(session: Accepted) -> str:
    """From the job's start, as Slurm tells it, to the address in the record."""
    if session.job_start_at is None:
        raise UnknownPromiseError("Slurm told no start of the job")
    seconds = session.seen_at["address"] - session.job_start_at
    expect(seconds <= MOST_CONNECT_S + CLOCK_S, f"{seconds:.1f} s")
    return f"{seconds:.1f} s (Slurm's start is in whole seconds)"


def see_page(session: Accepted) -> str:
    """The health page tells the phase, a browser gets the login page, a program is told to come back."""
    until = time.monotonic() + MOST_PAGE_S
    while True:
        try:
            health = ask(session.url("/health"), timeout_s=MOST_PAGE_S)
            break
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    told = health.json() or {}
    phase = told.get("status") or (told.get("error") or {}).get("phase") or told.get("phase")
    expect(health.status in (200, 503), f"/health answers {health.status}")
    page = ask(session.url("/"), headers=BROWSER)
    expect(page.status in (200, 401) and "<html" in page.body.lower(), f"the page answers {page.status}")
    status = ask(session.url("/status"), headers=session.key_headers())
    expect(status.status == 200, f"/status answers {status.status} with the key")
    return f"health {health.status} ({phase}), login page, status with the key"


def see_portal_path(session: Accepted) -> str:
    """What the portal's proxy asks for: it keeps the path."""
    port = urlsplit(session.base_url).port
    reply = ask(session.url(f"/node/{session.record().host}/{port}/health"))
    expect(reply.status in (200, 503), f"answers {reply.status}")
    return f"{reply.status}; through the portal itself: open the chat from the card once"


def check_service(session: Accepted, slurm: Slurm) -> Iterator[Promise]:
    """What is promised of a session that is ready."""
    yield try_promise(
        "phases", "While it loads it says what it is doing, in order.", lambda: see_phases(session)
    )
    yield try_promise(
        "endpoint", "The endpoint answers with the key, from this machine.", lambda: ask_model(session)
    )
    yield try_promise("streaming", "Answers come piece by piece.", lambda: stream_answer(session))
    yield try_promise("listed", "The session is found and called ready.", lambda: see_listed(session, slurm))
    yield try_promise("time_left", "The time left is Slurm's.", lambda: see_time_left(session, slurm))


def see_phases(session: Accepted) -> str:
    """At least one before ready, and none that goes backwards."""
    known = [phase for phase in session.phases if phase in ORDER]
    expect(len(known) > 1 and known[-1] == "ready", f"seen: {', '.join(session.phases) or 'none'}")
    expect(known == sorted(known, key=ORDER.index), f"out of order: {', '.join(known)}")
    began = session.job_start_at or session.seen_at["address"]
    return f"{', '.join(known)}; ready {session.seen_at['ready'] - began:.0f} s after the job's start"


def ask_model(session: Accepted) -> str:
    """A question with the key in either header; the answer, and what it used."""
    key = read_secret_file(session.paths.api_key)
    models = ask(session.url("/v1/models"), headers={"X-Api-Key": key})
    expect(models.status == 200, f"/v1/models with X-Api-Key answers {models.status}")
    began = time.monotonic()
    reply = ask(
        session.url("/v1/chat/completions"), headers=session.key_headers(), value=session.question(),
        timeout_s=ANSWER_S,
    )  # fmt: skip
    answer = reply.json() or {}
    expect(reply.status == 200, f"a question is answered with {reply.status}")
    text, tokens = answer["choices"][0]["message"]["content"], answer["usage"]["completion_tokens"]
    expect(bool(text and text.strip()) and tokens > 0, "the answer is empty")
    return f"{tokens} tokens in {time.monotonic() - began:.1f} s"


def stream_answer(session: Accepted) -> str:
    """Several events, the last of them the end mark."""
    reply = ask(
        session.url("/v1/chat/completions"), headers=session.key_headers(),
        value=session.question(stream=True), timeout_s=ANSWER_S,
    )  # fmt: skip
    events = [line for line in reply.body.splitlines() if line.startswith("data:")]
    expect(reply.status == 200 and len(events) > 2, f"{reply.status}, {len(events)} events")
    expect(events[-1].strip() == "data: [DONE]", "the stream has no end mark")
    return f"{len(events)} events"


def see_listed(session: Accepted, slurm: Slurm) -> str:
    """As `curc-llm ls` sees it."""
    found = discover_sessions(session.paths.root.parents[1], poll=SlurmPoll(slurm))
    states = {s.session_id: str(s.status) for s in found}
    state = states.get(session.paths.root.name, "not there")
    expect(state == "ready", f"it is {state}")
    return state


def see_time_left(session: Accepted, slurm: Slurm) -> str:
    """The record's end beside Slurm's."""
    ends_at = session.record().ends_at
    job = SlurmPoll(slurm).jobs([session.job_id])[session.job_id]
    expect(ends_at is not None, "the record names no end")
    if job.end_at is None or ends_at is None:
        raise UnknownPromiseError("Slurm names no end")
    expect(abs(ends_at - job.end_at) <= MOST_END_S, f"{ends_at - job.end_at:+.0f} s beside Slurm's end")
    return f"{(ends_at - time.time()) / 60:.0f} min, {ends_at - job.end_at:+.0f} s beside Slurm's end"


def see_cost(session: Accepted, slurm: Slurm, patience_s: float = 30.0) -> str:
    """What sacct counts, beside what was planned, and beside Slurm's own billing."""
    until = time.monotonic() + patience_s
    while not (uses := _ask_use(session, slurm)) or not all(use.state.is_over for use in uses):
        if time.monotonic() > until:
            raise UnknownPromiseError("sacct doesn't know the job's end")
        time.sleep(1)
    cost = count_cost(uses, session.site, session.plan)
    planned, unit = cost.planned_su_so_far, session.site.billing.unit
    if planned is None or cost.su is None:
        raise UnknownPromiseError("there is no plan, or the site file doesn't know what the job held")
    found = f"{cost.su:.2f} {unit} in {cost.elapsed_s} s, planned {planned:.2f}"
    expect(abs(cost.su - planned) <= COST_TOLERANCE * planned + 0.01, found)
    billed = _ask_billing(session, slurm)
    if billed is None:
        return f"{found}; Slurm itself counts no billing"
    expect(abs(billed - planned) <= COST_TOLERANCE * planned + 0.1, f"{found}, Slurm's billing {billed:.2f}")
    return f"{found}, Slurm's billing {billed:.2f}"


def _ask_use(session: Accepted, slurm: Slurm) -> tuple[JobUse, ...]:
    return ask_use(slurm, [session.job_id]).get(session.job_id, ())


def _ask_billing(session: Accepted, slurm: Slurm) -> float | None:
    """Slurm's own count: billing units x hours x the QoS's factor; None where it has none."""
    options = ("--noheader", "--parsable2", "--allocations", "--format=ElapsedRaw,QOS,AllocTRES")
    total = 0.0
    for line in slurm.query("sacct", *options, f"--jobs={session.job_id}").splitlines():
        elapsed, qos, tres = line.split("|", 2)
        billing = parse_tres(tres).get("billing")
        if billing is None:
            return None
        factor = session.site.qos[qos].billing_factor if qos in session.site.qos else 1.0
        total += billing * int(elapsed) / 3600 * factor
    return total
