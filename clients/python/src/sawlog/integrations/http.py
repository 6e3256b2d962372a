"""What the events of all web frameworks share: which headers are not shown, and how an exception is written."""

from __future__ import annotations

import traceback
from typing import Any, Dict, FrozenSet, Iterable, Optional, Tuple, Union

# Their values are secrets; that they were there is told.
SECRET_HEADERS: FrozenSet[str] = frozenset(
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-csrftoken"]
)
HIDDEN = "(hidden)"

Text = Union[str, bytes]


def headers(pairs: Iterable[Tuple[Text, Text]], hidden: FrozenSet[str] = SECRET_HEADERS) -> Dict[str, Any]:
    """Names in lower case with their values; what stands several times is joined by commas, as HTTP allows."""
    shown: Dict[str, Any] = {}
    for raw_name, raw_value in pairs:
        name, value = _text(raw_name).lower(), _text(raw_value)
        if name in hidden:
            value = HIDDEN
        elif name in shown:
            value = f"{shown[name]}, {value}"
        shown[name] = value
    return shown


def environ_headers(environ: Dict[str, Any], hidden: FrozenSet[str] = SECRET_HEADERS) -> Dict[str, Any]:
    """The same of a CGI environment."""
    pairs = []
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            pairs.append((name[5:].replace("_", "-"), str(value)))
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            pairs.append((name.replace("_", "-"), str(value)))
    return headers(pairs, hidden)


def exception(error: Optional[BaseException]) -> Optional[str]:
    """The traceback as text."""
    if error is None:
        return None
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _text(value: Text) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
