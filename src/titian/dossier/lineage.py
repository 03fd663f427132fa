"""Where everything came from: the flow of artifacts and the statements of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from titian.dossier.content import (
    Block,
    Cell,
    Digest,
    Fold,
    Inline,
    Link,
    Picture,
    Quote,
    Section,
    Table,
)
from titian.dossier.outcome import statement_link
from titian.dossier.reference import Evidence, Ref, StatementRef, token
from titian.values import FlowFigure

_ENVIRONMENT = "/predicate/environment"


@dataclass(slots=True, kw_only=True)
class _Passed:
    """An artifact, where it was made and where it was used."""

    digest: str
    kind: Ref | None
    name: Ref
    size: Ref | None
    maker: StatementRef | None
    users: list[StatementRef] = field(default_factory=list)


def flow_figure(evidence: Evidence) -> FlowFigure:
    """Return the flow: what came from outside, the stages, and what passed between them."""
    makers: dict[str, str] = {}
    nodes: list[tuple[str, str]] = []
    edges: list[tuple[str, str, str]] = []
    for statement in evidence.statements:
        for item in statement.predicate.get("inputs") or ():
            digest, kind = _digest(item), _kind(item)
            if digest not in makers:
                makers[digest] = f"outside:{digest}"
                words = "statements so far" if kind == "statements" else "from outside"
                nodes.append((makers[digest], words))
            edge = (makers[digest], statement.digest, f"{kind} {digest[:8]}")
            if edge not in edges:
                edges.append(edge)
        nodes.append((statement.digest, statement.stage))
        for item in statement.statement.get("subject") or ():
            makers[_digest(item)] = statement.digest
    return FlowFigure(
        name="flow",
        title="From the data to the verdicts",
        caption="Each box is a stage; each line is an artifact, named by its kind and the "
        "first digits of its digest.",
        nodes=tuple(nodes),
        edges=tuple(edges),
    )


def flow_section(evidence: Evidence) -> Section:
    """Return the flow and the table of all artifacts with whole digests."""
    rows: list[tuple[Cell, ...]] = []
    for item in _passed(evidence):
        users: list[Inline] = []
        for user in item.users:
            users += [", ", statement_link(user)] if users else [statement_link(user)]
        rows.append(
            (
                item.kind or "—",
                item.name,
                Digest(hex=item.digest),
                item.size or "—",
                statement_link(item.maker) if item.maker else "from outside",
                tuple(users) or "—",
            )
        )
    return Section(
        id="flow",
        title="Data flow",
        lead="What each stage took and gave. The same digest is the same bytes.",
        blocks=(
            Picture(ref=None, figure=flow_figure(evidence), source=""),
            Table(
                caption="Artifacts",
                columns=("kind", "name", "SHA-256", "bytes", "made by", "used by"),
                rows=tuple(rows),
                numeric=(3,),
                widths=(1.0, 1.5, 3.0, 0.9, 0.9, 1.2),
            ),
        ),
    )


def ledger_section(evidence: Evidence) -> Section:
    """Return the statements: digest, time, signer, site, environment and replay."""
    rows: list[tuple[Cell, ...]] = []
    anchors: list[str] = []
    for statement in evidence.statements:
        predicate = statement.predicate
        rows.append(
            (
                statement.at("/predicate/stage"),
                Digest(hex=statement.digest),
                (
                    statement.at("/predicate/start"),
                    " to ",
                    statement.at("/predicate/end"),
                ),
                Digest(hex=str(predicate.get("actor", "")), short=True),
                statement.at("/predicate/site") if predicate.get("site") else "not named",
                _machine(statement),
                _replay(statement),
            )
        )
        anchors.append(f"s-{statement.digest[:16]}")
    table = Table(
        caption="Statements in the order of the run",
        columns=("stage", "statement (SHA-256)", "time", "signer", "site", "machine", "replay"),
        rows=tuple(rows),
        anchors=tuple(anchors),
        widths=(0.9, 2.2, 1.7, 1.1, 0.8, 1.1, 2.0),
    )
    libraries = _libraries(evidence)
    folds: tuple[Block, ...] = (
        (Fold(summary="Versions of the libraries", blocks=libraries, paper=True),)
        if libraries
        else ()
    )
    return Section(
        id="ledger",
        title="Ledger",
        lead="The signed statements behind these pages; ledger.json holds them whole, each "
        "with its proof.",
        blocks=(table, *folds),
    )


def _machine(statement: StatementRef) -> Cell:
    environment = statement.predicate.get("environment") or {}
    parts: list[Inline] = []
    for name in ("python", "platform"):
        if environment.get(name):
            lead = "Python " if name == "python" else ", "
            parts += [lead, statement.at(f"{_ENVIRONMENT}/{name}")]
    return tuple(parts) or "not stated"


def _replay(statement: StatementRef) -> Cell:
    replay = statement.predicate.get("replay") or {}
    if not replay:
        return "not stated"
    reason = statement.at("/predicate/replay/reason")
    if not replay.get("derivable"):
        return ("integrity only: ", reason)
    if not replay.get("tolerance"):
        return ("identical: ", reason)
    return (
        "within ",
        statement.at("/predicate/replay/tolerance", form="exact"),
        ": ",
        reason,
    )


def _libraries(evidence: Evidence) -> tuple[Block, ...]:
    """Return one table of every library and version, with the stages that used it."""
    seen: dict[tuple[str, str], tuple[Ref, list[StatementRef]]] = {}
    for statement in evidence.statements:
        libraries = (statement.predicate.get("environment") or {}).get("libraries") or {}
        for name, version in libraries.items():
            ref = statement.at(f"{_ENVIRONMENT}/libraries/{token(name)}", form="code")
            seen.setdefault((name, str(version)), (ref, []))[1].append(statement)
    if not seen:
        return ()
    rows: list[tuple[Cell, ...]] = []
    for (name, _), (ref, users) in sorted(seen.items()):
        links: list[Inline | Link] = []
        for user in users:
            links += [", ", statement_link(user)] if links else [statement_link(user)]
        rows.append((Quote(text=name), ref, tuple(links)))
    return (
        Table(
            caption="Libraries",
            columns=("library", "version", "used by"),
            rows=tuple(rows),
            widths=(1.2, 1.0, 3.0),
        ),
    )


def _passed(evidence: Evidence) -> list[_Passed]:
    passed: dict[str, _Passed] = {}
    for statement in evidence.statements:
        for at, item in enumerate(statement.predicate.get("inputs") or ()):
            known = passed.get(_digest(item))
            if known is None:
                known = _entry(statement, f"/predicate/inputs/{at}", item, maker=None)
                passed[known.digest] = known
            if statement not in known.users:
                known.users.append(statement)
        for at, item in enumerate(statement.statement.get("subject") or ()):
            made = _entry(statement, f"/subject/{at}", item, maker=statement)
            passed.setdefault(made.digest, made)
    return list(passed.values())


def _entry(
    statement: StatementRef,
    pointer: str,
    item: Mapping[str, Any],
    *,
    maker: StatementRef | None,
) -> _Passed:
    notes = item.get("annotations") or {}
    return _Passed(
        digest=_digest(item),
        kind=statement.at(f"{pointer}/annotations/kind") if "kind" in notes else None,
        name=statement.at(f"{pointer}/name", form="code"),
        size=statement.at(f"{pointer}/annotations/size_bytes", form="count")
        if notes.get("size_bytes") is not None
        else None,
        maker=maker,
    )


def _digest(item: Mapping[str, Any]) -> str:
    return str((item.get("digest") or {}).get("sha256", ""))


def _kind(item: Mapping[str, Any]) -> str:
    return str((item.get("annotations") or {}).get("kind", item.get("name", "")))
