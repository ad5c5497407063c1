"""The plan that ``decode_args`` makes of a function's signature."""

from __future__ import annotations

import enum
import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from srv_codecs._hints import find_hint, known_hints
from srv_codecs._results import UnhintedResult, find_result
from srv_codecs._type_hints import place_of, resolve_hints, take_apart
from srv_codecs._value_hints import PARTS, DictHint, PartHint, TableHint, TensorHint
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError, InputsNotFound
from srv_protocol.inference import Headers, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from srv_codecs._results import Result
    from srv_codecs._tensor_form import ImpliedTensor
    from srv_codecs._value_hints import RestHint
    from srv_protocol.inference import InferInputTensor

H = TypeVar("H", bound="TensorHint | TableHint | DictHint | PartHint")


class Default(enum.Enum):
    """What stands for the default of an argument that has none."""

    REQUIRED = enum.auto()


@dataclass(frozen=True, slots=True)
class Argument(Generic[H]):
    """A parameter of the function.

    Attributes:
        default: what it is when its input is missing: its own default, or ``None`` when the hint allows that.
    """

    name: str
    hint: H
    default: object = Default.REQUIRED


@dataclass(frozen=True, kw_only=True)
class SignatureSummary:
    """What a signature says to clients, and to who checks their requests.

    Attributes:
        input_names: the names of the inputs that have an argument of their own.
        implied_inputs: what the signature says of these.
        implied_outputs: what it says of the outputs, as far as their names are known.
        takes_rest: whether inputs of any other name are welcome: a table takes them, or the function reads the request.
        takes_headers: whether an argument is the request's headers.
        reads_request: whether the function sees more of a request than the data of its inputs.
    """

    input_names: tuple[str, ...]
    implied_inputs: tuple[ImpliedTensor, ...]
    implied_outputs: tuple[ImpliedTensor, ...]
    takes_rest: bool
    takes_headers: bool
    reads_request: bool

    @functools.cached_property
    def implied_by_name(self) -> Mapping[str, ImpliedTensor]:
        """`implied_inputs` by name."""
        return {each.name: each for each in self.implied_inputs}


@dataclass(frozen=True, kw_only=True)
class Signature(SignatureSummary):
    """How requests become the arguments of a function, and its results responses; made once, at decoration.

    Attributes:
        inputs: arguments that are one input each, of the same name.
        parts: arguments that are a part of the request itself.
        rest: the argument that takes every other input.
        result: what becomes of the function's result.
    """

    inputs: tuple[Argument[TensorHint], ...]
    parts: tuple[Argument[PartHint], ...]
    rest: Argument[RestHint] | None
    result: Result

    @functools.cached_property
    def _sole(self) -> Argument[TensorHint] | None:
        """The one argument, where there is no other."""
        return self.inputs[0] if len(self.inputs) == 1 and not self.parts and self.rest is None else None

    def bind(self, request: ModelInferRequest) -> dict[str, object]:
        """Return the arguments for a request, by name.

        Raises:
            InputsNotFound: an input is missing, or nothing takes it.
            CodecError: an input does not fit its hint.
        """
        inputs, sole = request.inputs, self._sole
        if sole is not None and len(inputs) == 1 and inputs[0].name == sole.name:
            # One input for one argument: nothing to look up.
            return {sole.name: sole.hint.decode(inputs[0])}
        tensors = {tensor.name: tensor for tensor in inputs}
        arguments: dict[str, object] = {}
        for argument in self.inputs:
            tensor = tensors.pop(argument.name, None)
            if tensor is not None:
                arguments[argument.name] = argument.hint.decode(tensor)
            elif argument.default is not Default.REQUIRED:
                arguments[argument.name] = argument.default
            else:
                raise _missing(argument.name, request)
        for part in self.parts:
            arguments[part.name] = part.hint.read(request)
        if self.rest is not None:
            arguments[self.rest.name] = _bind_rest(self.rest, list(tensors.values()), request)
        elif tensors and not self.takes_rest:
            raise InputsNotFound(
                f"Input {_quoted(tensors)} was not expected. Expected inputs are {_quoted(self.input_names)}."
            )
        return arguments

    def respond(self, value: object, model_name: str, model_version: str | None) -> ModelInferResponse:
        """Return the response that a result becomes; one that the runtime made itself stays as it is.

        Raises:
            InferenceError: the result does not fit its hint.
        """
        outputs = self.result.encode(value)
        if isinstance(outputs, ModelInferResponse):
            return outputs
        if len(outputs) > 1 and len({output.name for output in outputs}) != len(outputs):
            names = [output.name for output in outputs]
            twice = next(name for index, name in enumerate(names) if name in names[:index])
            raise InferenceError(f"output '{twice}': expected outputs of different names, got two of this name")
        return ModelInferResponse(model_name, model_version, outputs=outputs)


_KINDS: Final = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def compile_signature(function: Callable[..., object], hints: Mapping[str, object] | None = None) -> Signature:
    """Return the plan for a method, whose first parameter is the instance.

    Args:
        function: the method.
        hints: its type hints, where they are not to be those that it has itself.

    Raises:
        CodecNotFound: a parameter has no hint or one that no codec has; the text names function and argument.
        CodecError: there is no parameter that could be the instance.
    """
    if hints is None:
        hints = resolve_hints(function)
    inputs: list[Argument[TensorHint]] = []
    parts: list[Argument[PartHint]] = []
    rest: Argument[RestHint] | None = None
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise CodecError(f"{function.__qualname__}(): expected a method, whose first parameter is the model, got none")
    for parameter in parameters[1:]:
        name = parameter.name
        where = place_of(function, name)
        if parameter.kind not in _KINDS:
            raise CodecNotFound(f"{where}: expected an argument that has the name of an input, got {parameter}")
        if name not in hints:
            raise CodecNotFound(f"{where}: expected a type hint, got none; there are {', '.join(known_hints())}")
        hint = take_apart(hints[name])
        part = next((part for core, part in PARTS.items() if core is hint.core), None)
        if part is not None:
            parts.append(Argument(name, part))
            continue
        default = parameter.default
        if default is parameter.empty:
            default = None if hint.optional else Default.REQUIRED
        found = find_hint(hint.core, where)
        if isinstance(found, TensorHint):
            inputs.append(Argument(name, found, default))
        elif rest is None:
            rest = Argument(name, found, default)
        else:
            raise CodecNotFound(f"{where}: every input without an argument goes to '{rest.name}' already")
    where = place_of(function, "return")
    result = find_result(hints["return"], where) if "return" in hints else UnhintedResult()
    implied = tuple(
        each.hint.implied_input(each.name, optional=each.default is not Default.REQUIRED) for each in inputs
    )
    return Signature(
        input_names=tuple(each.name for each in inputs),
        implied_inputs=implied,
        implied_outputs=result.implied,
        takes_rest=rest is not None or any(part.hint is PARTS[ModelInferRequest] for part in parts),
        takes_headers=any(part.hint is PARTS[Headers] for part in parts),
        reads_request=bool(parts) or rest is not None,
        inputs=tuple(inputs),
        parts=tuple(parts),
        rest=rest,
        result=result,
    )


def _bind_rest(rest: Argument[RestHint], tensors: list[InferInputTensor], request: ModelInferRequest) -> object:
    # No further inputs are an empty dict, where a table without columns would be no table.
    if tensors or (rest.default is Default.REQUIRED and isinstance(rest.hint, DictHint)):
        return rest.hint.decode(
            ModelInferRequest(request.model_name, request.model_version, request.id, request.parameters, tensors)
        )
    if rest.default is Default.REQUIRED:
        raise _missing(rest.name, request)
    return rest.default


def _missing(name: str, request: ModelInferRequest) -> InputsNotFound:
    available = f"Available inputs are {_quoted(tensor.name for tensor in request.inputs)}." if request.inputs else ""
    return InputsNotFound(f"Input '{name}' was not found. {available or 'The request has no inputs.'}")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
