"""Checks calls and answers against the machine-readable Bot API (format of PaulSonOfLars/telegram-bot-api-spec)."""

import json
import re
from collections.abc import Sequence
from typing import Any

Problem = tuple[str, str]
"""Where (a dotted path) and what is wrong."""

_ARRAY = "Array of "
_INTEGER = re.compile(r"-?\d+")
_FLOAT = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_ATTACHED = re.compile(r"attach://([\w-]+)")
_BOOLEANS = ("true", "false", "True", "False", "1", "0")


class TelegramSchema:
    def __init__(self, document: Any) -> None:
        self._methods: dict[str, Any] = {name.lower(): method for name, method in document["methods"].items()}
        self._types: dict[str, Any] = document["types"]

    def check_call(self, method: str, values: dict[str, object], files: Sequence[str]) -> list[Problem]:
        """``values``: the fields as they came, strings (a form) or values (JSON). ``files``: the uploads' names."""
        described = self._methods.get(method.lower())
        if described is None:
            return [("", f"there is no method {method}")]
        fields = {f["name"]: f for f in described.get("fields", ())}
        problems: list[Problem] = []
        attached = {name for value in values.values() for name in _ATTACHED.findall(str(value))}
        for name, value in values.items():
            if name in fields:
                problems += self._check(_decoded(value, fields[name]["types"]), fields[name]["types"], name)
            else:
                problems.append((name, "unknown field"))
        for name in files:
            if name not in fields and name not in attached:
                problems.append((name, "an upload that no field refers to"))
            elif name in fields and "InputFile" not in fields[name]["types"]:
                problems.append((name, "takes no file"))
        problems += [
            (name, "required, but missing")
            for name, f in fields.items()
            if f["required"] and name not in values and name not in files
        ]
        return problems

    def check_result(self, method: str, result: object) -> list[Problem]:
        described = self._methods.get(method.lower())
        return [] if described is None else self._check(result, described["returns"], "result")

    def _check(self, value: object, types: Sequence[str], where: str) -> list[Problem]:
        """The problems under the type that fits best; none where one fits."""
        best: list[Problem] | None = None
        for name in types:
            problems = self._check_one(value, name, where)
            if not problems:
                return []
            if best is None or len(problems) < len(best):
                best = problems
        return best or []

    def _check_one(self, value: object, name: str, where: str) -> list[Problem]:
        if name.startswith(_ARRAY):
            if not isinstance(value, list):
                return [(where, f"{_short(value)} is no array")]
            of = name.removeprefix(_ARRAY)
            return [p for i, item in enumerate(value) for p in self._check_one(item, of, f"{where}.{i}")]
        scalar = {"Integer": int, "Float": (int, float), "String": str, "Boolean": bool, "True": bool}.get(name)
        if scalar is not None:
            right = isinstance(value, scalar) and (isinstance(value, bool) == (scalar is bool))  # type: ignore[arg-type]
            return [] if right else [(where, f"{_short(value)} is no {name}")]
        return self._check_object(value, name, where)

    def _check_object(self, value: object, name: str, where: str) -> list[Problem]:
        described = self._types.get(name)
        if described is None:
            return [(where, f"the schema has no type {name}")]
        if subtypes := described.get("subtypes"):
            return self._check(value, subtypes, where)
        if name == "InputFile":
            return [] if isinstance(value, str) and value.startswith("attach://") else [(where, "is no upload")]
        if not isinstance(value, dict):
            return [(where, f"{_short(value)} is no {name}")]
        fields = {f["name"]: f for f in described.get("fields", ())}
        problems = [(f"{where}.{key}", f"unknown field of {name}") for key in value if key not in fields]
        for key, f in fields.items():
            if key in value:
                problems += self._check(value[key], f["types"], f"{where}.{key}")
            elif f["required"]:
                problems.append((f"{where}.{key}", f"required in {name}, but missing"))
        return problems


def _decoded(value: object, types: Sequence[str]) -> object:
    """A form's string as the value it stands for; left as it is where it stands for none of the types."""
    if not isinstance(value, str):
        return value
    if "Integer" in types and _INTEGER.fullmatch(value):
        return int(value)
    if "Float" in types and _FLOAT.fullmatch(value):
        return float(value)
    if "Boolean" in types and value in _BOOLEANS:
        return value in ("true", "True", "1")
    if any(name not in ("Integer", "Float", "Boolean", "String", "InputFile") for name in types):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
