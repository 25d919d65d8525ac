"""beat-serve: run the service."""

import gc
import os
import socket
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from model_store.errors import ModelStoreError
from model_store.store import LATEST, ModelStore
from service.api_keys import make_key
from service.app import create_app
from service.bootstrap import Components
from service.http_protocol import OneWriteProtocol
from service.logs import configure_logs
from service.openapi import document_bytes
from service.setting_options import PORT, REDIS, STORE, VERSION, takes_settings, wrong_setting
from service.settings import Settings, SettingsError, unknown_variables, without_secrets
from service.versions import Versions

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Recommendations, and why: the online side of BEAT.")
console = Console()

_GRACE_S = 10
"""Seconds that requests under way may take after a stop signal."""


@app.callback()
def main() -> None:
    """Recommendations, and why: the online side of BEAT."""


@app.command()
@takes_settings
def run(settings: Settings) -> None:
    """Serve one version: POST /recommend, POST /explain, /docs, /healthz, /readyz, /metrics.

    Every option is also an environment variable; the option wins.
    """
    try:
        versions = Versions(settings)
        served = create_app(versions)
        listener = _listen(settings.host, settings.port)
    except SettingsError as error:
        raise wrong_setting(error) from error
    except (ModelStoreError, OSError) as error:
        console.print(f"[red]beat-serve cannot start:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from error
    _print_what_is_served(settings, versions.current, listener)
    _serve(settings, served, listener)


@app.command()
def demo(
    store: Annotated[Path, STORE] = Settings.store,
    port: Annotated[int, PORT] = Settings.port,
    stop: Annotated[bool, typer.Option("--exit", help="Stop after the answers instead of serving on.")] = False,
) -> None:
    """Start the service on the latest version, ask it for three users and print the answers."""
    from service.demo import DemoFailed, run_demo  # a client of the service: `run` need not load it

    try:
        run_demo(store, port, leave_running=not stop, console=console)
    except (ModelStoreError, DemoFailed) as error:
        console.print(f"[red]the demo failed:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from error


@app.command()
def load(
    store: Annotated[Path, STORE] = Settings.store,
    address: Annotated[str, typer.Option(help="Where the service listens.")] = "http://127.0.0.1:8000",
    rate: Annotated[float, typer.Option(help="Requests a second, on average.", min=0.01, max=1000)] = 5.0,
    seconds: Annotated[float, typer.Option(help="How long to go on asking.", min=1, max=3600)] = 60.0,
    recommend: Annotated[float, typer.Option(help="Share of recommendations.", min=0)] = 0.8,
    explain: Annotated[float, typer.Option(help="Share of explanations.", min=0)] = 0.1,
    stream: Annotated[float, typer.Option(help="Share of streamed explanations.", min=0)] = 0.1,
    zipf: Annotated[float, typer.Option(help="How much more the busiest users are asked for.", min=0, max=4)] = 1.0,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.", min=0.1, max=600)] = 60.0,
    api_key: Annotated[
        str, typer.Option(envvar="BEAT_API_KEY", help="The key to ask with, where keys are wanted.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed asks the same.")] = 0,
) -> None:
    """Ask a running service as a crowd would (Poisson arrivals, Zipf users), and print how it answered.

    Exits with 1 when nothing was answered.
    """
    from service.load import run, summary  # a client, as the demo
    from service.load_plan import LoadPlan

    try:
        plan = LoadPlan(rate, seconds, {"recommend": recommend, "explain": explain, "stream": stream}, zipf, seed)
        artifact = ModelStore(store).load(LATEST)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    except ModelStoreError as error:
        console.print(f"[red]no ids to ask for:[/] {error}", highlight=False)
        raise typer.Exit(1) from error
    with console.status(f"asking {address}: {rate:g} requests a second for {seconds:g} s"):
        answers = run(address, artifact, plan, timeout_s=timeout, api_key=api_key)
    console.print(summary(answers))
    if not any(found.seconds for found in answers.values()):
        raise typer.Exit(1)


@app.command()
def publish(
    redis: Annotated[str, REDIS],
    store: Annotated[Path, STORE] = Settings.store,
    version: Annotated[str, VERSION] = Settings.version,
    prune: Annotated[bool, typer.Option(help="Then delete the tokens of all other versions.")] = False,
) -> None:
    """Write the tokens of a version's users into Redis, before they are asked for. Interrupted, it goes on later."""
    from service.adapters.token_publisher import RedisFailed
    from service.publish import PruneRefused, publish_tokens

    try:
        publish_tokens(store, version, redis, prune=prune, console=console)
    except (ModelStoreError, RedisFailed, PruneRefused, ValueError) as error:
        console.print(f"[red]not published:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from here")
        raise typer.Exit(130) from None


@app.command()
def openapi(
    output: Annotated[Path | None, typer.Option(help="File to write; left out: standard output.")] = None,
) -> None:
    """Write the OpenAPI document of every route, admin routes included."""
    if output is not None:
        output.write_bytes(document_bytes())
    else:
        typer.echo(document_bytes(), nl=False)


@app.command()
def new_key(
    name: Annotated[str, typer.Argument(help="Who will use it: letters, digits and underscores.")],
    scopes: Annotated[str, typer.Option(help="What it is for: serve, admin or serve+admin.")] = "serve",
) -> None:
    """Make an API key: prints the key for its user, and the entry for BEAT_API_KEYS, which holds only its hash."""
    try:
        made = make_key(name, scopes)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}") from error
    console.print(f"[bold]key[/]    {made.secret}\n[bold]entry[/]  {made.entry}", highlight=False, soft_wrap=True)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that port 0 is known before it is printed. Raises OSError, naming the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(f"{host}:{port}: {error.strerror or error}") from error


def _print_what_is_served(settings: Settings, components: Components, listener: socket.socket) -> None:
    manifest = components.artifact.manifest
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    facts = {
        "address": f"http://{host}:{listener.getsockname()[1]} (try /docs)",
        "version": manifest.version,
        "users, items": f"{len(components.artifact.user_ids):,}, {len(components.artifact.catalog):,}",
        "language model": f"{manifest.language_model.name} ({without_secrets(settings.llm)})",
        "token cache": without_secrets(settings.redis),
    }
    table = Table.grid(padding=(0, 2))
    for name, fact in facts.items():
        table.add_row(f"[bold]{name}[/]", escape(fact))
    console.print(table, highlight=False, soft_wrap=True)
    told = " ".join(f"{name}={value}" for name, value in settings.printable().items())
    console.print(f"[bold]settings[/] {escape(told)}", highlight=False, soft_wrap=True)
    for variable, meant in unknown_variables(os.environ).items():
        console.print(f"[yellow]{variable} is no setting: is {meant} meant?[/]", highlight=False)


def _serve(settings: Settings, served: FastAPI, listener: socket.socket) -> None:
    configure_logs(settings.log_level, access_log=settings.access_log)
    gc.freeze()  # what was loaded lives as long as the process: the collector need not walk it during requests
    config = uvicorn.Config(
        served,
        log_config=None,
        access_log=settings.access_log,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        loop="uvloop",
        http=OneWriteProtocol,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    app()
