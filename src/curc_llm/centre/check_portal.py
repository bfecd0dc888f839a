"""The installed app against the portal it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from curc_llm.centre.app_settings import AppSettings
from curc_llm.centre.finding import Finding, compare
from curc_llm.centre.portal_files import PortalFiles, find_set_host

SUBJECT = "portal"
# The app is tested with the rules of these releases.
OLDEST, NEWEST = (3, 1), (4, 2)
ELSEWHERE = "Run this on the portal's web node, or give --portal-root a copy of its files."


def check_portal(app: AppSettings, portal: PortalFiles) -> Iterator[Finding]:
    """Version, proxy, clusters, form script."""
    if not portal.is_here:
        yield Finding(SUBJECT, "files", "unknown", "", "there is no Open OnDemand on this machine", ELSEWHERE)
        return
    yield _check_version(portal.version)
    yield _check_node_uri(app, portal)
    yield from _check_clusters(app, portal)
    yield Finding(
        SUBJECT, "dynamic JS", "ok" if portal.dynamic_js is not None else "unknown", "",
        f"{'on' if portal.dynamic_js else 'off'}; the form works with both",
    )  # fmt: skip


def _check_version(version: str) -> Finding:
    if not version:
        return Finding(SUBJECT, "version", "unknown", "", "", "Look at /opt/ood/VERSION on the web node.")
    numbers = (*(int(part) for part in version.split(".")), 0)[:2]
    said = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    if numbers < OLDEST:
        return Finding(SUBJECT, "version", "differs", said, version, "The app needs Open OnDemand 3.1.")
    if numbers > NEWEST:
        remedy = f"The app is tested with {said}; look at its form and card before you open it to everyone."
        return Finding(SUBJECT, "version", "unknown", said, version, remedy)
    return Finding(SUBJECT, "version", "ok", said, version)


def _check_node_uri(app: AppSettings, portal: PortalFiles) -> Finding:
    """The proxy is off unless ood_portal.yml names its path."""
    ours = app.text("node_uri")
    if portal.apache is None:
        return Finding(SUBJECT, "node_uri", "unknown", ours, "", "ood_portal.yml can't be read. " + ELSEWHERE)
    theirs = str(portal.apache.get("node_uri") or "")
    if not theirs:
        remedy = f"Set node_uri: {ours} in ood_portal.yml, and host_regex to the names of compute nodes."
        return Finding(SUBJECT, "node_uri", "differs", ours, "not set, so the proxy is off", remedy)
    return compare(
        SUBJECT,
        "node_uri",
        ours,
        theirs,
        remedy=f"Set node_uri: {theirs} in {app.root}/ood_app/portal.local.yml.",
    )


def _check_clusters(app: AppSettings, portal: PortalFiles) -> Iterator[Finding]:
    if portal.clusters is None:
        yield Finding(SUBJECT, "cluster", "unknown", ", ".join(app.clusters), "", ELSEWHERE)
        return
    for name in app.clusters:
        known = ", ".join(portal.clusters) or "none"
        if name in portal.clusters:
            yield Finding(SUBJECT, f"cluster {name}", "ok", name, f"in clusters.d ({known})")
        else:
            remedy = f"Install again with CLUSTER= one of: {known}."
            yield Finding(SUBJECT, f"cluster {name}", "differs", name, f"clusters.d has {known}", remedy)


def check_host_name(app: AppSettings, portal: PortalFiles, short: str, fqdn: str) -> Finding:
    """Whether the name that the app gives its nodes is one that the proxy lets through.

    Args:
        app: says which name (`host`).
        portal: says which names pass (`host_regex`).
        short: a compute node's short name.
        fqdn: its full name.
    """
    regex = str((portal.apache or {}).get("host_regex") or "[^/]+")
    wanted = app.text("host") or "portal"
    name = {"short": short, "fqdn": fqdn}.get(wanted) or _host_of_portal(app, portal, short, fqdn)
    if portal.apache is None:
        return Finding(
            SUBJECT, "host_regex", "unknown", name, "", "ood_portal.yml can't be read. " + ELSEWHERE
        )
    if _matches(regex, name):
        return Finding(SUBJECT, "host_regex", "ok", regex, f"{name} passes (host: {wanted})")
    better = next((kind for kind, n in (("short", short), ("fqdn", fqdn)) if _matches(regex, n)), "")
    remedy = f"Install again with HOST={better}." if better else f"Let host_regex take {short} or {fqdn}."
    return Finding(SUBJECT, "host_regex", "differs", regex, f"{name} doesn't pass (host: {wanted})", remedy)


def _host_of_portal(app: AppSettings, portal: PortalFiles, short: str, fqdn: str) -> str:
    """What the cluster's own set_host gives, as far as that can be told; `hostname` without one."""
    said = " ".join(find_set_host((portal.clusters or {}).get(name)) for name in app.clusters)
    if re.search(r"hostname\s+(-f|--fqdn|-A)", said):
        return fqdn
    return short if "-s" in said else fqdn if "." in fqdn and not said else short


def _matches(regex: str, name: str) -> bool:
    try:
        return re.fullmatch(regex, name) is not None
    except re.error:
        return False
