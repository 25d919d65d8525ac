"""The page for people: GET / and the few files it is made of. They hold no data; it asks the API like any client."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response

router = APIRouter(include_in_schema=False)

INDEX: Final = "index.html"
_FOLDER: Final = Path(__file__).parent.parent / "page"
_TYPES: Final = MappingProxyType(
    {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
)


@dataclass(frozen=True)
class PageFile:
    """One file of the page, as it is sent."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "PageFile":
        """The file at this path; its tag changes with its bytes."""
        content = path.read_bytes()
        return cls(content, _TYPES[path.suffix], f'"{sha256(content).hexdigest()[:16]}"')

    def answer(self, request: Request) -> Response:
        """The file, or 304 where the browser has these very bytes."""
        headers = {"etag": self.etag, "cache-control": "no-cache"}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


FILES: Final = MappingProxyType({path.name: PageFile.read(path) for path in _FOLDER.iterdir() if path.suffix in _TYPES})
"""By name; read once, so that no request can name another path."""


@router.get("/")
async def index(request: Request) -> Response:
    """The page."""
    return FILES[INDEX].answer(request)


@router.get("/page/{name}")
async def file(name: str, request: Request) -> Response:
    """What the page is made of."""
    if name not in FILES:
        raise HTTPException(404, "the page has no such file")
    return FILES[name].answer(request)
