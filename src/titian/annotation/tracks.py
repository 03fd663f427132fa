"""Where a tracked object is in any frame: straight lines between its key frames."""

from __future__ import annotations

from bisect import bisect_right

from titian.annotation.shapes import Box, KeyFrame, Track


def keyframe_at(track: Track, frame: int) -> KeyFrame | None:
    """Return what holds in a frame, or None where the object is not seen.

    Between two key frames the box moves in a straight line, its rotation the shorter way;
    after the last one it stays. A key frame marked outside ends the sight of it.
    """
    place = bisect_right(track.keyframes, frame, key=lambda key: key.frame) - 1
    if place < 0:
        return None
    before = track.keyframes[place]
    if before.frame == frame or not track.interpolated:
        return before if before.frame == frame and not before.outside else None
    if before.outside:
        return None
    box = before.box
    if place + 1 < len(track.keyframes):
        after = track.keyframes[place + 1]
        box = between(box, after.box, (frame - before.frame) / (after.frame - before.frame))
    return KeyFrame(frame=frame, box=box, occluded=before.occluded)


def between(first: Box, last: Box, share: float) -> Box:
    """Return the box at a share of the way from the first to the last."""
    turn = (last.rotation_deg - first.rotation_deg + 180) % 360 - 180
    return Box(
        x=first.x + share * (last.x - first.x),
        y=first.y + share * (last.y - first.y),
        width=first.width + share * (last.width - first.width),
        height=first.height + share * (last.height - first.height),
        rotation_deg=first.rotation_deg + share * turn,
    )


def seen_frames(track: Track) -> list[KeyFrame]:
    """Return what holds in every frame from the first key frame to the last, where seen."""
    if not track.keyframes:
        return []
    if not track.interpolated:
        return [key for key in track.keyframes if not key.outside]
    span = range(track.keyframes[0].frame, track.keyframes[-1].frame + 1)
    return [key for frame in span if (key := keyframe_at(track, frame)) is not None]
