"""A real Prometheus on a free loopback port, configured as the compose stack's is, with other addresses."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

CONFIG = Path(__file__).parents[1] / "docker" / "prometheus" / "prometheus.yml"
START_TIMEOUT_S = 30.0
INTERVAL = "1s"
"""Between scrapes and between evaluations: a test has not the time of the real ones."""


class PrometheusServer:
    """Scrapes `targets` (addresses by job name); its own data is in `folder`."""

    def __init__(self, binary: Path, folder: Path, targets: Mapping[str, str]) -> None:
        self._folder = folder
        config = _config(targets)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        self.url = f"http://{address}"
        self._command = [
            str(binary),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
        ]

    def __enter__(self) -> Self:
        """Return once it is ready."""
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._ready():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, f"not ready within {START_TIMEOUT_S:g} s"
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, path: str, **parameters: object) -> Any:
        """The data of an API's answer. AssertionError, with Prometheus' own words, when it is an error."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params={k: str(v) for k, v in parameters.items()}).json()
        assert answer["status"] == "success", (answer["error"], parameters)
        return answer["data"]

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def find_prometheus(name: str = "prometheus") -> Path | None:
    """prometheus (or promtool) on PATH, else what tests/install_prometheus.sh unpacked, else None."""
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    unpacked = Path(sys.prefix) / "prometheus" / "usr" / "bin" / name
    return unpacked if unpacked.is_file() else None


def _config(targets: Mapping[str, str]) -> dict[str, Any]:
    """The stack's configuration with fixed addresses in place of looked-up names."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
    config["rule_files"] = [str(CONFIG.with_name(name)) for name in config["rule_files"]]
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    return config
