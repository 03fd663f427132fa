"""A zip by what it holds: torch's, numpy's, Keras', an exported program, or plain files."""

from __future__ import annotations

from titian.validation.scan import exported_program, keras, torch_files
from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source
from titian.validation.scan.torch_files import StateDict
from titian.validation.scan.zip_reader import content, members


def examine(part: Part, exam: Examination) -> StateDict | None:
    """Read every member; return the state dict where it is torch's."""
    exam.name_format("zip", part)
    found = members(part, exam)
    contents: dict[str, Source] = {}
    for member in found:
        if member.name.endswith("/"):
            if member.size:
                raise Refused("T-S020", f"{part.prefix}{member.name}: a folder with content")
            continue
        contents[member.name] = content(part, exam, member)
    names = set(contents)
    tops = {name.partition("/")[0] for name in names}
    if any(name.endswith("/archive_format") for name in names) or any(
        name.startswith(f"{top}/models/") for top in tops for name in names
    ):
        exported_program.examine(part, exam, contents)
        return None
    if any(n == "data.pkl" or (n.endswith("/data.pkl") and n.count("/") == 1) for n in names):
        return torch_files.examine_zip(part, exam, contents)
    if {"config.json", "metadata.json"} <= names:
        keras.examine(part, exam, contents)
        return None
    if names and all(name.endswith(".npy") for name in names):
        exam.name_format("npz", part)
    for name, source in contents.items():
        exam.descend(part, source, name)
    return None
