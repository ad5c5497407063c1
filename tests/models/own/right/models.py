from __future__ import annotations

from srv import MLModel, custom_handler


class Right(MLModel):
    """Claims a path of the other model's."""

    @custom_handler("/hello", rest_method="GET")
    def hello(self) -> str:
        """Say who it is."""
        return "right"
