from __future__ import annotations

import ctypes
import gc

import numpy as np

from srv import MLModel
from srv.errors import InferenceError
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput


class Memory(MLModel):
    """An identity that makes sure that its input is the memory into which the message was received."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the first input, after a look at where its memory is from."""
        tensor = payload.inputs[0]
        array = tensor.data.array
        if array is None:
            raise InferenceError("the input has no array")
        owner: object = array
        while isinstance(owner, (np.ndarray, memoryview)):
            below = owner.base if isinstance(owner, np.ndarray) else owner.obj
            if below is None:
                break
            owner = below
        size = owner.nbytes if isinstance(owner, np.ndarray) else len(owner)  # type: ignore[arg-type]  # a buffer
        facts = {
            "writeable": array.flags.writeable,
            # The message has a header before the tensor, so its buffer is a little larger.
            "beyond": size - array.nbytes,
            "collected": gc.isenabled(),
            "pointer": array.ctypes.data is not ctypes.c_void_p(None),
        }
        outputs = [ResponseOutput(tensor.name, tensor.datatype, tensor.shape, data=tensor.data)]
        return InferenceResponse(outputs=outputs, parameters={"beyond": facts["beyond"], "writeable": facts["writeable"]})
