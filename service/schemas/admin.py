"""The wire of the routes that change which version is served."""

from typing import Annotated

from pydantic import BaseModel, Field

from service.schemas.common import WireRequest


class ReloadRequest(WireRequest):
    """Which version to serve."""

    version: Annotated[str, Field(strict=True, min_length=1, max_length=256)] = Field(
        "latest", description="Name of a published version, or latest."
    )


class ServedVersion(BaseModel):
    """The version that is served from now on."""

    model_version: str
    previous_version: str = Field(description="Served before; the same when nothing had to change.")
    seconds: float = Field(description="What loading and checking took.")
