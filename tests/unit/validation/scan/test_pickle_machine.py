import base64
import collections
import datetime
import decimal
import os
import pickle  # noqa: TID251 - writes what is scanned
import pickletools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.validation.scan import pickle_machine
from titian.validation.scan.pickle_machine import Machine
from titian.validation.scan.policy import standard
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source

PROTOCOLS = range(6)
SAFE = {
    "plain": [1, 2.5, None, True, "text", b"bytes", (1, 2), {3}, frozenset([4]), 2**100, -7],
    "nested": {"a": [{"b": (1, [2, {3: [4]}])}]},
    "ordered": collections.OrderedDict(a=1, b=[2]),
    "counter": collections.Counter("aab"),
    "default": collections.defaultdict(list, {1: [2]}),
    "deque": collections.deque([1, 2], 3),
    "moment": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
    "decimal": decimal.Decimal("1.5"),
    "array": np.arange(5),
    "fortran": np.asfortranarray(np.ones((2, 3))),
    "words": np.array(["x", "yy"]),
    "objects": np.array([1, "a", None], dtype=object),
    "records": np.zeros(2, dtype=[("a", "<f4"), ("b", "<i8")]),
    "days": np.array(["2020-01-01"], dtype="M8[D]"),
    "scalar": np.float64(3),
    "generator": np.random.default_rng(0),
    "bytearray": bytearray(b"xx"),
    "complex": 1j,
    "empty": np.zeros((2, 0)),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", SAFE)
def test_plain_data_are_allowed(judge, name, protocol):
    verdict = judge(pickle.dumps(SAFE[name], protocol=protocol))
    assert (verdict.where, verdict.format) == ([], "pickle")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_of_the_system_is_refused_at_its_place(judge, calling, protocol):
    verdict = judge(calling(os.system, "id", protocol=protocol))
    assert verdict.codes == ["T-S010"]
    assert "'posix.system' is not on the allow-list" in verdict.where[0]


def test_the_reason_names_offset_opcode_and_name(judge):
    verdict = judge(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.")
    assert verdict.where == ["byte 2, GLOBAL: 'os.system' is not on the allow-list"]
    assert verdict.report.reasons[0].remedy == (
        "Ask for safetensors or ONNX; allow the name in a policy file only after review."
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x8c\x02id\x85R.", "T-S010"),
        (b"\x80\x04\x8c\x02os0\x8c\x02os\x94h\x00\x8c\x06system\x93.", "T-S010"),
        (b"\x80\x04K\x01\x8c\x06system\x93.", "T-S012"),
        (b"\x80\x02K\x012.", "T-S013"),
        (b"\x80\x02K\x01q\x00K\x02q\x00\x86.", "T-S013"),
        (b"\x80\x02K\x01q\x05K\x02q\x04\x86.", "T-S013"),
        (b"\x80\x04K\x01q\x00.", "T-S013"),
        (b"\x80\x02\x82\x01.", "T-S014"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "T-S015"),
        (b"Pabc\n.", "T-S015"),
        (b"\x80\x05\x97.", "T-S015"),
        (b"\x80\x02cbuiltins\nset\n}b.", "T-S016"),
        (b"\x80\x02]}b.", "T-S016"),
        (b"\x80\x02K\x01.K\x02.", "T-S018"),
        (b"\x80\x02K\x01.\x00", "T-S018"),
        (b"\x80\x02h\x07.", "T-S019"),
        (b"\x80\x02K\x01K\x02.", "T-S019"),
        (b"\x80\x02R.", "T-S019"),
        (b"\x80\x02\x8c\x01a.", "T-S019"),
        (b"\x80\x02\xffK\x01.", "T-S019"),
        (b"\x80\x02K", "T-S002"),
        (b"\x80\x04\x8e\x00\x00\x00\x00\x00\x0a\x00\x00.", "T-S002"),
        (b"\x80\x02cnumpy\nndarray\nK\x01\x85R.", "T-S011"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "T-S011"),
        (b"\x80\x02cbuiltins\nlist\ncbuiltins\nset\n\x85R.", "T-S011"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.", "T-S011"),
        (b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "T-S011"),
        (b"\x80\x02cbuiltins\ngetattr\n.", "T-S010"),
        (b"\x80\x02cnumpy.f2py.crackfortran\nparam_eval\n.", "T-S010"),
        (b"\x80\x02ctorch.utils.bottleneck.__main__\nrun_cprofile\n.", "T-S010"),
        (b"\x80\x02cbuiltins\nlist.append\n.", "T-S010"),
        (b"(S'id'\nios\nsystem\n.", "T-S010"),
        (b"(cos\nsystem\nS'id'\no.", "T-S010"),
    ],
)  # fmt: skip
def test_what_no_pickler_writes_is_refused(judge, content, code):
    verdict = judge(content, "file.pkl")
    assert not verdict.allowed
    assert code in verdict.codes


@pytest.mark.parametrize("wrap", [bytes, base64.b64encode, lambda b: b.hex().encode()])
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("count", [1, 20_000])
def test_a_pickle_within_a_pickle_is_refused(judge, at_once, calling, wrap, text, count):
    inner = wrap(calling(os.system, "id"))
    if text and wrap is bytes:
        inner = base64.b85encode(inner)  # not recognised, and nothing decodes it either
    inner = inner.decode("latin-1") if text else inner
    verdict = judge(pickle.dumps([list(range(count)), inner], protocol=4))
    if text and wrap is bytes:
        assert verdict.allowed
    else:
        assert verdict.codes == ["T-S017"]


def test_a_type_with_crafted_flags_is_refused(judge):
    safe = pickle.dumps(np.zeros(1), protocol=2)
    # The flags of numpy.dtype's state: 1 says that the bytes are pointers to objects.
    crafted = safe.replace(
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t", b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ft"
    )
    assert crafted != safe
    assert judge(safe).allowed
    assert judge(crafted).codes == ["T-S016"]


@pytest.fixture
def at_once(monkeypatch):
    """Look for runs in small pickles too."""
    monkeypatch.setattr(pickle_machine, "_SMALL", 1 << 10)


def bulk(n):
    return {
        "numbers": [*range(n), *[i / 7 for i in range(n)], *[i * 2**20 for i in range(n)]],
        "records": [{"id": i, "name": f"n{i}", "tags": ["a", f"b{i % 7}"]} for i in range(n)],
        "rows": [(i, float(i), str(i), None, True) for i in range(n)],
        "deep": [[[i, [i, (i, i)]], {i: [i]}] for i in range(n)],
    }


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ["numbers", "records", "rows", "deep"])
def test_runs_are_read_as_single_opcodes_are(tmp_path, at_once, name, protocol):
    content = pickle.dumps(bulk(1500)[name], protocol=protocol)
    found = []
    for bulky in (False, True):
        machine, end = read(tmp_path, content, bulk=bulky)
        found.append((end, machine.memo.next, sorted(machine.memo.special)))
    assert found[0] == found[1]
    assert found[0][0] == len(content)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_call_behind_and_within_runs_is_found(judge, at_once, protocol):
    class Evil:
        def __reduce__(self):
            return os.system, ("id",)

    for value in ([bulk(1500), Evil()], [*bulk(1500)["rows"], [Evil()], *bulk(1500)["rows"]]):
        assert judge(pickle.dumps(value, protocol=protocol)).codes[0] == "T-S010"


def test_a_place_overwritten_within_a_run_is_refused(judge, at_once):
    rows = b"".join(
        b"X\x0c\x00\x00\x00abcdefghijklr" + i.to_bytes(4, "little") for i in range(300, 6000)
    )
    good = b"\x80\x02](" + rows + b"e."
    bad = b"\x80\x02](" + rows + b"X\x01\x00\x00\x00ar" + (5000).to_bytes(4, "little") + b"e."
    assert judge(good).allowed
    assert judge(bad).codes == ["T-S013"]


def read(tmp_path, content, **options):
    path = tmp_path / "read.pkl"
    path.write_bytes(content)
    with path.open("rb") as file:
        machine = Machine(
            Source(file.fileno(), 0, len(content)),
            0,
            standard(),
            refuse=lambda code, where: None,
            **options,
        )
        end = machine.run()
        machine.memo.settle()
        return machine, end


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=6)
    | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=9), inner, max_size=6),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(value=VALUES, protocol=st.integers(0, 5))
def test_what_pickle_writes_is_read_to_its_end(tmp_path_factory, value, protocol):
    content = pickle.dumps(value, protocol=protocol)
    _, end = read(tmp_path_factory.getbasetemp(), content)
    assert end == len(content)


@settings(max_examples=200, deadline=None)
@given(
    value=VALUES,
    protocol=st.integers(0, 5),
    places=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
)
def test_what_is_read_to_its_end_pickletools_reads_alike(
    tmp_path_factory, value, protocol, places
):
    content = bytearray(pickle.dumps(value, protocol=protocol))
    for at, byte in places:
        content[at % len(content)] = byte
    try:
        _, end = read(tmp_path_factory.getbasetemp(), bytes(content))
    except Refused:
        return
    *_, (opcode, _, at) = pickletools.genops(bytes(content))
    assert (opcode.name, at + 1) == ("STOP", end)
