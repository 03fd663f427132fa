"""COCO's compressed run lengths: numbers as text, six bits a character.

Each number from the fourth on is written as the difference to the one two before it; five
bits a character carry value, the sixth says that more follow. Source: the layout of
``rleToString`` in the COCO API, as its documentation describes it.
"""

from __future__ import annotations


def compress(counts: tuple[int, ...]) -> str:
    """Write run lengths as text."""
    written = []
    for place, count in enumerate(counts):
        left = count - counts[place - 2] if place > 2 else count
        while True:
            bits = left & 31
            left >>= 5
            last = left == (-1 if bits & 16 else 0)
            written.append(chr(48 + (bits if last else bits | 32)))
            if last:
                break
    return "".join(written)


def expand(text: str, *, most: int) -> tuple[int, ...]:
    """Read run lengths that add up to `most`.

    Raises:
        ValueError: says what is wrong with the text.
    """
    counts: list[int] = []
    value = shift = total = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"holds {character!r}, which is no run length")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            if shift > 60:
                raise ValueError("holds a run length of more than 60 bits")
            continue
        if bits & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        if value < 0:
            raise ValueError(f"run {len(counts)} has a negative length ({value})")
        total += value
        if total > most:
            break
        counts.append(value)
        value = shift = 0
    if shift and total <= most:
        raise ValueError("ends within a run length")
    if total != most:
        covered = f"more than {most}" if total > most else f"{total}"
        raise ValueError(f"covers {covered} pixels; the size says {most}")
    return tuple(counts)
