import struct
import zipfile
from dataclasses import replace

import pytest

from titian.validation.scan.policy import standard
from titian.validation.scan.scanner import scan


def changed(content, at, new):
    return content[:at] + new + content[at + len(new) :]


@pytest.fixture
def plain(zipped):
    return zipped({"a.txt": b"first", "b.txt": b"second"})


def central(content):
    return content.index(b"PK\x01\x02")


def test_an_ordinary_zip_is_allowed(judge, plain, zipped):
    assert judge(plain).allowed
    assert judge(zipped({"a.txt": b"x" * 5000}, zipfile.ZIP_DEFLATED)).allowed
    assert judge(zipped({})).allowed


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda z: changed(z, 30, b"z"), "T-S020"),  # local name
        (lambda z: changed(z, 14, b"\0\0\0\0"), "T-S020"),  # local CRC
        (lambda z: changed(z, 6, b"\1"), "T-S020"),  # local flags
        (lambda z: changed(z, central(z) + 8, b"\1"), "T-S006"),
        (lambda z: changed(changed(z, 6, b"\x20"), central(z) + 8, b"\x20"), "T-S025"),
        (lambda z: changed(z, central(z) + 10, b"\x0c"), "T-S025"),
        (lambda z: changed(z, 35, b"X"), "T-S021"),  # content
        (lambda z: z + b"x", "T-S005"),
        (lambda z: z[:60], "T-S002"),
        (lambda z: z[:-1], "T-S005"),
        (lambda z: b"junk" + z, "T-S005"),
        (lambda z: z[: central(z)] + b"junk" + z[central(z) :], "T-S020"),
        (lambda z: changed(z, z.rindex(b"b.txt"), b"a"), "T-S022"),
        (lambda z: changed(z, z.rindex(b"b.txt"), b"A"), "T-S022"),
        (lambda z: z.replace(b"a.txt", b"../ax"), "T-S024"),
        (lambda z: z.replace(b"a.txt", b"/a.tx"), "T-S024"),
        (lambda z: z.replace(b"a.txt", b"a\\.tx"), "T-S024"),
        (lambda z: changed(z, central(z) + 38, struct.pack("<L", 0o120777 << 16)), "T-S024"),
        (lambda z: changed(z, central(z) + 42, b"\1"), "T-S023"),
    ],
)
def test_what_readers_could_see_apart_is_refused(judge, plain, change, code):
    verdict = judge(change(plain))
    assert not verdict.allowed
    assert verdict.codes == [code]


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path, zipped):
    path = tmp_path / "bomb.zip"
    path.write_bytes(zipped({"zeros": bytes(1 << 24)}, zipfile.ZIP_DEFLATED))
    (report,) = scan([path], replace(standard(), unpacked_bytes=1 << 20))
    (reason,) = report.reasons
    assert (reason.code, reason.where) == (
        "T-S004",
        "zeros: more than 1048576 bytes come out",
    )


def test_archives_within_archives_end(judge, zipped):
    content = b"x"
    for _ in range(6):
        content = zipped({"inner.zip": content})
    verdict = judge(content)
    assert verdict.codes == ["T-S004"]
