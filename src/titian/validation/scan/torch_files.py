"""PyTorch's files: the zip of today and the row of pickles of before version 1.6.

Source: torch/serialization.py. A tensor is a storage, which the pickle names by a
persistent id, and a view on it; the storages are members of the zip, or follow the pickles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.pickle_machine import Machine
from titian.validation.scan.pickle_values import Global, Made, Opaque, Row, Value
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source

MAGIC: Final = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickle of the number that every file before version 1.6 begins with."""
_PROTOCOL: Final = b"\x80\x02M\xe9\x03."
_PLAIN: Final = {
    "version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id",
}  # fmt: skip
_SHORT: Final = 256  # bytes of a member that only states something
_MOST: Final = 1_000_000  # storages


@dataclass(slots=True)
class StateDict:
    """What a file of tensors holds, for conversion.

    Attributes:
        value: what the pickle builds.
        storages: key to the bytes of a storage.
        little: whether numbers lie with their low byte first.
    """

    value: Value = Opaque.DATA
    storages: dict[str, Source] = field(default_factory=dict)
    little: bool = True


class Storages:
    """Checks the persistent ids against the storages that the file holds."""

    def __init__(self, part: Part, exam: Examination, held: dict[str, Source] | None) -> None:
        self.part, self.exam, self.held = part, exam, held
        self.asked: dict[str, tuple[int, int]] = {}

    def __call__(self, identity: Row, where: str) -> Made:
        """Return the storage that a persistent id names."""
        items = identity.items
        if (
            not 5 <= len(items) <= 6
            or items[0] != "storage"
            or any(i is not None for i in items[5:])
        ):
            raise Refused("T-S015", f"{where}: an identity that is not torch's storage")
        _, kind, key, place, count = items[:5]
        if not isinstance(kind, Global) or kind.rule != "storage type":
            raise Refused("T-S015", f"{where}: a storage of an unknown type")
        if not isinstance(key, str) or not isinstance(place, str):
            raise Refused("T-S015", f"{where}: a storage without a constant key")
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise Refused("T-S015", f"{where}: a storage without a size")
        dtype, each = self.exam.policy.storages[kind.name]
        size = count * each
        if self.held is not None:
            if key not in self.held:
                raise Refused("T-S030", f"{where}: the storage {key!r:.40} is not in the file")
            if self.held[key].size != size:
                raise Refused(
                    "T-S032",
                    f"{where}: the storage {key!r:.40} holds {self.held[key].size} bytes, "
                    f"{size} are claimed",
                )
        if self.asked.setdefault(key, (count, each)) != (count, each):
            raise Refused(
                "T-S015", f"{where}: the storage {key!r:.40} is described in two ways"
            )
        if len(self.asked) > _MOST:
            raise Refused("T-S004", f"{where}: more than {_MOST} storages")
        facts: dict[str, Value] = {"key": key, "dtype": dtype, "itemsize": each, "bytes": size}
        return Made(kind.name, "storage", facts=facts)


def examine_zip(part: Part, exam: Examination, contents: dict[str, Source]) -> StateDict:
    """Check a zip that torch.save wrote.

    Args:
        part: the zip.
        exam: told of what is refused.
        contents: member to its bytes, checksums checked.
    """
    exam.name_format("torch", part)
    top = next(name for name in contents if name.endswith("/data.pkl") or name == "data.pkl")
    top = top.removesuffix("data.pkl")
    held: dict[str, Source] = {}
    for name, source in contents.items():
        inner = name.removeprefix(top)
        where = f"{part.prefix}{name}"
        if not name.startswith(top):
            raise Refused("T-S030", f"{where}: lies beside the archive's folder {top!r}")
        if inner.startswith("code/") or inner == "constants.pkl":
            exam.name_format("torchscript", part)
            raise Refused("T-S031", f"{where}: TorchScript carries code that runs")
        if inner.startswith("data/") and inner[5:].isdigit():
            held[inner[5:]] = source
        elif inner in _PLAIN:
            _plain(source, where)
        elif inner != "data.pkl":
            raise Refused("T-S030", f"{where}: torch.save writes no such member")
    order = contents.get(top + "byteorder")
    little = order is None or order.read(0, 8) == b"little"
    storages = Storages(part, exam, held)
    source = contents[top + "data.pkl"]
    machine = Machine(
        source,
        0,
        exam.policy,
        where=f"{part.prefix}{top}data.pkl: ",
        refuse=exam.refuse,
        storage=storages,
    )
    end = machine.run()
    if end != source.size:
        raise Refused(
            "T-S018", f"{part.prefix}{top}data.pkl: byte {end}: bytes follow the pickle's end"
        )
    unused = sorted(set(held) - set(storages.asked))
    if unused:
        raise Refused("T-S005", f"{part.prefix}{top}data/{unused[0]}: no tensor asks for it")
    return StateDict(machine.result, held, little)


def _plain(source: Source, where: str) -> None:
    text = source.read(0, _SHORT + 1)
    if len(text) > _SHORT or not text.isascii() or any(c < 9 for c in text):
        raise Refused("T-S030", f"{where}: is not the short text that torch.save writes")


def examine_legacy(part: Part, exam: Examination) -> StateDict:
    """Check a file of before version 1.6: magic, protocol, system, object, keys, storages."""
    exam.name_format("torch legacy", part)
    source = part.source
    offset = len(MAGIC)
    if source.read(offset, len(_PROTOCOL)) != _PROTOCOL:
        raise Refused("T-S030", f"{part.prefix}byte {offset}: the protocol is not 1001")
    offset += len(_PROTOCOL)
    storages = Storages(part, exam, None)

    def machine(at: int, asks: bool) -> Machine:
        return Machine(
            source,
            at,
            exam.policy,
            where=part.prefix,
            refuse=exam.refuse,
            storage=storages if asks else None,
        )

    system = machine(offset, False)
    main = machine(system.run(), True)
    at = main.run()
    keys = machine(at, False)
    keys.bulk = False
    offset = keys.run()
    listed = getattr(keys.result, "items", None)
    names = [key for key in listed or [] if isinstance(key, str)]
    count = getattr(keys.result, "count", -1)
    if count != len(names) and count > 64:
        names = sorted(storages.asked)  # a long list is not kept; its keys are checked below
        names = _listed(source, at, offset, names)
    if sorted(names) != sorted(storages.asked):
        raise Refused("T-S030", f"{part.prefix}byte {at}: the list of storages does not agree")
    held: dict[str, Source] = {}
    for key in names:
        number = int.from_bytes(source.exactly(offset, 8), "little")
        elements, each = storages.asked[key]
        if number != elements:
            raise Refused(
                "T-S032",
                f"{part.prefix}byte {offset}: storage {key!r:.40} of {number} elements, "
                f"{elements} are claimed",
            )
        held[key] = source.part(offset + 8, elements * each)
        offset += 8 + elements * each
    if offset != source.size:
        raise Refused("T-S005", f"{part.prefix}byte {offset}: bytes follow the last storage")
    little = True
    return StateDict(main.result, held, little)


def _listed(source: Source, start: int, end: int, names: list[str]) -> list[str]:
    """Return the names in the order in which they stand in a pickle of texts alone."""
    data = source.exactly(start, end - start)
    places = []
    for name in names:
        raw = name.encode("utf-8", "surrogatepass")
        marked = b"X" + len(raw).to_bytes(4, "little") + raw
        at = data.find(marked)
        if at < 0:
            return []
        places.append((at, name))
    return [name for _, name in sorted(places)]
