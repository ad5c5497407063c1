"""The response cache behind both fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from grpc_client import Grpc
from tensors import binary_body, grpc_outputs, grpc_request, json_body, rest_outputs, same

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Serve

CODE = """
import numpy as np
from srv import MLModel, decode_args

class Runtime(MLModel):
    calls = 0

    @decode_args
    def predict(self, x: np.ndarray, text: list[str]) -> np.ndarray:
        self.calls += 1
        return np.array([self.calls, x.sum()], np.float32)
"""


def test_every_form_of_a_request_has_one_answer(serve: Serve, tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "models.py").write_text(CODE, encoding="utf-8")
        (folder / "model-settings.json").write_text(
            '{"implementation": "models.Runtime", "cache_enabled": true}', encoding="utf-8"
        )
    server = serve(tmp_path, cache_enabled=True).wait_started()
    arrays = {"x:FP32": np.array([1.5, -0.0], np.float32), "text:BYTES": np.array(["ü".encode(), b""], object)}
    expected = np.array([[1.0], [1.5]], np.float32)

    body, headers = binary_body(arrays)
    answers = [
        server.post("/v2/models/a/infer", json_body(arrays, id="1"), {"x-client": "1"}),
        server.post("/v2/models/a/infer", body, headers),
    ]
    assert [same(rest_outputs(answer)["output-0"], expected) for answer in answers] == [True, True]
    with Grpc(server) as client:
        for typed in (False, True):
            answer = client.infer(grpc_request("a", arrays, typed=typed))
            assert same(grpc_outputs(answer)["output-0"], expected)
    # Another model has answers of its own, and so has another load.
    assert server.post("/v2/models/b/infer", body, headers).status == 200
    (statistics,) = server.get("/v2/models/a/stats").json()["model_stats"]  # type: ignore[index]
    counts = statistics["inference_stats"]
    assert (counts["cache_hit"]["count"], counts["cache_miss"]["count"]) == (3, 1)
    assert server.get("/v2/models/a/config").json()["response_cache"] == {"enable": True}  # type: ignore[index]
    assert server.post("/v2/repository/models/a/load").status == 200
    server.post("/v2/models/a/infer", body, headers)
    (statistics,) = server.get("/v2/models/a/stats").json()["model_stats"]  # type: ignore[index]
    assert statistics["inference_stats"]["cache_miss"]["count"] == 1
