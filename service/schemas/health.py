"""The wire of readiness."""

from typing import Any, Literal

from pydantic import BaseModel

from service.types import Part


class PartState(BaseModel):
    """One part of the service: `state` is ok, starting, down or off."""

    state: Literal["ok", "starting", "down", "off"]
    detail: str = ""


class Readiness(BaseModel):
    """Whether anything useful can be answered, and the state of each part."""

    ready: bool
    parts: dict[str, PartState]

    @staticmethod
    def of(parts: dict[str, Part]) -> dict[str, Any]:
        """The answer as plain JSON values: ready while the model, which recommends, is there."""
        return {"ready": parts["model"].state == "ok", "parts": {name: vars(part) for name, part in parts.items()}}
