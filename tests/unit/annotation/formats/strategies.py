"""Label sets of any content, for round trips."""

from hypothesis import strategies as st

from titian.annotation.masks import encode_mask
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Classification,
    Image,
    KeyFrame,
    Keypoint,
    Keypoints,
    LabelSet,
    Polygon,
    Segment,
    Text,
    TextSpan,
    Track,
    Video,
)

numbers = st.floats(0, 500, allow_nan=False).map(lambda v: round(v, 3))
sizes = st.floats(0.5, 500, allow_nan=False).map(lambda v: round(v, 3))
plain_words = st.text("abcXYZ09-", min_size=1, max_size=8).filter(lambda t: t.strip("-"))
any_words = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=1, max_size=8
)
scores = st.none() | st.floats(0.01, 0.99).map(lambda v: round(v, 4))
attributes = st.dictionaries(plain_words, any_words, max_size=2)

boxes = st.builds(Box, x=numbers, y=numbers, width=sizes, height=sizes)
turned_boxes = st.builds(
    Box, x=numbers, y=numbers, width=sizes, height=sizes,
    rotation_deg=st.floats(-180, 180).map(lambda v: round(v, 2)),
)  # fmt: skip
rings = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=6).map(tuple)
polygons = st.builds(Polygon, rings=st.tuples(rings))
masks = st.integers(1, 2**20 - 1).map(
    lambda bits: encode_mask(_grid(bits)),
)
points = st.builds(Keypoint, x=numbers, y=numbers)


def _grid(bits, height=20, width=30):
    import numpy as np

    pixels = np.zeros((height, width), dtype=bool)
    for place in range(20):
        pixels[place * 7 % height, place * 11 % width] = bits >> place & 1
    return pixels


@st.composite
def image_sets(draw, shapes, *, width=30, height=20, labels=plain_words, **fields):
    """Images of one size; masks fit it."""
    names = draw(st.lists(plain_words, min_size=1, max_size=3, unique_by=str.casefold))
    documents = tuple(Image(name=f"{n}.png", width=width, height=height) for n in names)
    return _set(draw, documents, shapes, labels, fields)


@st.composite
def audio_sets(draw, *, labels=any_words, durations=None, suffix="", **fields):
    names = draw(st.lists(plain_words, min_size=1, max_size=3, unique_by=str.casefold))
    documents = tuple(Audio(name=n + suffix, duration_s=durations) for n in names)
    millis = st.tuples(st.integers(0, 10**7), st.integers(0, 10**6))
    times = millis.map(lambda t: (t[0] / 1000, (t[0] + t[1]) / 1000))
    keys = {k: fields.pop(k) for k in ("channel", "speaker", "low_hz") if k in fields}
    shapes = times.flatmap(
        lambda t: st.builds(Segment, start_s=st.just(t[0]), end_s=st.just(t[1]), **keys)
    )
    return _set(draw, documents, shapes, labels, fields)


@st.composite
def text_sets(draw, *, labels=plain_words, texts=None, suffix="", gaps=False, **fields):
    names = draw(st.lists(plain_words, min_size=1, max_size=3, unique_by=str.casefold))
    texts = (
        texts
        if texts is not None
        else st.text(
            st.characters(exclude_categories=("Cs",), exclude_characters="\0"),
            max_size=30,
        )
    )
    documents = tuple(Text(name=n + suffix, text=draw(texts)) for n in names)
    annotations = []
    for document in documents:
        if not document.text:
            continue
        for _ in range(draw(st.integers(0, 3))):
            start = draw(st.integers(0, len(document.text) - 1))
            end = draw(st.integers(start + 1, len(document.text)))
            holes = ()
            if gaps and end - start > 4 and draw(st.booleans()):
                holes = ((start + 1, end - 1),)
            annotations.append(
                Annotation(
                    document=document.name,
                    label=draw(labels),
                    shape=TextSpan(start=start, end=end, gaps=holes),
                    **{key: draw(value) for key, value in fields.items()},
                )
            )
    return LabelSet(documents=documents, annotations=tuple(annotations))


ALWAYS = st.just(True)


@st.composite
def video_sets(draw, *, count=3, boxes=boxes, interpolated=ALWAYS, outside=False, **fields):
    names = draw(st.lists(plain_words, min_size=1, max_size=count, unique_by=str.casefold))
    documents = tuple(
        Video(name=n, width=1000, height=1000, frames=100, **fields) for n in names
    )
    annotations = []
    for number in range(draw(st.integers(0, 4))):
        frames = sorted(draw(st.sets(st.integers(0, 60), min_size=1, max_size=4)))
        keys = tuple(
            KeyFrame(
                frame=frame,
                box=draw(boxes),
                outside=bool(outside and place and draw(st.booleans())),
            )
            for place, frame in enumerate(frames)
        )
        document = draw(st.sampled_from(documents)).name
        annotations.append(
            Annotation(
                document=document,
                label=draw(plain_words),
                shape=Track(keyframes=keys, interpolated=draw(interpolated)),
                id=str(number),
            )
        )
    return LabelSet(documents=documents, annotations=tuple(annotations))


def _set(draw, documents, shapes, labels, fields):
    annotations = []
    for number in range(draw(st.integers(0, 5))):
        drawn = {key: draw(value) for key, value in fields.items() if key != "ids"}
        if fields.get("ids"):
            drawn["id"] = str(number + 1)
        annotations.append(
            Annotation(
                document=draw(st.sampled_from(documents)).name,
                label=draw(labels),
                shape=draw(shapes),
                **drawn,
            )
        )
    return LabelSet(documents=documents, annotations=tuple(annotations))


classifications = st.just(Classification())
keypoints = st.builds(Keypoints, points=st.lists(points, min_size=1, max_size=3).map(tuple))
single_points = st.builds(Keypoints, points=st.tuples(points))
