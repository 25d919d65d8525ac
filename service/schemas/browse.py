"""The wire of the routes that look things up: neighbours, a user's tokens, searches, the served version."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from model_store.manifest import Manifest
from model_store.types import Item
from service.schemas.common import Token, WireRequest, tokens_json
from service.schemas.recommend import K
from service.types import FoundUser, Neighbours, UserProfile

PathId = Annotated[str, Field(min_length=1, max_length=256)]
"""An outside id in a path; 42 finds the integer 42 too."""
Query = Annotated[str, Field(max_length=100, description="A piece of what is looked for; left out: the first ones.")]
Limit = Annotated[int, Field(ge=1, le=100, description="Answers at most.")]


class SimilarRequest(WireRequest):
    """How many neighbours."""

    k: K = 10


class SimilarItemModel(BaseModel):
    """An item near the asked one."""

    item_id: int | str
    title: str
    similarity: float = Field(description="Cosine of graph and text vectors together, above 0, at most 1.")


class SimilarResponse(BaseModel):
    """Items near an item, nearest first."""

    item_id: int | str
    title: str
    items: list[SimilarItemModel]
    model_version: str

    @staticmethod
    def of(neighbours: Neighbours) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {**vars(neighbours), "items": [item._asdict() for item in neighbours.items]}


class ListedItemModel(BaseModel):
    """An item of a history."""

    item_id: int | str
    title: str


class UserTokensResponse(BaseModel):
    """What is known of one user."""

    user_id: int | str
    tokens: list[Token]
    history: list[ListedItemModel] = Field(description="The newest items, newest first.")
    model_version: str

    @staticmethod
    def of(profile: UserProfile) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {
            **vars(profile),
            "tokens": tokens_json(profile.tokens),
            "history": [item._asdict() for item in profile.history],
        }


class UserFound(BaseModel):
    """A user that the search found."""

    id: int | str
    label: str = Field(description="Words of the user's macro code.")
    num_history: int


class UsersResponse(BaseModel):
    """Users whose id holds the query; those with most history first."""

    users: list[UserFound]

    @staticmethod
    def of(users: list[FoundUser]) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {"users": [{"id": user.user_id, "label": user.label, "num_history": user.num_history} for user in users]}


class ItemFound(BaseModel):
    """An item that the search found."""

    id: int | str
    title: str
    categories: list[str]


class ItemsResponse(BaseModel):
    """Items whose title holds the query; popular ones first."""

    items: list[ItemFound]

    @staticmethod
    def of(items: list[Item]) -> dict[str, Any]:
        """The answer as plain JSON values."""
        return {"items": [{"id": item.item_id, "title": item.title, "categories": item.categories} for item in items]}


class LanguageModelInfo(BaseModel):
    """The frozen LLM that the version was trained against."""

    name: str
    sha256: str
    hidden_size: int
    context_length: int


class ModelResponse(BaseModel):
    """The served version: where it comes from, how large it is, how good training found it."""

    version: str
    dataset: str
    created_at: str
    counts: dict[str, int] = Field(description="Users, items, interactions.")
    tokens: dict[str, int] = Field(description="Levels, codebook_size, num_style, hidden_size.")
    language_model: LanguageModelInfo
    metrics: dict[str, Any] = Field(description="As the training run measured them.")
    config: dict[str, Any] = Field(description="The training run's configuration.")

    @staticmethod
    def of(manifest: Manifest) -> dict[str, Any]:
        """The answer as plain JSON values."""
        spec = manifest.language_model
        return {
            "version": manifest.version,
            "dataset": manifest.dataset,
            "created_at": manifest.created_at,
            "counts": manifest.counts,
            "tokens": manifest.tokens,
            "language_model": {name: getattr(spec, name) for name in LanguageModelInfo.model_fields},
            "metrics": manifest.metrics,
            "config": manifest.config,
        }
