"""Why a file is refused: a stable code, the place, the next move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REMEDIES: Final = {
    "T-S001": "Scan formats that are known, or convert the file to safetensors, npz or ONNX.",
    "T-S002": "Fetch the file again and compare its digest with the publisher's.",
    "T-S003": "Put the file itself there instead of a link or a device.",
    "T-S004": "Split the file, or raise the limit in a policy file after looking at it.",
    "T-S005": "Ask the publisher for a file without the extra bytes.",
    "T-S006": "Decrypt it first; what cannot be read cannot be allowed.",
    "T-S007": "Make sure nothing writes to the file and that it may be read; scan again.",
    "T-S010": "Ask for safetensors or ONNX; allow the name in a policy file only after review.",
    "T-S011": "Ask for safetensors or ONNX; the call does more than rebuild data.",
    "T-S012": "Ask for a file written by the format's own library, unmodified.",
    "T-S013": "Ask for a file written by the format's own library, unmodified.",
    "T-S014": "Write the pickle again without the extension registry.",
    "T-S015": "Save it with torch.save, or as safetensors.",
    "T-S016": "Ask for safetensors or ONNX; the state reaches beyond data.",
    "T-S017": "Do not open it: data do not hold programs. Ask where the file comes from.",
    "T-S018": "Ask for a file that holds one object and nothing after it.",
    "T-S019": "Fetch the file again; if it stays, it was not written by Python's pickle.",
    "T-S020": "Pack the archive again with an ordinary tool.",
    "T-S021": "Fetch the file again; its contents do not match their checksum.",
    "T-S022": "Pack the archive again with each name once.",
    "T-S023": "Pack the archive again with an ordinary tool.",
    "T-S024": "Pack the archive again with plain relative names.",
    "T-S025": "Pack the archive again, stored or deflated.",
    "T-S030": "Save the state dict again with torch.save.",
    "T-S031": "Ask for the state dict as safetensors, or for ONNX.",
    "T-S032": "Save the state dict again with torch.save.",
    "T-S040": "Give the folder that holds model and data, with the data beside the model.",
    "T-S041": "Export the model again with standard operators only.",
    "T-S042": "Export the model again with its own library.",
    "T-S050": "Save the tensors again with the safetensors library.",
    "T-S051": "Save the tensors again with the safetensors library.",
    "T-S060": "Convert the model to GGUF again with its own tool.",
    "T-S070": "Save the model without Lambda layers and custom objects, or export ONNX.",
    "T-S071": "Save the weights as safetensors or as Keras v3 without custom objects.",
    "T-S080": "Export the model without operators that reach files or Python.",
    "T-S090": "Use a model whose code ships with its library; remote code runs on load.",
    "T-S091": "Take the template out; render prompts with one that you wrote.",
    "T-S095": "Take the program out of the folder, or review it as code.",
}
"""Every code that a refusal can carry, with the next move."""

SHOWN: Final = 50  # reasons kept for one file; one more would teach nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason to refuse a file.

    Attributes:
        code: stable code such as ``T-S010``.
        where: the place (member, offset, opcode) and what was found there.
        remedy: the next move.
    """

    code: str
    where: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found of one file.

    Attributes:
        path: as given, or below the folder that was given.
        format: recognised from the content.
        sha256: of the whole file; empty where it was not read.
        allowed: whether nothing stands against opening it.
        reasons: why not; empty exactly where it is allowed.
        notes: what was seen and not judged, such as a signature that was not checked.
    """

    path: str
    format: str
    sha256: str
    allowed: bool
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


class Refused(Exception):
    """Nothing more can be read of this part; the reason says why."""

    def __init__(self, code: str, where: str) -> None:
        self.code = code
        self.where = where
        super().__init__(where)
