"""What a card says in every state, under every portal, whatever the session left: as a browser reads it."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from curc_llm.engine.causes_memory import MORE_MEMORY
from curc_llm.session.files import write_json
from curc_llm.session.login import check_token, make_login_secret
from tests.ood.card_bench import Card, make_engine, make_record
from tests.ood.ruby import ROOT
from tests.ood.template_bench import make_app

pytestmark = pytest.mark.slow

VERSIONS = ("3.1", "4.0", "4.1", "4.2")
NOTICE = "Your chats stay in your own folder. No HIPAA data."
READY = {"phase": "ready", "ready_at": time.time(), "max_model_len": 32768}


class Page(HTMLParser):
    """HTML as text and tags; a person doesn't read scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"input", "br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data

    def find(self, tag: str, **wanted: str) -> dict[str, str | None]:
        return next(a for t, a in self.tags if t == tag and wanted.items() <= a.items())

    def ids(self) -> list[str]:
        return [str(a["id"]) for _, a in self.tags if a.get("id")]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_app(tmp_path_factory.mktemp("portal") / "app", data_notice=NOTICE)


@pytest.fixture
def card(tmp_path: Path, app: Path) -> Card:
    return Card(tmp_path, app)


def read(card: Card, part: str, status: str, version: str = "4.2", **known: Any) -> Page:
    page = Page(card.draw(status, version, **known)[part])
    assert page.open == []  # every tag is closed: nothing spills over the portal's own page
    return page


def ended(card: Card, **changes: Any) -> Page:
    return read(card, "completed", "completed", **changes)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_waiting_job_says_why_and_when(card: Card, version: str) -> None:
    start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 45 * 60))
    text = read(card, "info", "queued", version, native={"reason": "Priority", "start_time": start}).text
    assert "Waiting in the queue: others are before it in the queue." in text
    assert re.search(r"Slurm expects it to start at .*\d\d:\d\d.*, in about 45 minutes", text)
    assert "Waiting costs nothing" in text
    assert "qwen3-32b" in text
    assert NOTICE in text


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("(Resources)", "it is next in line"),
        ("QOSMaxGRESPerUser", "as many GPUs as one person may"),
        ("QOSGrpGRES", "all GPUs that its QoS"),
        ("ReqNodeNotAvail, Reserved for maintenance", "fewer hours may start sooner"),
        ("PartitionTimeLimit", "it will never start"),
        ("SomethingNew<b>", "Slurm says: SomethingNew<b>"),
        ("AssocGrpBillingMinutes", "service units are used up"),
    ],
)
def test_slurm_s_reason_is_said_in_words(card: Card, reason: str, told: str) -> None:
    assert told in read(card, "info", "queued", native={"reason": reason, "start_time": "N/A"}).text


def test_a_held_job_is_called_so(card: Card) -> None:
    assert "On hold" in read(card, "info", "queued_held", native={"reason": "JobHeldUser"}).text


def test_a_silent_slurm_is_not_a_session_that_is_gone(card: Card) -> None:
    card.begin(make_record())
    text = read(card, "info", "undetermined").text
    assert "Slurm does not answer" in text
    assert "may well be running" in text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_starting_session_shows_its_phase_and_how_long_it_takes(card: Card, version: str) -> None:
    card.begin(make_record())
    card.connect()
    page = read(card, "info", "running", version)
    assert "Loading the model into memory" in page.text
    assert "about 2 minutes to go, as earlier starts took" in page.text
    assert 0.3 < float(str(page.find("progress")["value"])) < 0.5
    view = read(card, "view", "running", version)
    assert "waits there until the model is ready" in view.text
    assert "once the model is ready" in view.text


def test_the_first_start_of_a_model_goes_by_the_plan(card: Card) -> None:
    card.begin(make_record(engines=(make_engine(expected_ready_s=None),)))
    card.connect()
    assert "to go, by estimate" in read(card, "info", "running").text


def test_a_job_that_has_no_record_yet_is_starting(card: Card) -> None:
    assert "The session is starting." in read(card, "info", "running").text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ready_session_has_its_way_in_and_all_examples(card: Card, version: str) -> None:
    card.begin(make_record(status="ready", engines=(make_engine(**READY),)))
    card.connect()
    page = read(card, "view", "running", version)
    form = page.find("form")
    assert (form["action"], form["method"], form["target"]) == (
        "/node/c3gpu-a9-u29-1/42779/login",
        "post",
        "_blank",
    )
    fields = {str(a["value"]) for t, a in page.tags if t == "input" and a.get("type") == "text"}
    assert fields == {"http://c3gpu-a9-u29-1:42779/v1", "qwen3-32b", "curc-" + "K" * 43}
    assert all("readonly" in a for t, a in page.tags if t == "input" and a.get("type") == "text")
    for told in (
        "curl -sS",
        "from openai import OpenAI",
        "import curc_llm",
        "API provider",
        "ssh -N -L 42779:",
    ):
        assert told in page.text
    assert "-l ralphie login.rc.colorado.edu" in page.text
    assert "32768" in page.text


def test_a_session_that_ends_lets_nobody_in_any_more(card: Card) -> None:
    card.begin(make_record(status="draining", engines=(make_engine(**READY),)))
    card.connect()
    page = read(card, "view", "running")
    assert "Open chat" not in page.text
    assert not [tag for tag, _ in page.tags if tag == "form"]
    assert "text-dark" in str(read(card, "info", "running").find("span")["class"])  # on yellow


def test_figures_of_time_and_units_are_shown(card: Card) -> None:
    record = make_record(status="ready", engines=(make_engine(**READY),), idle_stop_at=time.time() + 290)
    card.begin(record)
    card.connect()
    began = time.time()
    text = read(card, "info", "running").text
    assert "3 h 58 min" in text
    # 259.2 SU an hour from the session's start, at some time between the two looks at the clock.
    least, most = (259.2 * (at - record.started_at) / 3600 for at in (began, time.time()))
    used, left = re.search(r"about ([\d.]+) of 1,037 SU", text), re.search(r"about 1,0(\d\d) SU", text)
    assert used is not None
    assert left is not None
    assert least - 0.06 <= float(used[1]) <= most + 0.06
    assert 36.8 - most - 0.5 <= float(left[1]) <= 36.8 - least + 0.5
    assert re.search(r"in 4 min \d+ s unless used", text)
    assert "32,768 tokens" in text


def test_the_newest_warning_is_shown(card: Card) -> None:
    card.begin(
        make_record(
            status="ready", engines=(make_engine(**READY),), warnings=("Old.", "It ends in 5 minutes.")
        )
    )
    card.connect()
    text = read(card, "info", "running").text
    assert "It ends in 5 minutes." in text
    assert "Old." not in text


def test_a_restart_is_told(card: Card) -> None:
    trouble = {"code": "died", "message": "The engine died.", "remedy": ""}
    card.begin(make_record(status="ready", engines=(make_engine(**READY, restarts=1, trouble=trouble),)))
    card.connect()
    assert "had to be restarted once. The engine died." in read(card, "info", "running").text


IDLE = {"code": "idle", "message": "Nobody used it for 30 minutes.", "remedy": "idle_stop_min"}
MEMORY = {"code": "out_of_memory", "message": "The GPU ran out of memory.", "remedy": "Use fewer requests."}


def test_an_expected_end_is_told_calmly(card: Card) -> None:
    card.begin(make_record(status="ended", ended_at=time.time(), started_at=time.time() - 3600, reason=IDLE))
    page = ended(card)
    assert "The session has ended. Nobody used it for 30 minutes." in page.text
    assert "What to change: the idle stop under More" in page.text
    assert "1 h 0 min" in page.text
    assert "about 259 SU" in page.text
    assert "alert-danger" not in str(page.tags)
    links = [str(a["href"]) for t, a in page.tags if t == "a"]
    assert links[0] == f"/pun/sys/dashboard/files/fs{card.staged}/output.log"
    assert links[1].endswith("/logs")


def test_a_failed_engine_keeps_its_words_and_remedy(card: Card) -> None:
    card.begin(make_record(status="failed", ended_at=time.time(), reason=MEMORY))
    text = ended(card, native={"state": "FAILED"}).text
    assert "The session failed. The GPU ran out of memory." in text
    assert "What to do: Use fewer requests." in text
    assert "What to change: the GPUs" in text


def test_settings_that_the_form_does_not_have_are_not_named(card: Card) -> None:
    reason = MEMORY | {"remedy": "Set gpu_memory_utilization lower."}
    card.begin(make_record(status="failed", ended_at=time.time(), reason=reason))
    text = ended(card, native={"state": "FAILED"}).text
    assert "gpu_memory_utilization" not in text
    assert "What to change: the GPUs" in text


KILLED = {
    "code": "killed",
    "message": "The engine was killed, most likely because the machine's memory ran out.",
    "remedy": MORE_MEMORY,
}


def test_after_a_kill_only_what_the_form_has_is_to_be_changed(card: Card) -> None:
    card.begin(make_record(status="failed", ended_at=time.time(), reason=KILLED))
    text = ended(card, native={"state": "FAILED"}).text
    assert "The engine was killed" in text
    assert "Ask for more memory" not in text
    assert "What to do" not in text
    assert "What to change: the GPUs (more of them bring more memory)" in text


def test_one_cause_has_one_box(card: Card) -> None:
    engine = make_engine(phase="failed", trouble=KILLED)
    warning = f"qwen3-32b failed: {KILLED['message']} {KILLED['remedy']}"
    card.begin(make_record(status="failed", engines=(engine,), reason=KILLED, warnings=(warning,)))
    page = read(card, "info", "running")
    assert page.text.count("The engine was killed") == 1
    assert "mem_per_gpu_gib" not in page.text
    assert "What to change: the GPUs" in page.text
    other = make_record(status="failed", engines=(engine,), warnings=("It ends in 5 minutes.",))
    card.begin(other)
    assert "It ends in 5 minutes." in read(card, "info", "running").text


def test_gpus_have_the_words_of_the_form(tmp_path: Path) -> None:
    table = str(ROOT / "ood_app" / "launch_table.json")
    app = make_app(tmp_path / "app", launch_table=table)
    asked = {"llm_model": "qwen3-4b", "llm_gpus": "rtx-pro-6000-1g-24gb-x1"}
    card = Card(tmp_path, app, asked)
    for _ in range(2):
        text = read(card, "info", "queued").text
        assert "1 × RTX PRO 6000, MIG 1g.24gb" in text
        assert "rtx-pro-6000" not in text
        # Read once: a page of cards doesn't read the table every ten seconds.
        (app / "ood_app" / "portal.local.yml").write_text("launch_table: missing.json\n")
    write_json(card.staged / "user_defined_context.json", asked | {"llm_gpus": "l40-x99"})
    assert "l40-x99" in read(card, "info", "queued").text


def test_copy_buttons_say_what_they_copy(card: Card) -> None:
    card.begin(make_record(status="ready", engines=(make_engine(**READY),)))
    card.connect()
    page = read(card, "view", "running")
    names = [a["aria-label"] for t, a in page.tags if t == "button" and a.get("data-llm-copy")]
    assert "Copy: API key" in names
    assert "Copy: Model" in names


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("OUT_OF_MEMORY", "needed more of the node's memory than it had"),
        ("TIMEOUT", "reached the end of its time"),
        ("NODE_FAIL", "The node that it ran on failed"),
        ("PREEMPTED", "A job with a higher right took its GPUs"),
        ("CANCELLED by 1000", "The job was cancelled"),
        ("CANCELLED+", "The job was cancelled"),
        ("FAILED", "ended with an error before it could say why"),
    ],
)
def test_a_session_without_a_last_word_is_explained_by_slurm(card: Card, state: str, told: str) -> None:
    card.begin(make_record())
    assert told in ended(card, native={"state": state}).text
    assert told in ended(card).text  # when squeue has forgotten the job, the card still knows


@pytest.mark.parametrize("code", ["stopped", "supervisor_died", "guard_died"])
def test_slurm_knows_better_than_a_job_that_was_torn_away(card: Card, code: str) -> None:
    torn = {"code": code, "message": "It was stopped.", "remedy": ""}
    card.begin(make_record(status="failed", ended_at=time.time(), reason=torn))
    assert "The node that it ran on failed" in ended(card, native={"state": "NODE_FAIL"}).text


def test_a_stop_by_the_owner_is_one(card: Card) -> None:
    stopped = {"code": "stopped", "message": "The session was stopped by its owner.", "remedy": ""}
    card.begin(make_record(status="ended", ended_at=time.time(), reason=stopped))
    assert "stopped by its owner" in ended(card, native={"state": "CANCELLED"}).text


def test_a_refusal_before_the_session_is_told_with_its_remedy(card: Card) -> None:
    trouble = {"code": "model_does_not_fit", "message": "It needs 341 GiB.", "remedy": "What fits: 4 x h200."}
    write_json(card.staged / "trouble.json", trouble)
    text = ended(card, native={"state": "FAILED"}).text
    assert "The session could not start. It needs 341 GiB." in text
    assert "What to do: What fits: 4 x h200." in text


def test_a_full_home_is_told_through_slurm(card: Card) -> None:
    said = {"state": "FAILED", "comment": "curc-llm:folder_not_writable"}
    assert "your quota is full" in ended(card, native=said).text


def test_a_job_that_left_nothing_at_all_still_has_a_card(card: Card) -> None:
    text = ended(card).text
    assert "The job ended before the session had begun." in text
    assert "home is not full" in text


def answer_as_sacct(folder: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """Slurm's accounting says `state`; what it is asked goes into the file `asked`."""
    tools = folder / "bin"
    tools.mkdir()
    (tools / "sacct").write_text(f'#!/bin/sh\necho "said: $*" >> {folder}/asked\necho "{state}"\n')
    (tools / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")


def test_sacct_is_asked_once(card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_as_sacct(tmp_path, monkeypatch, "TIMEOUT")
    card.begin(make_record())
    for _ in range(2):
        assert "reached the end of its time" in ended(card).text
    assert (tmp_path / "asked").read_text().splitlines() == ["said: -n -P -X -o State -j 1234567"]


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", "null", '{"engines": 7, "warnings": {"a": 1}, "reason": []}']
)
@pytest.mark.parametrize("status", ["queued", "running", "completed", "undetermined"])
def test_a_broken_record_still_gives_a_card(card: Card, broken: str, status: str) -> None:
    card.begin(None)
    card.connect()
    for name in ("session.json", "spec.json", "portal.json"):
        (card.session / name).write_text(broken)
    (card.staged / "user_defined_context.json").write_text(broken)
    drawn = card.draw(status)
    for part in ("info", "view", "completed"):
        if part in drawn:
            assert Page(drawn[part]).open == []
            assert "could not be drawn" not in drawn[part]


HOSTILE = (
    "</pre></div><script>alert(1)</script><img src=x onerror=alert(1)>\n\n    # *a* _b_ `c` [d](javascript:e)"
    "\n\n<!-- $(x) '\" \u202e"
)


def test_no_value_becomes_part_of_the_page(card: Card, tmp_path: Path) -> None:
    reason = {"code": HOSTILE, "message": HOSTILE, "remedy": HOSTILE}
    engine = make_engine(**READY | {"served_model_name": HOSTILE, "trouble": reason, "restarts": 2})
    values = dict.fromkeys(("llm_model", "llm_gpus", "bc_num_hours", "auto_accounts", "llm_qos"), HOSTILE)
    write_json(card.staged / "user_defined_context.json", values)
    facts = {
        "owner": HOSTILE,
        "host": HOSTILE,
        "base_url": HOSTILE,
        "session_id": HOSTILE,
        "warnings": (HOSTILE,),
    }
    card.connect()
    for phase in ("ready", "loading", HOSTILE[:20]):
        loading = engine.model_copy(update={"detail": HOSTILE})
        record = make_record(status="ready", reason=reason, engines=(loading,), **facts).to_json()
        record["engines"][0]["phase"] = phase
        card.begin(None)
        write_json(card.session / "session.json", record)
        for status in ("queued", "running", "completed"):
            drawn = card.draw(status, native={"reason": HOSTILE, "state": HOSTILE, "start_time": HOSTILE})
            for part in ("info", "view", "completed"):
                page = Page(drawn.get(part, ""))
                assert page.open == []
                assert "img" not in {tag for tag, _ in page.tags}
                assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
                assert [t for t, _ in page.tags].count("script") == (
                    1 if part == "view" and part in drawn else 0
                )
                assert not {tag for tag, _ in page.tags} & {"em", "h1", "code"}  # Markdown has found nothing


@pytest.mark.parametrize("host", ["a/../b", "$(id)", "a b", "", '"><script>'])
def test_a_host_that_is_none_makes_no_form(card: Card, host: str) -> None:
    card.begin(make_record())
    card.connect(host=json.dumps(host))
    assert "form" not in {tag for tag, _ in read(card, "view", "running").tags}


def test_markdown_leaves_the_card_as_it_is(card: Card) -> None:
    card.begin(
        make_record(status="ready", engines=(make_engine(**READY | {"served_model_name": "a_b_*c*"}),))
    )
    card.connect()
    drawn = card.draw("running", "4.0")
    for part in ("info", "view"):
        assert drawn[part].strip() == drawn["raw"][part].strip()
    assert "a_b_*c*" in Page(drawn["view"]).text


def test_nothing_needs_a_style_or_a_script(card: Card) -> None:
    card.begin(make_record(status="ready", engines=(make_engine(**READY),)))
    card.connect()
    page = read(card, "view", "running")
    assert not [a for _, a in page.tags if "style" in a]
    buttons = [a for t, a in page.tags if t == "button" and a.get("data-llm-copy")]
    assert len(buttons) == 8
    assert all("hidden" in button for button in buttons)  # they appear where the script runs
    assert {b["data-llm-copy"] for b in buttons} <= set(page.ids())


def test_ids_are_the_session_s_own(card: Card) -> None:
    card.begin(make_record(status="ready", engines=(make_engine(**READY),)))
    card.connect()
    drawn = card.draw("running")
    ids = Page(drawn["info"] + drawn["view"]).ids()
    assert len(ids) == len(set(ids))
    assert all(i.startswith(f"llm-{card.staged.name}-") for i in ids)


def test_secrets_that_others_could_have_read_are_not_used(card: Card) -> None:
    card.begin(make_record(status="ready", engines=(make_engine(**READY),)))
    card.connect()
    for name in ("api.key", "login.key"):
        (card.session / name).chmod(0o644)
    page = read(card, "view", "running")
    assert "form" not in {tag for tag, _ in page.tags}
    assert "curc-KKK" not in str(page.tags)


def test_no_secret_is_in_a_staged_file(card: Card) -> None:
    card.begin(make_record(status="ready", engines=(make_engine(**READY),)))
    card.connect()
    card.draw("running")
    card.draw("completed", native={"state": "TIMEOUT"})
    secrets = [(card.session / name).read_text().strip() for name in ("api.key", "login.key")]
    for path in card.staged.iterdir():
        if path.is_file():
            assert not [secret for secret in secrets if secret in path.read_text()]
            assert path.stat().st_mode & 0o077 == 0


def test_no_data_notice_is_shown_where_the_centre_has_none(tmp_path: Path) -> None:
    card = Card(tmp_path, make_app(tmp_path / "app", data_notice=""))
    assert "Your data" not in read(card, "info", "queued").text


def hand_over_to_next(card: Card, **changes: Any) -> Path:
    """A session that went on in another job, whose folder is returned."""
    after = card.session.parent / "slurm-next"
    after.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = "http://c3gpu-a9-u30-1:41234/v1"
    own = {"session_id": "slurm-next", "host": "c3gpu-a9-u30-1", "port": 41234, "base_url": url}
    write_json(after / "session.json", make_record(**{"status": "ready", **own, **changes}).to_json())
    make_login_secret(after / "login.key")
    return after


@pytest.mark.parametrize("state", ["running", "completed"])
def test_a_session_that_has_handed_over_leads_to_the_next_one(card: Card, state: str) -> None:
    reason = {"code": "handed_over", "message": "The session goes on as slurm-next.", "remedy": "Ask there."}
    over = {"status": "ended", "reason": reason, "ended_at": time.time()} if state == "completed" else {}
    warning = "This session goes on as slurm-next: this address leads there until it ends."
    ready = {"status": "ready", "engines": (make_engine(**READY),), "warnings": (warning,)}
    card.begin(make_record(**{**ready, "successor": "slurm-next", **over}))
    after = hand_over_to_next(card)
    page = ended(card) if state == "completed" else read(card, "info", "running")
    assert page.text.count("goes on as slurm-next") == 1
    assert "failed" not in page.text
    assert "http://c3gpu-a9-u30-1:41234/v1" in page.text
    assert "Delete on this card doesn't end it; that does: curc-llm stop slurm-next" in page.text
    assert page.find("form")["action"] == "/node/c3gpu-a9-u30-1/41234/login"
    secret = (after / "login.key").read_text().strip()
    assert check_token(secret, "login", str(page.find("input", name="token")["value"]), time.time())


@pytest.mark.parametrize("state", ["running", "completed"])
def test_the_way_to_the_next_one_calls_its_node_as_the_portal_calls_this_one(card: Card, state: str) -> None:
    card.begin(make_record(status="ready", engines=(make_engine(**READY),), successor="slurm-next"))
    hand_over_to_next(card)
    card.connect(host="c3gpu-a9-u29-1.rc.int.colorado.edu")
    page = ended(card) if state == "completed" else read(card, "info", "running")
    assert page.find("form")["action"] == "/node/c3gpu-a9-u30-1.rc.int.colorado.edu/41234/login"
    card.connect(host="10.225.1.7")
    page = ended(card) if state == "completed" else read(card, "info", "running")
    assert page.find("form")["action"] == "/node/c3gpu-a9-u30-1/41234/login"


def test_why_a_session_failed_is_said_also_where_another_goes_on(card: Card) -> None:
    reason = {"code": "engine_gave_up", "message": "The engine failed three times.", "remedy": "See its log."}
    over = {"status": "failed", "reason": reason, "ended_at": time.time()}
    card.begin(make_record(engines=(make_engine(**READY),), successor="slurm-next", **over))
    hand_over_to_next(card)
    page = ended(card)
    assert "The engine failed three times." in page.text
    assert "goes on as slurm-next" in page.text


def test_one_that_was_torn_away_leads_to_the_successor_that_it_had_submitted(card: Card) -> None:
    coming = {"session_id": "slurm-next", "job_id": "78", "phase": "queued"}
    ready = {"status": "ready", "engines": (make_engine(**READY),), "hand_over": coming}
    hand_over_to_next(card)
    card.begin(make_record(**ready))
    assert "goes on as slurm-next" in ended(card).text
    # Nobody is told to launch what goes on already.
    assert "What to do" not in ended(card).text
    hand_over_to_next(card, status="ended")
    over = ended(card).text
    assert "went on as slurm-next" in over
    assert "What to do" in over
    hand_over_to_next(card)
    stopped = {"code": "stopped", "message": "It was stopped.", "remedy": ""}
    card.begin(make_record(**{**ready, "status": "ended", "reason": stopped, "ended_at": time.time()}))
    assert "slurm-next" not in ended(card).text


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("CANCELLED by 1000", "Its job was cancelled before it began."),
        ("FAILED", "Its job ended before it began."),
        ("PENDING", "waits in Slurm's queue"),
        ("", "waits in Slurm's queue"),
    ],
)
def test_a_successor_that_never_began_is_not_said_to_wait(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, told: str
) -> None:
    answer_as_sacct(tmp_path, monkeypatch, state)
    reason = {"code": "handed_over", "message": "The session goes on as slurm-next.", "remedy": ""}
    over = {"status": "ended", "reason": reason, "ended_at": time.time()}
    card.begin(make_record(engines=(make_engine(**READY),), successor="slurm-next", **over))
    after = hand_over_to_next(card)
    (after / "session.json").unlink()
    write_json(after / "slurm.json", {"job_id": "78", "submitted_at": 1.0})
    for _ in range(2):
        assert told in ended(card).text
    assert (tmp_path / "asked").read_text().splitlines() == ["said: -n -P -X -o State -j 78"]


def test_a_successor_that_waits_or_has_ended_has_no_door(card: Card) -> None:
    ready = {"status": "ready", "engines": (make_engine(**READY),)}
    card.begin(make_record(**ready, successor="slurm-next"))
    hand_over_to_next(card, port=None, base_url=None)
    assert "waits in Slurm's queue" in read(card, "info", "running").text
    hand_over_to_next(card, status="ended")
    page = read(card, "info", "running")
    assert "That one has ended too." in page.text
    assert "form" not in [tag for tag, _ in page.tags]
    coming = {"session_id": "slurm-next", "job_id": "78", "phase": "queued"}
    card.begin(make_record(**ready, hand_over=coming))
    assert "Goes on asslurm-next (queued)" in read(card, "info", "running").text
