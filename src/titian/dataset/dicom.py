"""DICOM to one grey image in [0, 1].

The stored values go through the modality's rescaling, then through the first window that the
file names (PS3.3, C.11.2.1: linear, linear exact or sigmoid). Without a window, values of at
most 8 bits span their whole range, so that brightness stays comparable, and wider ones span
their 1st to 99th percentile. MONOCHROME1 is inverted. Of several frames the middle one is
taken, since the first of an ultrasound clip is often blank.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.dataset.picture import LUMINANCE, Picture, UnreadableImageError, require_pixels

PERCENTILES = (1.0, 99.0)
_GREY = ("MONOCHROME1", "MONOCHROME2")


def decode_dicom(data: bytes, *, name: str) -> Picture:
    """Decode the bytes of a DICOM file.

    Raises:
        UnreadableImageError: no pixels, too many of them, or corrupt.
    """
    import pydicom
    from pydicom.pixels.utils import pixel_array

    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its warnings come as reasons
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            frames = _frames(dataset, name=name)
            index = frames // 2 if frames > 1 else 0
            if "TransferSyntaxUID" not in dataset.file_meta:
                _assume_syntax(dataset)
            raw = pixel_array(dataset, index=index if frames > 1 else None)
            return Picture(
                pixels=_grey(np.asarray(raw), dataset, index),
                bits=int(dataset.get("BitsStored", 0) or 32),
                device=_device(dataset),
            )
        except UnreadableImageError:
            raise
        except Exception as error:  # a decoder meets arbitrary bytes
            reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            raise UnreadableImageError(
                "T-D041", name, f"it cannot be decoded ({reason})"
            ) from error


def _frames(dataset: Any, *, name: str) -> int:  # noqa: ANN401 - a dataset is dynamic
    tags = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    if not any(tag in dataset for tag in tags):
        if not len(dataset):
            raise UnreadableImageError("T-D041", name, "the file holds no DICOM elements")
        raise UnreadableImageError("T-D041", name, "the DICOM file holds no pixel data")
    sizes = {tag: dataset.get(tag) for tag in ("Rows", "Columns")}
    absent = [tag for tag, size in sizes.items() if not size]
    if absent:
        reason = f"the DICOM file has pixels but no {' and '.join(absent)}"
        raise UnreadableImageError("T-D041", name, reason)
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    samples = int(dataset.get("SamplesPerPixel", 1) or 1)
    count = int(sizes["Rows"]) * int(sizes["Columns"]) * max(frames, 1) * samples
    require_pixels(count, name=name)
    return frames


def _assume_syntax(dataset: Any) -> None:  # noqa: ANN401
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    if implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    else:
        dataset.file_meta.TransferSyntaxUID = (
            ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        )


def _grey(raw: NDArray[Any], dataset: Any, index: int) -> NDArray[np.float32]:  # noqa: ANN401
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        raw = np.asarray(apply_color_lut(raw, dataset))
        return _luminance(raw, float(np.iinfo(raw.dtype).max))
    if raw.ndim == 3:
        return _luminance(raw, float((1 << int(dataset.get("BitsStored", 8))) - 1))
    if raw.ndim != 2:
        raise ValueError(f"pixels have the shape {raw.shape}, not rows by columns")
    slope, intercept = _rescaling(dataset, index)
    values = raw.astype(np.float64) * slope + intercept
    if "ModalityLUTSequence" in dataset:
        from pydicom.pixels.processing import apply_modality_lut

        values = np.asarray(apply_modality_lut(raw, dataset), dtype=np.float64)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    grey = _window(values, dataset, index)
    if photometric == "MONOCHROME1":
        grey = 1.0 - grey
    return grey.astype(np.float32)


def _luminance(raw: NDArray[Any], most: float) -> NDArray[np.float32]:
    colour = raw[..., :3].astype(np.float32)
    return np.asarray(np.clip(colour @ LUMINANCE / np.float32(most), 0, 1), dtype=np.float32)


def _functional(dataset: Any, index: int, group: str, tag: str) -> Any:  # noqa: ANN401
    """Look a value up in the dataset, then in its frame's and its shared groups."""
    if tag in dataset:
        return dataset.get(tag)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for item in [*per_frame[index : index + 1], *shared[:1]]:
        held = item.get(group)
        if held and tag in held[0]:
            return held[0].get(tag)
    return None


def _first(value: Any) -> float | None:  # noqa: ANN401
    from pydicom.multival import MultiValue

    if isinstance(value, MultiValue | list | tuple):
        value = value[0] if len(value) else None
    return None if value is None or value == "" else float(value)


def _rescaling(dataset: Any, index: int) -> tuple[float, float]:  # noqa: ANN401
    group = "PixelValueTransformationSequence"
    slope = _first(_functional(dataset, index, group, "RescaleSlope"))
    intercept = _first(_functional(dataset, index, group, "RescaleIntercept"))
    return (slope or 1.0, 0.0 if intercept is None else intercept)


def _window(values: NDArray[np.float64], dataset: Any, index: int) -> NDArray[np.float64]:  # noqa: ANN401
    group = "FrameVOILUTSequence"
    centre = _first(_functional(dataset, index, group, "WindowCenter"))
    width = _first(_functional(dataset, index, group, "WindowWidth"))
    if centre is not None and width is not None and width > 0:
        function = str(_functional(dataset, index, group, "VOILUTFunction") or "LINEAR")
        if function == "SIGMOID":
            return 1.0 / (1.0 + np.exp(-np.clip(4.0 * (values - centre) / width, -50, 50)))
        if function == "LINEAR_EXACT" or width <= 1:
            low, high = centre - width / 2, centre + width / 2
        else:
            low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    elif int(dataset.get("BitsStored", 16) or 16) <= 8 and not dataset.get("RescaleSlope"):
        signed = bool(dataset.get("PixelRepresentation", 0))
        top = float((1 << int(dataset.BitsStored)) - 1)
        low, high = (-(top + 1) / 2, (top - 1) / 2) if signed else (0.0, top)
    else:
        low, high = (float(edge) for edge in np.percentile(values, PERCENTILES))
    if high <= low:
        return (values > low).astype(np.float64)
    return np.clip((values - low) / (high - low), 0.0, 1.0)
    # A VOI LUT sequence is rarer than a window and never without one in practice.


def _device(dataset: Any) -> str:  # noqa: ANN401
    parts = (dataset.get("Manufacturer"), dataset.get("ManufacturerModelName"))
    return " ".join(str(part).strip() for part in parts if part) or "DICOM"
