"""What the form sends means the same in the portal and in the job, which reads it once more."""

from __future__ import annotations

import pytest

from curc_llm.launch.portal import make_portal_request
from curc_llm.launch.portal_values import PortalValueError
from tests.ood.conftest import load
from tests.ood.ruby import needs_ruby, read_table, slug, submit
from tests.ood.test_same_request import parse

pytestmark = needs_ruby

GOOD = {"llm_model": "qwen3-4b", "llm_gpus": "l40-x2", "bc_num_hours": "4", "auto_accounts": "ucb-general"}


@pytest.mark.slow
def test_every_choice_of_gpus_is_the_same_gpus_in_the_job() -> None:
    facts, table = load("alpine"), read_table()
    places = [place for place, rows in table["plans"]["qwen3-4b"].items() if len(rows[""]) > 2]
    values = [{**GOOD, "llm_gpus": slug(*place.rsplit(":", 1)), "bc_num_hours": "1"} for place in places]
    for place, sent, answer in zip(places, values, submit([{"values": one} for one in values]), strict=True):
        plan = make_portal_request(sent, facts).plan
        options = parse(answer["arguments"])
        assert (plan.gpu_type, str(plan.num_gpus)) == tuple(place.rsplit(":", 1))
        assert options["gres"] == f"gpu:{plan.gpu_type}:{plan.num_gpus}"
        assert (options["partition"], options["account"]) == (plan.partition, plan.account)
    assert len(places) > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "field", "meant"),
    [
        ({"llm_context": "16384"}, "max_model_len", 16384),
        ({"llm_preset": "long-context"}, "preset", "long-context"),
        ({"llm_qos": "gpu-long"}, "qos", "gpu-long"),
        ({"bc_num_hours": "100"}, "hours", 100),
        ({"llm_model": "own", "llm_own_model": "Qwen/Qwen2.5-0.5B"}, "model", "Qwen/Qwen2.5-0.5B"),
        ({"llm_model": "own", "llm_own_model": "demo"}, "model", "demo"),
        ({"llm_model": "own", "llm_own_model": "/projects/eve@colostate.edu/my model+1"}, "model", None),
    ],
)
def test_what_the_form_takes_the_job_takes_too(changes: dict[str, str], field: str, meant: object) -> None:
    sent = {**GOOD, **changes}
    (answer,) = submit([{"values": sent}])
    assert "message" not in answer, answer
    plan = make_portal_request(sent, load("alpine")).plan
    assert getattr(plan, field) == (sent["llm_own_model"] if meant is None else meant)


@pytest.mark.slow
def test_manners_reach_the_job() -> None:
    sent = {**GOOD, "llm_idle_min": "0", "llm_reservation": "ahub2", "llm_mail": "1"}
    (answer,) = submit([{"values": sent}])
    request = make_portal_request(sent, load("alpine"))
    assert parse(answer["arguments"])["reservation"] == request.reservation == "ahub2"
    assert request.idle_stop_min == 0
    assert request.mail_on_ready
    assert "mail-type" not in parse(answer["arguments"])


def test_adapters_reach_the_job_as_the_command_line_takes_them() -> None:
    sent = {**GOOD, "llm_adapters": "sql=someone/sql-lora, /projects/me/law, someone/poems"}
    (answer,) = submit([{"values": sent}])
    assert "message" not in answer, answer
    asked = make_portal_request(sent, load("alpine")).adapters
    assert asked == ("sql=someone/sql-lora", "law=/projects/me/law", "poems=someone/poems")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a b=someone/x", "can't be the name of an adapter"),
        ("=someone/x", "can't be the name of an adapter"),
        ("a=", "is neither a folder nor a Hugging Face id"),
        ("a=../x", "is neither a folder nor a Hugging Face id"),
        ("ok=someone/x, b=/etc/../x", "is neither a folder nor a Hugging Face id"),
        ("someone/law, other/law", "Two adapters are called"),
        ("a=$(id)", "is neither a folder nor a Hugging Face id"),
    ],
)
def test_adapters_that_cannot_be_meant_are_refused_before_and_in_the_job(text: str, told: str) -> None:
    sent = {**GOOD, "llm_adapters": text}
    (answer,) = submit([{"values": sent}])
    assert told in answer["message"]
    with pytest.raises(PortalValueError, match="adapter"):
        make_portal_request(sent, load("alpine"))


def test_a_model_of_the_catalogue_by_its_hub_id_is_looked_up_exactly() -> None:
    by_name, by_id = submit(
        [
            {"values": GOOD},
            {
                "values": {
                    **GOOD,
                    "llm_model": "own",
                    "llm_own_model": read_table()["models"]["qwen3-4b"]["hub_id"],
                }
            },
        ]
    )
    assert by_name["arguments"] == by_id["arguments"]
