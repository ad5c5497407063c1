from __future__ import annotations

import json
from typing import Annotated

from srv import Headers, MLModel, Output, decode_args


class SeenArgs(MLModel):
    """Answers with the headers that it sees."""

    @decode_args
    def predict(self, headers: Headers) -> Annotated[list[str], Output("seen")]:
        """Return them as JSON text."""
        return [json.dumps(dict(headers))]
