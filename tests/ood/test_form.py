"""The form as each release of the portal reads it: complete, small, without secrets, and ready to launch."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.ood.ruby import ROOT, VERSIONS, needs_ruby, read_table, run_ruby, slug, submit

pytestmark = needs_ruby

MORE = ["llm_preset", "llm_context", "llm_adapters", "llm_qos", "llm_idle_min", "llm_reservation", "llm_mail"]
FIELDS = ["llm_model", "llm_own_model", "llm_gpus", "bc_num_hours", "auto_accounts", *MORE]
MOST_BYTES = 300_000  # of the page's form, uncompressed


@cache
def forms() -> dict[str, dict[str, Any]]:
    asked = [{"root": str(ROOT), "version": version, "page": True} for version in VERSIONS]
    return dict(zip(VERSIONS, run_ruby("form_cases.rb", asked), strict=True))


class Page(HTMLParser):
    """Which ids, labels and kinds of fields a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labelled: list[str] = []
        self.types: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if said.get("id"):
            self.ids.append(str(said["id"]))
        if tag == "label":
            self.labelled.append(str(said.get("for")))
        if tag in ("input", "select", "textarea"):
            self.types.append(said.get("type") or tag)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_form_is_valid_and_has_the_agreed_fields(version: str) -> None:
    form = forms()[version]
    assert form.get("message") is None
    assert form["form"] == FIELDS
    assert form["cluster"] == "alpine"


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_form_begins_with_can_be_launched(version: str) -> None:
    starts = forms()[version]["starts"]
    (answer,) = submit([{"values": starts}], version)
    assert answer.get("message") is None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_page_is_small(version: str) -> None:
    assert len(forms()[version]["page"].encode()) < MOST_BYTES


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_has_a_label_and_no_id_comes_twice(version: str) -> None:
    page = Page(forms()[version]["page"])
    assert {f"batch_connect_session_context_{name}" for name in FIELDS} <= set(page.labelled)
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("version", VERSIONS)
def test_no_field_takes_a_secret_and_the_form_says_where_the_token_goes(version: str) -> None:
    form = forms()[version]
    assert "password" not in Page(form["page"]).types
    assert not any("token" in name or "key" in name for name in form["attributes"])
    assert "curc-llm token" in form["page"]
    assert "Never enter it here" in form["page"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_data_notice_is_on_the_page(version: str) -> None:
    assert "until you delete them" in forms()[version]["page"]
    assert "HIPAA" in forms()[version]["page"]


def test_values_of_options_are_words_that_the_portals_dynamic_forms_leave_alone() -> None:
    for _, value, more in forms()["4.2"]["attributes"]["llm_gpus"]["options"]:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value)
        assert more["data-max-bc-num-hours"] in (1, 24, 168)


def test_no_id_is_a_method_that_would_hide_it() -> None:
    """Ids such as `display` or `first` raise or misbehave in the portal; ours have a prefix."""
    assert all(name.startswith(("llm_", "bc_num_hours", "auto_accounts")) for name in FIELDS)
    assert all(name == name.lower() for name in FIELDS)


def test_the_models_offered_are_those_that_fit_somewhere_chat_first_and_the_ready_ones_before_all() -> None:
    table = read_table()
    offered = [value for _, value, *_ in forms()["4.2"]["attributes"]["llm_model"]["options"]]
    fits = {m for m, places in table["plans"].items() if any(len(rows[""]) > 2 for rows in places.values())}
    assert offered[-1] == "own"
    assert set(offered[:-1]) == fits
    ready = [table["models"][name]["at_site"] for name in offered[:-1]]
    assert ready == sorted(ready, reverse=True)  # all of them chat
    uses = [set(table["models"][name]["uses"]) & {"chat", "embeddings"} for name in offered[:-1]]
    order = ["chat" if "chat" in use else "embeddings" if use else "other" for use in uses]
    assert order == sorted(order, key=["chat", "embeddings", "other"].index)
    options = forms()["4.2"]["attributes"]["llm_model"]["options"]
    groups = list(dict.fromkeys(more["data-group"] for _, _, more in options[:-1]))
    assert [group.split()[0] for group in groups] == ["Ready", "Chat", "Embeddings:", "Base"]


def test_the_gpus_offered_are_the_tables() -> None:
    table = read_table()
    offered = [value for _, value, *_ in forms()["4.2"]["attributes"]["llm_gpus"]["options"]]
    assert sorted(offered) == sorted(slug(*place.rsplit(":", 1)) for place in table["plans"]["qwen3-4b"])


@pytest.mark.slow
def test_every_model_suggests_gpus_that_hold_it_for_the_usual_hours() -> None:
    page = forms()["4.2"]["page"]
    best = decode_table(page)["models"]
    launches = [
        {"llm_model": name, "llm_gpus": model["best"], "bc_num_hours": "4"} for name, model in best.items()
    ]
    answers = submit([{"values": {**values, "auto_accounts": "ucb-general"}} for values in launches])
    assert [answer["message"] for answer in answers if "message" in answer] == []


def decode_table(page: str) -> dict[str, Any]:
    import base64
    import zlib

    found = re.search(r'data-curc-llm-table="([A-Za-z0-9+/=]+)"', page)
    assert found
    table: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(found[1])))
    return table


@pytest.mark.slow
def test_the_alternatives_that_the_panel_offers_are_launches_that_submit_takes() -> None:
    table = decode_table(forms()["4.2"]["page"])
    offered = {
        (model, other)
        for model, places in table["plans"].items()
        for rows in places.values()
        for row in rows.values()
        if len(row) == 2
        for other in row[1]
    }
    values = [
        {"llm_model": m, "llm_gpus": o, "bc_num_hours": "4", "auto_accounts": "a"} for m, o in sorted(offered)
    ]
    answers = submit([{"values": one} for one in values])
    assert [answer["message"] for answer in answers if "message" in answer] == []
    assert len(values) > 100


# ---- the centre's settings ----


def make_app(folder: Path, local: str) -> Path:
    """The app with other settings."""
    for name in ("manifest.yml", "form.yml.erb", "form.js", "submit.yml.erb"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "ood_app").mkdir()
    for name in ("lib", "portal.yml", "form.css", "launch_table.json"):
        (folder / "ood_app" / name).symlink_to(ROOT / "ood_app" / name)
    (folder / "ood_app" / "portal.local.yml").write_text(local)
    return folder


@pytest.mark.parametrize(
    ("local", "told"),
    [
        ("hostt: short", "hostt isn't a setting"),
        ("host: long", "it must be portal, short or fqdn"),
        ("site: capella", "curc-llm table --site capella"),
        ("launch_table: missing.json", "curc-llm table --output"),
        ("runtime: {kind: docker}", "it must be venv, module or apptainer"),
        ("runtime: {kinds: venv}", "runtime.kinds isn't a setting"),
        ("cluster: 4", "it must be String or Array"),
        ("host: [", "can't be read"),
        ("- a", "isn't a list of keys and values"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file_or_key(tmp_path: Path, local: str, told: str) -> None:
    root = make_app(tmp_path, local)
    (form,) = run_ruby("form_cases.rb", [{"root": str(root), "version": "4.2"}])
    assert told in form["message"]
    assert "CurcLlm::SetupError" in form["message"]
    (answer,) = submit([{"values": {}}], root=root)
    assert told in answer["message"]


def test_the_centres_own_words_reach_the_form_whatever_is_in_them(tmp_path: Path) -> None:
    notice = 'Don\'t: "quotes", {braces}, #hashes, % and\n  lines: yes'
    root = make_app(
        tmp_path, json.dumps({"data_notice": notice, "default_model": "qwen3-4b", "docs_url": ""})
    )
    (form,) = run_ruby("form_cases.rb", [{"root": str(root), "version": "4.2"}])
    assert notice in form["attributes"]["llm_mail"]["help"]
    assert form["starts"]["llm_model"] == "qwen3-4b"
    assert "Read more" not in form["attributes"]["auto_accounts"]["help"]


def test_several_clusters_give_a_choice_and_one_gives_none(tmp_path: Path) -> None:
    root = make_app(tmp_path, "cluster: [alpine, blanca]")
    asked = {"root": str(root), "version": "4.2", "clusters": ["alpine", "blanca", "core"], "page": True}
    (both,) = run_ruby("form_cases.rb", [asked])
    assert '<option value="blanca">' in both["page"]
    assert 'name="batch_connect_session_context[cluster]"' in forms()["4.2"]["page"]
    assert 'name="batch_connect_session_context[cluster]"' not in forms()["3.1"]["page"]


@pytest.mark.slow
def test_two_checkouts_in_one_portal_process_keep_to_their_own(tmp_path: Path) -> None:
    root = make_app(tmp_path, "default_model: qwen3-4b")
    asked = [{"root": str(one), "version": "4.2"} for one in (ROOT, root, ROOT)]
    starts = [form["starts"]["llm_model"] for form in run_ruby("form_cases.rb", asked)]
    assert starts == ["gpt-oss-20b", "qwen3-4b", "gpt-oss-20b"]
