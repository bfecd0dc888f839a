from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gradio.data_classes import FileData, ListFiles
from PIL import Image

from curc_llm.attachments import Uploads
from curc_llm.chat.attach_actions import AttachActions
from curc_llm.chat.attach_button import Sent, read_sent
from curc_llm.chat.desk import Desk
from curc_llm.chat.desks import Desks
from curc_llm.chat.telling import listen

REQUEST: Any = SimpleNamespace(headers={"x-curc-llm-user": "owner"}, session_hash="page")


@pytest.fixture
def desks(tmp_path: Path) -> Desks:
    return Desks(tmp_path)


@pytest.fixture
def desk(desks: Desks) -> Desk:
    return desks.find(REQUEST)


@pytest.fixture
def attach(desks: Desks, tmp_path: Path) -> AttachActions:
    return AttachActions(desks, Uploads(tmp_path / "uploads"))


def send_image(folder: Path) -> Sent:
    Image.new("RGB", (4, 3)).save(folder / "up.png")
    return Sent(folder / "up.png", "plot.png")


async def test_a_file_keeps_the_name_that_its_owner_gave_it(
    attach: AttachActions, desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "b *x* y.csv").write_text("a,b\n1,2\n")
    name = f"<b> *x* $y #1 {'long ' * 40}.csv"
    update = await attach.upload(REQUEST, [Sent(tmp_path / "b *x* y.csv", name)])
    assert [one.name for one in desk.attached] == [" ".join(name.split())]
    assert "<b>" not in update["chips"]


def test_the_browsers_name_comes_with_the_path() -> None:
    one = FileData(path="/tmp/x/b.csv", orig_name="<b>.csv")
    assert read_sent(ListFiles([one])) == [Sent(Path("/tmp/x/b.csv"), "<b>.csv")]
    assert read_sent(FileData(path="/tmp/x/b.csv")) == [Sent(Path("/tmp/x/b.csv"), "b.csv")]
    assert read_sent(None) == []


@pytest.mark.parametrize(
    ("eyes", "remedy"),
    [
        ([], "Attach its text or its data instead."),
        (["qwen-vl"], "Choose qwen-vl in the settings, then attach it again."),
    ],
)
async def test_an_image_for_a_model_without_eyes_is_refused_at_once(
    attach: AttachActions, desk: Desk, tmp_path: Path, eyes: list[str], remedy: str
) -> None:
    desk.takes_images, desk.models_with_eyes = False, eyes
    with listen() as told:
        await attach.upload(REQUEST, [send_image(tmp_path)])
    assert [one.text for one in told] == [f"plot.png is an image, and this model takes text alone. {remedy}"]
    assert desk.attached == []


@pytest.mark.parametrize("sees", [True, None])
async def test_an_image_is_attached_where_the_model_sees_or_that_isnt_known(
    attach: AttachActions, desk: Desk, tmp_path: Path, sees: bool | None
) -> None:
    desk.takes_images = sees
    await attach.upload(REQUEST, [send_image(tmp_path)])
    assert [one.name for one in desk.attached] == ["plot.png"]
