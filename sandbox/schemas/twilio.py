"""Checks requests and answers against Twilio's published OpenAPI document of the 2010-04-01 API."""

import json
import re
from collections.abc import Sequence
from typing import Any

Problem = tuple[str, str]

_FORM = "application/x-www-form-urlencoded"
_PYTHON: Any = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_PATTERNS = {
    "integer": re.compile(r"-?\d+"),
    "number": re.compile(r"-?\d+(\.\d+)?"),
    "boolean": re.compile(r"true|false", re.IGNORECASE),
}


class TwilioSchema:
    def __init__(self, document: Any) -> None:
        self._schemas: dict[str, Any] = document["components"]["schemas"]
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), item) for path, item in document["paths"].items()
        ]

    def check_request(self, method: str, path: str, form: Sequence[tuple[str, str]]) -> list[Problem]:
        operation = self._operation(method, path)
        if operation is None:
            return [("", f"there is no {method} {path}")]
        schema = self._form_schema(operation)
        given: dict[str, list[str]] = {}
        for name, value in form:
            given.setdefault(name, []).append(value)
        problems = [(name, "required, but missing") for name in schema.get("required", ()) if name not in given]
        for name, values in given.items():
            described = schema["properties"].get(name)
            if described is None:
                problems.append((name, "unknown field"))
            else:
                problems += [(name, problem) for problem in self._check_form(values, self._resolve(described))]
        return problems

    def check_answer(self, method: str, path: str, status: int, body: object) -> list[Problem]:
        operation = self._operation(method, path)
        if operation is None or status >= 400 or body is None:
            return []
        answer = operation["responses"].get(str(status))
        if answer is None:
            return [("status", f"{status} is not among the answers")]
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        return self._check_value(body, schema, "answer")

    def _operation(self, method: str, path: str) -> Any:
        # Of several templates that fit, the exact one: /Messages.json also fits a shorter template's free segment.
        fitting = [item for pattern, item in self._paths if pattern.fullmatch(path) and method.lower() in item]
        return fitting[0][method.lower()] if fitting else None

    def _form_schema(self, operation: Any) -> Any:
        """Of a POST its form, of a GET its query."""
        content = operation.get("requestBody", {}).get("content", {}).get(_FORM)
        if content is not None:
            return self._resolve(content["schema"])
        query = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
        return {"properties": {p["name"]: p["schema"] for p in query}}

    def _check_form(self, values: list[str], schema: Any) -> list[str]:
        if schema.get("type") == "array":
            items = self._resolve(schema["items"])
            return [problem for value in values for problem in self._check_form([value], items)]
        if len(values) > 1:
            return ["given more than once"]
        value = values[0]
        pattern = _PATTERNS.get(schema.get("type", ""))
        if pattern is not None and not pattern.fullmatch(value):
            return [f"{value!r} is no {schema['type']}"]
        return _check_string(value, schema)

    def _check_value(self, value: object, schema: Any, where: str) -> list[Problem]:
        schema = self._resolve(schema)
        if value is None:
            return [] if schema.get("nullable") or "type" not in schema else [(where, "null is not allowed")]
        kind = schema.get("type")
        if kind is not None and not isinstance(value, _PYTHON[kind]):
            return [(where, f"{json.dumps(value)[:60]} is no {kind}")]
        if isinstance(value, str):
            return [(where, problem) for problem in _check_string(value, schema)]
        if isinstance(value, list):
            return [p for i, item in enumerate(value) for p in self._check_value(item, schema["items"], f"{where}.{i}")]
        properties = schema.get("properties")
        if isinstance(value, dict) and properties:
            problems = [(f"{where}.{name}", "unknown field") for name in value if name not in properties]
            for name in value:
                if name in properties:
                    problems += self._check_value(value[name], properties[name], f"{where}.{name}")
            return problems
        return []

    def _resolve(self, schema: Any) -> Any:
        reference = schema.get("$ref")
        return self._schemas[reference.rpartition("/")[2]] if reference else schema


def _check_string(value: str, schema: Any) -> list[str]:
    if "enum" in schema and value not in schema["enum"]:
        return [f"{value!r} is not one of {', '.join(schema['enum'])}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{value!r} does not match {schema['pattern']}"]
    return []
