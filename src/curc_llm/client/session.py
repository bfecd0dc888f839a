"""A session as Python sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from curc_llm.client.answer import Answer, make_chat_answer, make_completion_answer
from curc_llm.client.faces import Faces
from curc_llm.client.kind import Kind
from curc_llm.client.link import Link
from curc_llm.client.messages import Prompt, check_text, clean, place_parameters
from curc_llm.client.parameters import COMPLETION_PARAMETERS, EMBEDDING_PARAMETERS, check_parameters
from curc_llm.client.question import make_question, make_streamed
from curc_llm.client.source import root_url

if TYPE_CHECKING:  # each is imported when it is first used
    from curc_llm.client.async_stream import AsyncStream
    from curc_llm.client.metrics import Metrics
    from curc_llm.client.stream import Stream

Question = Mapping[str, Any]


class Session(Link, Faces):
    """A running session. Make one with `curc_llm.connect()`.

    Requests that generate are sent once: a retry could make the model work twice, so it must be asked for
    (`retries=`). A model that isn't named is the session's first one that writes text.

    `openai` and `async_openai` are ready clients for all that has no method here.
    """

    def chat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        system: str | None = None,
        images: Iterable[Any] = (),
        tools: Iterable[Any] = (),
        retries: int = 0,
        **params: Any,
    ) -> Answer:
        """Asks a question and returns the whole answer.

        Args:
            prompt: the question, or a conversation as a list of messages.
            model: served model name; the session's first when not given.
            system: instructions for the model.
            images: pictures that belong to the question, for models that see: paths, bytes, http or data
                URLs, PIL images, matplotlib figures.
            tools: Python functions that the model may ask for; its wishes are in `answer.tool_calls`, and
                nothing is called (`run_tools` does).
            retries: how often to try again when the session is busy or can't be reached.
            params: OpenAI's parameters (`temperature`, `max_tokens` …) and vLLM's (`top_k` …).

        Raises:
            SessionNotReadyError: the model still loads; `wait_until_ready()` waits for it.
            SessionEndedError: the session is over.
            ApiError: the session refused the request.
            ParameterError: there is no parameter of that name; nothing was sent. What vLLM takes and
                curc_llm doesn't know goes into `extra_body`.
            PromptError: the prompt is neither a text nor a list of messages.
            ImageError, ToolError: a picture or function can't be sent.

        Example:
            >>> answer = session.chat("What is an SU?", temperature=0)     # doctest: +SKIP
            >>> answer.usage.completion_tokens                            # doctest: +SKIP
        """
        question = make_question(prompt, system, images, tools, params)
        return make_chat_answer(self._ask(question, model, retries))

    async def achat(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        system: str | None = None,
        images: Iterable[Any] = (),
        tools: Iterable[Any] = (),
        retries: int = 0,
        **params: Any,
    ) -> Answer:
        """As `chat`, for code that runs in an event loop; ask several at once with `asyncio.gather`.

        Example:
            >>> await asyncio.gather(*map(session.achat, questions))       # doctest: +SKIP
        """
        question = make_question(prompt, system, images, tools, params)
        return make_chat_answer(await self._aask(question, model, retries))

    def stream(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        system: str | None = None,
        images: Iterable[Any] = (),
        tools: Iterable[Any] = (),
        **params: Any,
    ) -> Stream:
        """Asks a question and returns its answer piece by piece; see `Stream`. Takes what `chat` takes."""
        from curc_llm.client.stream import Stream

        question = make_streamed(make_question(prompt, system, images, tools, params))
        return Stream(self._ask(question, model, 0), self._source)

    def astream(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        system: str | None = None,
        images: Iterable[Any] = (),
        tools: Iterable[Any] = (),
        **params: Any,
    ) -> AsyncStream:
        """As `stream`, for code that runs in an event loop; see `AsyncStream`. Sent when it is first read."""
        from curc_llm.client.async_stream import AsyncStream

        question = make_streamed(make_question(prompt, system, images, tools, params))
        return AsyncStream(lambda: self._aask(question, model, 0), self._source)

    def json(self, prompt: Prompt, schema: Any, *, model: str | None = None, **params: Any) -> Any:
        """Asks a question whose answer must have a given shape, and returns it as Python.

        vLLM lets the model write nothing that doesn't fit; what it writes is checked once more here.

        Args:
            prompt: the question, or a conversation as a list of messages.
            schema: a JSON schema as a dict, a pydantic model, or a Python type such as `list[str]`, a
                dataclass or `Literal["yes", "no"]`.
            model: served model name; the session's first when not given.
            params: what `chat` takes.

        Returns:
            An instance of the model or type; for a JSON schema what the JSON says.

        Raises:
            SchemaError: the answer doesn't fit (most often it was cut off); its text is in `.text`.

        Example:
            >>> session.json("Name three rivers.", list[str])              # doctest: +SKIP
            ['Rhine', 'Nile', 'Amazon']
        """
        from curc_llm.client.schema import make_schema

        shape = make_schema(schema)
        answer = self.chat(prompt, model=model, response_format=shape.response_format, **params)
        return shape.parse(answer.text, answer.finish_reason)

    async def ajson(self, prompt: Prompt, schema: Any, *, model: str | None = None, **params: Any) -> Any:
        """As `json`, for code that runs in an event loop."""
        from curc_llm.client.schema import make_schema

        shape = make_schema(schema)
        answer = await self.achat(prompt, model=model, response_format=shape.response_format, **params)
        return shape.parse(answer.text, answer.finish_reason)

    def run_tools(
        self,
        prompt: Prompt,
        tools: Iterable[Callable[..., Any] | Mapping[str, Any]],
        *,
        max_rounds: int = 8,
        **params: Any,
    ) -> Answer:
        """Asks a question, calls the functions that the model asks for, and returns its last answer.

        Offer only functions that you would let anyone call: what a model asks for can come from a text that
        it was given. Arguments are checked against the function's types; an exception is told to the model.

        Args:
            prompt: the question, or a conversation as a list of messages.
            tools: Python functions with types and a docstring, from which the model learns what they do.
            max_rounds: how often the model may ask for functions before it must have answered.
            params: what `chat` takes.

        Returns:
            The answer; the whole conversation, calls and results included, is in its `messages`.

        Raises:
            ToolError: a function can't be offered, or the model never stopped asking.

        Example:
            >>> def add(a: int, b: int) -> int:
            ...     "Adds two numbers."
            ...     return a + b
            >>> session.run_tools("What is 17 + 25?", [add])               # doctest: +SKIP
        """
        from curc_llm.client.tool_rounds import hold_tool_rounds

        return hold_tool_rounds(self.chat, prompt, tools, max_rounds, params)

    def complete(self, prompt: str, *, model: str | None = None, retries: int = 0, **params: Any) -> Answer:
        """Continues a text, without a conversation around it. Takes what `chat` takes.

        Example:
            >>> session.complete("Once upon a time", max_tokens=20)      # doctest: +SKIP
        """
        check_parameters(params, COMPLETION_PARAMETERS, others=("model", "retries"))
        text = clean(check_text(prompt, "The prompt"))

        def send() -> Any:
            create = self.openai.with_options(max_retries=retries).completions.create
            placed = place_parameters(create, params)
            return create(prompt=text, model=model or self.default_model, **placed)

        return make_completion_answer(self._patiently(send, model, Kind.COMPLETE))

    def embed(
        self, texts: str | Iterable[str], *, model: str | None = None, as_array: bool = False, **params: Any
    ) -> Any:
        """Turns texts into vectors, with a session that serves an embedding model.

        Args:
            texts: one text or several.
            model: served model name; the session's first embedding model when not given.
            as_array: return a numpy array, one row for each text, instead of a list of lists.
            params: OpenAI's parameters, such as `dimensions`.

        Raises:
            ModelNotFoundError: the session serves no embedding model.
            PromptError: one of the texts isn't a text.
            ParameterError: there is no parameter of that name.

        Example:
            >>> len(session.embed(["a cat", "a dog"]))                     # doctest: +SKIP
            2
        """
        from curc_llm.client.embeddings import check_texts, make_array, read_vectors, split

        check_parameters(params, EMBEDDING_PARAMETERS, others=("model", "as_array"))
        vectors: list[list[float]] = []
        for portion in split(check_texts(texts)):
            vectors += read_vectors(self._embed(portion, model, params))
        return make_array(vectors) if as_array else vectors

    def _embed(self, texts: list[str], model: str | None, params: Mapping[str, Any]) -> Any:
        def send() -> Any:
            create = self.openai.embeddings.create
            placed = place_parameters(create, params)
            return create(input=texts, model=model or self.default_embedder, **placed)

        return self._patiently(send, model, Kind.EMBED)

    def _ask(self, question: Question, model: str | None, retries: int) -> Any:
        def send() -> Any:
            create = self.openai.with_options(max_retries=retries).chat.completions.create
            return create(model=model or self.default_model, **place_parameters(create, question))

        return self._patiently(send, model, Kind.CHAT)

    async def _aask(self, question: Question, model: str | None, retries: int) -> Any:
        def send() -> Awaitable[Any]:
            create = self.async_openai.with_options(max_retries=retries).chat.completions.create
            placed = place_parameters(create, question)
            return cast(Awaitable[Any], create(model=model or self.default_model, **placed))

        return await self._apatiently(send, model, Kind.CHAT)

    def metrics(self, model: str | None = None) -> Metrics:
        """How busy the session is: requests, tokens, latencies, memory.

        Args:
            model: only this model's figures, by its served model name; None for all together.

        Raises:
            ApiError: the session can't be reached.
        """
        from curc_llm.client.metrics import fetch_metrics

        return fetch_metrics(root_url(self.base_url), self._source.secret(), model)

    def snippets(self, model: str | None = None) -> dict[str, str]:
        """Ready-to-paste ways to reach the session, by name: curl, python, langchain, litellm and more.

        None of them holds the key: each reads it from its file.

        Args:
            model: served model name; the session's first when not given.
        """
        from curc_llm.client.snippet_target import make_target
        from curc_llm.client.snippets import render_snippets

        return render_snippets(make_target(self._source, model))

    def versions(self) -> dict[str, str]:
        """What this side and the session run, by name, as a report of a problem should say."""
        from curc_llm.client.versions import list_versions

        return list_versions(self.status())

    def stop(self) -> None:
        """Ends the session and everything that it started, without asking. One that is over is no error.

        Raises:
            SessionNotFoundError: only its address is known here.
            LaunchError: it isn't gone in time.
        """
        from curc_llm.client.ending import end_source

        self.close()
        end_source(self._source)
