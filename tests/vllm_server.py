"""A real vLLM server on a free loopback port, for the tests marked `vllm`."""

import socket
import subprocess
import time
from pathlib import Path
from typing import IO, Self

import httpx

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
"""What `make vllm` installs."""
START_TIMEOUT_S = 600
"""A first start compiles for about two minutes on two idle cores."""


class VllmServer:
    """Serves the LLM in `model_folder` under `name`, started as `make vllm` starts it."""

    def __init__(self, model_folder: Path, name: str, *, dtype: str, log: IO[bytes]) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command: list[str | Path] = [
            ROOT / "docker" / "vllm" / "serve.sh",
            PYTHON,
            model_folder,
            name,
            str(port),
            "--dtype",
            dtype,
        ]
        self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        """Return once it listens; AssertionError, with what to look at, when it ends or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._listens():
            assert self._process.poll() is None, f"vLLM ended with {self._process.returncode}; see its log"
            assert time.monotonic() < deadline, f"vLLM did not listen within {START_TIMEOUT_S} s; see its log"
            time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False
