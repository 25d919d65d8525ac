"""The page that shows the API, with a content security policy that it works under."""

from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from service.security_headers import docs_policy

router = APIRouter()

_PAGE: Final = bytes(
    get_swagger_ui_html(openapi_url="/openapi.json", title="beat-serve", swagger_favicon_url="data:,").body
)
_HEADERS: Final = {"content-security-policy": docs_policy(_PAGE)}


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """Swagger UI over /openapi.json."""
    return HTMLResponse(_PAGE, headers=_HEADERS)
