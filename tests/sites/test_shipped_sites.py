"""The shipped sites say what their sources say; the tables here were copied from those by hand."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from curc_llm.sites.figures import list_figures
from curc_llm.sites.load import load_site, site_names
from curc_llm.sites.lookup import find_gpu, list_gpus
from curc_llm.sites.site import Site

GB_PER_GIB = 2**30 / 1e9

# CURC documentation, Alpine Hardware, "Available GRES on Alpine", 2026-08-13: partition, type, GB,
# most cores per GPU, weight, and for each QoS the GPUs that all its jobs and that one person may hold.
# Memory as documented, but for MI100 (34 there, 32 of the maker's) and GH200 (102 and 96).
ALPINE = """
aa100        a100_3g.20gb          20   10   54.3    testing 6 1
aa100        a100-40gb             40   21  108.6    normal 18 6  long 6 3
aa100        a100_80gb             80   21  108.6    normal 10 3  long 3 1
artxpro6000  rtx_pro_6000          96   32  260.4    normal 13 4  long 5 2
artxpro6000  rtx_pro_6000_2g.48gb  48   16  130.2    normal 13 4  long 5 2
artxpro6000  rtx_pro_6000_1g.24gb  24    8   65.1    normal 29 7  long 6 2
ah200        h200                 141   32  370.4    normal 13 4  long 5 2
ah200        h200_3g.71gb          71   16  185.2    normal 13 4  long 5 2
ah200        h200_2g.35gb          35   10  123.5    normal 21 6  long 5 2
al40         l40                   48   21  108.6    normal 7 3   long 3 3
ami100       mi100                 32   21  108.6    normal 18 5  long 6 3  testing 3 1
gh200        gh200                 96   72  260.64
""".strip().splitlines()

# The same page: nodes, GPUs and cores of a node, RAM per core in GB, local disk in GB.
ALPINE_NODES = {
    "aa100": (12, 3, 64, 3.8, 416),
    "ah200": (8, 4, 128, 12, 5400),
    "artxpro6000": (8, 4, 128, 12, 5400),
    "al40": (3, 3, 64, 3.8, 416),
    "ami100": (8, 3, 64, 3.8, 416),
    "gh200": (2, 1, 72, 6.65, 1800),
}


@pytest.fixture(scope="module")
def alpine() -> Site:
    return load_site("alpine")


@pytest.fixture(scope="module")
def capella() -> Site:
    return load_site("capella")


@pytest.mark.parametrize("row", ALPINE, ids=lambda row: row.split()[1])
def test_alpines_gpu_types_are_as_documented(alpine: Site, row: str) -> None:
    partition, name, memory_gb, cores, weight, *limits = row.split()
    gpu = alpine.partitions[partition].gpu_types[name]
    assert gpu.gres_type == ""  # the key is Slurm's spelling
    assert alpine.cards[gpu.card].memory_gb == float(memory_gb)
    assert (gpu.max_cores_per_gpu, gpu.su_per_gpu_h) == (int(cores), float(weight))
    documented = {
        f"gpu-{limits[i]}": (int(limits[i + 1]), int(limits[i + 2])) for i in range(0, len(limits), 3)
    }
    stated = {qos: (limit.max_gpus_in_qos, limit.max_gpus_per_user) for qos, limit in gpu.qos.items()}
    assert stated == (documented or {"gh200": (None, 1)})


def test_alpine_has_no_other_gpu_types(alpine: Site) -> None:
    assert sorted(gpu.name for gpu in list_gpus(alpine)) == sorted(row.split()[1] for row in ALPINE)


@pytest.mark.parametrize("name", ALPINE_NODES)
def test_alpines_nodes_are_as_documented(alpine: Site, name: str) -> None:
    nodes, gpus, cores, core_gb, disk_gb = ALPINE_NODES[name]
    partition = alpine.partitions[name]
    assert (partition.nodes, partition.gpus_per_node, partition.cores_per_node) == (nodes, gpus, cores)
    assert partition.local_disk_gb == disk_gb
    assert partition.memory_per_core_gib == math.floor(core_gb / GB_PER_GIB * 100) / 100
    assert partition.max_nodes_per_job == 1


def test_memory_per_gpu_is_worked_out_of_cores_and_said_to_be(alpine: Site) -> None:
    for gpu in list_gpus(alpine):
        most = gpu.gpu_type.max_cores_per_gpu * gpu.partition.memory_per_core_gib
        assert gpu.gpu_type.max_memory_per_gpu_gib == math.floor(most * 10) / 10, gpu.name
        key = gpu.gpu_type.sources["max_memory_per_gpu_gib"]
        assert alpine.sources[key].note.startswith("inferred")


def test_alpines_qos_are_as_documented(alpine: Site) -> None:
    assert {
        name: (qos.max_time_h, qos.max_jobs_per_user, qos.billing_factor, qos.is_for_tests)
        for name, qos in alpine.qos.items()
    } == {
        "gpu-normal": (24, 1000, 1, False),
        "gpu-long": (7 * 24, 200, 1, False),
        "gpu-testing": (1, 5, 0.1, True),
        "gh200": (7 * 24, 1, 1, False),
    }


def test_alpine_charges_a_unit_for_a_core_and_needs_no_account(alpine: Site) -> None:
    assert alpine.billing.su_per_core_h == 1.0
    assert not alpine.account.is_required
    assert "ucb-general" in alpine.account.examples


def test_alpines_unlike_gpus_are_marked(alpine: Site) -> None:
    assert alpine.partitions["gh200"].arch == "aarch64"
    assert [gpu.name for gpu in list_gpus(alpine) if gpu.gpu_type.on_request] == ["gh200"]
    assert [gpu.name for gpu in list_gpus(alpine) if gpu.card.vendor == "amd"] == ["mi100"]
    assert all(gpu.card.is_mig == ("g." in gpu.name) for gpu in list_gpus(alpine))


def test_alpine_keeps_models_where_there_is_room(alpine: Site) -> None:
    assert alpine.storage.state_dir == "/projects/$USER/curc-llm"
    assert alpine.storage.cache_dir == "/scratch/alpine/$USER/curc-llm"
    assert alpine.storage.models_dir == "$CURC_LLM_DIR/hf-transformers"


def test_what_alpine_does_not_document_is_left_empty(alpine: Site) -> None:
    assert (alpine.runtime.python, alpine.runtime.modules) == ("", ())
    assert alpine.runtime.has_internet is None
    assert not alpine.runtime.verified


def test_capella_is_as_documented(capella: Site) -> None:
    """ZIH HPC Compendium: HPC Resources, GPU Cluster Capella, Slurm Resource Limits."""
    partition = capella.partitions["capella"]
    gpu = find_gpu(capella, "h100")
    assert (partition.nodes, partition.gpus_per_node, partition.cores_per_node) == (156, 4, 56)
    assert (partition.node_link, partition.max_nodes_per_job) == ("infiniband", None)
    assert gpu.gpu_type.max_cores_per_gpu == 14
    assert gpu.gpu_type.max_memory_per_gpu_gib == math.floor(193250 / 1024 * 10) / 10
    assert partition.memory_per_core_gib == math.floor(193250 / 1024 / 14 * 100) / 100
    assert (gpu.card.memory_gb, gpu.card.memory_bandwidth_gb_per_s) == (94, 2400)
    assert capella.qos["normal"].max_time_h == 7 * 24
    assert gpu.gpu_type.qos["normal"].max_gpus_per_user == 284
    assert capella.account.is_required
    assert gpu.gres == "gpu"


@pytest.mark.parametrize("name", site_names())
def test_every_figure_has_a_source_with_a_date_and_an_address(name: str) -> None:
    figures = list_figures(load_site(name))
    assert len(figures) > 15
    for figure in figures:
        assert figure.source.title, figure.place
        assert figure.source.url.startswith("https://"), figure.place
        assert figure.source.date <= dt.datetime.now(tz=dt.UTC).date(), figure.place


def test_limits_have_the_source_of_their_gpu_type(alpine: Site) -> None:
    [found] = [f for f in list_figures(alpine) if f.place.endswith("l40.qos.gpu-long.max_gpus_per_user")]
    assert (found.value, found.source_key) == (3, "hardware")


def test_defaults_are_not_shown_as_documented(alpine: Site) -> None:
    places = {figure.place for figure in list_figures(alpine)}
    assert "qos.gpu-long.max_time_h" in places
    assert "qos.gpu-long.min_time_h" not in places
    assert "partitions.ah200.gpu_link" not in places
