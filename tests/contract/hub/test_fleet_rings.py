"""deploy/fleet on the running hub, for its one device: the ring's tag brings a release, its removal takes it away."""

from __future__ import annotations

import json
import time
from pathlib import Path

from support.service_side import manifest, served_hub
from vigie_edgehub.service.credentials import ConnectionString

FLEET = Path(__file__).parents[3] / "deploy/fleet"


def test_the_shipped_rings_reach_the_device_when_its_tag_says_so(tmp_path: Path) -> None:
    with served_hub(tmp_path, manifest("inference")) as hub:

        def rest(verb: str, path: str, body: bytes | None = None) -> tuple[int, object]:
            token = ConnectionString.parse(hub.connection_string).token(int(time.time()) + 60)
            status, _, answer = hub.raw(verb, path, body=body, headers={"Authorization": token})
            return status, json.loads(answer or b"null")

        def models() -> dict:
            return hub.service().twin("inference")["properties"]["desired"].get("models", {})

        def put(file: str) -> object:
            body = (FLEET / file).read_bytes()
            status, answer = rest("PUT", f"/configurations/{json.loads(body)['id']}", body)
            assert status in {200, 201}, answer
            return answer["systemMetrics"]["results"]

        ring = json.loads((FLEET / "ring-0-canary.json").read_text())
        tested = {"targetCondition": ring["targetCondition"], "customMetricQueries": ring["metrics"]["queries"]}
        wrong = rest("POST", "/configurations/testQueries", json.dumps(tested).encode())[1]
        assert wrong == {"targetConditionError": None, "customMetricQueryErrors": {}}

        hub.service().patch_twin(None, {"tags": {"vigie": {"ring": "tenth"}}})
        assert put("ring-0-canary.json") == {"targetedCount": 0, "appliedCount": 0}
        assert models() == {}
        assert put("ring-1-tenth.json") == {"targetedCount": 1, "appliedCount": 1}
        assert models() == ring["content"]["modulesContent"]["inference"]["properties.desired.models"]
        assert rest("DELETE", f"/configurations/{ring['id']}")[0] == 204
        assert models() == {}
