"""What a person may do on the page: the owner all, a guest nothing that touches the owner's things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curc_llm.session.keys import OWNER
from curc_llm.session.notice import read_data_notice, render_guest_notice
from curc_llm.session.record import SessionRecord
from curc_llm.session.shares import render_guest


@dataclass(frozen=True)
class Access:
    """What the page offers a person, and refuses them when their browser asks nevertheless.

    Args:
        is_owner: False for a guest.
        name: for people; of a guest by link, what the owner called the link.
        may_attach_paths: attach files of the cluster: the chat reads them as the owner.
        may_see_key: see the *owner's* key. A guest gets their own by `POST <prefix>/key`.
        may_restart: restart an engine, or end the session.
        may_keep_going: start the idle clock again, which costs the owner; using the model does so too.
        may_see_logs: read logs, which name folders and other people.
        may_see_cost: see SU and account.
        may_see_others: see the use of everybody; a guest sees their own.
        may_see_warnings: see the session's warnings and failures, which name folders; a guest sees that the
            model failed, not why.
        notice: what they must know of their data.
    """

    is_owner: bool
    name: str
    may_attach_paths: bool = False
    may_see_key: bool = False
    may_restart: bool = False
    may_keep_going: bool = False
    may_see_logs: bool = False
    may_see_cost: bool = False
    may_see_others: bool = False
    may_see_warnings: bool = False
    notice: str = ""


def describe_access(user: str, record: SessionRecord | None, environ: Mapping[str, str]) -> Access:
    """What a person may do.

    Args:
        user: as the gateway says in `X-Curc-Llm-User`: `owner`, or a share's name. Nothing else is believed.
        record: the session, None before it is known.
        environ: the environment, for the centre's notice.

    Example:
        >>> describe_access("ana", None, {}).may_attach_paths
        False
    """
    if user == OWNER:
        name = record.owner if record else OWNER
        return Access(True, name, True, True, True, True, True, True, True, True, read_data_notice(environ))
    owner = record.owner if record else ""
    return Access(False, render_guest(user), notice=render_guest_notice(owner, environ))
