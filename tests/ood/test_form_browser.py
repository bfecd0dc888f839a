"""The form in Chromium, as people use it: what it narrows, what it tells, and that no text becomes HTML."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ood.ruby import ROOT, VERSIONS, needs_ruby, read_table, run_ruby, submit
from tests.ood.test_form import make_app

pytestmark = [needs_ruby, pytest.mark.browser, pytest.mark.slow]

FIELD = "#batch_connect_session_context_"
LIBRARIES = Path("/usr/share/javascript")
# The least contrast of text with what is behind it (WCAG 2.2, 1.4.3).
CONTRAST = """element => {
  const luminance = (c) => { const p = c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * p[0] + .7152 * p[1] + .0722 * p[2]; };
  let back = element, color = 'rgba(0, 0, 0, 0)';
  for (; back && /, 0\\)$/.test(color); back = back.parentElement)
    color = getComputedStyle(back).backgroundColor;
  if (/, 0\\)$/.test(color)) color = 'rgb(255,255,255)';
  const [a, b] = [luminance(getComputedStyle(element).color), luminance(color)].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
}"""

Open = Callable[..., Page]


@cache
def render(version: str = "4.2", root: Path = ROOT, theme: str = "light", **values: str) -> str:
    """The page as the portal would send it: Bootstrap and jQuery, the middle column, the form."""
    asked = {"root": str(root), "version": version, "page": True, "values": values}
    (form,) = run_ruby("form_cases.rb", [asked])
    assert "page" in form, form
    return f"""<!doctype html><html lang="en" data-bs-theme="{theme}">
<head><meta charset="utf-8"><title>Form</title>
<link rel="stylesheet" href="{(LIBRARIES / "bootstrap5/css/bootstrap.min.css").as_uri()}">
<script src="{(LIBRARIES / "jquery/jquery.min.js").as_uri()}"></script></head>
<body><main class="container"><div class="row"><div class="col-md-3"></div><div class="col-md-6">
{form["description_html"]}{form["page"]}</div></div></main></body></html>"""


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a form; afterwards nothing may have gone wrong in the page."""
    troubles: list[str] = []
    contexts = []

    def opened(page_html: str, width: int = 1200, script: str = "", **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss())[0])
        if script:
            page.add_init_script(script)
        file = tmp_path / "form.html"
        file.write_text(page_html)
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


def panel(page: Page) -> Any:
    return page.locator("#curc-llm-panel")


def state(page: Page) -> str:
    return str(panel(page).get_attribute("data-state"))


@pytest.mark.parametrize("version", VERSIONS)
def test_it_tells_at_once_what_fits_and_what_it_costs(show: Open, version: str) -> None:
    page = show(render(version))
    expect(panel(page)).to_contain_text("Fits on 1 ×")
    expect(panel(page)).to_contain_text("Cost per hour")
    page.fill(FIELD + "bc_num_hours", "10")
    rate = float(panel(page).locator("dt:text-is('Cost per hour') + dd").inner_text().split()[0])
    total = panel(page).locator("dt:text-is('Cost in all') + dd").inner_text().split(" SU")[0]
    assert abs(float(total.replace(",", "")) - 10 * rate) <= 1


def test_a_model_that_needs_more_brings_gpus_that_hold_it_and_says_so(show: Open) -> None:
    page = show(render())
    expect(panel(page)).to_contain_text("Fits")
    before = page.input_value(FIELD + "llm_gpus")
    page.select_option(FIELD + "llm_model", "llama-3.1-405b-instruct")
    assert page.input_value(FIELD + "llm_gpus") == "h200-x4" != before
    expect(panel(page)).to_contain_text("GPUs were set to 4 × H200 NVL 141 GB, which can hold this model.")
    groups = page.locator(f"{FIELD}llm_gpus optgroup")
    assert groups.first.locator("option").count() < 10
    assert groups.last.get_attribute("label") == "These don't (choose one to see why)"


def test_gpus_that_the_page_chose_for_one_model_are_not_kept_for_a_smaller_one(show: Open) -> None:
    page = show(render())
    expect(panel(page)).to_contain_text("Fits")
    page.select_option(FIELD + "llm_model", "llama-3.1-405b-instruct")
    page.select_option(FIELD + "llm_model", "qwen3-4b")
    suggested = page.locator(f"{FIELD}llm_gpus option:has-text('★')")
    assert page.input_value(FIELD + "llm_gpus") == suggested.get_attribute("value")
    expect(panel(page)).to_contain_text("which is enough for this model and costs less")
    expect(panel(page)).not_to_contain_text("dearer")


def test_gpus_that_a_person_chose_stay_and_the_panel_says_how_dear_they_are(show: Open) -> None:
    page = show(render())
    expect(panel(page)).to_contain_text("Fits")
    page.select_option(FIELD + "llm_gpus", "h200-x4")
    page.select_option(FIELD + "llm_model", "qwen3-4b")
    assert page.input_value(FIELD + "llm_gpus") == "h200-x4"
    expect(panel(page)).to_contain_text(re.compile(r"[\d.]+ times dearer than the suggested 1 ×"))
    panel(page).get_by_role("button", name="Use 1 ×").click()
    expect(panel(page)).not_to_contain_text("dearer")
    expect(panel(page)).to_contain_text("Fits on 1 ×")


def test_gpus_of_the_last_time_count_as_a_persons_choice(show: Open) -> None:
    page = show(render(llm_model="llama-3.3-70b-instruct", llm_gpus="h200-x4"))
    expect(panel(page)).to_contain_text("dearer")
    page.select_option(FIELD + "llm_model", "qwen3-4b")
    assert page.input_value(FIELD + "llm_gpus") == "h200-x4"


def test_gpus_that_do_not_hold_the_model_say_why_and_one_key_press_mends_it(show: Open) -> None:
    page = show(render())
    page.select_option(FIELD + "llm_model", "llama-3.3-70b-instruct")
    page.select_option(FIELD + "llm_gpus", "a100-40gb-x1")
    expect(panel(page)).to_contain_text("This launch doesn't work")
    expect(panel(page)).to_contain_text("GiB for its weights")
    page.locator("#curc-llm-panel button").first.focus()
    page.keyboard.press("Enter")
    expect(panel(page)).to_contain_text("Fits on 2 × A100 40 GB")
    assert page.evaluate("document.activeElement.id") == FIELD[1:] + "llm_gpus"


def test_a_launch_with_little_room_says_so_and_offers_a_better_one(show: Open) -> None:
    page = show(render())
    page.select_option(FIELD + "llm_model", "llama-3.3-70b-instruct")
    page.select_option(FIELD + "llm_gpus", "l40-x1")
    expect(panel(page)).to_contain_text("little room")
    page.locator("#curc-llm-panel button").click()
    expect(panel(page)).not_to_contain_text("little room")


def test_a_launch_that_does_not_work_is_not_sent_by_the_browser(show: Open) -> None:
    page = show(render())
    page.select_option(FIELD + "llm_gpus", "mi100-x1")
    expect(panel(page)).to_contain_text("vLLM doesn't support")
    page.evaluate(
        "sent = 0; document.forms[0].addEventListener('submit', (e) => { e.preventDefault(); sent += 1 })"
    )
    page.click("input[type=submit]")
    assert page.evaluate("sent") == 0
    page.locator("#curc-llm-panel button").first.click()
    page.click("input[type=submit]")
    assert page.evaluate("sent") == 1


def test_gpus_bring_their_longest_time_and_too_many_hours_have_a_remedy(show: Open) -> None:
    page = show(render())
    page.select_option(FIELD + "llm_model", "qwen3-4b")
    page.fill(FIELD + "bc_num_hours", "100")
    expect(panel(page)).to_contain_text("gpu-long")
    page.select_option(FIELD + "llm_gpus", "h200-x4")
    assert page.input_value(FIELD + "bc_num_hours") == "24"
    expect(panel(page)).to_contain_text("Hours were set to 24")
    page.fill(FIELD + "bc_num_hours", "30")
    expect(panel(page)).to_contain_text("may run 24 hours at most")
    page.get_by_role("button", name="Use 24 hours").click()
    expect(panel(page)).to_contain_text("Fits")


def test_hours_that_only_the_chosen_qos_forbids_stay_and_the_qos_goes_to_automatic(show: Open) -> None:
    page = show(render(llm_qos="gpu-normal"))
    page.select_option(FIELD + "llm_model", "qwen3-4b")
    page.select_option(FIELD + "llm_gpus", "l40-x1")
    page.fill(FIELD + "bc_num_hours", "48")
    told = "QoS gpu-normal allows 24 hours; gpu-long allows 168: choose it or leave QoS on automatic."
    expect(panel(page)).to_contain_text(told)
    assert panel(page).get_by_role("button").all_inner_texts() == ["Leave QoS on automatic"]
    assert not page.evaluate("document.forms[0].checkValidity()")
    page.get_by_role("button", name="Leave QoS on automatic").click()
    expect(panel(page)).to_contain_text("Fits on 1 × L40")
    assert page.input_value(FIELD + "bc_num_hours") == "48"
    assert page.input_value(FIELD + "llm_qos") == ""
    page.select_option(FIELD + "llm_qos", "gpu-normal")  # the other way round: nor are the hours cut then
    assert page.input_value(FIELD + "bc_num_hours") == "48"
    expect(panel(page)).to_contain_text(told)


def test_other_gpus_for_long_hours_come_without_the_qos_that_forbids_them(show: Open) -> None:
    page = show(render(llm_qos="gpu-normal"))
    page.select_option(FIELD + "llm_model", "qwen3-4b")
    page.select_option(FIELD + "llm_gpus", "h200-x4")
    page.fill(FIELD + "bc_num_hours", "48")
    expect(panel(page)).to_contain_text("may run 24 hours at most")
    panel(page).get_by_role("button", name="Use 1 ×").first.click()
    expect(panel(page)).to_contain_text("Fits on 1 ×")
    assert page.input_value(FIELD + "bc_num_hours") == "48"


def test_service_units_are_rounded_as_on_the_card(show: Open) -> None:
    page = show(render(llm_gpus="rtx-pro-6000-1g-24gb-x1", llm_model="qwen3-4b"))
    total = panel(page).locator("dt:text-is('Cost in all') + dd")
    page.fill(FIELD + "bc_num_hours", "1")
    expect(total).to_contain_text(re.compile(r"^\d\d\.\d SU"))
    page.fill(FIELD + "bc_num_hours", "4")
    expect(total).to_contain_text(re.compile(r"^\d{3} SU"))


def test_your_own_model_has_its_field_when_it_is_chosen_and_only_then(show: Open) -> None:
    page = show(render())
    own = page.get_by_label("Your own model")
    expect(panel(page)).to_contain_text("Fits")
    expect(own).to_be_hidden()
    page.select_option(FIELD + "llm_model", "own")
    expect(own).to_be_visible()
    expect(panel(page)).to_contain_text("worked out when the job starts")
    expect(panel(page)).to_contain_text("Cost per hour")
    assert not page.evaluate("document.forms[0].checkValidity()")
    own.fill("Qwen/Qwen3-8B")
    assert page.evaluate("document.forms[0].checkValidity()")


def test_a_model_with_an_agreement_says_how_the_token_is_set_up(show: Open) -> None:
    page = show(render())
    page.select_option(FIELD + "llm_model", "llama-3.3-70b-instruct")
    expect(panel(page)).to_contain_text("curc-llm token")
    assert page.locator("#curc-llm-panel a").get_attribute("rel") == "noopener"
    page.select_option(FIELD + "llm_model", "llama-3.1-8b-instruct")  # gated, but ready on the cluster
    expect(panel(page)).not_to_contain_text("curc-llm token")


def test_more_is_folded_unless_something_in_it_was_chosen_before(show: Open) -> None:
    page = show(render())
    expect(page.get_by_label("Context length")).to_be_hidden()
    page.get_by_text("More: purpose").press("Enter")
    expect(page.get_by_label("Context length")).to_be_visible()
    again = show(render(llm_context="8192", llm_mail="1"))
    expect(again.get_by_label("Context length")).to_be_visible()
    expect(again.get_by_label("Send me an e-mail when it is ready")).to_be_checked()


def test_the_data_notice_stands_above_the_launch_button(show: Open) -> None:
    page = show(render())
    expect(panel(page)).to_contain_text("Fits")
    notice = page.get_by_text("Your prompts go to your own session").bounding_box()
    button = page.locator("[type=submit]").bounding_box()
    assert notice is not None
    assert button is not None
    assert 0 < button["y"] - notice["y"] < 200


def test_without_javascript_every_field_can_be_filled_and_sent(show: Open) -> None:
    page = show(render(), java_script_enabled=False)
    for label in (
        "Model",
        "Your own model",
        "GPUs",
        "Hours",
        "Account",
        "Purpose",
        "Context length",
        "QoS",
        "Reservation",
    ):
        expect(page.get_by_label(label).first).to_be_visible()
    expect(page.get_by_text("Your prompts go to your own session")).to_be_visible()
    expect(page.locator("[type=submit]")).to_be_enabled()


def test_an_old_browser_still_has_its_form(show: Open) -> None:
    page = show(render(), script="delete window.DecompressionStream")
    expect(panel(page)).to_contain_text("checked when you press Launch")
    page.select_option(FIELD + "llm_gpus", "l40-x2")
    assert page.evaluate("document.forms[0].checkValidity()")


def test_it_comes_once_however_often_it_is_put_into_the_page(show: Open) -> None:
    script = f"<script>(function(){{{(ROOT / 'form.js').read_text()}}}());</script>"
    page = show(render().replace("</body>", f"{script}</body>"))
    expect(panel(page)).to_contain_text("Fits")
    assert panel(page).count() == 1
    assert page.locator("details.curc-llm-more").count() == 1


@pytest.mark.parametrize(
    "missing", ["llm_model", "llm_gpus", "bc_num_hours", "llm_own_model", "llm_preset", "llm_qos"]
)
def test_a_form_without_one_of_the_fields_does_not_break(show: Open, missing: str) -> None:
    gone = f"<script>document.getElementById('{FIELD[1:]}{missing}').remove()</script>"
    page = show(render().replace("</form>", f"</form>{gone}"))
    page.wait_for_timeout(200)
    if panel(page).count():
        expect(panel(page)).to_contain_text("Fits")


def test_the_portals_own_scripts_hear_of_what_this_one_changes(show: Open) -> None:
    heard = f"<script>heard = 0; jQuery('{FIELD}llm_gpus').on('change', () => {{ heard += 1 }})</script>"
    page = show(render().replace("</body>", f"{heard}</body>"))
    expect(panel(page)).to_contain_text("Fits")
    page.select_option(FIELD + "llm_model", "llama-3.1-405b-instruct")
    assert page.evaluate("heard") == 1
    page.evaluate(f"jQuery('{FIELD}bc_num_hours').val('7').trigger('change')")
    expect(panel(page)).to_contain_text("for 7 hours")


def test_text_of_tables_settings_and_people_never_becomes_html(show: Open, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    root = make_app(tmp_path, "launch_table: evil.json")
    table = read_table()
    for model in table["models"].values():
        model["title"] = evil + model["title"]
        model["hub_id"] = '"><script>alert(2)</script>'
    for gpu in table["gpus"].values():
        gpu["title"] = evil
    table["plans"]["gpt-oss-20b"]["l40:1"] = {"": [evil, []]}
    (root / "ood_app" / "evil.json").write_text(json.dumps(table))
    page = show(
        render(root=root, llm_own_model=f'"{evil}', llm_reservation="</script><script>alert(3)</script>")
    )
    expect(panel(page)).to_contain_text("Fits")
    page.select_option(FIELD + "llm_gpus", "l40-x1")
    expect(panel(page)).to_contain_text("<img")
    page.select_option(FIELD + "llm_model", "own")
    page.select_option(FIELD + "llm_model", "llama-3.3-70b-instruct")
    expect(panel(page)).to_contain_text("agreement")
    assert page.locator("img").count() == 0


def test_a_screen_reader_hears_one_sentence_and_every_field_has_a_name_and_help(show: Open) -> None:
    page = show(render())
    status = page.get_by_role("status")
    expect(status).to_contain_text("SU per hour")
    page.select_option(FIELD + "llm_gpus", "mi100-x1")
    expect(status).to_contain_text("Doesn't work")
    page.get_by_text("More: purpose").click()
    for name in ("Model", "GPUs", "Hours", "Account", "Purpose", "QoS", "Reservation"):
        found = page.get_by_label(name).first
        assert page.locator(f"#{found.get_attribute('aria-describedby')}").inner_text()
    page.select_option(FIELD + "llm_gpus", "l40-x2")
    assert "Model" in str(page.get_by_role("img").get_attribute("aria-label"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_enough_contrast(show: Open, theme: str) -> None:
    page = show(
        render(theme=theme).replace(
            "</head>",
            "<style>[data-bs-theme=dark] body{background:#212529;color:#dee2e6;--bs-secondary-color:#adb5bd}"
            "</style></head>",
        )
    )
    page.get_by_text("More: purpose").click()
    for gpus in ("l40-x2", "mi100-x1"):
        page.select_option(FIELD + "llm_gpus", gpus)
        page.wait_for_timeout(100)
        for text in page.locator("#curc-llm-panel :is(p,dt,dd,li,.curc-llm-mark), form small, summary").all():
            if text.is_visible():
                assert text.evaluate(CONTRAST) >= 4.5, (theme, text.inner_text())


# The closed select's text up to the price, against the room that it has.
CUT_OFF = """select => {
  const style = getComputedStyle(select), pen = document.createElement('canvas').getContext('2d');
  pen.font = style.font;
  const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const shown = select.options[select.selectedIndex].textContent;
  return [shown, pen.measureText(shown.slice(0, shown.lastIndexOf(' · '))).width - room];
}"""


@pytest.mark.parametrize("width", [800, 1280])
def test_that_the_chosen_gpus_are_suggested_can_be_read_also_on_a_narrow_page(show: Open, width: int) -> None:
    page = show(render(), width=width)
    expect(panel(page)).to_contain_text("Fits")
    shown, cut_off_px = page.locator(f"{FIELD}llm_gpus").evaluate(CUT_OFF)
    assert shown.startswith("★ 1 × ")
    assert cut_off_px <= 0
    expect(page.locator("main")).to_contain_text("★ is suggested")
    assert "★ suggested" in str(page.locator(f"{FIELD}llm_gpus optgroup").first.get_attribute("label"))


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_it_fits_the_width(show: Open, width: int) -> None:
    page = show(render(), width=width)
    page.get_by_text("More: purpose").click()
    for gpus in ("rtx-pro-6000-2g-48gb-x1", "mi100-x1"):
        page.select_option(FIELD + "llm_gpus", gpus)
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_panel_and_submit_agree_whatever_is_chosen(show: Open) -> None:
    page = show(render())
    expect(panel(page)).to_contain_text("Fits")
    chance = random.Random(4)
    table = read_table()
    models = page.locator(f"{FIELD}llm_model option").evaluate_all("o => o.map((x) => x.value)")
    slugs = page.locator(f"{FIELD}llm_gpus option").evaluate_all("o => o.map((x) => x.value)")
    cases = [
        {
            "llm_model": chance.choice(models),
            "llm_gpus": chance.choice(slugs),
            "llm_preset": chance.choice(["", "", "development", "long-context", "quantised"]),
            "llm_qos": chance.choice(["", "", "", "gpu-long", "gpu-normal", "gpu-testing"]),
            "llm_context": chance.choice(["", "", "8192", "65536", "262144"]),
            "bc_num_hours": chance.choice(["1", "4", "24", "25", "100", "168"]),
        }
        for _ in range(400)
    ]
    seen = page.evaluate(
        """cases => cases.map((values) => {
          Object.entries(values).forEach(([id, value]) => {
            const input = document.getElementById('batch_connect_session_context_' + id);
            input.value = value;
            input.dispatchEvent(new Event('change', { bubbles: true }));
          });
          const now = Object.fromEntries(Object.keys(values).map((id) =>
            [id, document.getElementById('batch_connect_session_context_' + id).value]));
          const panel = document.getElementById('curc-llm-panel');
          const qos = Array.from(panel.querySelectorAll('dt')).find((dt) => dt.textContent === 'QoS');
          return { now, state: panel.dataset.state, text: panel.textContent,
            qos: qos ? qos.nextSibling.textContent : '' };
        })""",
        cases,
    )
    sent = [{**one["now"], "llm_own_model": "demo", "auto_accounts": "ucb-general"} for one in seen]
    answers = submit([{"values": values} for values in sent])
    apart = [
        (one["now"], one["text"][:300], answer.get("message", answer.get("arguments")))
        for one, answer in zip(seen, answers, strict=True)
        if (one["state"] == "refused") != ("message" in answer)
        or ("message" not in answer and one["qos"] != answer["submit"]["script"]["qos"])
    ]
    assert apart[:3] == []
    assert 50 < sum("message" in answer for answer in answers) < 350
    assert table["site"]["name"] == "alpine"
