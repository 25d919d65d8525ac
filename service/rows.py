"""Matrix rows of outside ids that a client sent; what the served version does not know is an error fit for a client."""

from model_store.errors import UnknownId
from model_store.id_map import IdMap
from model_store.types import ItemId, UserId
from service.errors import UnknownItem, UnknownUser


def item_row(ids: IdMap, item_id: ItemId) -> int:
    """The item's row. Raises UnknownItem."""
    try:
        return ids.to_row(item_id)
    except UnknownId as error:
        raise UnknownItem(item_id) from error


def user_row(ids: IdMap, user_id: UserId) -> int:
    """The user's row. Raises UnknownUser."""
    try:
        return ids.to_row(user_id)
    except UnknownId as error:
        raise UnknownUser(user_id) from error
