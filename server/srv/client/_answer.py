"""What a model has answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srv_codecs.arrays import output_place, tensor_array
from srv_codecs.content_types import StringCodec
from srv_protocol.errors import OutputNotFound
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator
    from typing import Any

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from srv_protocol.inference import InferOutputTensor, ModelInferResponse, Parameters


class Answer(Mapping[str, "NDArray[np.generic]"]):
    """The outputs of an inference by name, each an array of its datatype and shape.

    Arrays are read-only views of what was received, except BYTES, which are new arrays of ``bytes``, and outputs that
    came as JSON, which are new arrays.

    Attributes:
        message: the V2 message.
    """

    def __init__(self, message: ModelInferResponse, headers: Mapping[str, str] | None = None) -> None:
        self.message = message
        self._headers: Mapping[str, str] = headers or {}

    @property
    def headers(self) -> Headers:
        """The headers of the reply; over gRPC its metadata."""
        return Headers(self._headers)

    @property
    def id(self) -> str:
        """The id of the request."""
        return self.message.id

    @property
    def model_name(self) -> str:
        """The model that has answered."""
        return self.message.model_name

    @property
    def model_version(self) -> str:
        """Its version; empty for a model without one."""
        return self.message.model_version

    @property
    def parameters(self) -> Parameters:
        """The parameters of the response."""
        return self.message.parameters

    def tensor(self, name: str) -> InferOutputTensor:
        """Return an output as it is in the message, with its parameters.

        Raises:
            OutputNotFound: there is no such output.
        """
        return self.message.outputs[self._find(name)]

    def _find(self, name: str) -> int:
        for index, output in enumerate(self.message.outputs):
            if output.name == name:
                return index
        names = ", ".join(f"'{each}'" for each in self) or "none"
        raise _MissingOutput(f"output '{name}': the model has answered {names}")

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        """Return an output's array.

        Raises:
            OutputNotFound: there is no such output; it is a KeyError too.
            InferenceError: the output has no data: it lies in shared memory.
        """
        index = self._find(name)
        return tensor_array(self.message.outputs[index], output_place(index, name))

    def __iter__(self) -> Iterator[str]:
        return (output.name for output in self.message.outputs)

    def __len__(self) -> int:
        return len(self.message.outputs)

    def text(self, name: str) -> builtins.list[str]:
        """Return the elements of a BYTES output as text, copied, flat.

        Raises:
            CodecError: it is no BYTES output, or an element is not UTF-8.
        """
        return StringCodec.decode_output(self.tensor(name))

    def arrow(self, name: str) -> pa.Array[Any]:
        """Return an output of shape ``[N]`` or ``[N, 1]`` as an Arrow array; numbers are views where they can be.

        Raises:
            CodecError: it has another shape, or no Arrow type.
        """
        from srv_codecs.content_types import ArrowCodec  # imports pyarrow

        found: pa.Array[Any] = ArrowCodec.decode_output(self.tensor(name))  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # never a chunked one
        return found

    def table(self) -> pa.Table:
        """Return all outputs as an Arrow table, one column each; see :meth:`arrow`."""
        from srv_codecs.content_types import ArrowTableCodec  # imports pyarrow

        return ArrowTableCodec.decode_response(self.message)

    def pandas(self) -> pd.DataFrame:
        """Return all outputs as a DataFrame, one column each, copied.

        Raises:
            CodecError: an output is not of shape ``[N]`` or ``[N, 1]``, or they differ in N.
        """
        from srv_codecs.content_types import PandasCodec  # imports pandas

        return PandasCodec.decode_response(self.message)

    def list(self, name: str) -> builtins.list[object]:
        """Return an output's elements as Python values, copied, nested to its shape; of a scalar, a list of one."""
        values: Any = self[name].tolist()
        return values if type(values) is list else [values]  # pyright: ignore[reportUnknownVariableType]  # numpy's is Any

    def __repr__(self) -> str:
        outputs = ", ".join(f"{each.name}: {each.datatype} {each.shape}" for each in self.message.outputs)
        return f"Answer({self.model_name}: {outputs})"


class _MissingOutput(OutputNotFound, KeyError):
    """What a mapping raises for a name that it does not have: ``in`` and ``get`` work."""
