"""Numbers as the daemon writes them: exact decimal text, of any length.

Python refuses to turn more than 4300 digits into a number or back, as a guard of programs that read what others send.
Here the daemon is trusted and answers are long, so long ones are put together from shorter ones; the process's own
limit stays as it is.
"""

from __future__ import annotations

import decimal
import numbers
from typing import Any, Dict, Union

Number = Union[int, float, decimal.Decimal]

#: Digits that no setting of the limit refuses (it cannot be set below 640).
_SAFE = 600


def integer(text: str) -> int:
    """The integer that a decimal text names."""
    if len(text) <= _SAFE:
        return int(text)
    negative = text.startswith("-")
    value = _digits(text.lstrip("+-"))
    return -value if negative else value


def _digits(text: str) -> int:
    if len(text) <= _SAFE:
        return int(text)
    low = len(text) // 2
    return _digits(text[:-low]) * 10**low + _digits(text[-low:])


def text_of(value: int) -> str:
    """The decimal text of an integer."""
    # Fewer than _SAFE digits for certain.
    if value.bit_length() < 3 * _SAFE:
        return str(value)
    if value < 0:
        return "-" + text_of(-value)
    # log10(2) is a little more than 0.30102: so many digits, or one more.
    low = value.bit_length() * 30102 // 100_000 // 2
    high, rest = divmod(value, 10**low)
    return text_of(high) + text_of(rest).rjust(low, "0")


def answer(result: Dict[str, Any]) -> Number:
    """One answer: an ``int``, a ``float`` or a ``Decimal``."""
    kind, text = result["type"], result["value"]
    if kind == "integer":
        return integer(text)
    if kind == "float":
        return float(text)
    return decimal.Decimal(text)


def line_of(value: Any) -> str:
    """A number as one writes it in a file of numbers, or for the daemon to read: exact."""
    if isinstance(value, numbers.Integral):
        return text_of(int(value))
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, numbers.Real):
        # The plain repr: that of a subclass may say more than the number.
        return float.__repr__(float_of(value))
    raise TypeError(f"{type(value).__name__} is no number: {value!r}")


def float_of(value: Any) -> float:
    """The float that a real number is. Raises ``TypeError`` for one that is none, such as a third: nothing is rounded."""
    if isinstance(value, float):
        return value
    if not is_float(value):
        raise TypeError(f"no float has the value of {value!r}")
    return float(value)


def is_float(value: Any) -> bool:
    """Whether some float has just this value."""
    try:
        nearest = float(value)
    except OverflowError:
        return False
    return bool(nearest == value) or value != value


def datum(value: Any) -> Dict[str, str]:
    """What an object is to hold, for the wire."""
    if isinstance(value, str):
        return {"type": "text", "value": value}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"type": "bytes", "value": bytes(value).hex()}
    if isinstance(value, numbers.Integral):
        return {"type": "integer", "value": text_of(int(value))}
    if isinstance(value, float):
        return {"type": "float", "value": float.__repr__(value)}
    raise TypeError(f"an object holds int, float, str and bytes, not {type(value).__name__}")


def of_datum(value: Dict[str, str]) -> Union[int, float, str, bytes]:
    """What an object holds, from the wire."""
    kind, text = value["type"], value["value"]
    if kind == "integer":
        return integer(text)
    if kind == "float":
        return float(text)
    if kind == "bytes":
        return bytes.fromhex(text)
    return text
