"""titian scan as a command: exit codes, JSON, conversion, memory."""

import json
import os
import pickle  # noqa: TID251 - writes what is scanned
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

BIN = Path(sys.executable).parent


def titian(*arguments, cwd=None):
    return subprocess.run(
        [BIN / "titian", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


class Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_exit_codes_and_json(tmp_path):
    np.save(tmp_path / "good.npy", np.arange(3))
    done = titian("scan", tmp_path, "--json")
    assert done.returncode == 0
    (file,) = json.loads(done.stdout)["files"]
    assert set(file) >= {"path", "format", "sha256", "allowed", "reasons"}
    assert (file["format"], file["allowed"], file["reasons"]) == ("npy", True, [])

    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Evil()))
    done = titian("scan", tmp_path, "--json", cwd=tmp_path)
    assert done.returncode == 1
    bad, good = json.loads(done.stdout)["files"]
    assert (bad["allowed"], good["allowed"]) == (False, True)
    assert set(bad["reasons"][0]) == {"code", "where", "remedy"}
    assert not (tmp_path / "ran").exists()

    done = titian("scan", tmp_path / "absent")
    assert done.returncode == 2
    assert "T-S101" in done.stderr
    assert titian("scan").returncode == 2


def test_a_policy_adds_names_and_is_named_in_the_report(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02cmylab\nLabel\n.")
    policy = tmp_path / "policy.json"
    policy.write_text('{"allow": {"mylab.Label": "type"}}')
    done = titian("scan", tmp_path / "a.pkl", "--policy", policy, "--json")
    assert done.returncode == 0, done.stdout
    assert "+" in json.loads(done.stdout)["policy"]
    policy.write_text('{"alow": {}, "limits": {"depth": 0}}')
    done = titian("scan", tmp_path / "a.pkl", "--policy", policy)
    assert done.returncode == 2
    assert done.stderr.count("T-S102") == 2


def test_scan_starts_without_heavy_libraries():
    code = (
        "import sys, titian.cli.app, titian.validation.scan.scanner;"
        "heavy = ('numpy', 'scipy', 'torch', 'onnx', 'pydantic');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("new", [True, False])
def test_a_converted_state_dict_holds_the_same_numbers(tmp_path, new):
    matrix = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    state = {
        "model": {"weight": matrix, "turned": matrix.t(), "part": matrix[1:, 2:]},
        "half": torch.ones(2, dtype=torch.bfloat16),
        "epoch": 3,
    }
    torch.save(state, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
    done = titian("scan", tmp_path / "m.pt", "--convert", tmp_path / "safe")
    assert done.returncode == 0, done.stdout
    data = (tmp_path / "safe" / "m.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    for name, tensor in (("weight", matrix), ("turned", matrix.t()), ("part", matrix[1:, 2:])):
        row = header[f"model.{name}"]
        start, end = row["data_offsets"]
        found = np.frombuffer(data[8 + size + start : 8 + size + end], dtype="<f4")
        assert np.array_equal(found.reshape(row["shape"]), tensor.numpy())
    assert header["half"]["dtype"] == "BF16"
    statement = json.loads((tmp_path / "safe" / "m.statement.json").read_text())
    assert statement["left_out"] == [{"name": "epoch", "what": "no tensor"}]
    assert titian("scan", tmp_path / "safe").returncode == 0
    again = titian("scan", tmp_path / "m.pt", "--convert", tmp_path / "safe")
    assert again.returncode == 2
    assert "T-S103" in again.stderr


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_tensor_beyond_its_storage_and_torchscript_are_refused(tmp_path):
    torch.save({"a": torch.zeros(4)}, tmp_path / "m.pt")
    with zipfile.ZipFile(tmp_path / "m.pt") as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = next(n for n in members if n.endswith("data.pkl"))
    members[name] = members[name].replace(b"K\x04\x85", b"K\x05\x85")
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as target:
        for member, content in members.items():
            target.writestr(member, content)
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "s.pt")
    done = titian("scan", tmp_path, "--json")
    codes = [f["reasons"][0]["code"] for f in json.loads(done.stdout)["files"]]
    assert codes == ["T-S032", "T-S031"]


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 28))


def deep(path):
    path.write_bytes(b"\x80\x02" + b"(" * 3_000_000)


def tall(path):
    path.write_bytes(b"\x80\x02" + b"N" * 3_000_000)


def wide(path):
    path.write_bytes(b"\x80\x04" + b"]\x94" * 3_000_000)


def nested(path):
    path.write_bytes(b"\x80\x02)" + b"\x85" * 3_000_000 + b".")


def places(path):
    row = b"cbuiltins\nset\nq"
    path.write_bytes(b"\x80\x02" + b"".join(row[:-1] + b"r" + i.to_bytes(4, "little") + b"0"
                                             for i in range(400_000)) + b"N.")  # fmt: skip


def braces(path):
    path.write_bytes(b'{"a":' * 3_000_000)


def header(path):
    text = b"{" + b",".join(b'"%d":[]' % i for i in range(500_000)) + b"}"
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def numbers(path):
    path.write_bytes(pickle.dumps(list(range(3_000_000)), protocol=4))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [bomb, deep, tall, wide, nested, places, braces, header, numbers]
)
def test_memory_stays_bounded(tmp_path, make):
    path = tmp_path / "hostile.bin"
    make(path)
    code = (
        "import sys, resource; from pathlib import Path;"
        "from titian.validation.scan.scanner import scan; import titian.cli.app;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "report, = scan([Path(sys.argv[1])]);"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    limit = (1 << 30, 1 << 30)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=300,
        check=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )  # fmt: skip
    assert int(done.stdout) < 100, f"{done.stdout} MiB"
