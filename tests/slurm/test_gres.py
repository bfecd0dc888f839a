from __future__ import annotations

import pytest

from curc_llm.errors import SpecError
from curc_llm.sites.load import load_site
from curc_llm.sites.lookup import list_gpus
from curc_llm.slurm.gres import parse_gres, render_gres


@pytest.mark.parametrize("site", ["alpine", "capella"])
def test_every_gpu_type_of_a_site_comes_back_as_it_was_written(site: str) -> None:
    for gpu in list_gpus(load_site(site)):
        gres_type = gpu.gres.partition(":")[2]
        assert parse_gres(render_gres(gres_type, 2)) == (gres_type, 2)
        assert render_gres(gres_type, 2) == f"{gpu.gres}:2"


def test_without_gpus_nothing_is_asked_for() -> None:
    assert render_gres("l40", 0) == ""
    assert parse_gres("") == ("", 0)


@pytest.mark.parametrize(
    "text", ["gpu:a:1,gpu:b:1", "mps:100", "gpu:l40:x", "gpu:1:l40", "gpu:l40:1 --wrap=id", "GPU"]
)
def test_anything_but_one_kind_of_gpu_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="isn't one kind of GPU"):
        parse_gres(text)
