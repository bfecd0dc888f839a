"""Sites come from a name, a file or the machine; mistakes in their files are told with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.errors import FactFileError, SiteError
from curc_llm.sites.load import (
    CARDS_FILE,
    SITES_DIR,
    find_site_file,
    load_cards,
    load_site,
    read_site_file,
    site_names,
)

ALPINE = (SITES_DIR / "alpine.yml").read_text()


def write(tmp_path: Path, old: str, new: str) -> Path:
    """Alpine's file with one slip."""
    assert old in ALPINE
    path = tmp_path / "our.yml"
    path.write_text(ALPINE.replace(old, new, 1))
    return path


def line_of_text(path: Path, text: str) -> int:
    return next(i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_the_shipped_sites_and_this_machine_need_no_file() -> None:
    assert site_names() == ("alpine", "capella", "local")


@pytest.mark.parametrize("name", ["alpine", "capella"])
def test_every_card_that_a_site_names_comes_with_it(name: str) -> None:
    site = load_site(name)
    named = {gpu.card for p in site.partitions.values() for gpu in p.gpu_types.values()}
    assert set(site.cards) == named
    assert {site.cards[key].title for key in named} == {load_cards()[key].title for key in named}


def test_cards_bring_their_sources_and_never_take_a_sites_own() -> None:
    site = load_site("alpine")
    card = site.cards["a100-3g-20gb"]
    assert card.source == "cards/mig-guide"
    assert site.sources[card.source].note != site.sources["mig-guide"].note


def test_a_site_may_describe_its_own_card(tmp_path: Path) -> None:
    own = """
cards:
  a100-40gb-pcie: {title: Ours, memory_gb: 40, memory_gib: 39, memory_bandwidth_gb_per_s: 1, source: hardware}
"""
    path = tmp_path / "our.yml"
    path.write_text(ALPINE + own)
    assert load_site(str(path)).cards["a100-40gb-pcie"].title == "Ours"


def test_other_cards_can_be_chosen_from(tmp_path: Path) -> None:
    cards = tmp_path / "cards.yml"
    cards.write_text(CARDS_FILE.read_text().replace("title: NVIDIA L40 48 GB\n", "title: Another L40\n"))
    assert load_site("alpine", cards).cards["l40"].title == "Another L40"


def test_paths_may_use_home_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "title: CURC Alpine\n", "title: Ours\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OURS", str(tmp_path))
    assert load_site("~/our.yml").title == load_site("$OURS/our.yml").title == load_site(str(path)).title


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Alpin",
            "There is no site named 'Alpin'. Did you mean alpine? Sites there are: alpine, capella, local",
        ),
        ("zzz", "There is no site named 'zzz'. Sites there are"),
        ("no/such", "There is no site file no/such. Check the path."),
        ("such.yml", "There is no site file such.yml."),
    ],
)
def test_an_unknown_site_is_told_with_those_there_are(name: str, message: str) -> None:
    with pytest.raises(SiteError) as caught:
        load_site(name)
    assert str(caught.value).startswith(message)


def test_the_local_site_has_no_file() -> None:
    with pytest.raises(SiteError, match="made from this machine"):
        find_site_file("local")


@pytest.mark.parametrize(
    ("old", "new", "message", "remedy"),
    [
        ("card: l40\n", "card: l44\n", "there is no card named `l44`", "Did you mean `l4"),
        (
            "gpu-normal: {max_gpus_in_qos: 7",
            "gpu-norml: {max_gpus_in_qos: 7",
            "no QoS named `gpu-norml`",
            "`gpu-normal`?",
        ),
        ("  source: accounts", "  source: acounts", "there is no source named `acounts`", "`accounts`?"),
        ("{models_dir: llms,", "{model_dir: llms,", "there is no field named `model_dir`", "`models_dir`?"),
        ("{models_dir: llms,", "{models_dir: lms,", "there is no source named `lms`", "`llms`?"),
        (
            "      a100_80gb:\n",
            "      other:\n        gres_type: a100-40gb\n",
            "have the same gres_type `a100-40gb`",
            "Slurm",
        ),
        (
            "max_time_h: 24\n",
            "max_time_h: 24\n    min_time_h: 48\n",
            "`min_time_h` 48 is above `max_time_h` 24",
            "Swap",
        ),
        (
            "max_cores_per_gpu: 72",
            "max_cores_per_gpu: 720",
            "`max_cores_per_gpu` 720 is above the 72 of a node",
            "Mend",
        ),
    ],
)
def test_what_does_not_hang_together_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, message: str, remedy: str
) -> None:
    path = write(tmp_path, old, new)
    with pytest.raises(FactFileError) as caught:
        load_site(str(path))
    slip = new.strip().splitlines()[-1].strip()
    assert f"{path}, line {line_of_text(path, slip)}: " in caught.value.message
    assert message in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("gpus_per_node: 3", "gpu_per_node: 3", "Did you mean `gpus_per_node`?"),
        ("node_link: roce", "node_link: carrier-pigeon", "'infiniband', 'roce', 'ethernet' or 'none'"),
        ("nodes: 12", "nodes: 0", "it must be at least 1"),
        ("name: alpine", "name: Al Pine", "only small letters, digits, - and _"),
        ("date: 2026-08-13", "date: August", "can't be 'August': it must be a date such as 2026-11-21"),
        ("date: 2026-08-13", "date: 2026-13-45", "`2026-13-45` is no date that there is"),
        ("max_time_h: 24", "max_time_h: 24:00:00", "write hours as a number, such as 24"),
        ("max_time_h: 24", "max_time_h: .inf", "`.inf` is no number"),
        ("max_time_h: 24", "max_time_h: inf", "can't be 'inf': it must be a number"),
        ("url: https://", "url: ", "it must be a web address"),
    ],
)
def test_values_of_the_wrong_kind_say_what_is_allowed(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(FactFileError) as caught:
        load_site(str(write(tmp_path, old, new)))
    assert message in str(caught.value)
    assert "our.yml, line " in str(caught.value)


def test_an_account_that_is_required_must_be_described(tmp_path: Path) -> None:
    text = ALPINE.replace("is_required: false", "is_required: true")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("  examples:"))
    path = tmp_path / "our.yml"
    path.write_text(text)
    with pytest.raises(FactFileError, match="neither `default` nor `examples`"):
        load_site(str(path))


def test_sites_without_anything_to_run_on_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "our.yml"
    path.write_text(ALPINE[: ALPINE.index("partitions:\n")] + "partitions: {}\n")
    with pytest.raises(FactFileError, match="`partitions` is empty"):
        load_site(str(path))
    path.write_text(
        ALPINE[: ALPINE.index("      gh200:\n        card")].removesuffix("    gpu_types:\n")
        + "    gpu_types: {}\n"
    )
    with pytest.raises(FactFileError, match="`gpu_types` is empty"):
        load_site(str(path))


def test_all_flaws_are_found_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "card: l40\n", "card: l44\n")
    path.write_text(path.read_text().replace("source: accounts", "source: acounts"))
    _, flaws = read_site_file(path, load_cards())
    assert [flaw.message for flaw in flaws] == [
        "there is no source named `acounts`.",
        "there is no card named `l44`.",
    ]
    assert flaws[0].line < flaws[1].line
