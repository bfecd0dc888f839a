"""Storage paths name variables of the machine that uses them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from curc_llm.errors import SiteError
from curc_llm.sites.load import load_site
from curc_llm.sites.storage import expand_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/projects/$USER/curc-llm", "/projects/ralphie/curc-llm"),
        ("/scratch/${USER}-x", "/scratch/ralphie-x"),
        ("~/models", "/home/ralphie/models"),
        ("~", "/home/ralphie"),
        ("/a/~b", "/a/~b"),
    ],
)
def test_variables_and_the_home_are_replaced(text: str, path: str) -> None:
    assert expand_path(text, {"USER": "ralphie", "HOME": "/home/ralphie"}) == Path(path)


def test_usernames_with_an_at_sign_stay_whole() -> None:
    assert expand_path("/projects/$USER/x", {"USER": "ram@colostate.edu"}) == Path(
        "/projects/ram@colostate.edu/x"
    )


def test_a_variable_that_exists_on_compute_nodes_only_is_told() -> None:
    with pytest.raises(SiteError) as caught:
        expand_path(load_site("alpine").storage.models_dir, {"USER": "x"})
    assert "$CURC_LLM_DIR isn't set here" in caught.value.message
    assert "compute node" in caught.value.remedy


@pytest.mark.parametrize("environ", [{}, {"USER": ""}])
def test_without_user_the_systems_name_of_the_caller_is_taken(environ: dict[str, str]) -> None:
    assert expand_path("/projects/$USER/x", environ) == Path(
        f"/projects/{pwd.getpwuid(os.getuid()).pw_name}/x"
    )
