"""Compares a descriptor set with the published messages, and fails where the two differ.

The set may hold fewer packages, messages, fields and methods than were published, but nothing else: what is in it has
the published name, number, type, label, oneof and JSON name. Enums and services of it hold every value and their own
methods only. Prints what was compared, as one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any, Iterator

import flyteidl2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

# Name in full -> what is compared of it.
Surface = dict[str, Any]


def published() -> list[FileDescriptorProto]:
    """The descriptors of every module of the installed package."""
    files = []
    for module in pkgutil.walk_packages(flyteidl2.__path__, "flyteidl2."):
        if module.name.endswith("_pb2"):
            file = FileDescriptorProto()
            importlib.import_module(module.name).DESCRIPTOR.CopyToProto(file)
            files.append(file)
    return files


def surface(files: list[FileDescriptorProto]) -> dict[str, Surface]:
    """Everything that matters on the wire, by kind and name."""
    found: dict[str, Surface] = {"messages": {}, "fields": {}, "enums": {}, "methods": {}}

    def message(prefix: str, proto: DescriptorProto) -> None:
        name = f"{prefix}.{proto.name}"
        found["messages"][name] = {"map_entry": proto.options.map_entry}
        for field in proto.field:
            found["fields"][f"{name}.{field.name}"] = describe(proto, field)
        for nested in proto.nested_type:
            message(name, nested)
        for nested_enum in proto.enum_type:
            enum(name, nested_enum)

    def enum(prefix: str, proto: EnumDescriptorProto) -> None:
        found["enums"][f"{prefix}.{proto.name}"] = {value.name: value.number for value in proto.value}

    for file in files:
        for top in file.message_type:
            message(file.package, top)
        for top_enum in file.enum_type:
            enum(file.package, top_enum)
        for service in file.service:
            for method in service.method:
                found["methods"][f"{file.package}.{service.name}.{method.name}"] = {
                    "input": method.input_type,
                    "output": method.output_type,
                    "client_streaming": method.client_streaming,
                    "server_streaming": method.server_streaming,
                    "idempotency": method.options.idempotency_level,
                }
    return found


def describe(message: DescriptorProto, field: FieldDescriptorProto) -> dict[str, Any]:
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
    return {
        "number": field.number,
        "type": FieldDescriptorProto.Type.Name(field.type),
        "label": FieldDescriptorProto.Label.Name(field.label),
        "type_name": field.type_name,
        "oneof": oneof,
        "optional": field.proto3_optional,
        "packed": field.options.packed if field.options.HasField("packed") else None,
        "json_name": field.json_name,
    }


def differences(ours: dict[str, Surface], theirs: dict[str, Surface]) -> Iterator[str]:
    for kind, names in ours.items():
        for name, what in names.items():
            if name not in theirs[kind]:
                yield f"{kind}: {name} was not published"
            elif what != theirs[kind][name]:
                yield f"{kind}: {name} is {what}, and was published as {theirs[kind][name]}"
    # A number of ours under another published name would be read as something else.
    numbers: dict[tuple[str, int], str] = {}
    for name, what in theirs["fields"].items():
        numbers[name.rpartition(".")[0], what["number"]] = name
    for name, what in ours["fields"].items():
        if (other := numbers.get((name.rpartition(".")[0], what["number"]))) not in (None, name):
            yield f"fields: {name} has the number of {other}"


def main(path: str) -> int:
    files = FileDescriptorSet.FromString(Path(path).read_bytes()).file
    ours = surface([file for file in files if file.package.startswith("flyteidl2.")])
    theirs = surface(published())
    found = list(differences(ours, theirs))
    for line in found:
        print(line, file=sys.stderr)
    left_out = sorted(
        name
        for name in theirs["fields"].keys() - ours["fields"].keys()
        if name.rpartition(".")[0] in ours["messages"]
    )
    print(json.dumps({kind: len(names) for kind, names in ours.items()} | {"left_out": left_out}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
