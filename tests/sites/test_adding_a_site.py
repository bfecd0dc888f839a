"""docs/adding-a-site.md: what it shows works as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from curc_llm.sites.card import Card
from curc_llm.sites.load import load_site
from curc_llm.sites.lookup import find_gpu, list_gpus
from curc_llm.sites.network import Network
from curc_llm.sites.site import GpuType, Partition, Qos, Site

DOCUMENT = (Path(__file__).parents[2] / "docs" / "adding-a-site.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "our-site.yml"
    path.write_text(EXAMPLES[0])
    return path


def test_the_example_is_a_whole_site(example: Path) -> None:
    site = load_site(str(example))
    gpu = find_gpu(site, "H100")
    assert (site.title, gpu.gres, gpu.card.memory_gb) == ("Example Centre", "gpu:h100", 80)


def test_the_described_card_can_be_added_and_used(example: Path) -> None:
    example.write_text(EXAMPLES[0].replace("card: h100-80gb-sxm", "card: a30-24gb") + EXAMPLES[1])
    assert [gpu.card.title for gpu in list_gpus(load_site(str(example)))] == ["NVIDIA A30 24 GB"]


def test_the_network_can_be_added_and_every_field_of_it_is_explained(example: Path) -> None:
    example.write_text(EXAMPLES[0] + EXAMPLES[2])
    network = load_site(str(example)).network_of("gpu")
    assert (network.interface, network.ib_timeout, network.min_gb_per_s) == ("ib0", 22, 5)
    rows = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE))
    assert set(Network.model_fields) - {"source", "sources", "verified"} <= rows


def test_every_key_that_the_document_explains_exists() -> None:
    known = {name for model in (Site, Partition, GpuType, Qos, Card, Network) for name in model.model_fields}
    known |= {
        "max_gpus_per_user",
        "su_per_core_h",
        "default",
        "examples",
        "is_required",
        "state_dir",
        "cache_dir",
    }
    table = re.findall(r"^\| (`.*?) \|", DOCUMENT, re.MULTILINE)
    explained = {key for cell in table for key in re.findall(r"`(\w+)`", cell)}
    assert explained <= known
    assert {"storage", "runtime", "gres_type", "max_cores_per_gpu"} <= explained


def test_the_examples_are_yaml_without_tabs() -> None:
    assert len(EXAMPLES) == 3
    assert all(yaml.safe_load(text) and "\t" not in text for text in EXAMPLES)
