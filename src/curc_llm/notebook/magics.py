"""`%%llm`, `%llm_session` and `%llm_explain`: a model in a cell. `%load_ext curc_llm` brings them."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from curc_llm.client.answer import Answer
from curc_llm.client.session import Session
from curc_llm.errors import CurcLlmError, MagicError, SessionEndedError
from curc_llm.notebook.explain import SYSTEM, make_question
from curc_llm.notebook.interpolation import interpolate, look_up
from curc_llm.notebook.magic_options import Options, parse_options
from curc_llm.notebook.shown_answer import make_shown_answer

RESULT = "_llm"
_MAGIC = re.compile(r"^%%llm(?![\w.])(.*)")
_QUESTION = re.compile(r"^([ \t]*)%(llm|llm_explain)[ \t]+(.*\?)[ \t]*(?=\n?$)")
HELP = """Asks the model: `%%llm [options]` and the question below, or `%llm [options] question`.

`{name}` in the question is a variable's value, as are `{name.attribute}` and `{name[0]}`; `{{` and
`}}` are braces. The answer is shown while it is written, and kept in `_llm`.

--model NAME, --temperature X, --max-tokens N, --top-p X, --top-k N, --seed N: as in `session.chat`
--system TEXT         instructions for the model
--json-schema SCHEMA  a JSON Schema, or a variable with one, a Python type or a pydantic class:
                      the result is a Python object then
--name NAME           keep the result under this name, too
--session ID          ask this session
--raw                 take the text with every brace as it is
"""
# What --json-schema may name besides a person's own variables.
TYPES: dict[str, Any] = {kind.__name__: kind for kind in (str, int, float, bool, list, dict)}


def register(shell: Any) -> None:
    """Brings the magics into a shell, and our errors as sentences. Doing it again changes nothing.

    Args:
        shell: IPython's.
    """
    from IPython.core.magic import no_var_expand

    from curc_llm.notebook.brief_errors import show_errors_briefly

    show_errors_briefly(shell)
    magics = LlmMagics(shell)

    def llm(line: str, cell: str | None = None) -> Any:
        return magics.ask(line, cell)

    llm.__doc__ = HELP

    def llm_session(line: str) -> Session:
        """Shows the session that `%%llm` asks; `%llm_session ID` chooses another one."""
        return magics.choose(line)

    def llm_explain(line: str) -> None:
        """Asks the model about the last error. Its traceback goes to your own session and nowhere else.

        `%llm_explain [options] [a question of your own]`; the options are those of `%%llm`.
        """
        magics.explain(line)

    # The line belongs to us: IPython would put its own values into braces, JSON's included.
    shell.register_magic_function(no_var_expand(llm), "line_cell", "llm")
    shell.register_magic_function(llm_session, "line", "llm_session")
    shell.register_magic_function(no_var_expand(llm_explain), "line", "llm_explain")
    if keep_question_marks not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(keep_question_marks)


def keep_question_marks(lines: list[str]) -> list[str]:
    """Lines of a cell, where `%llm … ?` is a question. IPython would take the last word for a call for help.

    Example:
        >>> keep_question_marks(["%llm Is it so?"])
        ["get_ipython().run_line_magic('llm', 'Is it so?')"]
    """
    if lines and lines[0].startswith("%%"):
        return _allow_empty(lines)  # a text, not Python
    return [_QUESTION.sub(_write_call, line) for line in lines]


def _allow_empty(lines: list[str]) -> list[str]:
    """A `%%llm` with nothing below comes to us, who say what is missing; IPython only says it is empty."""
    found = _MAGIC.match(lines[0])
    if found is None or "".join(lines[1:]).strip():
        return lines
    return [f"get_ipython().run_cell_magic('llm', {found[1].strip()!r}, '\\n')\n"]


def _write_call(found: re.Match[str]) -> str:
    return f"{found[1]}get_ipython().run_line_magic({found[2]!r}, {found[3]!r})"


class LlmMagics:
    """What the magics do, and the session that they keep.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._session: Session | None = None

    @property
    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = self._shell.user_ns
        return names

    def ask(self, line: str, cell: str | None) -> Any:
        """`%%llm`: shows the answer; with a schema returns the object, which the cell then shows."""
        if line.strip() in {"--help", "-h"}:
            print(HELP)
            return None
        options = parse_options(line)
        prompt = self._read_prompt(options, cell)
        ask = self._ask_json if options.json_schema else self._ask_text
        result = self._with_session(options, lambda session: ask(session, prompt, options))
        self._keep(options, result)
        return result if options.json_schema else None

    def explain(self, line: str) -> None:
        """`%llm_explain`: shows what the model says of the last error."""
        options = parse_options(line)
        error = getattr(sys, "last_value", None)
        if error is None:
            raise MagicError("There is no error to explain.", "Run this after a cell that failed.")
        if isinstance(error, CurcLlmError):
            print(error)  # it explains itself, and a model knows nothing better
            return
        question = make_question(error, options.text)
        asked = replace(options, system=options.system or SYSTEM)
        self._with_session(asked, lambda session: self._ask_text(session, question, asked))

    def choose(self, line: str) -> Session:
        """`%llm_session`: the session that is asked from now on."""
        name = line.strip()
        self._session = self._find(name) if name else self._find_usual()
        return self._session

    def _read_prompt(self, options: Options, cell: str | None) -> str:
        if cell is not None and options.text:
            raise MagicError(
                f"{options.text!r} stands behind %%llm.", "The question goes into the lines below it."
            )
        text = (options.text if cell is None else cell).strip()
        if not text:
            raise MagicError("There is no question.", "Write it below %%llm, or behind %llm.")
        return text if options.raw else interpolate(text, self._names)

    def _with_session(self, options: Options, use: Callable[[Session], Any]) -> Any:
        session = self._find(options.session) if options.session else self._find_usual()
        try:
            return use(session)
        except SessionEndedError:
            self._session = None  # the next question looks for another one
            raise

    def _find(self, name: str) -> Session:
        found = self._names.get(name)
        return found if isinstance(found, Session) else _connect(name)

    def _find_usual(self) -> Session:
        """The session chosen before, else the variable `session`, else the one that runs."""
        if self._session is not None:
            return self._session
        own = self._names.get("session")
        if isinstance(own, Session):
            return own
        self._session = _connect()
        return self._session

    def _ask_text(self, session: Session, prompt: str, options: Options) -> Answer:
        shown = make_shown_answer(self._shell)
        with self._kept(lambda: shown.answer):
            shown.run(session, prompt, _parameters(options, self._names))
        return shown.answer

    def _ask_json(self, session: Session, prompt: str, options: Options) -> Any:
        schema = read_schema(options.json_schema or "", self._names)
        with self._kept(Answer):
            return session.json(prompt, schema, **_parameters(options, self._names))

    @contextlib.contextmanager
    def _kept(self, read_so_far: Callable[[], Answer]) -> Iterator[None]:
        """Keeps what an answer has so far when it breaks off, and tells an interrupt in a sentence."""
        try:
            yield
        except (CurcLlmError, KeyboardInterrupt) as error:
            if so_far := read_so_far():
                self._names[RESULT] = so_far
            if isinstance(error, CurcLlmError):
                raise
            where = f"What was written is in {RESULT}." if so_far else ""
            raise MagicError("You stopped the answer.", where) from None

    def _keep(self, options: Options, result: Any) -> None:
        self._names[RESULT] = result
        if options.name:
            self._names[options.name] = result


def _connect(name: str | None = None) -> Session:
    import curc_llm

    return curc_llm.connect(name)


def _parameters(options: Options, names: Mapping[str, Any]) -> dict[str, Any]:
    system = options.system
    if system is not None and not options.raw:
        system = interpolate(system, names)
    return {"model": options.model, "system": system, **options.params}


def read_schema(text: str, names: Mapping[str, Any]) -> Any:
    """The schema that `--json-schema` means.

    Args:
        text: a JSON Schema, or the name of a variable or type, such as `Paper` or `list[str]`.
        names: the person's variables.

    Raises:
        MagicError: it is neither.
    """
    if not text.lstrip().startswith("{"):
        return look_up(text, ChainMap(dict(names), TYPES))
    try:
        return json.loads(text)
    except ValueError as error:
        raise MagicError(
            f"The JSON Schema can't be read: {error}.", "Put it into a variable and name that."
        ) from None
