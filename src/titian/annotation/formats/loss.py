"""What a format could not hold, by name: the tally that every writer returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from titian.annotation.shapes import KIND, Annotation, Document, LabelSet, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One kind of thing that was not written, or was changed in writing.

    Attributes:
        what: a plural noun, such as ``text spans``.
        why: the rule of the format, one sentence.
    """

    what: str
    count: int
    why: str

    def __str__(self) -> str:
        return f"{self.count} {self.what}: {self.why}"


FIELDS = ("annotator", "score", "group", "attributes", "id")


class Tally:
    """Counts losses while a file is written."""

    def __init__(self, format_name: str) -> None:
        self.format_name = format_name
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, what: str, why: str, count: int = 1) -> None:
        """Count some losses of one kind."""
        if count:
            key = (what, why)
            self._counts[key] = self._counts.get(key, 0) + count

    def losses(self) -> tuple[Loss, ...]:
        """Return what was counted, in order of appearance."""
        return tuple(
            Loss(what=what, count=count, why=why) for (what, why), count in self._counts.items()
        )

    def select(
        self,
        label_set: LabelSet,
        *,
        documents: tuple[type[Document], ...],
        shapes: tuple[type[Shape], ...],
    ) -> list[tuple[Document, list[Annotation]]]:
        """Return the documents that the format holds, each with what it holds of it.

        What is left out is counted: documents of another kind, shapes of another kind, and
        the notes stay behind without a count, since they are about how the set was read.
        """
        held: dict[str, tuple[Document, list[Annotation]]] = {}
        for document in label_set.documents:
            if isinstance(document, documents):
                held[document.name] = (document, [])
            else:
                kind = type(document).__name__.lower()
                self.add(f"documents ({kind})", f"{self.format_name} has no such documents.")
        for annotation in label_set.annotations:
            place = held.get(annotation.document)
            kind = KIND[type(annotation.shape)]
            if place is None:
                self.add(f"annotations ({kind})", "their documents are not written, see there.")
            elif not isinstance(annotation.shape, shapes):
                self.add(
                    f"annotations ({kind})", f"{self.format_name} has no place for this shape."
                )
            else:
                place[1].append(annotation)
        return list(held.values())

    def fields(self, annotations: Iterable[Annotation], *names: str) -> None:
        """Count the fields, of `FIELDS`, that the format has no place for."""
        why = f"{self.format_name} has no place for this field."
        for annotation in annotations:
            for name in names:
                value = getattr(annotation, name)
                if value is not None and value not in ("", {}):
                    self.add(f"annotations with {name}", why)

    def relations(self, label_set: LabelSet) -> None:
        """Count all relations as lost."""
        self.add(
            "relations",
            f"{self.format_name} has no place for relations.",
            len(label_set.relations),
        )
