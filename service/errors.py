"""Everything that can go wrong while a request is answered.

ServiceError
├── UnknownUser(user_id)
├── UnknownItem(item_id)
├── UnknownHistory(item_ids)
├── NotReady(part, retry_after_s)
├── Overloaded(part, retry_after_s)
├── LanguageModelUnavailable(reason, retry_after_s)
├── LanguageModelTimeout(timeout_s)
├── Unauthenticated
├── Forbidden(scope)
├── RateLimited(wait_s)
├── VersionRefused(version, reason)
└── NothingToRollBackTo

The HTTP status of each stands in one table, in `service/problems.py`.
"""

import math

from model_store.types import ItemId, UserId


class ServiceError(Exception):
    """Base of this package's errors. `str(error)` is fit for a client's eyes."""

    retry_after_s: int | None = None
    """When asking again may help, in seconds; None when it will not."""


class UnknownUser(ServiceError):
    """The served version knows no such user."""

    def __init__(self, user_id: UserId) -> None:
        self.user_id = user_id
        super().__init__(f"no user {user_id!r} in the served model")


class UnknownItem(ServiceError):
    """The served version knows no such item."""

    def __init__(self, item_id: ItemId) -> None:
        self.item_id = item_id
        super().__init__(f"no item {item_id!r} in the served model")


class UnknownHistory(ServiceError):
    """A history without any item that is known: it says nothing about anybody."""

    def __init__(self, item_ids: tuple[ItemId, ...]) -> None:
        self.item_ids = item_ids
        super().__init__("no item of the history is in the served model" if item_ids else "the history is empty")


class NotReady(ServiceError):
    """A part that this request needs is still starting."""

    def __init__(self, part: str, retry_after_s: int = 5) -> None:
        self.part = part
        self.retry_after_s = retry_after_s
        super().__init__(f"{part} is not ready yet")


class Overloaded(ServiceError):
    """A bounded queue is full; waiting longer would help nobody."""

    def __init__(self, part: str, retry_after_s: int = 1) -> None:
        self.part = part
        self.retry_after_s = retry_after_s
        super().__init__(f"{part} has no room for another request")


class LanguageModelUnavailable(ServiceError):
    """The language model does not answer, or answers wrongly. `reason` is for a client: no addresses, no traces."""

    def __init__(self, reason: str, retry_after_s: int = 10) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(f"the language model is unavailable: {reason}")


class LanguageModelTimeout(ServiceError):
    """The language model took longer than allowed."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(f"the language model did not finish within {timeout_s:g} s")


class Unauthenticated(ServiceError):
    """No key was presented where one is needed, or one that nobody has."""

    def __init__(self) -> None:
        super().__init__("this needs a known API key: Authorization: Bearer KEY")


class Forbidden(ServiceError):
    """The key that was presented is not for this."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"this needs an API key with the scope {scope!r}")


class RateLimited(ServiceError):
    """The caller has asked more often than is agreed."""

    def __init__(self, wait_s: float) -> None:
        self.retry_after_s = math.ceil(wait_s)
        super().__init__("this API key has asked more often than it may")


class VersionRefused(ServiceError):
    """A model version cannot be served; the one that is served goes on."""

    def __init__(self, version: str, reason: str) -> None:
        self.version = version
        self.reason = reason
        super().__init__(f"version {version!r} is refused: {reason}")


class NothingToRollBackTo(ServiceError):
    """No other version has been served since the start."""

    def __init__(self) -> None:
        super().__init__("no other version has been served since the start")
