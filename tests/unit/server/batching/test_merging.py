"""Several requests as one, and its response as one for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from srv import Headers
from srv.batching._headers import SharedHeaders, share_headers
from srv.batching._merging import batch_key, join_requests, split_response
from srv.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, RequestOutput, ResponseOutput
from srv_protocol.errors import InferenceError


def tensor(rows: int = 1, name: str = "x") -> RequestInput:
    return RequestInput(name, "FP32", [rows, 2], data=np.zeros((rows, 2), np.float32))


def request(*inputs: RequestInput, headers: Any = None, **members: Any) -> InferenceRequest:
    parameters = Parameters(members.pop("parameters", {}), headers=headers)
    return InferenceRequest(inputs=list(inputs) or [tensor()], parameters=parameters, **members)


def response(*outputs: ResponseOutput, **members: Any) -> InferenceResponse:
    return InferenceResponse(outputs=list(outputs), **members)


def output(rows: int, name: str = "y", **parameters: Any) -> ResponseOutput:
    return ResponseOutput(name, "FP32", [rows], parameters, data=np.arange(rows, dtype=np.float32))


# ---- Keys


@pytest.mark.parametrize(
    "other",
    [
        request(tensor(3)),
        request(id="7"),
        request(headers={"x": "y"}),
        request(parameters={"priority": 3, "timeout": 7}),
        request(model_name="m"),
    ],
    ids=["rows", "id", "headers", "scheduling", "the name, which is the same for one model"],
)
def test_what_does_not_keep_requests_apart(other: InferenceRequest) -> None:
    assert batch_key(request()) == batch_key(other) is not None


@pytest.mark.parametrize(
    "other",
    [
        request(tensor(name="z")),
        request(tensor(), tensor(name="z")),
        request(parameters={"temperature": 1}),
        request(parameters={"temperature": 1.0}),
        request(outputs=[RequestOutput("y")]),
        request(outputs=[RequestOutput("y", {"classification": 2})]),
        request(model_version="2"),
    ],
    ids=["name", "number of inputs", "parameter", "its type", "outputs", "their parameters", "version"],
)
def test_what_keeps_requests_apart(other: InferenceRequest) -> None:
    apart = [request(), request(parameters={"temperature": True}), request(outputs=[RequestOutput("z")])]
    assert batch_key(other) is not None
    assert batch_key(other) not in [batch_key(each) for each in apart]


def test_the_order_of_inputs_keeps_requests_apart() -> None:
    one, two = tensor(name="a"), tensor(name="b")
    assert batch_key(request(one, two)) != batch_key(request(two, one))


@pytest.mark.parametrize(
    "alone",
    [
        InferenceRequest(),
        request(tensor(0)),
        request(tensor(1), tensor(2, "z")),
        request(RequestInput("x", "FP32", [], data=np.zeros((), np.float32))),
        request(tensor(), RequestInput("z", "FP32", [], data=np.zeros((), np.float32))),
    ],
    ids=["no inputs", "no rows", "not the same number of rows", "a scalar", "one of them a scalar"],
)
def test_what_is_answered_alone(alone: InferenceRequest) -> None:
    assert batch_key(alone) is None


# ---- Joining


def test_a_joined_request_is_a_copy_that_has_what_its_requests_share() -> None:
    outputs = [RequestOutput("y", {"p": 1})]
    each = request(
        model_name="m", model_version="2", id="1", parameters={"k": 1, "priority": 2, "timeout": 3}, outputs=outputs
    )
    joined = join_requests([each, each], 2, with_headers=True)
    assert (joined.model_name, joined.model_version, joined.id) == ("m", "2", "")
    assert joined.parameters == {"k": 1}
    assert joined.inputs[0].shape == [2, 2]
    assert joined.outputs == outputs

    joined.parameters["k"] = 2
    joined.outputs[0].parameters["p"] = 2
    joined.inputs[0].name = "z"
    assert (each.parameters["k"], each.outputs[0].parameters["p"], each.inputs[0].name) == (1, 1, "x")


def test_headers_that_all_requests_have_are_there() -> None:
    one, two = Headers({"a": "1", "b": "2"}), Headers({"b": "2", "a": "1"})
    assert share_headers([one, two]) is one
    assert share_headers([None, None]) is None
    requests = [request(headers=each) for each in (one, two)]
    assert join_requests(requests, 2, with_headers=True).parameters.headers == one
    assert join_requests(requests, 2, with_headers=False).parameters.headers is None


def test_headers_in_which_requests_differ_cannot_be_looked_up() -> None:
    """Of no request is another one's header read."""
    shared = share_headers([Headers({"Same": "1", "Tenant": "a"}), Headers({"same": "1", "tenant": "b", "more": "c"})])
    assert isinstance(shared, SharedHeaders)
    assert (shared.get("same"), shared["Same"], "same" in shared, dict(shared)) == ("1", "1", True, {"same": "1"})
    assert share_headers([None, Headers({"a": "1"})]) == {}
    assert bool(shared)
    assert (shared.get("none"), "none" in shared, shared.pop("none", 7)) == (None, False, 7)
    looks: list[Any] = [
        lambda: shared["Tenant"],
        lambda: shared.get("tenant", "public"),
        lambda: "tenant" in shared,
        lambda: shared.pop("more", None),
        lambda: shared.copy()["tenant"],
    ]
    for look in looks:
        with pytest.raises(InferenceError, match=r"the requests of this batch differ in '(tenant|Tenant|more)'"):
            look()


# ---- Splitting


def test_each_response_has_its_rows_and_copies_of_all_else() -> None:
    whole = response(
        output(3, "a", p=1), output(3, "b"), model_version="7", parameters=Parameters(k="abc", headers={"h": "1"})
    )
    one, two = split_response(whole, [1, 2])
    shown = [[(each.name, each.shape, list(each.data)) for each in part.outputs] for part in (one, two)]
    assert shown == [
        [("a", [1], [0.0]), ("b", [1], [0.0])],
        [("a", [2], [1.0, 2.0]), ("b", [2], [1.0, 2.0])],
    ]
    one.parameters["k"] = one.outputs[0].parameters["p"] = "z"
    assert two.parameters == Parameters(k="abc", headers={"h": "1"})
    assert (two.outputs[0].parameters, two.model_version) == ({"p": 1}, "7")


def test_a_response_without_outputs_is_one_for_each() -> None:
    assert [each.outputs for each in split_response(response(parameters={"k": 1}), [1, 2])] == [[], []]


@pytest.mark.parametrize("wrong", [None, "text", response(output(2))], ids=["nothing", "text", "rows"])
def test_what_is_no_response_to_the_batch_is_refused(wrong: object) -> None:
    with pytest.raises(InferenceError):
        split_response(wrong, [1, 2])


def test_a_response_that_hands_on_the_headers_of_requests_is_refused() -> None:
    """Each would have to have its own."""
    shared = share_headers([Headers({"a": "1"}), Headers({"a": "2"})])
    with pytest.raises(InferenceError, match="got those of the requests"):
        split_response(response(output(2), parameters=Parameters(headers=shared)), [1, 1])
