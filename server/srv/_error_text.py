"""What an exception says."""

from __future__ import annotations


def error_text(error: BaseException) -> str:
    """Return the text of any exception, whatever its class makes of itself.

    Lone surrogates, which no protocol can carry, are escaped: file names and JSON may bring them in.
    """
    try:
        text = str(getattr(error, "message", error))
    except Exception:  # noqa: BLE001  # a model's exception whose __str__ fails
        text = f"{type(error).__name__} (its text cannot be had)"
    return text.encode(errors="backslashreplace").decode()
