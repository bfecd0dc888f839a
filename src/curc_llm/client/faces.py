"""What a session shows in a notebook and runs over many rows: thin methods, each in a module of its own.

The client may not import what stands above it (`batch`, `notebook`), and a script must not pay for widgets,
so each of these looks its function up by name when it is first called.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from curc_llm.errors import MissingPackageError

# Method of Session -> "module:function". The function (or class) gets the session, then what the method got.
_FACES = {
    "map": "curc_llm.batch:map_rows",
    "embed_map": "curc_llm.batch:embed_rows",
    "chat_widget": "curc_llm.notebook.chat:ChatWidget",
    "compare": "curc_llm.notebook.compare:CompareWidget",
    "card": "curc_llm.notebook.card:find_panel",
    "metrics_widget": "curc_llm.notebook.metrics:find_metrics_widget",
}
# Packages of `curc-llm[jupyter]`: their absence is told in a sentence.
OPTIONAL_PACKAGES = {
    "IPython", "anywidget", "ipykernel", "ipywidgets", "matplotlib", "numpy", "pandas", "pyarrow",
    "traitlets",
}  # fmt: skip


class Faces:
    """The methods of `Session` that other parts of curc-llm provide.

    Each has the parameters of what it stands for, so that Tab and Shift-Tab show them before anything heavy
    is imported; tests/client/test_faces.py holds both together.
    """

    def map(
        self,
        rows: Any,
        *,
        template: str | None = None,
        prompt_column: str | None = None,
        schema: Any = None,
        model: str | None = None,
        system: str | None = None,
        endpoint: str = "chat",
        concurrency: int | None = None,
        output: str | os.PathLike[str] | None = None,
        progress: bool = True,
        wait: bool = True,
        resume: bool = True,
        retry_failed: bool = False,
        timeout_s: float = 3600.0,
        **params: Any,
    ) -> Any:
        """Asks the model once for each row and returns the answers in the rows' order.

        Whatever stops it (the kernel, the session, the node), the same call goes on where it stopped: what
        was answered is in a file, and no row is asked twice. A row that fails doesn't stop the others.

        Args:
            rows: prompts (texts or conversations), or a DataFrame or Series, or a file (.jsonl, .csv,
                .parquet).
            template: makes a prompt of each row's columns: "Summarise: {text}".
            prompt_column: the column that holds the prompts, where there is no template.
            schema: what shape answers must have: a JSON schema, a pydantic model, or a Python type. The
                fields of an object become typed columns of a DataFrame.
            model: served model name; the session's first when not given.
            system: instructions for the model.
            endpoint: `chat`, `completions` or `embeddings`.
            concurrency: rows under way at once; not given: as many as keep the engine full.
            output: the file for the results (.jsonl: OpenAI's batch format; .csv, .tsv, .parquet: a table);
                not given: one in your state folder, which a later call with the same rows finds.
            progress: show how it is getting on.
            wait: False to return the `Run` at once instead of the answers.
            resume: False to forget earlier results and ask all rows anew.
            retry_failed: ask rows again that failed in an earlier run.
            timeout_s: seconds until a row's answer must be whole.
            params: OpenAI's parameters (`temperature`, `max_tokens` …) and vLLM's (`top_k` …).

        Returns:
            For a DataFrame its copy with the columns `answer` (or the schema's fields), `error` and
            `finish_reason`; else a list of answers, None for rows that failed, with their reasons in
            `.errors`.

        Raises:
            BatchInputError: something is wrong with rows, template, schema or parameters. Nothing was sent.
            BatchFileError: the file of the results can't be used.
            BatchStoppedError: it stopped before its end; what was done is kept.

        Example:
            >>> session.map(["What is a node?", "What is a core?"], max_tokens=50)    # doctest: +SKIP
            >>> session.map(frame, template="Is this about heat? {text}", schema=bool)  # doctest: +SKIP
        """
        return self._show(
            "map",
            rows,
            template=template,
            prompt_column=prompt_column,
            schema=schema,
            model=model,
            system=system,
            endpoint=endpoint,
            concurrency=concurrency,
            output=output,
            progress=progress,
            wait=wait,
            resume=resume,
            retry_failed=retry_failed,
            timeout_s=timeout_s,
            **params,
        )

    def embed_map(self, rows: Any, *, as_array: bool = False, **options: Any) -> Any:
        """Embeds each row, with checkpoints, as `map` asks for each row.

        Args:
            rows: texts, or a DataFrame or Series, or a file.
            as_array: return a numpy array of float32 with a row for each text; NaN for rows that failed.
            options: what `map` takes, but no schema.

        Returns:
            For a DataFrame its copy with the columns `embedding` and `error`; else a list of vectors.

        Example:
            >>> vectors = session.embed_map(texts, as_array=True)          # doctest: +SKIP
        """
        return self._show("embed_map", rows, as_array=as_array, **options)

    def chat_widget(
        self,
        *,
        model: str | None = None,
        system: str = "",
        title: str = "",
        file: str | os.PathLike[str] | None = None,
        **parameters: Any,
    ) -> Any:
        """A chat in the notebook. Type in it, or ask from code; the kernel stays free while answers come.

        Args:
            model: served model name; the session's first when not given.
            system: instructions for the model.
            title: shown above it.
            file: a chat that was saved before; it goes on from there and is kept there.
            parameters: temperature and what else `chat` takes.

        Returns:
            The `ChatWidget`: `ask`, `wait`, `messages`, `to_frame`, `save` …

        Example:
            >>> chat = session.chat_widget(system="Be brief.", temperature=0.2)    # doctest: +SKIP
        """
        return self._show("chat_widget", model=model, system=system, title=title, file=file, **parameters)

    def compare(self, *columns: Any, prompt: str = "", system: str | None = None, **parameters: Any) -> Any:
        """One question to several models or settings, side by side.

        Args:
            columns: 2 to 4 models' names, sessions, or settings such as `{"model": "a", "temperature": 0}`;
                the session's models, or two temperatures, when there are none.
            prompt: asked at once, if given.
            system: instructions for all.
            parameters: settings of all columns, such as `max_tokens`.

        Returns:
            The `CompareWidget`: `ask`, `wait`, `answers`, `to_frame` …

        Example:
            >>> session.compare({"temperature": 0}, {"temperature": 1}, prompt="Why?")   # doctest: +SKIP
        """
        return self._show("compare", *columns, prompt=prompt, system=system, **parameters)

    def card(self) -> Any:
        """The session at a glance: phase, time and SU left, endpoint, key, snippets, stop.

        Example:
            >>> session.card()                                             # doctest: +SKIP
        """
        return self._show("card")

    def metrics_widget(self) -> Any:
        """Live figures of the session. `metrics()` returns the same as numbers.

        Example:
            >>> session.metrics_widget()                                   # doctest: +SKIP
        """
        return self._show("metrics_widget")

    def _show(self, face: str, *args: Any, **options: Any) -> Any:
        try:
            return find_face(face)(self, *args, **options)
        except ModuleNotFoundError as error:  # some packages are imported only when they are used
            raise explain_missing(error, f"session.{face}()") from None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """In a notebook a session as a cell's last line shows its card; elsewhere its repr."""
        if not _is_in_notebook():
            return {"text/plain": repr(self)}
        try:
            return self.card()._repr_mimebundle_(include=include, exclude=exclude)
        except MissingPackageError as error:
            return {"text/plain": f"{self!r}\n{error}"}


def find_face(name: str) -> Any:
    """The function behind a method of `Faces`."""
    module, _, function = _FACES[name].partition(":")
    return getattr(importlib.import_module(module), function)


def explain_missing(error: ModuleNotFoundError, what: str) -> Exception:
    """The error to raise instead: ours for an optional package, else the same.

    Args:
        error: what the import said.
        what: what was asked for, such as `session.card()`.
    """
    package = (error.name or "").partition(".")[0]
    if package not in OPTIONAL_PACKAGES:
        return error
    return MissingPackageError(
        f"{what} needs the package {package}, which isn't installed.",
        "Install it with: pip install 'curc-llm[jupyter]'",
    )


def _is_in_notebook() -> bool:
    """True in a kernel that can show widgets; a plain IPython shell is none."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None
