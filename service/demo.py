"""The demo: starts the service, asks it for three users as any client would, and prints the answers."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import numpy as np
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from model_store.artifact import Artifact
from model_store.store import LATEST, ModelStore
from model_store.types import UserId

NUM_ITEMS = 5
"""Items asked for each user; the first one is explained."""
START_TIMEOUT_S = 180
REQUEST_TIMEOUT_S = 120
_POLL_S = 0.25
_NUM_PAST = 6


class DemoFailed(Exception):
    """The demo could not be shown; the message says at which step and what to look at."""


@dataclass(frozen=True)
class DemoUser:
    """Somebody to ask for, and titles from their training history."""

    user_id: UserId
    num_past: int
    past_titles: tuple[str, ...]


def choose_users(artifact: Artifact) -> tuple[DemoUser, ...]:
    """Three users at the quartiles of activity: a quiet, a middling and a busy one. The same for the same artifact."""
    lengths = np.diff(artifact.histories.indptr)
    by_activity = np.argsort(lengths, kind="stable")
    rows = [int(by_activity[len(by_activity) * quarter // 4]) for quarter in (1, 2, 3)]
    return tuple(_demo_user(artifact, row) for row in dict.fromkeys(rows))


def run_demo(store: Path, port: int, *, leave_running: bool, console: Console) -> None:
    """Serve the latest version of `store` on `port` (another one if it is taken) and ask for three users.

    With `leave_running` the service goes on until Ctrl-C. Raises DemoFailed, and ModelStoreError for a bad store.
    """
    users = choose_users(ModelStore(store).load(LATEST))
    with _service(store, port, console) as (address, process), httpx.Client(base_url=address) as client:
        _wait_until_ready(client, process, console)
        for user in users:
            console.print(_answers(client, user))
        if leave_running:
            console.print(f"\nThe service goes on: open [bold]{address}[/] in a browser; Ctrl-C stops it.")
            _wait_for_end(process)


@contextmanager
def _service(store: Path, port: int, console: Console) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The service in a process of its own, with its address; stopped at the end, its log shown when it failed."""
    command = [sys.executable, "-m", "service", "run", "--store", str(store), "--port", str(_free_port(port))]
    with tempfile.TemporaryFile() as log:
        terminated = signal.signal(signal.SIGTERM, _end)  # or the service would outlive a terminated demo
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{command[-1]}", process
        except DemoFailed:
            console.print(Text(f"log of the service, its last lines:\n{_tail(log)}", "dim"), soft_wrap=True)
            raise
        finally:
            process.terminate()
            process.wait()
            signal.signal(signal.SIGTERM, terminated)


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], console: Console) -> None:
    """Return once the language model answers too."""
    started = time.monotonic()
    with console.status("starting the service") as line:
        while True:
            waited_s = time.monotonic() - started
            states = _part_states(client)
            if states and set(states.values()) <= {"ok", "off"}:
                console.print(f"service ready at {client.base_url} after {waited_s:.1f} s")
                return
            if process.poll() is not None:
                raise DemoFailed(f"the service ended while starting (exit status {process.returncode})")
            if waited_s > START_TIMEOUT_S or "down" in states.values():
                raise DemoFailed(f"the service is not ready after {waited_s:.0f} s: {states or 'no answer'}")
            waiting_for = ", ".join(name for name, state in states.items() if state == "starting") or "the first answer"
            line.update(f"starting the service: waiting for {waiting_for}, {waited_s:.0f} s")
            time.sleep(_POLL_S)


def _part_states(client: httpx.Client) -> dict[str, str]:
    """State of each part by name; empty while nobody listens."""
    try:
        answer = client.get("/readyz")
    except httpx.TransportError:
        return {}
    return {name: part["state"] for name, part in answer.json()["parts"].items()}


def _answers(client: httpx.Client, user: DemoUser) -> Panel:
    """What the service says for one user, fit for reading."""
    recommended, recommend_ms = _ask(client, "/recommend", {"user_id": user.user_id, "k": NUM_ITEMS})
    if not recommended["items"]:
        raise DemoFailed(f"/recommend had nothing for user {user.user_id!r}")
    item_id = recommended["items"][0]["item_id"]
    explained, explain_ms = _ask(
        client, "/explain", {"user_id": user.user_id, "item_id": item_id, "deadline_ms": 60_000}
    )
    return Panel(
        Group(
            _heading("liked before", f"{user.num_past} items"),
            Text("  " + " · ".join(user.past_titles)),
            _heading("behaviour tokens", "read off the graph, named by their members' words"),
            _tokens_table(recommended["user_tokens"]),
            _heading("recommended", f"{recommend_ms:.1f} ms"),
            _items_table(recommended["items"]),
            _heading(f"why {explained['title']}?", f"source: {explained['source']}, {explain_ms:.0f} ms"),
            Text("  " + explained["text"], style="green"),
            _evidence(explained["evidence"]),
        ),
        title=Text(f"user {user.user_id}"),
        title_align="left",
    )


def _ask(client: httpx.Client, path: str, body: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """The answer and the milliseconds it took. Raises DemoFailed for any other status than 200."""
    started = time.perf_counter()
    try:
        answer = client.post(path, json=body, timeout=REQUEST_TIMEOUT_S)
    except httpx.TransportError as error:
        raise DemoFailed(f"POST {path} {body}: no answer ({error})") from error
    if answer.status_code != 200:
        raise DemoFailed(f"POST {path} {body}: status {answer.status_code}: {answer.text}")
    return answer.json(), 1e3 * (time.perf_counter() - started)


def _heading(text: str, note: str) -> Text:
    return Text.assemble((f"\n{text}", "bold"), (f"  {note}", "dim"))


def _tokens_table(tokens: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for token in tokens:
        table.add_row(Text(f"  {token['level']}", "cyan"), Text(str(token["code"]), "dim"), Text(token["label"]))
    return table


def _items_table(items: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for item in items:
        score = Text(f"  {item['score']:.3f}", "dim")
        table.add_row(score, Text(item["title"]), Text(", ".join(item["categories"]), "dim"))
    return table


def _evidence(evidence: dict[str, Any]) -> Text:
    """Shared words and the past items that speak for the item, most similar first."""
    past = ", ".join(f"{item['title']} ({item['similarity']:.2f})" for item in evidence["past_items"])
    words = ", ".join(evidence["shared_words"])
    return Text(f"  evidence: liked {past or 'nothing similar'}; shared words: {words or 'none'}", "dim")


def _demo_user(artifact: Artifact, row: int) -> DemoUser:
    past = artifact.histories.of(row)
    newest = [artifact.catalog.titles[int(item_row)] for item_row in past[-_NUM_PAST:]]
    return DemoUser(artifact.user_ids.to_id(row), len(past), tuple(newest))


def _end(signum: int, _frame: object) -> None:
    raise SystemExit(128 + signum)


def _free_port(preferred: int) -> int:
    """`preferred` if nobody listens there, else a port that the system offers."""
    for port in (preferred, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as listener:
                return int(listener.getsockname()[1])
        except OSError:
            continue
    raise DemoFailed("no free port on 127.0.0.1")


def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Return on Ctrl-C. Raises DemoFailed when the service ends by itself."""
    try:
        process.wait()
    except KeyboardInterrupt:
        return
    raise DemoFailed(f"the service ended (exit status {process.returncode})")


def _tail(log: IO[bytes], num_lines: int = 20) -> str:
    log.seek(0)
    return b"\n".join(log.read().splitlines()[-num_lines:]).decode(errors="replace")
