"""Errors that tell a person what went wrong and what to do next."""

from __future__ import annotations


class CurcLlmError(Exception):
    """Base of every error that curc-llm raises on purpose.

    Args:
        message: what went wrong, in one sentence, with the value that was at fault.
        remedy: what to do next, in one sentence. Empty when there is nothing to do.

    Example:
        >>> error = CurcLlmError("No session is running.", "Start one with: curc-llm demo")
        >>> str(error)
        'No session is running. Start one with: curc-llm demo'
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class SettingsError(CurcLlmError, ValueError):
    """A settings file, an environment variable or a flag holds a value that can't be used."""


class FactFileError(SettingsError):
    """A site file, catalogue or presets file holds something that can't be used; names file and line."""


class SiteError(CurcLlmError):
    """A site, partition, QoS or GPU type was named that there is none of."""


class PlanError(CurcLlmError, ValueError):
    """What was asked of the planner makes no sense at any site, such as minus one GPU."""


class ModelDoesNotFitError(CurcLlmError):
    """A launch was asked for that is bound to fail; the message says why, the remedy what would work."""


class SpecError(CurcLlmError, ValueError):
    """A launch was asked for that can't be made."""


class ModelNotFoundError(CurcLlmError):
    """A model is neither a folder that can be served, nor a settings entry, nor a Hugging Face id."""


class CodedError(CurcLlmError):
    """An error that programs tell by a name.

    Args:
        message, remedy: as for every `CurcLlmError`.
        code: a stable name, such as `adapter_wrong_base`; the class's own when not given.
    """

    default_code = "error"

    def __init__(self, message: str, remedy: str = "", *, code: str = "") -> None:
        super().__init__(message, remedy)
        self.code = code or self.default_code


class AdapterError(CodedError):
    """A LoRA adapter can't be served: it is broken, of another model, too large, or not there."""

    default_code = "adapter_broken"


class SwapError(CodedError):
    """A session's model can't be exchanged for another one now."""

    default_code = "swap_refused"


class SessionNotFoundError(CurcLlmError):
    """No session fits the name or id that was given."""


class SessionEndedError(CurcLlmError):
    """The session has ended, so it can't be used any more."""


class SessionNotReadyError(CurcLlmError):
    """The session runs, but its model can't answer yet."""


class AmbiguousSessionError(CurcLlmError):
    """More than one session runs, and none was named."""


class KeyFileError(CurcLlmError):
    """A file with keys is missing, unreadable, or readable by other users."""


class LaunchError(CurcLlmError):
    """A session could not be started."""


class SlurmError(CurcLlmError):
    """Slurm refused what it was asked for, or can't be asked here."""


class SlurmSilentError(SlurmError):
    """Slurm gave no answer in time. Nothing is known then: a job may well run."""


class NodesDownError(SlurmError):
    """Slurm can't say when a job would start: nodes that it may need are down or drained."""


class EngineError(CurcLlmError):
    """The engine could not be started, or died."""


class DownloadError(CurcLlmError):
    """A model could not be downloaded."""


class TokenError(CurcLlmError):
    """The Hugging Face token is missing, isn't one, isn't accepted, or can't be stored."""


class PromptError(CurcLlmError, ValueError, TypeError):
    """A prompt is neither a text nor a conversation. Nothing was sent."""


class ParameterError(CurcLlmError, ValueError, TypeError):
    """A question was given a parameter that there is none of. Nothing was sent."""


class MissingPackageError(CurcLlmError, ImportError):
    """Something was asked for that needs a package which isn't installed."""


class VersionError(CurcLlmError):
    """Two versions don't fit: of this curc-llm, of the session's, or of a package that is used."""


class SchemaError(CurcLlmError, ValueError):
    """An answer doesn't fit the schema that was asked for, or the schema itself is none.

    Args:
        message, remedy: as for every `CurcLlmError`.
        text: what the model answered; empty when it wasn't asked.
    """

    def __init__(self, message: str, remedy: str = "", *, text: str = "") -> None:
        super().__init__(message, remedy)
        self.text = text


class ImageError(CurcLlmError, ValueError):
    """A picture can't be read, is too large, or isn't one that models take."""


class ToolError(CurcLlmError, ValueError):
    """A Python function can't be offered to a model, or the model never stopped asking for functions."""


class MagicError(CurcLlmError, ValueError):
    """What stands in a cell's magic can't be used, or a magic was stopped."""


class TunnelError(CurcLlmError):
    """A tunnel could not be opened, or can't be kept open."""


class PortError(CurcLlmError):
    """No port could be bound."""


class ApiError(CurcLlmError):
    """The session answered a request with an error.

    Args:
        message, remedy: as for every `CurcLlmError`.
        status: the HTTP status of the answer; None when there was no answer.
        code: the answer's `error.code`, such as `rate_limit_exceeded`; empty when it had none.
    """

    def __init__(self, message: str, remedy: str = "", *, status: int | None = None, code: str = "") -> None:
        super().__init__(message, remedy)
        self.status = status
        self.code = code
