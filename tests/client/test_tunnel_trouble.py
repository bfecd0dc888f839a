"""What ssh says, as OpenSSH 9 prints it, and what people are told."""

from __future__ import annotations

import pytest

from curc_llm.client.tunnel import Login, TunnelEnd
from curc_llm.client.tunnel_trouble import explain_exit, explain_unreached

LOGIN = Login("login.rc.colorado.edu", "ralphie")
END = TunnelEnd("c3gpu-a2-u1", 8000)
CHANGED = """\
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Host key for login.rc.colorado.edu has changed and you have requested strict checking.
Host key verification failed."""


@pytest.mark.parametrize(
    ("said", "told", "is_final"),
    [
        (CHANGED, "another host key", True),
        ("Host key verification failed.", "isn't known here", True),
        (
            "ralphie@login: Permission denied (publickey,keyboard-interactive).",
            "refuses the login as ralphie",
            True,
        ),
        ("ssh: Could not resolve hostname logn: Name or service not known", "There is no host", False),
        ("ssh: connect to host login port 22: Connection refused", "can't be reached", False),
        ("ssh: connect to host login port 22: Connection timed out", "can't be reached", False),
        ("Timeout, server login not responding.", "fell silent", False),
        ("kex_exchange_identification: read: Connection reset by peer", "hung up", False),
        ("Connection to login closed by remote host.", "hung up", False),
        ("bind [127.0.0.1]:8000: Address already in use", "taken meanwhile", False),
        ("/h/.ssh/config: line 3: Bad configuration option: foo", "line 3", True),
        ("something new", "something new", False),
        ("", "without a word", False),
    ],
)
def test_what_ssh_says_becomes_a_sentence(said: str, told: str, is_final: bool) -> None:
    trouble = explain_exit(said, LOGIN, END)
    assert told in trouble.message
    assert trouble.is_final is is_final


def test_a_changed_key_says_how_to_forget_the_old_one_at_its_port() -> None:
    assert "ssh-keygen -R login.rc" in explain_exit(CHANGED, LOGIN, END).remedy
    trouble = explain_exit(CHANGED, Login("127.0.0.1", "me", 2222), END)
    assert 'ssh-keygen -R "[127.0.0.1]:2222"' in trouble.remedy


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("channel 2: open failed: connect failed: Connection refused", "nothing listens on its port 8000"),
        (
            "channel 2: open failed: administratively prohibited: open failed",
            "doesn't let connections through",
        ),
        ("channel 2: open failed: connect failed: Connection timed out", "a firewall may be between"),
        ("channel 2: open failed: connect failed: No route to host", "is the node down?"),
        (
            "channel 2: open failed: connect failed: Name or service not known",
            "doesn't know a node c3gpu-a2-u1",
        ),
        ("", "nothing answers at c3gpu-a2-u1:8000"),
    ],
)
def test_a_tunnel_that_leads_nowhere_says_why(said: str, told: str) -> None:
    trouble = explain_unreached(said, LOGIN, END)
    assert told in trouble.message
    assert trouble.remedy
    assert trouble.is_final
