"""The command that brings a version's tokens into Redis, and shows how far it is."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from model_store.store import ModelStore
from service.adapters.token_publisher import TokenPublisher


class PruneRefused(Exception):
    """Others are still served: the message says which version."""


def publish_tokens(store: Path, version: str, url: str, *, prune: bool, console: Console) -> None:
    """Write the tokens of all users of the version; with `prune` then delete those of the versions before it.

    Raises ModelStoreError, RedisFailed, PruneRefused. An interrupted run leaves what is written: the next goes on.
    """
    models = ModelStore(store)
    artifact = models.load(version, verify_language_model=False)
    if prune and models.latest() != artifact.version:
        raise PruneRefused(f"{models.latest()} is the latest version, not {artifact.version}: its tokens are in use")
    publisher = TokenPublisher(url, version=artifact.version, ids=artifact.user_ids, codes=artifact.user_codes)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
    with bar:
        task = bar.add_task(artifact.version, total=len(artifact.user_ids))
        published = publisher.publish(lambda users: bar.update(task, completed=users))
    console.print(
        f"{published.users:,} users written, {len(artifact.user_ids):,} there; "
        f"Redis uses {published.redis_bytes / 2**20:.1f} MiB",
        highlight=False,
    )
    if prune:
        console.print(f"{publisher.prune():,} keys of other versions deleted", highlight=False)
    publisher.close()
