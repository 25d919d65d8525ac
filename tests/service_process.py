"""`beat-serve run` in a process of its own, on a free port."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

HEAD_LINES = 6
"""What it prints before it serves."""


class ServiceProcess(NamedTuple):
    """The process, what it printed until it began to serve, and where it listens."""

    process: subprocess.Popen[str]
    printed: str
    address: str


@contextmanager
def service_process(*arguments: str, **environment: str) -> Iterator[ServiceProcess]:
    """The service while the block runs; killed at its end."""
    command = [sys.executable, "-m", "service", "run", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    try:
        printed = "".join(process.stdout.readline() for _ in range(HEAD_LINES))
        found = re.search(r"http://\S+", printed)
        assert found, printed
        yield ServiceProcess(process, printed, found.group())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
