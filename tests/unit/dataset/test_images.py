"""Pictures become grey values in [0, 1]; what cannot is refused with its reason."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib

import numpy as np
import pydicom
import pytest
from PIL import Image

from titian.dataset.images import decode, read_image
from titian.dataset.phantom import dicom_bytes, make_phantom
from titian.dataset.picture import UnreadableImageError

RAMP = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)


def png(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, options.pop("format", "PNG"), **options)
    return out.getvalue()


def refusal(data: bytes, name: str = "x.png") -> str:
    with pytest.raises(UnreadableImageError) as caught:
        decode(data, name=name)
    return str(caught.value)


def dicom(**changes: object) -> bytes:
    case = make_phantom(seed=1, patients=4).cases[0]
    data = pydicom.dcmread(io.BytesIO(dicom_bytes(case, seed=1)))
    data.Rows, data.Columns, data.PixelData = 8, 8, RAMP.tobytes()
    for name, value in changes.items():
        setattr(data, name, value)
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()


def test_png_of_8_and_16_bits_and_colour():
    assert np.allclose(decode(png(RAMP), name="x").pixels, RAMP / 255, atol=1e-6)
    wide = (RAMP.astype(np.uint16) * 257).astype(np.uint16)
    picture = decode(png(wide), name="x")
    assert np.allclose(picture.pixels, RAMP / 255, atol=1e-6)
    assert picture.bits == 16
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert np.allclose(decode(png(red), name="x").pixels, 0.299, atol=1e-6)


def test_jpeg_is_close():
    assert (
        np.abs(decode(png(RAMP, format="JPEG", quality=95), name="x").pixels - RAMP / 255).max()
        < 0.1
    )


def test_dicom_of_8_bits_without_a_window_spans_its_range():
    assert np.allclose(decode(dicom(), name="x.dcm").pixels, RAMP / 255, atol=1e-6)


def test_monochrome1_is_inverted():
    picture = decode(dicom(PhotometricInterpretation="MONOCHROME1"), name="x.dcm")
    assert np.allclose(picture.pixels, 1 - RAMP / 255, atol=1e-6)


def test_rescaling_comes_before_the_window():
    # Stored 0..255 become -100..410; the window shows 0..100 of that (linear exact).
    data = dicom(
        RescaleSlope=2,
        RescaleIntercept=-100,
        WindowCenter=50,
        WindowWidth=100,
        VOILUTFunction="LINEAR_EXACT",
    )
    expected = np.clip((RAMP * 2.0 - 100) / 100, 0, 1)
    assert np.allclose(decode(data, name="x.dcm").pixels, expected, atol=1e-6)


def test_linear_window_follows_the_standard():
    data = dicom(WindowCenter=128, WindowWidth=101)
    expected = np.clip((RAMP - 127.5) / 100 + 0.5, 0, 1)
    assert np.allclose(decode(data, name="x.dcm").pixels, expected, atol=1e-6)


def test_the_middle_frame_is_taken():
    frames = np.stack([RAMP * 0, RAMP, RAMP * 0])
    data = dicom(NumberOfFrames=3, PixelData=frames.tobytes())
    assert np.allclose(decode(data, name="x.dcm").pixels, RAMP / 255, atol=1e-6)


def test_values_stay_within_the_range_for_any_window():
    for centre, width in ((0, 1), (1e6, 5), (128, 0.5)):
        pixels = decode(dicom(WindowCenter=centre, WindowWidth=width), name="x.dcm").pixels
        assert pixels.min() >= 0
        assert pixels.max() <= 1


def test_a_bomb_is_refused_from_its_header():
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body))
            + kind
            + body
            + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 10000, 10000, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )
    assert refusal(bomb) == (
        "T-D043: image 'x.png': its header declares 100,000,000 pixels; the limit is "
        "64,000,000. Replace the file, remove its row, or set data.unreadable to exclude."
    )


def test_a_dicom_bomb_is_refused_by_its_frames():
    assert refusal(dicom(NumberOfFrames=2_000_000), "x.dcm") == (
        "T-D043: image 'x.dcm': its header declares 128,000,000 pixels; the limit is "
        "64,000,000. Replace the file, remove its row, or set data.unreadable to exclude."
    )


def test_cut_files_are_refused_at_every_length():
    for data, name in ((png(RAMP), "x.png"), (dicom(), "x.dcm")):
        for length in range(0, len(data) - 13, max(len(data) // 40, 1)):
            assert refusal(data[:length], name).startswith("T-D041: image")


def test_says_what_the_file_is_not():
    assert refusal(b"GIF89a") == (
        "T-D041: image 'x.png': the file is not PNG, JPEG or DICOM. "
        "Replace the file, remove its row, or set data.unreadable to exclude."
    )
    assert "the file is empty (0 bytes)" in refusal(b"")


def test_read_image_checks_the_digest(tmp_path):
    data = png(RAMP)
    (tmp_path / "a.png").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert read_image(tmp_path, "a.png", digest).dtype == np.float32
    with pytest.raises(UnreadableImageError) as caught:
        read_image(tmp_path, "a.png", "0" * 64)
    assert str(caught.value) == (
        "T-D042: image 'a.png': its bytes are not those with the digest 000000000000... that "
        "the records name. "
        "Replace the file, remove its row, or set data.unreadable to exclude."
    )
    with pytest.raises(
        UnreadableImageError, match=r"T-D040: image 'b\.png': the file cannot be"
    ):
        read_image(tmp_path, "b.png")


@pytest.mark.data
def test_odd_dicom_files_give_an_image_or_a_reason(shared_data):
    read, reasons = 0, []
    for path in sorted((shared_data / "dicom").rglob("*")):
        if path.is_dir():
            continue
        try:
            pixels = read_image(path.parent, path.name)
        except UnreadableImageError as error:
            reasons.append(error.reason)
            continue
        assert pixels.ndim == 2
        assert pixels.dtype == np.float32
        assert np.isfinite(pixels).all()
        assert 0 <= pixels.min() <= pixels.max() <= 1
        read += 1
    assert read >= 125
    assert all(reasons)


def test_a_pipe_in_place_of_an_image_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(UnreadableImageError) as caught:
        read_image(tmp_path, "x.png")
    assert "the file cannot be read (Not a regular file)" in str(caught.value)
