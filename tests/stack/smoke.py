"""Asks every endpoint of a running stack and fails loudly: python -m tests.stack.smoke URL [--prometheus URL] ...

Needs nothing but Python 3.11. Which endpoints there are, the service's own OpenAPI says: one that no check asks is a
failure too.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

from tests.stack.checks import CHECKS, ON_DEMAND, Stack
from tests.stack.client import Client, SmokeFailure

WAIT_S = 300.0
POLL_S = 1.0
NUM_READY = 9
"""Answers in a row that tell of a ready service: each of a few replicas gives some of them."""


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when every check passed."""
    parser = argparse.ArgumentParser(description="Ask every endpoint of a running stack.")
    parser.add_argument("url", help="address of the service, as http://127.0.0.1:8000")
    parser.add_argument("--prometheus", metavar="URL", help="Prometheus of the stack")
    parser.add_argument("--grafana", metavar="URL", help="Grafana of the stack")
    parser.add_argument("--key", help="API key, where the service asks for one")
    parser.add_argument("--wait", metavar="SECONDS", type=float, default=WAIT_S, help="for all parts to be ready")
    names = [check.__name__ for check in CHECKS + ON_DEMAND]
    parser.add_argument("--only", metavar="CHECK", nargs="+", choices=names, help="these checks, at once")
    wanted = parser.parse_args(arguments)

    stack = Stack(Client(wanted.url, wanted.key))
    checks: list[tuple[str, Callable[[], str]]] = []
    if wanted.only is None:
        checks.append(("ready", partial(wait_until_ready, stack.client, wanted.wait)))
    chosen = CHECKS if wanted.only is None else [c for c in CHECKS + ON_DEMAND if c.__name__ in wanted.only]
    checks += [(check.__name__, partial(check, stack)) for check in chosen]
    if wanted.prometheus:
        checks.append(("prometheus", partial(prometheus, wanted.prometheus)))
    if wanted.grafana:
        checks.append(("grafana", partial(grafana, wanted.grafana)))
    failed = [name for name, check in checks if not passes(name, check)]
    say(f"{len(failed)} of {len(checks)} checks FAILED: {', '.join(failed)}" if failed else f"all {len(checks)} passed")
    return 1 if failed else 0


def passes(name: str, check: Callable[[], str]) -> bool:
    """Whether the check passes; what it saw is printed."""
    try:
        say(f"ok      {name}: {check()}")
    except SmokeFailure as failure:
        say(f"FAILED  {name}: {failure}")
        return False
    except (KeyError, IndexError, TypeError) as error:
        say(f"FAILED  {name}: an answer lacks {error!r}")
        return False
    return True


def say(line: str) -> None:
    """Print at once: a check can take long."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def wait_until_ready(client: Client, wait_s: float) -> str:
    """Return when no part is starting or down. Raises SmokeFailure after `wait_s` seconds."""
    started, num_ready = time.monotonic(), 0
    while True:
        try:
            states = {part["state"] for part in client.get("/readyz").json()["parts"].values()}
        except SmokeFailure as failure:
            states = {str(failure)}
        waited_s = time.monotonic() - started
        num_ready = num_ready + 1 if states <= {"ok", "off"} else 0
        if num_ready == NUM_READY:
            return f"after {waited_s:.0f} s"
        if num_ready == 0:
            if waited_s > wait_s:
                raise SmokeFailure(f"not after {wait_s:.0f} s: {', '.join(sorted(states))}")
            time.sleep(POLL_S)


def prometheus(url: str) -> str:
    """Every target that is found answers its scrapes, and one does."""
    answer = Client(url).get("/api/v1/targets", state="active").json()
    targets = {target["scrapeUrl"]: target["health"] for target in answer["data"]["activeTargets"]}
    if "up" not in targets.values() or "down" in targets.values():
        raise SmokeFailure(f"targets of Prometheus: {targets}")
    return f"{len(targets)} targets"


def grafana(url: str) -> str:
    """Grafana and its database are up."""
    health = Client(url).get("/api/health").json()
    if health["database"] != "ok":
        raise SmokeFailure(f"Grafana: {health}")
    return f"version {health['version']}"


if __name__ == "__main__":
    sys.exit(main())
