"""LoRA adapters as the portal's form sends them: one text, commas between."""

from __future__ import annotations

from curc_llm.errors import AdapterError
from curc_llm.launch.portal_values import PortalValueError
from curc_llm.spec.adapter import check_adapter_name
from curc_llm.spec.model_folder import is_hub_id

MOST_CHARACTERS = 512
_ALLOWED = "NAME=OWNER/ADAPTER or NAME=/full/path, commas between them"


def read_adapters(text: str) -> tuple[str, ...]:
    """The adapters of a field's text, each as `curc-llm launch --adapter` takes it.

    Args:
        text: `NAME=SOURCE`, a source alone (then its last part is the name) or the name of one of the
            catalogue's, with commas between; a source is a Hugging Face id or a folder's full path.

    Raises:
        PortalValueError: one can't be meant.

    Example:
        >>> read_adapters("sql=someone/sql-lora, /projects/me/law")
        ('sql=someone/sql-lora', 'law=/projects/me/law')
    """
    if len(text) > MOST_CHARACTERS or not text.isprintable():
        raise PortalValueError("adapter", text, _ALLOWED)
    found = tuple(_read_one(one.strip()) for one in text.split(",") if one.strip())
    names = [one.partition("=")[0] for one in found]
    if len(set(names)) < len(names):
        raise PortalValueError("adapter", text, "adapters with a name of its own for each")
    return found


def _read_one(one: str) -> str:
    name, sign, source = one.partition("=")
    if not sign and "/" in one:
        name, source = one.rstrip("/").rpartition("/")[2], one
    try:
        check_adapter_name(name)
    except AdapterError as error:
        raise PortalValueError("adapter", one, _ALLOWED) from error
    is_folder = source.startswith("/") and ".." not in source.split("/")
    if (sign or source) and not (is_folder or is_hub_id(source)):
        raise PortalValueError("adapter", one, _ALLOWED)
    return f"{name}={source}" if source else name
