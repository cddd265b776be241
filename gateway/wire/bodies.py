"""JSON bodies: decoded by prepared decoders, with readable errors.

A refusal names the field, says what it must be, and never shows a regular expression:
each pattern is registered with its sentence (``shaped``). A field that is not known
is refused with the nearest one that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Meta, inspect

from gateway.wire.errors import FieldError, InvalidRequest

T = TypeVar("T")

_SENTENCES: dict[str, str] = {}
"""Pattern -> description of matching text, for ``must be <sentence>``."""
_NAME_SHOWN_MAX: Final = 64
_LISTED_MAX: Final = 20

_EXPECTED = re.compile(r"Expected `([^`]*)`(.*)", re.DOTALL)
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`", re.S)
_BOUND = re.compile(r"( of length)? (>=|<=|>|<) (\S+)")
_AT = re.compile(r" - at (?:`key` in )?`\$([^`]*)`$")
_BYTE = re.compile(r"\(byte (\d+)\)")
_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")

_TYPES: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_BOUND_WORDS: Final = {
    ">=": "at least",
    "<=": "at most",
    ">": "more than",
    "<": "less than",
}


def shaped(pattern: str, sentence: str, **more: Any) -> Meta:
    """A text that matches ``pattern``; refused with "must be ``sentence``"."""
    _SENTENCES[pattern] = sentence
    return Meta(pattern=pattern, **more)


def has_sentence(pattern: str) -> bool:
    """Whether a refusal by this pattern can be put into words."""
    return pattern in _SENTENCES


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a JSON body.

    Raises:
        InvalidRequest: it is not JSON, or a field is wrong; says which and why.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), decoder.type) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(_where_malformed(body, error)) from None


def unknown(name: str, known: Iterable[str], what: str) -> FieldError:
    """The refusal of an unknown name: names the nearest known one."""
    names = sorted(known)
    shown = name[:_NAME_SHOWN_MAX]
    near = get_close_matches(shown, names, n=1)
    if near:
        hint = f"the nearest is {near[0]}"
    elif names:
        hint = f"known: {', '.join(names[:_LISTED_MAX])}"
    else:
        hint = "none is taken here"
    return FieldError(shown, f"is not a {what} known here; {hint}")


def _refusal(text: str, kind: Any) -> InvalidRequest:
    at = _AT.search(text)
    path = at[1].lstrip(".") if at else ""
    message = text[: at.start()] if at else text
    field = _FIELD.match(message)
    if field is None:
        words = _plain(message)
        if not path:
            return InvalidRequest(f"The body {words}.")
        return InvalidRequest("", FieldError(path, words))
    name = field[2]
    if field[1] == "missing required":
        return InvalidRequest("", FieldError(_joined(path, name), "is missing"))
    found = unknown(name, _known_fields(kind, path), "field")
    return InvalidRequest("", FieldError(_joined(path, found.field), found.message))


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _plain(message: str) -> str:
    expected = _EXPECTED.match(message)
    if expected is None:
        return "has a value that is not allowed: " + message.replace("`", "")
    kinds, rest = expected[1].split(" | "), expected[2]
    words = " or ".join(_TYPES.get(k, k) for k in kinds if k != "null")
    if rest.startswith(" matching regex"):
        pattern = _pattern_in(rest)
        return f"must be {_SENTENCES.get(pattern, 'of another form')}"
    bound = _BOUND.match(rest)
    if bound is not None:
        number = bound[3].removesuffix(".0")
        if not bound[1]:
            return f"must be {_BOUND_WORDS[bound[2]]} {number}"
        unit = "entries" if "array" in kinds else "characters"
        return f"must have {_BOUND_WORDS[bound[2]]} {number} {unit}"
    got = rest.partition("got `")[2].rstrip("`")
    return f"must be {words}" + (f", not {_TYPES.get(got, got)}" if got else "")


def _pattern_in(rest: str) -> str:
    """The pattern as declared; msgspec shows its ``repr``."""
    shown = rest.removeprefix(" matching regex ")
    return next((known for known in _SENTENCES if repr(known) == shown), "")


def _known_fields(kind: Any, path: str) -> Iterable[str]:
    """The fields of the object at ``path`` within ``kind``."""
    found: Any = inspect.type_info(kind)
    for step in _STEP.finditer("." + path if path else ""):
        found = _object(found)
        found = _step(found, step[1])
        if found is None:
            return ()
    found = _object(found)
    if isinstance(found, inspect.StructType):
        return [field.encode_name for field in found.fields]
    return ()


def _object(info: Any) -> Any:
    """The one part of a union that is an object or a list."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    if not isinstance(info, inspect.UnionType):
        return info
    nested = (inspect.StructType, inspect.CollectionType, inspect.DictType)
    return next((one for one in info.types if isinstance(one, nested)), None)


def _step(info: Any, name: str | None) -> Any:
    if name is None:
        if isinstance(info, inspect.DictType):
            return info.value_type
        return getattr(info, "item_type", None)
    if isinstance(info, inspect.StructType):
        return next((f.type for f in info.fields if f.encode_name == name), None)
    return None


def _where_malformed(body: bytes, error: Exception) -> str:
    at = _offset(body, error)
    if at is None:
        return "The body is nested too deeply."
    what = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "is not JSON"
    if not body:
        return "The body is missing: send a JSON object."
    if at >= len(body):
        return (
            f"The body {what}: it ends at byte {len(body)} before it is complete, or "
            "has an incomplete escape."
        )
    before = body[:at].decode("utf-8", "replace")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return f"The body {what}: line {line}, column {column} (byte {at})."


def _offset(body: bytes, error: Exception) -> int | None:
    if isinstance(error, RecursionError):
        return None
    if isinstance(error, UnicodeDecodeError):
        # The error's own position counts from the start of its string.
        try:
            body.decode()
        except UnicodeDecodeError as whole:
            return whole.start
        return len(body)
    found = _BYTE.search(str(error))
    return int(found[1]) if found else len(body)
