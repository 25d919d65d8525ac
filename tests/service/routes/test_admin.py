"""The routes that change which version is served."""

from service.api_keys import make_key
from service.settings import Settings
from tests.artifacts import tiny_artifact
from tests.service.conftest import running

OPS = make_key("ops", "admin")
HEADERS = {"authorization": f"Bearer {OPS.secret}"}


async def test_reload_serves_the_latest_or_a_named_version_and_rollback_the_one_before(tmp_path):
    """Each says what is served now and what was before; what cannot be served is 409 and changes nothing."""
    root = tmp_path / "store"
    first = tiny_artifact(root)
    async with running(Settings(store=root, api_keys=OPS.entry, latest_check_interval_s=0)) as service:

        async def post(path: str, body: object = None) -> tuple[int, str, str | None]:
            answer = await service.client.post(f"/admin/{path}", json=body, headers=HEADERS)
            found = answer.json()
            return answer.status_code, found.get("model_version", found.get("type")), found.get("previous_version")

        nothing = (409, "urn:beat-serve:problem:nothing-to-roll-back-to", None)
        assert await post("rollback") == nothing
        second = tiny_artifact(root, dataset="newer")
        assert await post("reload", {}) == (200, second, first)
        assert await post("reload", {}) == (200, second, second)
        assert await post("reload", {"version": "nowhere"}) == (409, "urn:beat-serve:problem:version-refused", None)
        assert await post("rollback") == (200, first, second)
        assert await post("reload", {"version": second}) == (200, second, first)
        assert service.versions.current.artifact.version == second
