"""The shipped cards: figures that hang together, each with a source."""

from __future__ import annotations

import pytest
import yaml

from curc_llm.factfile import Source
from curc_llm.sites.card import Card
from curc_llm.sites.load import CARDS_FILE, load_cards

CARDS = load_cards()
MIG = {key: card for key, card in CARDS.items() if card.is_mig}
# A MIG slice, the card that it is cut from, and its share of that card's memory
# (https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html).
CUT_FROM = {
    "a100-3g-20gb": ("a100-40gb-pcie", 4 / 8),
    "h200-3g-71gb": ("h200-sxm", 4 / 8),
    "h200-2g-35gb": ("h200-sxm", 2 / 8),
    "rtx-pro-6000-2g-48gb": ("rtx-pro-6000", 1 / 2),
    "rtx-pro-6000-1g-24gb": ("rtx-pro-6000", 1 / 4),
}


def read_sources() -> dict[str, Source]:
    values = yaml.safe_load(CARDS_FILE.read_text(encoding="utf-8"))
    return {key: Source(**source) for key, source in values["sources"].items()}


@pytest.mark.parametrize("key", sorted(CARDS))
def test_a_program_sees_a_little_less_memory_than_the_maker_states(key: str) -> None:
    card = CARDS[key]
    assert 0.9 * card.memory_gb < card.memory_gib < card.memory_gb


@pytest.mark.parametrize("key", sorted(CARDS))
def test_the_name_of_a_card_says_what_it_is(key: str) -> None:
    card = CARDS[key]
    assert card.title.startswith({"nvidia": "NVIDIA ", "amd": "AMD "}[card.vendor])
    assert card.product_names
    assert all(("MIG" in name) == card.is_mig for name in card.product_names)


def test_no_two_cards_claim_the_same_name() -> None:
    names = [name for card in CARDS.values() for name in card.product_names]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("key", sorted(CARDS))
def test_cuda_cards_have_what_quantisation_and_speed_are_planned_with(key: str) -> None:
    card = CARDS[key]
    if card.vendor == "nvidia":
        assert card.compute_capability is not None
        # Tensor cores know BF16 from Ampere on.
        assert (card.bf16_tflops is not None) == (card.compute_capability >= 8.0)
    else:
        assert card.compute_capability is None


def test_every_slice_is_known_by_the_card_that_it_is_cut_from() -> None:
    assert set(MIG) == set(CUT_FROM)


@pytest.mark.parametrize("key", sorted(CUT_FROM))
def test_a_slice_has_its_share_of_memory_and_bandwidth_and_no_link(key: str) -> None:
    card = CARDS[key]
    parent, share = CARDS[CUT_FROM[key][0]], CUT_FROM[key][1]
    assert 0.9 * share * parent.memory_gib < card.memory_gib < share * parent.memory_gb
    assert card.memory_bandwidth_gb_per_s == pytest.approx(share * parent.memory_bandwidth_gb_per_s, rel=0.01)
    assert card.compute_capability == parent.compute_capability
    assert card.link_gb_per_s is None


def test_every_figure_has_a_source_and_every_source_a_figure() -> None:
    values = yaml.safe_load(CARDS_FILE.read_text(encoding="utf-8"))["cards"]
    cards = {key: Card(**card) for key, card in values.items()}
    named = {key for card in cards.values() for key in (card.source, *card.sources.values())}
    assert named == set(read_sources())
    fields = set(Card.model_fields)
    assert all(set(card.sources) <= fields for card in cards.values())


def test_where_no_datasheet_was_opened_nobody_claims_it() -> None:
    unopened = {key for key, source in read_sources().items() if "not reached" in source.note}
    values = yaml.safe_load(CARDS_FILE.read_text(encoding="utf-8"))["cards"]
    for key, card in values.items():
        assert not (card["source"] in unopened and card.get("verified", True)), key
