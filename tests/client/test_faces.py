from __future__ import annotations

import inspect
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from curc_llm.client import Session
from curc_llm.client.faces import _FACES, find_face
from curc_llm.errors import MissingPackageError


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that provides every face, by telling what it was called with."""
    module = ModuleType("elsewhere")
    module.face = lambda session, *args, **options: (session, args, options)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    for name in _FACES:
        monkeypatch.setitem(_FACES, name, "elsewhere:face")
    return module


@pytest.mark.parametrize(
    ("face", "args", "options"),
    [
        ("map", (["a"],), {"schema": list}),
        ("embed_map", (["a"],), {"output": "x"}),
        ("chat_widget", (), {"title": "x", "top_k": 3}),
        ("compare", ("one", "two"), {"system": "x"}),
        ("card", (), {}),
        ("metrics_widget", (), {}),
    ],
)
def test_each_method_is_handed_on_with_all_that_it_got(
    session: Session, elsewhere: ModuleType, face: str, args: Any, options: Any
) -> None:
    told, given, handed = getattr(session, face)(*args, **options)
    assert (told, given) == (session, args)
    assert handed.items() >= options.items()
    defaults = {name: value for name, value in handed.items() if name not in options}
    assert defaults == {name: _parameters(Session, face)[name].default for name in defaults}


def _parameters(owner: Any, name: str) -> dict[str, inspect.Parameter]:
    """What a person may give to a method, or to what it stands for."""
    function = getattr(owner, name) if owner is Session else find_face(name)
    parameters = dict(inspect.signature(function).parameters)
    parameters.pop("self" if owner is Session else "session")
    return parameters


@pytest.mark.parametrize("name", list(_FACES))
def test_each_method_has_the_parameters_of_what_it_stands_for(name: str) -> None:
    assert _parameters(Session, name) == _parameters(None, name)
    told = inspect.getdoc(getattr(Session, name)) or ""
    missing = [parameter for parameter in _parameters(Session, name) if f"{parameter}:" not in told]
    assert missing == [], "help() says nothing of them"
    assert "Example:" in told


def test_their_help_needs_nothing_heavy() -> None:
    code = (
        "import sys, inspect; from curc_llm.client import Session\n"
        "for name in ('map', 'embed_map', 'chat_widget', 'compare', 'card', 'metrics_widget'):\n"
        "    inspect.signature(getattr(Session, name))\n"
        "print(sorted({'openai', 'numpy', 'pandas', 'ipywidgets', 'anywidget'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_face_of_the_table_is_there() -> None:
    for name in _FACES:
        assert callable(find_face(name)), name
        assert callable(getattr(Session, name))


@pytest.mark.parametrize("package", ["ipywidgets", "anywidget", "pandas", "IPython"])
def test_a_missing_package_is_told_in_one_sentence(
    session: Session, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    def fail(*_: Any) -> None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.widgets")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(MissingPackageError, match="pip install 'curc-llm\\[jupyter\\]'") as caught:
        session.card()
    assert package in caught.value.message


def test_a_package_that_is_missed_only_later_is_told_too(session: Session, elsewhere: ModuleType) -> None:
    def use(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    elsewhere.face = use  # type: ignore[attr-defined]
    with pytest.raises(MissingPackageError, match=r"session\.map\(\) needs the package pandas"):
        session.map(["a"])


def test_a_fault_of_our_own_is_not_taken_for_a_missing_package(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_FACES, "card", "curc_llm.no_such_module:card")
    with pytest.raises(ModuleNotFoundError, match="no_such_module") as caught:
        session.card()
    assert not isinstance(caught.value, MissingPackageError)


def test_outside_a_notebook_a_session_shows_its_repr(session: Session) -> None:
    assert session._repr_mimebundle_() == {"text/plain": repr(session)}


def test_in_a_notebook_a_session_shows_its_card(
    session: Session, elsewhere: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = {"text/plain": "the card"}
    card = SimpleNamespace(_repr_mimebundle_=lambda **_: bundle)
    elsewhere.face = lambda *_: card  # type: ignore[attr-defined]
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert session._repr_mimebundle_() == bundle


def test_in_a_notebook_without_the_packages_it_says_what_to_install(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise MissingPackageError(f"{name} needs ipywidgets.", "Install it.")

    monkeypatch.setattr("curc_llm.client.faces.find_face", fail)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    shown = session._repr_mimebundle_()["text/plain"]
    assert repr(session) in shown
    assert "Install it." in shown


def test_the_client_imports_nothing_of_notebook_or_batch() -> None:
    code = (
        "import sys; import curc_llm.client.session\n"
        "heavy = {'openai', 'numpy', 'pandas', 'ipywidgets', 'anywidget', 'IPython', 'jsonschema'}\n"
        "ours = [m for m in sys.modules if m.startswith(('curc_llm.notebook', 'curc_llm.batch'))]\n"
        "print(sorted(heavy & set(sys.modules)), ours)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[] []", done.stderr
