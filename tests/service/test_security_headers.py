"""Every answer tells a browser to do no more with it than is meant."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from service.security_headers import SECURITY_HEADERS
from tests.artifacts import USER_IDS


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/recommend", {"user_id": USER_IDS[0]}, 200),
        ("POST", "/recommend", {"k": 0}, 422),
        ("GET", "/recommend", None, 405),
        ("GET", "/nothing", None, 404),
        ("GET", "/metrics", None, 200),
    ],
)
async def test_every_answer_has_them_once(service, method, path, body, status):
    """Answers and failures alike."""
    answer = await service.client.request(method, path, json=body)
    assert answer.status_code == status
    assert {name: answer.headers.get_list(name) for name in SECURITY_HEADERS} == {
        name: [value] for name, value in SECURITY_HEADERS.items()
    }


async def test_our_own_mistake_has_them_too(service):
    """It is answered outside of everything else."""
    service.model.fault = RuntimeError("a bug")
    answer = await service.client.post("/explain", json={"user_id": USER_IDS[0], "item_id": 100})
    assert answer.status_code == 500
    assert SECURITY_HEADERS.items() <= dict(answer.headers).items()


async def test_no_page_may_run_what_stands_inside_it(service):
    """Scripts and styles come from this service; the page of the API names its one inline script by its hash."""
    policy = SECURITY_HEADERS["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    answer = await service.client.get("/docs")
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src https://cdn.jsdelivr.net 'sha256-{digest}';" in answer.headers["content-security-policy"]
