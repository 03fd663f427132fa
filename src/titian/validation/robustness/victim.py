"""The model under attack: opened, understood and, where that can be done, differentiable.

An adversary computes on *logits*: where the model answers probabilities, on what entered the
last softmax, or else on their logarithms. Whether an attack has won is asked of the original
model in its own runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem
from titian.models.card import read_card
from titian.models.inspection import parse_model, read_bytes
from titian.models.session import open_session, run_session
from titian.validation.robustness.operators import Untranslatable
from titian.validation.robustness.samples import Floats, Samples
from titian.validation.robustness.translation import Translation, translate

Tensor = Any
Scores = npt.NDArray[np.float64]

BATCH: Final = 128
BATCH_VALUES: Final = 4_194_304
PROBE: Final = 32  # cases that tell logits from probabilities and one run from another
AGREEMENT: Final = 1e-3  # of a translation with the runtime, relative to the largest answer
SAME: Final = 1e-4  # of two runs, likewise
SUM: Final = 1e-3  # of probabilities to 1
LEAST: Final = 1e-30  # a probability that rounds to 0 keeps a logarithm

NOMINAL: Final = {
    "Normalized_0_1": (0.0, 1.0),
    "Normalized_1_1": (-1.0, 1.0),
    "NominalRange_0_255": (0.0, 255.0),
    "NominalRange_16_235": (16.0, 235.0),
}
"""Values of ``Image.NominalPixelRange`` in the metadata of ONNX models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A model that can be asked, and perhaps differentiated.

    Attributes:
        name: file name.
        kind: ``onnx``, ``torch.export`` or ``torch``.
        classes: number of classes.
        output: ``logits`` or ``probabilities``, as detected.
        answer: inputs (n, ...) -> scores (n, classes) whose largest is the decision.
        logits: the same for torch tensors; differentiable where `why_black_box` is empty.
        why_black_box: why no gradient can be had; empty where one can.
        range: valid inputs as the model declares them, or None.
        batch: cases in a call.
        notes: what a reader should know.
    """

    name: str
    kind: str
    classes: int
    output: str
    answer: Callable[[Floats], Scores] = field(repr=False)
    logits: Callable[[Tensor], Tensor] = field(repr=False)
    why_black_box: str = ""
    range: tuple[float, float] | None = None
    batch: int = BATCH
    notes: tuple[str, ...] = ()


def open_victim(path: Path, samples: Samples) -> Victim:
    """Open a model file and ask it about the first cases.

    Raises:
        InputError: T-M001 to T-M006, an ONNX file that cannot be opened; T-S206 to T-S211.
    """
    if path.suffix == ".pt2":
        victim = _open_program(path, samples)
    else:
        victim = _open_onnx(path, samples)
    require_sense(victim, samples)
    return victim


def require_sense(victim: Victim, samples: Samples) -> None:
    """Refuse a model that answers NaN, changes its mind or mixes cases, and odd classes.

    Raises:
        InputError: T-S209 NaN; T-S210 not deterministic; T-S211 classes.
    """
    x = samples.x[:PROBE]
    first = victim.answer(x)
    problems = []
    if not np.isfinite(first).all():
        odd = int((~np.isfinite(first)).any(axis=1).sum())
        problems.append(
            Problem(
                code="T-S209",
                message=f"{victim.name} answers NaN or infinity to {odd} of {len(x)} cases.",
                remedy="Look at these inputs, and whether they are scaled as it expects.",
            )
        )
    else:
        for again, what in (
            (victim.answer(x), "asked twice"),
            (np.concatenate([victim.answer(row[None]) for row in x[:4]]), "asked one by one"),
        ):
            apart = _apart(again, first[: len(again)])
            if apart > (SAME if what == "asked twice" else AGREEMENT):
                problems.append(
                    Problem(
                        code="T-S210",
                        message=f"{victim.name} is not deterministic: {what}, its answers "
                        f"to the same cases differ by {apart:.2g} of their size; attacks would "
                        "overstate its robustness.",
                        remedy="Export it in evaluation mode, without dropout or noise.",
                    )
                )
                break
    for name, classes in (("y", samples.y), ("target", samples.target)):
        if classes is not None and int(classes.max()) >= victim.classes:
            problems.append(
                Problem(
                    code="T-S211",
                    message=f"{name} names class {classes.max()}; {victim.name} has "
                    f"{victim.classes} classes, counted from 0.",
                    remedy="Number the classes in the order of the model's outputs.",
                )
            )
    if problems:
        raise InputError(*problems)


def victim_of(module: Any, samples: Samples, *, name: str = "model") -> Victim:  # noqa: ANN401
    """Make a victim of a torch callable that answers logits or probabilities.

    Raises:
        InputError: T-S208, an odd answer; T-S209 to T-S211, as `require_sense`.
    """
    victim = _of_torch(module, module, samples, name=name, kind="torch", notes=())
    require_sense(victim, samples)
    return victim


def _open_program(path: Path, samples: Samples) -> Victim:
    """Open a ``torch.export`` program, once its file is known to run nothing when read."""
    import warnings

    import torch

    from titian.validation.scan.scanner import scan

    (report,) = scan([path])
    if not report.allowed:
        told = "; ".join(f"{r.code} at {r.where}" for r in report.reasons[:3])
        raise InputError(
            Problem(
                code="T-S206",
                message=f"{path.name} is not opened: its scan refuses it ({told}).",
                remedy="See `titian scan`; ask for ONNX, or export the program again.",
            )
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(path)
            module = program.module(check_guards=False)
    except Exception as error:
        raise InputError(
            Problem(
                code="T-S206",
                message=f"{path.name} cannot be opened by torch.export: {_line(error)}.",
                remedy="Export it again with this version of torch, or as ONNX.",
            )
        ) from error
    for weight in module.parameters():
        weight.requires_grad_(False)
    fixed = _fixed_batch(program, samples)
    before, notes = _without_last(module), []
    if before is not module:
        notes.append("Gradients are taken before the last softmax or sigmoid.")
    return _of_torch(
        _in_batches(module, fixed),
        _in_batches(before, fixed),
        samples,
        name=path.name,
        kind="torch.export",
        notes=tuple(notes),
        stripped=before is not module,
        batch=fixed,
    )


def _fixed_batch(program: Any, samples: Samples) -> int | None:  # noqa: ANN401
    """Return the number of cases of a program that takes no other."""
    users = program.graph_signature.user_inputs
    held = [n for n in program.graph.nodes if n.op == "placeholder" and n.name in users]
    if len(held) != 1:
        raise _one_input(len(held), "program")
    shape = held[0].meta["val"].shape
    fits = len(shape) == samples.x.ndim and all(
        not isinstance(size, int) or size == have
        for size, have in zip(shape[1:], samples.x.shape[1:], strict=False)
    )
    if not fits:
        told = ", ".join(str(size) for size in shape)
        raise InputError(
            Problem(
                code="T-S207",
                message=f"the program takes ({told}); x has shape {samples.x.shape}.",
                remedy="Give x as the model takes it, cases first.",
            )
        )
    return int(shape[0]) if isinstance(shape[0], int) else None


def _without_last(module: Any) -> Any:  # noqa: ANN401 - torch's graph module
    """Return a copy that ends before its last softmax or sigmoid, or the module itself."""
    import copy

    import torch

    last = {
        torch.ops.aten.softmax.int,
        torch.ops.aten.log_softmax.int,
        torch.ops.aten.sigmoid.default,
    }
    twin = copy.deepcopy(module)
    (output,) = (node for node in twin.graph.nodes if node.op == "output")
    if len(output.all_input_nodes) != 1:
        return module
    (node,) = output.all_input_nodes
    if node.op != "call_function" or node.target not in last:
        return module
    if node.target is not torch.ops.aten.sigmoid.default and node.args[1] not in (1, -1):
        return module
    node.replace_all_uses_with(node.args[0])
    twin.graph.eliminate_dead_code()
    twin.recompile()
    return twin


def _in_batches(
    run: Callable[[Tensor], Tensor], fixed: int | None
) -> Callable[[Tensor], Tensor]:
    if fixed is None:
        return run

    def padded(x: Tensor) -> Tensor:
        import torch

        parts = []
        for part in x.split(fixed):
            lacking = fixed - len(part)
            whole = (
                part
                if not lacking
                else torch.cat([part, part[-1:].expand(lacking, *part.shape[1:])])
            )
            answer = run(whole)
            answer = answer[0] if isinstance(answer, (tuple, list)) else answer
            parts.append(answer[: len(part)])
        return torch.cat(parts)

    return padded


def _of_torch(
    run: Callable[[Tensor], Tensor],
    before: Callable[[Tensor], Tensor],
    samples: Samples,
    *,
    name: str,
    kind: str,
    notes: tuple[str, ...],
    stripped: bool = False,
    batch: int | None = None,
) -> Victim:
    import torch

    size = batch or _batch(samples)

    def raw(x: Floats) -> Scores:
        whole: Tensor = torch.from_numpy(x)
        with torch.no_grad():
            parts = [_matrix(run(part)) for part in whole.split(size)]
        return np.asarray(torch.cat(parts).double().numpy())

    answers = _asked(raw, samples, name)
    output = detect(answers)
    columns = answers.shape[1]
    scores = _to_scores(columns, output, None)

    def logits(x: Tensor) -> Tensor:
        return _to_logits(_matrix(before(x)), "logits" if stripped else output, None)

    return Victim(
        name=name,
        kind=kind,
        classes=max(2, columns),
        output=output,
        answer=lambda x: scores(raw(x)),
        logits=logits,
        batch=size,
        notes=notes,
    )


def _open_onnx(path: Path, samples: Samples) -> Victim:
    content = read_bytes(path)
    model = parse_model(content, name=path.name)
    session = open_session(content, name=path.name)
    ports = session.get_inputs()
    if len(ports) != 1:
        raise _one_input(len(ports), path.name)
    (port,) = ports
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64}
    if port.type not in kinds:
        raise InputError(
            Problem(
                code="T-S207",
                message=f"{path.name} takes {port.type}; an adversary moves real numbers.",
                remedy="Export it with an input of type float, preprocessing outside.",
            )
        )
    fits = len(port.shape) == samples.x.ndim and all(
        not isinstance(size, int) or size == have
        for size, have in zip(port.shape[1:], samples.x.shape[1:], strict=False)
    )
    if port.shape and not fits:
        told = ", ".join(str(size) for size in port.shape)
        raise InputError(
            Problem(
                code="T-S207",
                message=f"{path.name} takes ({told}); x has shape {samples.x.shape}.",
                remedy="Give x as the model takes it, cases first.",
            )
        )
    fixed = port.shape[0] if port.shape and isinstance(port.shape[0], int) else None
    size = fixed or _batch(samples)
    target = _scores_output(session, samples, path.name, kinds[port.type], fixed)

    def raw(x: Floats) -> Scores:
        parts = []
        for start in range(0, len(x), size):
            part = x[start : start + size].astype(kinds[port.type])
            lacking = (fixed or len(part)) - len(part)
            whole = np.concatenate([part, np.repeat(part[-1:], lacking, axis=0)])
            answer = run_session(session, {port.name: whole}, name=path.name)[target]
            parts.append(np.asarray(answer, np.float64).reshape(len(whole), -1)[: len(part)])
        return np.concatenate(parts)

    answers = _asked(raw, samples, path.name)
    output, threshold = detect(answers), _threshold(model)
    scores = _to_scores(answers.shape[1], output, threshold)
    notes = []
    if threshold is not None:
        notes.append(
            f"The decision is the model's own: positive from a score of {threshold:g}."
        )
    logits, why = _differentiable(
        model, port.name, session.get_outputs()[target].name, raw, samples, output, threshold,
        fixed,
    )  # fmt: skip
    if logits is None:
        notes.append(f"No gradients: {why}. Only black-box attacks are run.")
        logits = _asking(lambda x: scores(raw(x)), output)
    return Victim(
        name=path.name,
        kind="onnx",
        classes=max(2, answers.shape[1]),
        output=output,
        answer=lambda x: scores(raw(x)),
        logits=logits,
        why_black_box=why,
        range=declared_range(model),
        batch=size,
        notes=tuple(notes),
    )


def declared_range(model: Any) -> tuple[float, float] | None:  # noqa: ANN401
    """Return the valid range that an ONNX model's metadata state, or None."""
    stated = {p.key: p.value for p in model.metadata_props}
    nominal = NOMINAL.get(stated.get("Image.NominalPixelRange", ""))
    if nominal is not None:
        return nominal
    try:
        return (0.0, 1.0) if read_card(model).input == "image" else None
    except InputError:
        return None


def detect(answers: Scores) -> str:
    """Say whether answers are ``probabilities``: in [0, 1] and, of several, of sum 1."""
    if not ((answers >= 0).all() and (answers <= 1).all()):
        return "logits"
    if answers.shape[1] == 1 or (np.abs(answers.sum(axis=1) - 1.0) <= SUM).all():
        return "probabilities"
    return "logits"


def _threshold(model: Any) -> float | None:  # noqa: ANN401
    try:
        threshold = read_card(model).threshold
    except InputError:
        return None
    return threshold if threshold is not None and 0.0 < threshold < 1.0 else None


def _differentiable(
    model: Any,  # noqa: ANN401
    source: str,
    target: str,
    raw: Callable[[Floats], Scores],
    samples: Samples,
    output: str,
    threshold: float | None,
    fixed: int | None,
) -> tuple[Callable[[Tensor], Tensor] | None, str]:
    """Translate and compare with the runtime; return None and why where that fails."""
    import torch

    if any(value.type.tensor_type.elem_type == 11 for value in model.graph.input):
        return None, "its input is of double precision"
    try:
        made: Translation = translate(model, source=source, target=target)
        run = _in_batches(made.run, fixed)
        x = samples.x[:PROBE]
        shaken = x + np.float32(0.01) * np.ptp(x) * np.sign(
            np.random.default_rng(0).normal(size=x.shape)
        ).astype(np.float32)
        for probe in (x, shaken):
            with torch.no_grad():
                ours = _matrix(run(torch.from_numpy(probe))).double().numpy()
            apart = _apart(ours, raw(probe))
            if not apart <= AGREEMENT:
                return None, f"its translation differs from ONNX Runtime by {apart:.2g}"
        before = _in_batches(made.logits, fixed)
        seen = torch.from_numpy(x[:1]).requires_grad_()
        answer = _to_logits(
            _matrix(before(seen)), output if not made.last else "logits", threshold
        )
        if not answer.requires_grad:
            return None, "its answer does not depend smoothly on its input"
    except Untranslatable as error:
        return None, f"the translation does not cover {error}"
    except (RuntimeError, IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        return None, f"the translation fails ({_line(error)})"
    kind = "logits" if made.last else output

    def logits(x: Tensor) -> Tensor:
        return _to_logits(_matrix(before(x)), kind, threshold)

    return logits, ""


def _asking(answer: Callable[[Floats], Scores], output: str) -> Callable[[Tensor], Tensor]:
    """Return logits for attacks that ask only."""

    def logits(x: Tensor) -> Tensor:
        import torch

        scores = torch.from_numpy(answer(np.ascontiguousarray(x.detach().numpy())))
        return scores.clamp_min(LEAST).log() if output == "probabilities" else scores

    return logits


def _to_scores(
    columns: int, output: str, threshold: float | None
) -> Callable[[Scores], Scores]:
    """Return what makes of raw answers scores whose largest is the decision."""

    def scores(answers: Scores) -> Scores:
        if columns == 1 and output == "probabilities":
            answers = np.concatenate([1.0 - answers, answers], axis=1)
        elif columns == 1:
            return np.concatenate([np.zeros_like(answers), answers], axis=1)
        if threshold is None or answers.shape[1] != 2 or output != "probabilities":
            return answers
        # p1 >= t is p1 / t >= p0 / (1 - t) where both sum to 1.
        weighed = answers / np.array([1.0 - threshold, threshold])
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))

    return scores


def _to_logits(answers: Tensor, output: str, threshold: float | None) -> Tensor:
    import math

    import torch

    if answers.shape[1] == 1:
        value = answers.clamp(LEAST, 1 - 1e-7).logit() if output == "probabilities" else answers
        answers = torch.cat([torch.zeros_like(value), value], dim=1)
    elif output == "probabilities":
        answers = answers.clamp_min(LEAST).log()
    if threshold is not None and answers.shape[1] == 2:
        shift = math.log(threshold / (1.0 - threshold))
        answers = torch.cat([answers[:, :1], answers[:, 1:] - shift], dim=1)
    return answers


def _matrix(answer: Tensor) -> Tensor:
    answer = answer[0] if isinstance(answer, (tuple, list)) else answer
    return answer.reshape(answer.shape[0], -1)


def _asked(raw: Callable[[Floats], Scores], samples: Samples, name: str) -> Scores:
    """Ask about the first cases.

    Raises:
        InputError: T-S208, the model fails or does not answer one row a case.
    """
    x = samples.x[:PROBE]
    try:
        answers = raw(x)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise _odd_answer(name, f"fails on x of shape {x.shape}: {_line(error)}") from error
    if answers.ndim != 2 or len(answers) != len(x) or answers.shape[1] < 1:
        raise _odd_answer(name, f"answers shape {answers.shape} to {len(x)} cases")
    return answers


def _scores_output(
    session: Any,  # noqa: ANN401 - no types there
    samples: Samples,
    name: str,
    kind: Any,  # noqa: ANN401 - a numpy type
    fixed: int | None,
) -> int:
    """Return which output holds the scores: the first of real numbers, one row a case."""
    n = fixed or min(2, len(samples))
    whole = np.resize(samples.x[:n], (n, *samples.x.shape[1:])).astype(kind)
    found = run_session(session, {session.get_inputs()[0].name: whole}, name=name)
    for place, answer in enumerate(found):
        if getattr(answer, "dtype", np.dtype(object)).kind == "f" and answer.shape[:1] == (n,):
            return place
    raise _odd_answer(name, "has no output of real numbers with one row a case")


def _odd_answer(name: str, what: str) -> InputError:
    return InputError(
        Problem(
            code="T-S208",
            message=f"{name} {what}; scores of shape (cases, classes) are needed.",
            remedy="Export the model with its class scores as first output (no ZipMap).",
        )
    )


def _one_input(found: int, name: str) -> InputError:
    return InputError(
        Problem(
            code="T-S207",
            message=f"{name} has {found} inputs; an attack moves one.",
            remedy="Export the model with one input tensor.",
        )
    )


def _batch(samples: Samples) -> int:
    return int(max(1, min(BATCH, BATCH_VALUES // max(1, samples.x[0].size))))


def _apart(a: Scores, b: Scores) -> float:
    if a.shape != b.shape:
        return float("inf")
    return float(np.abs(a - b).max() / max(1e-3, float(np.abs(b).max())))


def _line(error: Exception) -> str:
    told = str(error).strip().splitlines()
    return told[0].rstrip(". ")[:200] if told else type(error).__name__
