"""The environment that Gradio is imported in: no outside connection, no folder that others share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",  # asks api.gradio.app otherwise
    "GRADIO_RUN_HISTORY": "False",  # keeps conversations in browser storage otherwise
    "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}


@contextmanager
def prepare_environment(parent: Path) -> Iterator[Path]:
    """Sets the environment of this process; on leaving, deletes Gradio's temporary folder.

    Args:
        parent: a private folder on the local disk (the runtime folder); Gradio's usual one, /tmp/gradio, is
            everybody's.

    Yields:
        The temporary folder.
    """
    os.umask(0o077)
    folder = Path(tempfile.mkdtemp(prefix="gradio-", dir=parent))
    os.environ.update(QUIET, GRADIO_TEMP_DIR=str(folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
