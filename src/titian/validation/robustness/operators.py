"""The common ONNX operators as differentiable torch functions.

Each takes the node's attributes and its inputs (None where an optional one is left out) and
returns one tensor or a tuple. The meaning follows the operator schemas of ai.onnx; what a
schema allows and this table does not is refused by `Untranslatable`, never approximated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

Tensor = Any
Attributes = Mapping[str, Any]
Operator = Callable[[Attributes, Sequence[Tensor]], Tensor]

FIRST_ELEMENTWISE_SOFTMAX = 13
"""Before this opset, softmax ran over all axes from `axis` on, together."""


class Untranslatable(Exception):
    """A graph that this table does not cover; the message says what."""


def _ints(value: Tensor) -> list[int]:
    return [int(v) for v in (value.tolist() if hasattr(value, "tolist") else value)]


def _axes(attributes: Attributes, inputs: Sequence[Tensor], place: int = 1) -> list[int] | None:
    """Return the axes, an attribute in old opsets and an input in new ones."""
    if "axes" in attributes:
        return _ints(attributes["axes"])
    return _ints(inputs[place]) if len(inputs) > place and inputs[place] is not None else None


def _pads(attributes: Attributes, window: Sequence[int], x: Tensor) -> list[int]:
    """Return the padding of the spatial axes as (begins..., ends...)."""
    n = len(window)
    mode = attributes.get("auto_pad", b"NOTSET").decode()
    if mode == "NOTSET":
        return _ints(attributes.get("pads", [0] * (2 * n)))
    if mode == "VALID":
        return [0] * (2 * n)
    steps = _ints(attributes.get("strides", [1] * n))
    spread = _ints(attributes.get("dilations", [1] * n))
    begins, ends = [], []
    for size, kernel, step, wide in zip(x.shape[2:], window, steps, spread, strict=True):
        out = math.ceil(size / step)
        lacking = max(0, (out - 1) * step + (kernel - 1) * wide + 1 - size)
        less, more = lacking // 2, lacking - lacking // 2
        begins.append(less if mode == "SAME_UPPER" else more)
        ends.append(more if mode == "SAME_UPPER" else less)
    return begins + ends


def _padded(x: Tensor, pads: Sequence[int], value: float = 0.0) -> Tensor:
    from torch.nn import functional

    n = len(pads) // 2
    if not any(pads):
        return x
    turned = [side for i in reversed(range(n)) for side in (pads[i], pads[i + n])]
    return functional.pad(x, turned, value=value)


def _spatial(x: Tensor, noun: str) -> int:
    n = x.ndim - 2
    if n not in (1, 2, 3):
        raise Untranslatable(f"{noun} over {n} spatial axes")
    return int(n)


def _conv(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    x, weight = i[0], i[1]
    n = _spatial(x, "Conv")
    run = (functional.conv1d, functional.conv2d, functional.conv3d)[n - 1]
    return run(
        _padded(x, _pads(a, weight.shape[2:], x)),
        weight,
        i[2] if len(i) > 2 else None,
        stride=_ints(a.get("strides", [1] * n)),
        dilation=_ints(a.get("dilations", [1] * n)),
        groups=a.get("group", 1),
    )


def _conv_transpose(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    x, weight = i[0], i[1]
    n = _spatial(x, "ConvTranspose")
    pads = _ints(a.get("pads", [0] * (2 * n)))
    if "output_shape" in a or pads[:n] != pads[n:] or a.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise Untranslatable("ConvTranspose with uneven padding or a stated output shape")
    run = (
        functional.conv_transpose1d,
        functional.conv_transpose2d,
        functional.conv_transpose3d,
    )
    return run[n - 1](
        x,
        weight,
        i[2] if len(i) > 2 else None,
        stride=_ints(a.get("strides", [1] * n)),
        padding=pads[:n],
        output_padding=_ints(a.get("output_padding", [0] * n)),
        groups=a.get("group", 1),
        dilation=_ints(a.get("dilations", [1] * n)),
    )


def _max_pool(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    x, window = i[0], _ints(a["kernel_shape"])
    if a.get("storage_order", 0):
        raise Untranslatable("MaxPool with a storage order")
    n = _spatial(x, "MaxPool")
    run = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[n - 1]
    return run(
        _padded(x, _pads(a, window, x), value=-math.inf),
        window,
        stride=_ints(a.get("strides", [1] * n)),
        dilation=_ints(a.get("dilations", [1] * n)),
        ceil_mode=bool(a.get("ceil_mode", 0)),
    )


def _average_pool(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    import torch
    from torch.nn import functional

    x, window = i[0], _ints(a["kernel_shape"])
    n = _spatial(x, "AveragePool")
    if a.get("ceil_mode", 0) or any(d != 1 for d in a.get("dilations", [])):
        raise Untranslatable("AveragePool with ceil_mode or dilations")
    run = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[n - 1]
    stride, pads = _ints(a.get("strides", [1] * n)), _pads(a, window, x)
    mean = run(_padded(x, pads), window, stride=stride)
    if any(pads) and not a.get("count_include_pad", 0):
        inside = run(_padded(torch.ones_like(x[:1, :1]), pads), window, stride=stride)
        mean = mean / inside
    return mean


def _global(reduction: str) -> Operator:
    def pooled(_: Attributes, i: Sequence[Tensor]) -> Tensor:
        axes = tuple(range(2, i[0].ndim))
        return getattr(i[0], reduction)(axes, keepdim=True)

    return pooled


def _batch_normalization(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    if a.get("training_mode", 0):
        raise Untranslatable("BatchNormalization in training mode")
    x, scale, bias, mean, variance = i[:5]
    return functional.batch_norm(x, mean, variance, scale, bias, eps=a.get("epsilon", 1e-5))


def _instance_normalization(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    return functional.instance_norm(i[0], weight=i[1], bias=i[2], eps=a.get("epsilon", 1e-5))


def _layer_normalization(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    x, axis = i[0], a.get("axis", -1)
    shape = x.shape[axis % x.ndim :]
    bias = i[2] if len(i) > 2 else None
    return functional.layer_norm(x, shape, i[1], bias, eps=a.get("epsilon", 1e-5))


def _gemm(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    left = i[0].T if a.get("transA", 0) else i[0]
    right = i[1].T if a.get("transB", 0) else i[1]
    product = left @ right
    if a.get("alpha", 1.0) != 1.0:
        product = product * a["alpha"]
    if len(i) > 2 and i[2] is not None:
        product = product + i[2] * a.get("beta", 1.0)
    return product


def _softmax(name: str) -> Operator:
    def run(a: Attributes, i: Sequence[Tensor]) -> Tensor:
        x = i[0]
        if a["opset"] >= FIRST_ELEMENTWISE_SOFTMAX:
            return getattr(x, name)(a.get("axis", -1))
        axis = a.get("axis", 1) % x.ndim
        return getattr(x.flatten(axis), name)(-1).reshape(x.shape)

    return run


def _flatten(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    axis = a.get("axis", 1)
    axis = axis + i[0].ndim if axis < 0 else axis
    return i[0].reshape(math.prod(i[0].shape[:axis]), -1)


def _reshape(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    x = i[0]
    wanted = _ints(i[1])
    if not a.get("allowzero", 0):
        wanted = [x.shape[place] if size == 0 else size for place, size in enumerate(wanted)]
    return x.reshape(wanted)


def _transpose(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    return i[0].permute(_ints(a.get("perm", list(range(i[0].ndim))[::-1])))


def _squeeze(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    axes = _axes(a, i)
    return i[0].squeeze() if axes is None else i[0].squeeze(tuple(axes))


def _unsqueeze(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    x, axes = i[0], _axes(a, i) or []
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _concat(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.cat(list(i), dim=a["axis"])


def _split(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    x, axis = i[0], a.get("axis", 0)
    sizes = a.get("split") or (i[1] if len(i) > 1 else None)
    if sizes is not None:
        return tuple(x.split(_ints(sizes), dim=axis))
    parts = a.get("num_outputs") or a["outputs"]
    return tuple(x.split(math.ceil(x.shape[axis] / parts), dim=axis))


def _slice(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    x = i[0]
    starts = _ints(a["starts"] if "starts" in a else i[1])
    ends = _ints(a["ends"] if "ends" in a else i[2])
    axes = _axes(a, i, 3) or list(range(len(starts)))
    steps = _ints(i[4]) if len(i) > 4 and i[4] is not None else [1] * len(starts)
    cut = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise Untranslatable("Slice with a step below 1")
        cut[axis % x.ndim] = slice(start, end, step)
    return x[tuple(cut)]


def _gather(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    x, index, axis = i[0], i[1].long(), a.get("axis", 0) % i[0].ndim
    index = index.where(index >= 0, index + x.shape[axis])
    found = x.index_select(axis, index.reshape(-1))
    return found.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _pad(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    x, mode = i[0], a.get("mode", b"constant").decode()
    pads = _ints(a["pads"] if "pads" in a else i[1])
    value = a.get("value", 0.0)
    if len(i) > 2 and i[2] is not None:
        value = float(i[2])
    axes = _axes(a, i, 3)
    if axes is not None:
        full = [0] * (2 * x.ndim)
        for place, axis in enumerate(axes):
            full[axis % x.ndim] = pads[place]
            full[axis % x.ndim + x.ndim] = pads[place + len(axes)]
        pads = full
    if mode == "constant":
        return _padded(x, pads, value=value)
    names = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    outer = pads[:2] + pads[x.ndim : x.ndim + 2]
    if mode not in names or x.ndim < 3 or any(outer):
        raise Untranslatable(f"Pad in mode {mode!r} of these axes")
    turned = [s for k in reversed(range(2, x.ndim)) for s in (pads[k], pads[k + x.ndim])]
    return functional.pad(x, turned, mode=names[mode])


def _clip(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    low = i[1] if len(i) > 1 and i[1] is not None else a.get("min")
    high = i[2] if len(i) > 2 and i[2] is not None else a.get("max")
    if low is None and high is None:
        return i[0]
    bounds = [None if b is None else float(b) for b in (low, high)]
    return i[0].clamp(*bounds)


def _resize(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    """Resize over the last axes: nearest by asymmetric floor, linear by half pixels."""
    from torch.nn import functional

    x = i[0]
    mode = a.get("mode", b"nearest").decode()
    place = a.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = a.get("nearest_mode", b"round_prefer_floor").decode()
    scales = i[2] if len(i) > 2 and i[2] is not None and i[2].numel() else None
    axes = [axis % x.ndim for axis in _axes(a, (), 9) or range(x.ndim)]
    if a.get("keep_aspect_ratio_policy", b"stretch") != b"stretch" or x.ndim not in (3, 4, 5):
        raise Untranslatable("Resize of this aspect-ratio policy or rank")
    size = list(x.shape)
    if scales is not None:
        for axis, scale in zip(axes, scales.tolist(), strict=True):
            size[axis] = math.floor(x.shape[axis] * scale)
            if abs(size[axis] - x.shape[axis] * scale) > 1e-4:
                raise Untranslatable("Resize by a scale that is not a whole size")
    else:
        for axis, wanted in zip(axes, _ints(i[3]), strict=True):
            size[axis] = wanted
    if size[:2] != list(x.shape[:2]):
        raise Untranslatable("Resize of cases or channels")
    target = size[2:]
    if mode == "nearest":
        whole = all(new % old == 0 for new, old in zip(target, x.shape[2:], strict=True))
        if not (whole or (place == "asymmetric" and rounding == "floor")):
            raise Untranslatable(f"Resize nearest with {place!r} and {rounding!r}")
        return functional.interpolate(x, size=target, mode="nearest")
    kind = {1: "linear", 2: "bilinear", 3: "trilinear"}[x.ndim - 2]
    if mode != "linear" or place not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        raise Untranslatable(f"Resize in mode {mode!r} with {place!r}")
    return functional.interpolate(
        x,
        size=target,
        mode=kind,
        align_corners=place == "align_corners",
        antialias=bool(a.get("antialias", 0)),
    )


def _reduced(run: Callable[[Tensor, tuple[int, ...], bool], Tensor]) -> Operator:
    def reduction(a: Attributes, i: Sequence[Tensor]) -> Tensor:
        axes = _axes(a, i)
        if axes is None and a.get("noop_with_empty_axes", 0):
            return i[0]
        over = tuple(axes) if axes else tuple(range(i[0].ndim))
        return run(i[0], over, bool(a.get("keepdims", 1)))

    return reduction


def _cast(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    import torch

    kinds = {
        1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64,
    }  # fmt: skip
    if a["to"] not in kinds:
        raise Untranslatable(f"Cast to element type {a['to']}")
    if i[0].requires_grad and not kinds[a["to"]].is_floating_point:
        raise Untranslatable("Cast of an answer to whole numbers")
    return i[0].to(kinds[a["to"]])


def _shape(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.tensor(i[0].shape[a.get("start", 0) : a.get("end")], dtype=torch.int64)


def _constant_of_shape(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    import torch

    value = a.get("value")
    filled = torch.zeros(1) if value is None else value
    return filled.reshape(()).expand(_ints(i[0])).clone()


def _expand(_: Attributes, i: Sequence[Tensor]) -> Tensor:
    import torch

    common: Tensor = torch.broadcast_shapes  # untyped there
    return i[0].expand(common(i[0].shape, tuple(_ints(i[1]))))


def _unary(name: str) -> Operator:
    return lambda _, i: getattr(i[0], name)()


def _functional(name: str, **defaults: Any) -> Operator:  # noqa: ANN401 - attribute values
    """Return a function of torch.nn.functional, its arguments by ONNX attribute."""

    def run(a: Attributes, i: Sequence[Tensor]) -> Tensor:
        from torch.nn import functional

        given = {key: a.get(key, value) for key, value in defaults.items()}
        renamed = {"alpha": "negative_slope"} if name == "leaky_relu" else {}
        return getattr(functional, name)(
            i[0], **{renamed.get(key, key): value for key, value in given.items()}
        )

    return run


def _gelu(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    from torch.nn import functional

    return functional.gelu(i[0], approximate=a.get("approximate", b"none").decode())


def _divide(_: Attributes, i: Sequence[Tensor]) -> Tensor:
    if i[0].is_floating_point():
        return i[0] / i[1]
    return i[0].div(i[1], rounding_mode="trunc")


def _folded(run: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda _, i: reduce(run, i)


def _prelu(_: Attributes, i: Sequence[Tensor]) -> Tensor:
    return i[0].where(i[0] >= 0, i[0] * i[1])


def _hard_sigmoid(a: Attributes, i: Sequence[Tensor]) -> Tensor:
    return (i[0] * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0.0, 1.0)


OPERATORS: Final[Mapping[str, Operator]] = {
    "Abs": _unary("abs"),
    "Add": lambda _, i: i[0] + i[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": _divide,
    "Dropout": lambda _, i: i[0],
    "Elu": _functional("elu", alpha=1.0),
    "Equal": lambda _, i: i[0] == i[1],
    "Erf": _unary("erf"),
    "Exp": _unary("exp"),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("amax"),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _functional("hardswish"),
    "Identity": lambda _, i: i[0],
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": _functional("leaky_relu", alpha=0.01),
    "Log": _unary("log"),
    "LogSoftmax": _softmax("log_softmax"),
    "MatMul": lambda _, i: i[0] @ i[1],
    "Max": _folded(lambda a, b: a.maximum(b)),
    "MaxPool": _max_pool,
    "Min": _folded(lambda a, b: a.minimum(b)),
    "Mish": _functional("mish"),
    "Mul": lambda _, i: i[0] * i[1],
    "Neg": _unary("neg"),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": lambda _, i: i[0] ** i[1],
    "Reciprocal": _unary("reciprocal"),
    "ReduceL2": _reduced(lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt()),
    "ReduceMax": _reduced(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMean": _reduced(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceMin": _reduced(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "ReduceSum": _reduced(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "Relu": _unary("relu"),
    "Reshape": _reshape,
    "Resize": _resize,
    "Selu": _functional("selu"),
    "Shape": _shape,
    "Sigmoid": _unary("sigmoid"),
    "Slice": _slice,
    "Softmax": _softmax("softmax"),
    "Softplus": _functional("softplus"),
    "Split": _split,
    "Sqrt": _unary("sqrt"),
    "Squeeze": _squeeze,
    "Sub": lambda _, i: i[0] - i[1],
    "Sum": _folded(lambda a, b: a + b),
    "Tanh": _unary("tanh"),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": lambda _, i: i[1].where(i[0], i[2]),
}
"""Operators by name. Those whose attributes could change the meaning say so themselves."""
