"""Why a tunnel didn't open or broke, from what ssh says (OpenSSH's messages are English everywhere). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from curc_llm.client.tunnel import Login, TunnelEnd


@dataclass(frozen=True)
class TunnelTrouble:
    """What went wrong.

    Args:
        message: what happened.
        remedy: what to do next.
        is_final: True when trying again by itself can't help.
    """

    message: str
    remedy: str = ""
    is_final: bool = False


# Words of ssh, message, remedy, whether it is final. The first row that fits counts.
_ROWS: tuple[tuple[tuple[str, ...], str, str, bool], ...] = (
    (
        ("REMOTE HOST IDENTIFICATION HAS CHANGED",),
        "{host} shows another host key than the one that this computer remembers.",
        "Ask the centre whether its key has changed. Only if it has: ssh-keygen -R {known}",
        True,
    ),
    (
        ("Host key verification failed",),
        "The host key of {host} isn't known here, and nobody confirmed it.",
        "Run `ssh {login}` once and compare the key with the one that the centre publishes.",
        True,
    ),
    (
        ("Permission denied", "Too many authentication failures", "No supported authentication methods"),
        "{host} refuses the login{user}.",
        "Does `ssh {login}` work? Name your account there: --login-host USER@{host}",
        True,
    ),
    (
        ("administratively prohibited",),
        "{host} doesn't let connections through to {end}.",
        "Try --via-node, which logs in on the node itself; or ask the centre's staff about port forwarding.",
        True,
    ),
    (
        ("Address already in use", "cannot listen to port", "Could not request local forwarding"),
        "The port on this computer was taken meanwhile.",
        "Run it again, without --local-port.",
        False,
    ),
    (
        (
            "Bad configuration option",
            "Bad owner or permissions",
            "Can't open user config file",
            "terminating, ",
        ),
        "ssh can't use its settings: {line}",
        "Mend the file that it names.",
        True,
    ),
    (
        ("Could not resolve hostname",),
        "There is no host {host}, or no network.",
        "Check --login-host.",
        False,
    ),
    (
        ("Connection refused", "timed out", "No route to host", "Network is unreachable"),
        "{host} can't be reached by ssh.",
        "Is the network up, and the VPN, if your centre needs one?",
        False,
    ),
    (
        ("not responding", "Broken pipe"),
        "The connection to {host} fell silent.",
        "",
        False,
    ),
    (
        (
            "kex_exchange_identification",
            "Connection closed by",
            "Connection reset by",
            "closed by remote host",
        ),
        "{host} hung up.",
        "It may be restarting, or limit how often one logs in: wait a minute.",
        False,
    ),
)
# What the login host says when it can't open the way to the node, and how to put it.
_CHANNEL = (
    ("administratively prohibited", "doesn't let connections through to {end}"),
    ("Connection refused", "reaches {node}, but nothing listens on its port {port}: has the session ended"),
    ("timed out", "can't reach {end}: a firewall may be between them"),
    ("No route to host", "can't reach {end}: is the node down"),
    ("Name or service not known", "doesn't know a node {node}"),
    ("Temporary failure in name resolution", "doesn't know a node {node}"),
)


def explain_exit(text: str, login: Login, end: TunnelEnd) -> TunnelTrouble:
    """Why ssh ended.

    Args:
        text: what it wrote to standard error.
        login: where it logged in.
        end: where it was to lead.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    known = f'"[{login.host}]:{login.port}"' if login.port else login.host
    words = {
        "host": login.host,
        "login": str(login) + (f" -p {login.port}" if login.port else ""),
        "user": f" as {login.user}" if login.user else "",
        "end": str(end),
        "known": known,
        "line": lines[-1][:200] if lines else "",
    }
    for needles, message, remedy, is_final in _ROWS:
        if any(needle in text for needle in needles):
            return TunnelTrouble(message.format(**words), remedy.format(**words), is_final)
    said = f": {lines[-1][:200]}" if lines else " without a word."
    return TunnelTrouble(f"ssh to {login.host} ended{said}", "Does `ssh {login}` work?".format(**words))


def explain_unreached(text: str, login: Login, end: TunnelEnd) -> TunnelTrouble:
    """Why nothing answers behind a tunnel that stands."""
    words = {"end": str(end), "node": end.host, "port": end.port}
    lines = [line for line in text.splitlines() if "open failed" in line]
    what = next((said for needle, said in _CHANNEL if lines and needle in lines[-1]), "")
    if not what:
        return TunnelTrouble(
            f"The tunnel stands, but nothing answers at {end}.",
            "Has the session ended? Look at its card.",
            True,
        )
    from_where = end.host if end.on_node else login.host
    question = "?" if what.endswith(("ended", "down")) else "."
    remedy = "Look at the session's card, or run curc-llm ls on the cluster."
    if "refused" not in lines[-1] and not end.on_node:
        remedy = "Try --via-node, which logs in on the node itself."
    return TunnelTrouble(f"{from_where} {what.format(**words)}{question}", remedy, True)
