"""People write GPU names as they like; what is clear is understood, what isn't is asked back."""

from __future__ import annotations

import pytest

from curc_llm.errors import SiteError
from curc_llm.sites.load import load_site
from curc_llm.sites.lookup import find_gpu, find_gpus, list_gpus


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("a100_80gb", "a100_80gb"),
        ("A100-80GB", "a100_80gb"),
        ("a100_40gb", "a100-40gb"),
        ("a100-80", "a100_80gb"),
        ("H200", "h200"),
        ("h200-nvl", "h200"),
        ("l40", "l40"),
        ("rtx pro 6000", "rtx_pro_6000"),
        ("RTX-PRO-6000-1G.24GB", "rtx_pro_6000_1g.24gb"),
        ("mi1", "mi100"),
    ],
)
def test_clear_names_are_understood(wanted: str, name: str) -> None:
    assert find_gpu(load_site("alpine"), wanted).name == name


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("a100", "'a100' could be any of a100-40gb, a100_3g.20gb, a100_80gb at CURC Alpine."),
        ("h100", "CURC Alpine has no GPU type 'h100'. Did you mean h200? There are: a100-40gb"),
        ("b200", "CURC Alpine has no GPU type 'b200'. Did you mean h200? "),
        ("zebra", "CURC Alpine has no GPU type 'zebra'. There are: a100-40gb"),
        ("--", "CURC Alpine has no GPU type '--'. There are"),
        ("", "CURC Alpine has no GPU type ''. There are"),
    ],
)
def test_unclear_names_are_asked_back(wanted: str, message: str) -> None:
    with pytest.raises(SiteError) as caught:
        find_gpus(load_site("alpine"), wanted)
    assert message in str(caught.value)


def test_a_partition_narrows_the_choice() -> None:
    site = load_site("alpine")
    assert find_gpu(site, "h200", "ah200").gres == "gpu:h200"
    with pytest.raises(SiteError, match=r"has no GPU type 'h200'\. There are: l40"):
        find_gpu(site, "h200", "al40")
    with pytest.raises(SiteError, match=r"has no partition 'aa10'\. Did you mean aa100\?"):
        find_gpu(site, "h200", "aa10")


def test_gres_is_spelt_as_slurm_wants_it() -> None:
    spelt = {gpu.gres for gpu in list_gpus(load_site("alpine"))}
    assert {"gpu:a100-40gb", "gpu:a100_80gb", "gpu:a100_3g.20gb", "gpu:rtx_pro_6000_2g.48gb"} <= spelt
    assert find_gpu(load_site("capella"), "H100").gres == "gpu"


def test_gpus_of_a_node_are_the_types_own_or_the_partitions() -> None:
    site = load_site("alpine")
    assert find_gpu(site, "a100_3g.20gb").gpus_per_node == 6
    assert find_gpu(site, "a100_80gb").gpus_per_node == 3
