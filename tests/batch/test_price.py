"""What a batch costs is what its session costs meanwhile."""

from __future__ import annotations

from pathlib import Path

from curc_llm.batch.price import Price, find_price
from curc_llm.client.secret import Secret
from curc_llm.client.source import LocalSource, RemoteSource
from curc_llm.plan.plan import Plan
from curc_llm.plan.request import PlanRequest
from curc_llm.session.paths import SessionPaths
from curc_llm.settings import load_settings
from curc_llm.spec import make_launch_spec
from curc_llm.spec.launch import Origin, SlurmSpec


def write_spec(folder: Path, **changes: object) -> LocalSource:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text('{"max_position_embeddings": 4096}')
    settings = load_settings(environ={"HOME": str(folder)})
    spec = make_launch_spec(
        settings, (str(folder / "model"),), device="cpu", engine_python="python"
    ).model_copy(update=changes)
    paths = SessionPaths(folder / "sessions" / "s")
    paths.make()
    paths.spec.write_text(spec.model_dump_json())
    return LocalSource(paths)


def test_a_slurm_session_costs_what_was_planned(tmp_path: Path) -> None:
    plan = Plan(fits=True, request=PlanRequest(model="m"), su_per_h=110.6)
    origin = Origin(wanted="m", plan=plan)
    source = write_spec(tmp_path, slurm=SlurmSpec(partition="al40"), origins=(origin,), site="alpine")
    assert find_price(source) == Price(110.6, "SU")


def test_a_session_on_this_machine_costs_nothing(tmp_path: Path) -> None:
    assert find_price(write_spec(tmp_path)) == Price()


def test_a_session_known_by_its_address_alone_has_no_price() -> None:
    assert find_price(RemoteSource("http://h/v1", Secret("k"))) == Price()


def test_a_session_without_a_spec_has_no_price(tmp_path: Path) -> None:
    assert find_price(LocalSource(SessionPaths(tmp_path))) == Price()
