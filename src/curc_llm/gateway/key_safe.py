"""Which key a person may see on the session's own page: the owner theirs, a guest theirs."""

from __future__ import annotations

from pathlib import Path

from curc_llm.errors import KeyFileError
from curc_llm.gateway.auth import Caller
from curc_llm.gateway.errors import RequestError
from curc_llm.session.keys import OWNER, read_secret_file
from curc_llm.session.shares import make_shared_key


class KeySafe:
    """Finds the keys of people who came by cookie.

    Args:
        api_key: the file with the owner's key.
        login_secret: the file with the secret that guests' keys are made of.
    """

    def __init__(self, api_key: Path, login_secret: Path) -> None:
        self._api_key = api_key
        self._login_secret = login_secret

    def find(self, visitor: Caller) -> str:
        """The visitor's own key.

        Raises:
            RequestError: they have none (403), or it can't be read (503).
        """
        try:
            if visitor.share is not None:
                return make_shared_key(read_secret_file(self._login_secret), visitor.share.share_id)
            if visitor.name == OWNER:
                return read_secret_file(self._api_key)
        except KeyFileError as error:
            raise RequestError(503, "keys_unavailable", f"The key can't be shown: {error}") from error
        raise RequestError(403, "permission_denied", "Only the session's owner may see its key.")
