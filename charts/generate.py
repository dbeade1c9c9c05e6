# ruff: noqa: INP001 - a script
"""Writes the schemas of the chart's values and docs/values.md, both from the commented values.yaml files, and versions.

Run as `python charts/generate.py`; tests/charts compares its result with what is committed. Every value needs a
comment right above it. The last lines of that comment may say more than the default shows:

    # @schema {"minimum": 1}        JSON schema beside the type, which follows from the default
    # @items {"type": "string"}     of a list
    # @map                          an object with any names; as it is
    # @resources                    a container's requests and limits
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "charts" / "haggle"
_KEY: Final = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):")
_QUANTITY: Final = {"type": ["string", "number"], "pattern": r"^[0-9]+(\.[0-9]+)?(m|Mi|Gi)?$"}
_AMOUNTS: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "cpu": {**_QUANTITY, "description": "Processor time in cores, such as 200m."},
        "memory": {**_QUANTITY, "description": "Memory, such as 256Mi."},
    },
}
_RESOURCES: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["requests", "limits"],
    "properties": {
        "requests": {**_AMOUNTS, "description": "What a node sets aside."},
        "limits": {**_AMOUNTS, "description": "What the container may not exceed."},
    },
}
_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


@dataclass(slots=True)
class Comment:
    """What the comment above a value says: words for people, and directives."""

    text: str = ""
    directives: dict[str, str] = field(default_factory=dict)


def generated_files() -> dict[Path, str]:
    """The text of every generated file, by its path."""
    files = {}
    for values in sorted([CHART / "values.yaml", *CHART.glob("charts/*/values.yaml")]):
        files[values.with_name("values.schema.json")] = (
            json.dumps(schema_of(values), indent=2, ensure_ascii=False) + "\n"
        )
    files[ROOT / "docs" / "values.md"] = _reference()
    return files | {chart: _with_version(chart.read_text()) for chart in CHART.rglob("Chart.yaml")}


def _with_version(chart: str) -> str:
    """A Chart.yaml with the version of pyproject.toml; an appVersion in quotes is that of a server."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return re.sub(r"\b(version|appVersion): \d+\.\d+\.\d+", rf"\1: {version}", chart)


def schema_of(values: Path) -> dict[str, Any]:
    """The closed JSON schema of one chart's values."""
    comments = read_comments(values)
    schema = _object_schema(yaml.safe_load(values.read_text()), comments, ())
    if values.parent == CHART:
        # the rest of a part's values is checked by the part's own schema
        for part in CHART.glob("charts/*/values.yaml"):
            schema["properties"][part.parent.name]["additionalProperties"] = True
        schema["properties"]["common"] = {"type": "object", "description": "The library chart takes no values."}
    else:
        schema["properties"]["enabled"] = {"type": "boolean", "description": "Install this part."}
    schema["properties"].setdefault("global", {"type": "object", "description": "See the values of haggle."})
    title = "haggle" if values.parent == CHART else values.parent.name
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": f"Values of {title}", **schema}


def _object_schema(
    values: dict[str, Any], comments: dict[tuple[str, ...], Comment], at: tuple[str, ...]
) -> dict[str, Any]:
    properties = {name: _value_schema(value, comments, (*at, name)) for name, value in values.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value_schema(value: Any, comments: dict[tuple[str, ...], Comment], at: tuple[str, ...]) -> dict[str, Any]:
    if at not in comments:
        raise SystemExit(f"{'.'.join(at)} has no comment")
    comment = comments[at]
    schema: dict[str, Any] = {"description": comment.text}
    if "resources" in comment.directives:
        return {**_RESOURCES, **schema}
    if isinstance(value, dict) and "map" not in comment.directives:
        return {**_object_schema(value, comments, at), **schema}
    schema["type"] = _TYPES[type(value)]
    if "items" in comment.directives:
        schema["items"] = json.loads(comment.directives["items"])
    return {**schema, **json.loads(comment.directives.get("schema", "{}"))}


def read_comments(values: Path) -> dict[tuple[str, ...], Comment]:
    """The comment above each value of a file, by the value's path."""
    comments: dict[tuple[str, ...], Comment] = {}
    path: list[str] = []
    comment = Comment()
    for line in values.read_text().splitlines():
        stripped = line.strip()
        if stripped.startswith("# @"):
            name, _, rest = stripped.removeprefix("# @").partition(" ")
            comment.directives[name] = rest
        elif stripped.startswith("#"):
            comment.text = f"{comment.text} {stripped.removeprefix('# ')}".strip()
        elif (match := _KEY.match(line)) and not line.startswith("---"):
            path = [*path[: len(match.group(1)) // 2], match.group(2)]
            comments[tuple(path)] = comment
            comment = Comment()
        elif not stripped:
            comment = Comment()
    return {at: comment for at, comment in comments.items() if comment.text}


# ---------------------------------------------------------------- docs/values.md


def _reference() -> str:
    lines = ["<!-- generated by `python charts/generate.py`; do not edit -->\n", "# Values of the chart\n"]
    lines.append(
        "A value of a part stands below its name: `kafka.storage.size`. Lists and maps are replaced as a whole.\n"
    )
    for values in [CHART / "values.yaml", *sorted(CHART.glob("charts/*/values.yaml"))]:
        part = "" if values.parent == CHART else f"{values.parent.name}."
        lines += [
            f"## {part.removesuffix('.') or 'All parts'}\n",
            "| value | default | meaning |",
            "| --- | --- | --- |",
        ]
        lines += [f"| `{part}{name}` | {_code(default)} | {help_text} |" for name, default, help_text in _rows(values)]
        lines.append("")
    return "\n".join(lines)


def _rows(values: Path) -> Iterator[tuple[str, Any, str]]:
    comments = read_comments(values)

    def walk(tree: dict[str, Any], at: tuple[str, ...]) -> Iterator[tuple[str, Any, str]]:
        for name, value in tree.items():
            comment = comments[(*at, name)]
            if isinstance(value, dict) and not {"map", "resources"} & comment.directives.keys():
                yield from walk(value, (*at, name))
            else:
                yield ".".join((*at, name)), value, _help(comment)

    yield from walk(yaml.safe_load(values.read_text()), ())


def _help(comment: Comment) -> str:
    limits = json.loads(comment.directives.get("schema", "{}"))
    words = [f"One of {', '.join(map(str, limits['enum']))}."] if "enum" in limits else []
    words += [f"At least {limits['minimum']}."] if "minimum" in limits else []
    words += [f"At most {limits['maximum']}."] if "maximum" in limits else []
    return " ".join([comment.text, *words]).replace("|", "\\|")


def _code(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`".replace("|", "\\|")


def main() -> None:
    """Writes the files."""
    for path, text in generated_files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
