"""`python -m curc_llm.job.portal STAGED_ROOT`: what a launch from the portal runs; it becomes the job itself.

STAGED_ROOT is the portal's folder of the session. It gets a link `session` to the session's own folder,
through which the card reads how it is doing; what goes wrong before there is a session is said in
`trouble.json`. A job that Slurm starts again finds the link and the folder of its last run: both are begun
anew.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curc_llm.errors import SpecError
from curc_llm.job.portal_trouble import explain_trouble, write_trouble

if TYPE_CHECKING:
    from curc_llm.sites.site import Site

EXIT_USAGE = 2
LINK = "session"
SITE_FACTS = "portal.json"
CONTEXT = "user_defined_context.json"
# A host name as the proxy's path takes it: letters, digits, dots and hyphens (RFC 1123).
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,250}[A-Za-z0-9])?")
_UUID_START = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-")


def main(arguments: Sequence[str] | None = None) -> int:
    """Becomes the session's job, or leaves a sentence for the card and returns 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m curc_llm.job.portal STAGED_ROOT\n")
        return EXIT_USAGE
    os.umask(0o077)
    staged_root = Path(arguments[0]).absolute()
    try:
        spec_path = prepare_session(staged_root, os.environ)
    except Exception as error:  # noqa: BLE001 - whatever it is, the card must say something
        trouble = explain_trouble(error)
        sys.stderr.write(f"Error: {trouble.message} {trouble.remedy}\n")
        write_trouble(staged_root, trouble)
        return 1
    command = [sys.executable, "-P", "-m", "curc_llm.job", str(spec_path)]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted
    return 1


def prepare_session(staged_root: Path, environ: Mapping[str, str]) -> Path:
    """Makes the session's folder from what the form sent, and links it into the portal's folder.

    Args:
        staged_root: the portal's folder of this session.
        environ: the job's environment.

    Returns:
        The path of spec.json.

    Raises:
        CurcLlmError: a value can't be meant, the launch can't work, or a folder can't be written.
    """
    # Imported here so that a broken environment is told as such (main), not as a stack trace.
    from curc_llm.launch.given_cores import bill_given_cores
    from curc_llm.launch.portal import make_portal_request
    from curc_llm.launch.portal_values import read_context
    from curc_llm.launch.request import make_slurm_spec
    from curc_llm.launch.site_plan import load_site_facts
    from curc_llm.session.files import write_json, write_private
    from curc_llm.session.paths import SessionPaths
    from curc_llm.sites.placement import load_site_settings

    settings = load_site_settings(environ=environ)
    facts = load_site_facts(settings)
    request = make_portal_request(read_context(staged_root / CONTEXT), facts)
    spec = make_slurm_spec(
        request,
        settings,
        facts=facts,
        session_id=make_portal_session_id(staged_root),
        advertise_host=read_host(environ),
    )
    spec = bill_given_cores(spec, facts.site, environ)
    paths = SessionPaths(spec.session_dir)
    paths.make()
    try:
        forget_last_run(paths.root)
        write_private(paths.spec, spec.model_dump_json(indent=1))
        write_json(paths.root / SITE_FACTS, make_site_facts(facts.site))
    except OSError as error:
        error.filename = error.filename or str(paths.spec)  # a full disk doesn't say which
        raise
    link_session(staged_root, paths.root)
    return paths.spec


def make_site_facts(site: Site) -> dict[str, Any]:
    """What the card tells of the site: the portal itself has no site file.

    Example:
        >>> make_site_facts(load_site("alpine"))["unit"]
        'SU'
    """
    return {"login_hosts": list(site.login_hosts), "unit": site.billing.unit, "support": site.support}


def make_portal_session_id(staged_root: Path) -> str:
    """The session's name: from the portal's own id of it, so that a job that starts again keeps its name.

    Example:
        >>> make_portal_session_id(Path("/d/output/2c9b8a00-1111-4222-8333-123456789abc"))
        'ood-2c9b8a00'
    """
    found = _UUID_START.match(staged_root.name)
    if found is None:
        from curc_llm.spec import make_session_id

        return make_session_id("ood")
    return f"ood-{found[1]}"


def read_host(environ: Mapping[str, str]) -> str:
    """The node's name as the portal's job script set it and its proxy expects it; empty when unusable."""
    host = environ.get("host", "")
    return host if _HOST.fullmatch(host) else ""


def forget_last_run(root: Path) -> None:
    """Removes what a card would take for this run's: record, keys and secrets of the run before."""
    for name in ("session.json", "api.key", "keys.json", "login.key", "login.used"):
        (root / name).unlink(missing_ok=True)


def link_session(staged_root: Path, session_dir: Path) -> None:
    """Links the session's folder into the portal's, at once: a card sees the old link or the new one.

    Raises:
        SpecError: something else than a link has that name.
        OSError: the folder can't be written.
    """
    link, beside = staged_root / LINK, staged_root / f".{LINK}.{os.getpid()}"
    if link.exists() and not link.is_symlink():
        raise SpecError(f"{link} isn't a link.", "Move it away and launch again.")
    beside.unlink(missing_ok=True)
    beside.symlink_to(session_dir, target_is_directory=True)
    beside.replace(link)


if __name__ == "__main__":
    sys.exit(main())
