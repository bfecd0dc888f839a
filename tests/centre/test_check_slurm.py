"""The site file against what a real Slurm said of itself (recorded from the test bed)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curc_llm.centre.check_partitions import check_partitions
from curc_llm.centre.check_qos import check_qos
from curc_llm.centre.finding import Finding
from curc_llm.centre.slurm_facts import SlurmFacts, make_slurm_facts, parse_number, parse_tres, parse_wall_h
from curc_llm.sites.site import Site
from tests.centre.sites import change, load_bed_site

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return load_bed_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def facts() -> SlurmFacts:
    return make_slurm_facts(*((DATA / f"{name}.txt").read_text() for name in ("partitions", "nodes", "qos")))


def check(site: Site, facts: SlurmFacts) -> list[Finding]:
    return [*check_partitions(site, facts), *check_qos(site, facts)]


def differing(site: Site, facts: SlurmFacts) -> list[Finding]:
    return [finding for finding in check(site, facts) if finding.level == "differs"]


def test_a_site_file_that_fits_has_no_difference(site: Site, facts: SlurmFacts) -> None:
    assert differing(site, facts) == []
    assert len(check(site, facts)) > 100


FIGURES: list[tuple[tuple[str, ...], Any, str, str]] = [
    (("partitions", "aa100", "nodes"), 3, "partition aa100", "nodes"),
    (("partitions", "ah200", "cores_per_node"), 64, "partition ah200", "cores_per_node"),
    (("partitions", "al40", "memory_per_core_gib"), 3.0, "partition al40", "memory_per_core_gib"),
    (("partitions", "aa100", "max_nodes_per_job"), 2, "partition aa100", "max_nodes_per_job"),
    (("partitions", "aa100", "max_nodes_per_job"), None, "partition aa100", "max_nodes_per_job"),
    (("partitions", "aa100", "arch"), "aarch64", "partition aa100", "arch"),
    (("partitions", "aa100", "features"), ("fast",), "partition aa100", "feature fast"),
    (("partitions", "aa100", "gpus_per_node"), 4, "partition aa100", "gpus_per_node of a100-40gb"),
    (
        ("partitions", "aa100", "gpu_types", "a100_3g.20gb", "gpus_per_node"), 7, "partition aa100",
        "gpus_per_node of a100_3g.20gb",
    ),
    (
        ("partitions", "ah200", "gpu_types", "h200", "su_per_gpu_h"), 370.5, "partition ah200",
        "su_per_gpu_h of h200",
    ),
    (("billing", "su_per_core_h"), 2.0, "partition aa100", "su_per_core_h"),
    (("qos", "gpu-long", "max_time_h"), 72, "QoS gpu-long", "max_time_h"),
    (("qos", "gpu-testing", "billing_factor"), 0.2, "QoS gpu-testing", "billing_factor"),
    (("qos", "gpu-normal", "max_jobs_per_user"), 999, "QoS gpu-normal", "max_jobs_per_user"),
    (
        ("partitions", "al40", "gpu_types", "l40", "qos", "gpu-long", "max_gpus_per_user"), 2, "QoS gpu-long",
        "max_gpus_per_user of l40",
    ),
    (
        ("partitions", "ah200", "gpu_types", "h200", "qos", "gpu-normal", "max_gpus_in_qos"), 12,
        "QoS gpu-normal", "max_gpus_in_qos of h200",
    ),
    (
        ("partitions", "ah200", "gpu_types", "h200", "qos", "gpu-normal", "max_gpus_in_qos"), None,
        "QoS gpu-normal", "max_gpus_in_qos of h200",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "subject", "what"), FIGURES, ids=[f"{'.'.join(p)}={v}" for p, v, _, _ in FIGURES]
)
def test_one_changed_figure_is_found_with_both_values_and_what_to_change(
    site: Site, facts: SlurmFacts, place: tuple[str, ...], value: Any, subject: str, what: str
) -> None:
    found = differing(change(site, *place, value=value), facts)
    assert (subject, what) in [(f.subject, f.what) for f in found]
    for finding in found:
        assert finding.expected
        assert finding.found
        assert finding.expected != finding.found
        assert "site file" in finding.remedy


def test_what_slurm_does_not_have_is_found(site: Site, facts: SlurmFacts) -> None:
    values = site.model_dump()
    values["partitions"]["atlantis"] = values["partitions"].pop("al40")
    values["qos"]["gpu-forever"] = values["qos"]["gpu-long"]
    values["partitions"]["aa100"]["gpu_types"]["a100-40gb"]["gres_type"] = "a101"
    values["partitions"]["ami100"]["gpu_types"]["mi100"]["qos"]["gh200"] = {}
    told = {f"{f.subject}: {f.what}" for f in differing(Site.model_validate(values), facts)}
    assert {
        "partition atlantis: is there", "QoS gpu-forever: is there", "partition aa100: GPU type a100-40gb",
        "partition ami100: QoS gh200",
    } <= told  # fmt: skip


def test_a_gpu_type_that_only_slurm_knows_is_found(site: Site, facts: SlurmFacts) -> None:
    values = site.model_dump()
    del values["partitions"]["ah200"]["gpu_types"]["h200_2g.35gb"]
    found = differing(Site.model_validate(values), facts)
    assert {f.what for f in found} == {"GPU type h200_2g.35gb"}


def test_a_partition_that_is_down_is_told(site: Site) -> None:
    texts = [(DATA / f"{name}.txt").read_text() for name in ("partitions", "nodes", "qos")]
    texts[0] = texts[0].replace("State=UP", "State=DOWN", 1)
    found = differing(site, make_slurm_facts(*texts))
    assert [(f.subject, f.what, f.found) for f in found] == [("partition aa100", "state", "DOWN")]


def test_what_slurm_does_not_say_is_unknown_not_different(site: Site) -> None:
    texts = [(DATA / f"{name}.txt").read_text() for name in ("partitions", "nodes", "qos")]
    texts[0] = "\n".join(line.partition(" DefMemPerCPU")[0] for line in texts[0].splitlines())
    texts[2] = "\n".join(line.split("|")[0] + "||||||" for line in texts[2].splitlines())
    findings = check(site, make_slurm_facts(*texts))
    unknown = {f.what for f in findings if f.level == "unknown"}
    assert {"memory_per_core_gib", "su_per_core_h", "max_time_h", "max_gpus_per_user of l40"} <= unknown
    assert not [f for f in findings if f.level == "differs"]
    assert all(f.remedy for f in findings if f.level == "unknown")


def test_slurms_words_are_read() -> None:
    assert (parse_number("UNLIMITED"), parse_number("3.5"), parse_number("x")) == (None, 3.5, None)
    assert (parse_wall_h("1-12:30:00"), parse_wall_h("00:30:00"), parse_wall_h("")) == (36.5, 0.5, None)
    assert parse_tres("CPU=1.0,GRES/gpu:A=2") == {"cpu": 1.0, "gres/gpu:a": 2.0}
