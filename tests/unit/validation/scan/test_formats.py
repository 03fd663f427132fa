import bz2
import gzip
import io
import json
import lzma
import os
import struct
import tarfile
import zlib

import numpy as np
import pytest
from onnx import TensorProto, helper

from titian.validation.scan.scanner import scan


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def model(nodes=None, initializers=(), **options):
    nodes = nodes or [helper.make_node("Relu", ["x"], ["y"])]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", 1, [2])], [value("y", 1, [2])], list(initializers)
    )
    return helper.make_model(graph, **options)


def entry(start, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def gguf(entries, tensors=(), data=b""):
    def text(value):
        raw = value.encode()
        return struct.pack("<Q", len(raw)) + raw

    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    for key, value in entries:
        out += text(key) + struct.pack("<I", 8) + text(value)
    for name, shape, offset in tensors:
        out += (
            text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        )
        out += struct.pack("<IQ", 0, offset)
    return out + bytes(-len(out) % 32) + data


SAFE = {
    "npy": npy(np.arange(6).reshape(2, 3)),
    "npy of nothing": npy(np.zeros((0, 4))),
    "npy of objects": npy(np.array([1, "a"], dtype=object)),
    "safetensors": safetensors({"a": entry(0, 8, [2]), "b": entry(8, 12, [1])}, bytes(12)),
    "safetensors of nothing": safetensors({}),
    "onnx": model().SerializeToString(),
    "gguf": gguf([("a", "b")], [("w", [8], 0)], bytes(32)),
    "text": "Grüße\n".encode(),
    "json": b'{"a": [1, -2.5e3, true, null, "\\u00e9"], "chat_template": "{{ x }}"}',
    "nothing": b"",
}
HOSTILE = {
    "npy cut": (SAFE["npy"][:-1], "T-S002"),
    "npy too long": (SAFE["npy"] + b"x", "T-S005"),
    "npy of 10 TB": (SAFE["npy"].replace(b"(2, 3)", b"(9999999999999,)"[:6]), "T-S002"),
    "npy with a call": (SAFE["npy"].replace(b"'<i8'", b"exit()"[:5]), "T-S002"),
    "safetensors overlap": (
        safetensors({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, bytes(12)),
        "T-S051",
    ),
    "safetensors gap": (
        safetensors({"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, bytes(12)),
        "T-S051",
    ),
    "safetensors trailing": (safetensors({"a": entry(0, 4, [1])}, bytes(5)), "T-S051"),
    "safetensors cut": (safetensors({"a": entry(0, 4, [1])}, bytes(3)), "T-S002"),
    "safetensors twice": (
        safetensors(
            b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            b"x",
        ),
        "T-S050",
    ),
    "safetensors of 10 TB": (struct.pack("<Q", 10**13) + b"{}", "T-S050"),
    "safetensors of wrong size": (safetensors({"a": entry(0, 4, [2])}, bytes(4)), "T-S051"),
    "safetensors nested": (safetensors(b'{"a":' + b"[" * 99999 + b"}"), "T-S050"),
    "safetensors program": (
        safetensors({"__metadata__": {"x": "import os; os.system('id')"}}),
        "T-S095",
    ),
    "onnx custom": (
        model([helper.make_node("Evil", ["x"], ["y"], domain="evil")]).SerializeToString(),
        "T-S041",
    ),
    "onnx unknown": (
        model([helper.make_node("NoSuch", ["x"], ["y"])]).SerializeToString(),
        "T-S041",
    ),
    "onnx unknown field": (SAFE["onnx"] + b"\xf8\x3f\x01", "T-S042"),
    "onnx oversized": (SAFE["onnx"] + b"\x3a\xff\xff\xff\xff\x0f", "T-S042"),
    "gguf of 10 TB": (b"GGUF" + struct.pack("<IQQ", 3, 10**13, 1), "T-S060"),
    "gguf trailing": (SAFE["gguf"] + bytes(99), "T-S060"),
    "gguf template": (
        gguf([("tokenizer.chat_template", "{{ ''.__class__.__mro__ }}")]),
        "T-S091",
    ),
    "remote code": (b'{"auto_map": {"AutoModel": "evil.Model"}}', "T-S090"),
    "trusted code": (b'{"trust_remote_code": true}', "T-S090"),
    "template": (b'{"chat_template": "{{ cycler.__init__ }}"}', "T-S091"),
    "escaped template": (b'{"chat_template": "{{ x.\\u005f\\u005finit }}"}', "T-S091"),
    "deep json": (b"[" * 100_000, "T-S004"),
    "script": (b"#!/bin/sh\nrm -rf /\n", "T-S095"),
    "elf": (b"\x7fELF" + bytes(60), "T-S095"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "T-S071"),
    "noise": (bytes(range(200, 256)), "T-S001"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "T-S001"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAFE)
def test_what_the_library_writes_is_allowed(judge, name):
    assert judge(SAFE[name], "file").where == []


@pytest.mark.parametrize("name", HOSTILE)
def test_what_it_does_not_write_is_refused(judge, name):
    content, code = HOSTILE[name]
    verdict = judge(content, "file")
    assert verdict.codes == [code]


PACKERS = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("name", PACKERS)
def test_compressed_files_are_looked_into(judge, calling, name):
    pack = PACKERS[name]
    safe, evil = pack(npy(np.arange(9))), pack(calling(os.system, "id"))
    assert (judge(safe).where, judge(safe).format) == ([], name)
    assert judge(evil).codes == ["T-S010"]
    assert judge(pack(evil)).codes == ["T-S010"]
    assert not judge(safe[:-3]).allowed
    assert not judge(safe + b"tail").allowed


def test_tars_are_looked_into(judge, calling, tmp_path):
    def tar(name, content):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        return file.getvalue()

    assert judge(tar("a.npy", SAFE["npy"])).where == []
    assert judge(tar("a.pkl", calling(os.system, "id"))).codes == ["T-S010"]
    assert judge(tar("../a.npy", SAFE["npy"])).codes == ["T-S024"]


def test_a_zip_behind_another_file_is_refused(judge, zipped):
    assert judge(SAFE["text"] + zipped({"a": b"b"})).codes == ["T-S005"]


def test_the_name_is_not_believed(judge, calling):
    assert judge(calling(os.system, "id"), "model.safetensors").codes == ["T-S010"]
    assert judge(SAFE["safetensors"], "model.pkl").format == "safetensors"
    assert judge(b"import os\n", "setup.py").codes == ["T-S095"]


def external(location, **more):
    tensor = TensorProto(name="w", data_type=1, dims=[2], data_location=1)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return model(initializers=[tensor]).SerializeToString()


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../w.bin", "a/../../w.bin", "C:\\w", "~/w", "", "a\\b"]
)
def test_external_data_outside_the_folder_are_refused(judge, location):
    assert judge(external(location)).codes == ["T-S040"]


def test_external_data_are_allowed_with_their_model(tmp_path):
    (tmp_path / "m.onnx").write_bytes(external("w.bin", offset=8, length=8))
    (tmp_path / "w.bin").write_bytes(b"\xff" * 16)
    reports = {report.format: report for report in scan([tmp_path])}
    assert {name: report.allowed for name, report in reports.items()} == {
        "onnx": True,
        "onnx data": True,
    }
    (alone,) = scan([tmp_path / "m.onnx"])
    assert alone.reasons[0].where.endswith(
        "external data at 'w.bin' are not among the files given"
    )
    (tmp_path / "w.bin").write_bytes(b"\xff" * 9)
    assert not any(report.allowed for report in scan([tmp_path]))


def test_links_and_pipes_are_not_followed(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out.txt"
    inside.mkdir()
    outside.write_text("secret")
    (inside / "kept.txt").write_text("kept")
    (inside / "leads-out.txt").symlink_to(outside)
    (inside / "stays.txt").symlink_to(inside / "kept.txt")
    (inside / "loop").symlink_to(inside)
    os.mkfifo(inside / "pipe")
    reports = {report.path.rpartition("/")[2]: report for report in scan([inside])}
    assert {name for name, report in reports.items() if report.allowed} == {
        "kept.txt",
        "stays.txt",
    }
    assert reports["leads-out.txt"].sha256 == ""
    assert (
        reports["leads-out.txt"].reasons[0].where == "a link that leads out of what was given"
    )
    assert reports["pipe"].reasons[0].code == "T-S003"


def test_a_signature_is_noted_as_not_checked(judge):
    bundle = b'{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}'
    assert judge(bundle, "model.sig").report.notes == (
        "an OpenSSF model signature is present; it was not checked, so who signed the model is "
        "not shown",
    )
