"""Custom handlers: how they are declared, and what becomes their arguments."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import msgspec
import numpy as np  # noqa: TC002  # hints are resolved
import pytest

from srv import Headers, MLModel, ModelSettings, custom_handler
from srv.errors import InvalidInput, LoadError, SrvError
from srv.runtimes import _handler_arguments
from srv.runtimes._argument_hints import PlainHints, find_hints
from srv.runtimes._handlers import find_handlers
from srv.types import InferenceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from unknown import Missing  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]


def marker(kind: str, default: object = ..., **attributes: object) -> Any:
    """Return what FastAPI's function of this name does."""
    made = type(kind, (), {"__module__": "fastapi.params"})()
    vars(made).update(default=default, **attributes)
    return made


@dataclass
class Point:
    x: int
    y: int = 0


class Typed(TypedDict):
    x: int


class Item(msgspec.Struct):
    x: int


class Pydantic:
    """What msgspec knows nothing of, and pydantic's models are like."""

    def __init__(self, value: object) -> None:
        self.value = value

    @classmethod
    def model_validate(cls, value: object) -> Pydantic:
        if value != {"x": 1}:
            message = "x: not one"
            raise ValueError(message)
        return cls(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pydantic) and self.value == other.value

    def __hash__(self) -> int:
        return 0


class Request:
    """A class of that name, as Starlette's."""


@pytest.fixture(params=[find_hints, PlainHints], ids=["msgspec", "plain"], autouse=True)
def hints(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hints be read with msgspec, and without."""
    if request.param is PlainHints and {struct, unsupported} & _functions(request):
        pytest.skip("without msgspec it is another error")
    monkeypatch.setattr(_handler_arguments, "find_hints", request.param)


def _functions(request: pytest.FixtureRequest) -> set[object]:
    given = getattr(request.node, "callspec", None)
    return {each for each in given.params.values() if callable(each)} if given is not None else set()


class Call:
    def __init__(
        self,
        body: bytes = b"",
        query: Mapping[str, Sequence[str]] | None = None,
        path: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path or {}
        self.query = query or {}
        self.headers = Headers([("a", "1")])
        self.body = memoryview(body)

    def request(self) -> object:
        return "the request"

    def inference_request(self) -> InferenceRequest:
        return InferenceRequest("m")


def runtime(cls: type[MLModel]) -> MLModel:
    return cls(ModelSettings(name="m", implementation=cls))


def make(function: Any, path: str = "/f", method: str = "POST") -> Any:
    function.__dict__.clear()  # what an earlier test has declared
    cls: Any = type("Model", (MLModel,), {"f": custom_handler(path, method)(function)})
    (handler,) = find_handlers(runtime(cls))
    return handler.arguments.bind


def bind(function: Any, call: Call, path: str = "/f", method: str = "POST") -> object:
    arguments = make(function, path, method)(call)
    return arguments["x"] if list(arguments) == ["x"] else arguments


def hide(function: Any) -> Any:
    """Return a function whose type is not known to checkers, as its own hints are not."""
    return function


class Taken(MLModel):
    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        vars(self)["taken"] = True

    @custom_handler("/f")
    def taken(self) -> None: ...


def test_a_handler_whose_name_is_taken_is_refused() -> None:
    with pytest.raises(LoadError, match="the handler of '/f': expected a method, got bool: its name is taken"):
        find_handlers(runtime(Taken))


# ---- Declaration


class Several(MLModel):
    @custom_handler("/one")
    @custom_handler(rest_path="/two/", rest_method="get")
    def several(self) -> None: ...

    @custom_handler("/items/all")
    async def literal(self) -> None: ...

    @custom_handler("/items/{item}")
    def parameter(self, item: int) -> None: ...

    @staticmethod
    @custom_handler("/static")
    def static() -> None: ...

    @custom_handler("/outside")
    @staticmethod
    def outside() -> None: ...

    @classmethod
    @custom_handler("/class")
    def of_class(cls) -> None: ...


class Inherited(Several):
    def parameter(self, item: int) -> None:
        """Override what was a handler."""


def test_handlers_are_found_with_their_paths_and_methods() -> None:
    routes = [(each.method, each.path.text) for each in find_handlers(runtime(Several))]

    assert sorted(routes) == [
        ("GET", "/two"),
        ("POST", "/class"),
        ("POST", "/items/all"),
        ("POST", "/items/{item}"),
        ("POST", "/one"),
        ("POST", "/outside"),
        ("POST", "/static"),
    ]
    assert routes.index(("POST", "/items/all")) < routes.index(("POST", "/items/{item}"))


def test_handlers_are_inherited_until_they_are_overridden() -> None:
    assert {each.path.text for each in find_handlers(runtime(Inherited))} == {
        "/class",
        "/items/all",
        "/one",
        "/outside",
        "/static",
        "/two",
    }


@pytest.mark.parametrize(
    ("path", "method", "message"),
    [
        ("f", "POST", r"rest_path: expected a path that begins with '/', got 'f'"),
        ("/a-{b}", "POST", r"rest_path '/a-\{b\}': expected parameters that are a whole segment"),
        ("/{a:path}", "POST", "expected parameters that are a whole segment"),
        ("/{a}/{a}", "POST", "expected parameters of different names, got a, a"),
        ("/f", "HEAD", "rest_method of '/f': expected one of DELETE, GET, PATCH, POST, PUT, got 'HEAD'"),
        ("/f", ["GET", "POST"], r"got \['GET', 'POST'\]"),
    ],
)
def test_paths_and_methods_that_cannot_be_served_fail_at_decoration(path: str, method: Any, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        custom_handler(path, method)


class Twice(MLModel):
    @custom_handler("/{a}")
    def first(self, a: str) -> None: ...

    @custom_handler("/{b}")
    def second(self, b: str) -> None: ...


def test_two_handlers_of_one_route_are_refused() -> None:
    with pytest.raises(LoadError, match=r"Twice.second\(\): POST /\{b\} is that of Twice.first\(\) too"):
        find_handlers(runtime(Twice))


def generator(self: object) -> Any:  # noqa: ARG001
    yield


def any_arguments(self: object, *x: int) -> None: ...


def array(self: object, x: np.ndarray) -> None: ...


def nested_array(self: object, x: dict[str, list[np.ndarray]]) -> None: ...


@hide
def unresolved(self: object, x: Missing) -> None: ...  # pyright: ignore[reportUnknownParameterType]  # what the test is about


def no_item(self: object) -> None: ...


def listed_item(self: object, item: list[str]) -> None: ...


def struct(self: object, x: Item) -> None: ...


def cookie(self: object, x: int = marker("Cookie")) -> None: ...


def give_text(body: bytes, x_name: str = marker("Header", default="")) -> str:
    return f"{bytes(body).decode()} {x_name}"


async def give_length(text: str = marker("Depends", dependency=give_text)) -> int:
    return len(text)


def give_item(item: int) -> int:
    return item


def generate() -> Iterator[int]:
    yield 1


def depends(_: object, x: str = marker("Depends", dependency=give_text)) -> str:
    return x


def depends_on_async(_: object, x: int = marker("Depends", dependency=give_length)) -> int:
    return x


async def all_depend(
    _: object,
    a: Annotated[int, marker("Depends", dependency=give_length)],
    b: str = marker("Depends", dependency=give_text),
) -> tuple[int, str]:
    return a, b


def depends_on_generator(self: object, x: int = marker("Depends", dependency=generate)) -> None: ...


def depends_on_nothing(self: object, x: int = marker("Depends", dependency=3)) -> None: ...


def depends_on_item(_: object, x: int = marker("Depends", dependency=give_item)) -> int:
    return x


def headers(
    self: object,
    x_count: int = marker("Header"),
    a: str = marker("Header", default="none"),
    b: tuple[str, ...] = marker("Header", default=None, alias="B_b"),
) -> None: ...


def unsupported(self: object, x: list[int] | set[int]) -> None: ...


def in_path(self: object, x: int = marker("Path")) -> None: ...


@pytest.mark.parametrize(
    ("function", "path", "method", "message"),
    [
        (generator, "/f", "POST", r"generator\(\): expected a function that returns its answer, got a generator"),
        (any_arguments, "/f", "POST", r"any_arguments\(\): argument 'x': expected one that can be given by name"),
        (array, "/f", "POST", r"array\(\): argument 'x': expected a hint that JSON .* got numpy.ndarray"),
        (nested_array, "/f", "POST", r"nested_array\(\): argument 'x': .* got numpy.ndarray"),
        (
            unresolved,
            "/f",
            "POST",
            r"unresolved\(\): argument 'x': the type hint Missing cannot be resolved: name 'Missing'",
        ),
        (unsupported, "/f", "POST", r"unsupported\(\): argument 'x': Type unions may not contain"),
        (no_item, "/{item}", "POST", r"no_item\(\): expected an argument 'item', which the path has"),
        (listed_item, "/{item}", "POST", r"listed_item\(\): argument 'item': expected a hint that text fits"),
        (struct, "/f", "GET", r"struct\(\): argument 'x': expected a hint that the query's text fits"),
        (
            cookie,
            "/f",
            "POST",
            r"argument 'x': expected one of FastAPI's Body, Query, Path, Header, Depends, got Cookie",
        ),
        (
            depends_on_async,
            "/f",
            "POST",
            r"depends_on_async\(\): expected an async def, since it depends on one, give_length\(\), got a def",
        ),
        (depends_on_generator, "/f", "POST", r"argument 'x': expected Depends on a function .* got generate"),
        (depends_on_nothing, "/f", "POST", r"argument 'x': expected Depends on a function .* got 3"),
        (in_path, "/f", "POST", r"argument 'x': expected a path that has \{x\}, got none"),
    ],
)
def test_arguments_that_no_request_has_fail_with_their_names(
    function: Any, path: str, method: str, message: str
) -> None:
    with pytest.raises(SrvError, match=message):
        make(function, path, method)


# ---- FastAPI's headers and dependencies


def answer(function: Any, call: Call, path: str = "/f") -> object:
    """Return what a handler answers."""
    function.__dict__.clear()
    cls: Any = type("Model", (MLModel,), {"f": custom_handler(path)(function)})
    (handler,) = find_handlers(runtime(cls))
    given = handler.arguments.bind(call)
    found: Any = handler.invoke(given)
    return asyncio.run(found) if asyncio.iscoroutine(found) else found


def test_a_header_is_an_argument() -> None:
    call = Call()
    call.headers = Headers({"X-Count": "3", "b_b": "1, 2"})

    assert bind(headers, call) == {"x_count": 3, "a": "none", "b": ("1, 2",)}
    call.headers = Headers({"x-count": "x"})
    with pytest.raises(InvalidInput, match=r"^header\.x-count: expected int, got 'x'$"):
        bind(headers, call)
    call.headers = Headers({"x_count": "3"})
    with pytest.raises(InvalidInput, match=r"^header\.x-count: expected int, got none$"):
        bind(headers, call)


def test_an_argument_may_depend_on_a_function() -> None:
    call = Call(b"body")
    call.headers = Headers({"x-name": "name"})

    assert answer(depends, call) == "body name"
    assert answer(all_depend, call) == (9, "body name")
    assert answer(depends_on_item, Call(path={"item": "4"}), "/{item}") == 4


# ---- Path and query


def scalar(self: object, x: int) -> None: ...


def defaulted(self: object, x: float = 1.5) -> None: ...


def optional(self: object, x: int | None) -> None: ...


def many(self: object, x: list[int]) -> None: ...


def choice(self: object, x: Literal["a", "b"]) -> None: ...


def flag(self: object, x: bool) -> None: ...  # as users write it


@hide
def bare(self: object, x) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001  # pyright: ignore[reportMissingParameterType,reportUnknownParameterType]  # as users write it


@pytest.mark.parametrize(
    ("function", "values", "expected"),
    [
        (scalar, ["7"], 7),
        (defaulted, ["2"], 2.0),
        (defaulted, None, 1.5),
        (optional, ["3"], 3),
        (optional, None, None),
        (many, ["1", "2"], [1, 2]),
        (choice, ["b"], "b"),
        (flag, ["true"], True),
        (bare, ["text"], "text"),
    ],
)
def test_arguments_come_from_the_query(function: Any, values: list[str] | None, expected: object) -> None:
    query = {} if values is None else {"x": values}

    assert bind(function, Call(query=query), method="GET") == expected


@pytest.mark.parametrize(
    ("function", "values", "message"),
    [
        (scalar, ["x"], "query.x: expected int, got 'x'"),
        (scalar, ["1.5"], "query.x: expected int, got '1.5'"),
        (scalar, ["1", "2"], "query.x: expected one value, got 2"),
        (scalar, None, "query.x: expected int, got none"),
        (many, ["1", "b"], r"query.x: expected list\[int\], got \['1', 'b'\]"),
        (choice, ["c"], "query.x: expected .*, got 'c'"),
        (flag, ["maybe"], "query.x: expected bool, got 'maybe'"),
    ],
)
def test_a_query_that_does_not_fit_is_the_clients_fault(function: Any, values: list[str] | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        bind(function, Call(query={} if values is None else {"x": values}), method="GET")


def test_arguments_come_from_the_path() -> None:
    assert bind(scalar, Call(path={"x": "7"}), path="/f/{x}") == 7
    with pytest.raises(InvalidInput, match=r"path\.x: expected int, got 'a'"):
        bind(scalar, Call(path={"x": "a"}), path="/f/{x}")


# ---- Body


def dictionary(self: object, x: dict[str, int]) -> None: ...


@hide
def plain_list(self: object, x: list) -> None: ...  # type: ignore[type-arg]  # pyright: ignore[reportMissingTypeArgument,reportUnknownParameterType]  # as users write it


def point(self: object, x: Point) -> None: ...


def typed(self: object, x: Typed) -> None: ...


def pydantic(self: object, x: Pydantic) -> None: ...


def pydantics(self: object, x: list[Pydantic]) -> None: ...


def embedded(self: object, x: int = marker("Body", embed=True)) -> None: ...


def annotated(self: object, x: Annotated[int, marker("Body", embed=True)] = 5) -> None: ...


def aliased(self: object, x: int = marker("Body", embed=True, alias="length")) -> None: ...


def marked_default(self: object, x: int = marker("Body", 3)) -> None: ...


def in_query(self: object, x: list[int] = marker("Query")) -> None: ...  # noqa: B008  # as users write it


@pytest.mark.parametrize(
    ("function", "body", "expected"),
    [
        (dictionary, b'{"a": 1}', {"a": 1}),
        (plain_list, b'[1, "a"]', [1, "a"]),
        (bare, b'{"a": null}', {"a": None}),
        (point, b'{"x": 1}', Point(1, 0)),
        (typed, b'{"x": 1}', {"x": 1}),
        (struct, b'{"x": 1}', Item(1)),
        (pydantic, b'{"x": 1}', Pydantic({"x": 1})),
        (pydantics, b'[{"x": 1}]', [Pydantic({"x": 1})]),
        (many, b"[1, 2]", [1, 2]),
        (scalar, b"7", 7),
        (optional, b"", None),
        (optional, b"null", None),
        (defaulted, b"", 1.5),
        (embedded, b'{"x": 7, "y": 1}', 7),
        (annotated, b'{"x": 7}', 7),
        (annotated, b"{}", 5),
        (annotated, b"", 5),
        (aliased, b'{"length": 7}', 7),
        (marked_default, b"", 3),
        (marked_default, b"4", 4),
    ],
)
def test_the_only_argument_is_the_body(function: Any, body: bytes, expected: object) -> None:
    assert bind(function, Call(body)) == expected


@pytest.mark.parametrize(
    ("function", "body", "message"),
    [
        (dictionary, b'{"a": "1"}', r"body\[\.\.\.\]: expected `int`, got `str`"),
        (point, b'{"x": 1.5}', "body.x: expected `int`, got `float`"),
        (pydantics, b'[{"x": 2}]', r"body\[0\]: x: not one"),
        (dictionary, b'{"a": 1', "the request body is no valid JSON"),
        (dictionary, b"\xff", "the request body is no valid JSON"),
        (dictionary, b'["\xff"]', "body|the request body"),
        (plain_list, b"[" * 100_000, "nested too deeply|no valid JSON"),
        (dictionary, b"", r"body: expected dict\[str, int\], got none"),
        (scalar, b"", "query.x: expected int, there or as the body's JSON, got none"),
        (embedded, b"{}", "body.x: expected int, got none"),
        (embedded, b'{"x": "7"}', "body.x: expected `int`, got `str`"),
        (embedded, b"7", "the request body: expected `object`, got `int`"),
    ],
)
def test_a_body_that_does_not_fit_is_the_clients_fault(function: Any, body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        bind(function, Call(body))


def test_one_scalar_may_come_in_the_query_as_with_fastapi_or_as_the_body_but_not_both() -> None:
    assert bind(scalar, Call(query={"x": ["7"]})) == 7
    with pytest.raises(InvalidInput, match="in the query or as the body, got both"):
        bind(scalar, Call(b"7", {"x": ["7"]}))


def test_a_query_marker_takes_a_list_out_of_the_body() -> None:
    assert bind(in_query, Call(query={"x": ["1", "2"]})) == [1, 2]


def several(self: object, item: str, point: Point, limit: int = 3, *, tags: list[str]) -> None: ...


def parts(self: object, raw: bytes, headers: Headers, request: Request, infer: InferenceRequest, y: int) -> None: ...


def test_scalars_come_from_the_query_and_several_others_are_members_of_the_body() -> None:
    call = Call(b'{"point": {"x": 1}, "tags": ["a"]}', {"limit": ["4"]}, {"item": "i"})

    assert bind(several, call, "/f/{item}") == {"item": "i", "limit": 4, "point": Point(1), "tags": ["a"]}


def test_arguments_may_be_parts_of_the_request() -> None:
    bound: Any = bind(parts, Call(b"raw", {"y": ["1"]}), method="GET")

    assert bound["raw"] == b"raw"
    assert bound["headers"]["a"] == "1"
    assert bound["request"] == "the request"
    assert isinstance(bound["infer"], InferenceRequest)
    assert bound["y"] == 1


def test_fastapi_is_not_imported() -> None:
    assert not isinstance(sys.modules.get("fastapi"), ModuleType)


@pytest.mark.parametrize("function", [struct, unsupported])
def test_what_msgspec_alone_reads_is_refused_without_it(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_handler_arguments, "find_hints", PlainHints)
    with pytest.raises(LoadError, match=r"argument 'x': expected a hint .* without msgspec, .* pip install msgspec$"):
        make(function)
