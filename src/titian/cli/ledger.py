"""``titian ledger``: look into a project's ledger, export it, import another site's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from titian.evidence.ledger import Entry, Ledger

LEDGER_FOLDER = Path(".titian") / "ledger"


class LedgerGroup(TyperGroup):
    """Lets the project's folder stand before the command, and lists when none is named."""

    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, D102 - click's own types are private to typer
        rest = list(args)
        folder = [] if not rest or rest[0].startswith("-") else [rest.pop(0)]
        if folder and folder[0] in self.commands:
            return super().parse_args(ctx, args)
        if rest[:1] in (["--help"], ["-h"]):
            return super().parse_args(ctx, rest)
        command = [] if rest and rest[0] in self.commands else ["list"]
        place = ["--project", *folder] if folder else []
        return super().parse_args(ctx, [*command, *rest, *place])


app = typer.Typer(
    cls=LedgerGroup,
    help="Look into a project's ledger, export it, import another site's statements.",
)
Project = Annotated[Path, typer.Option("--project", help="The project's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
HERE = Path()


@app.command("list")
def list_entries(project: Project = HERE, as_json: Json = False) -> None:
    """List the statements, oldest first."""
    ledger = _open(project)
    rows = [_row(entry) for entry in ledger.statements()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if ledger.recovered:
        typer.echo(f"{ledger.recovered}.", err=True)
    for row in rows:
        typer.echo(
            f"{row['index']:>5}  {row['digest'][:12]}  {row['end']}  {row['stage']:<12}"
            f" signed by {row['signer'][:12]}"
        )
    typer.echo(f"{len(rows)} statements, root {ledger.root().hex()}")


@app.command()
def show(
    entry: Annotated[str, typer.Argument(help="Number, or the beginning of a digest.")],
    project: Project = HERE,
    as_json: Json = False,
) -> None:
    """Print one statement."""
    found = _find(_open(project), entry)
    if as_json:
        document = {**_row(found), "statement": found.statement}
        typer.echo(json.dumps(document, indent=2))
        return
    for name, value in _row(found).items():
        typer.echo(f"{name:<8} {value}")
    typer.echo(json.dumps(found.statement, indent=2))


@app.command()
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; default standard output.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Name or path of the key that signs the tree head."),
    ] = None,
    project: Project = HERE,
    as_json: Json = False,
) -> None:
    """Write the statements with their proofs, a signed tree head and the public keys."""
    from datetime import UTC, datetime

    from titian.evidence.bundle import ledger_document
    from titian.evidence.keys import default_key_folder, load_or_make_key
    from titian.evidence.store import write_aside

    ledger = _open(project)
    entries = list(ledger.statements())
    if not entries:
        raise _refusal("T-E032", f"the ledger of {project} is empty.", "Run the project first.")
    signing, made = load_or_make_key(key, folder=default_key_folder())
    if made:
        typer.echo(f"Made a signing key; its id is {signing.key_id}.", err=True)
    document = ledger_document(
        ledger,
        entries,
        signing,
        project=entries[-1].statement["predicate"]["project"],
        now=datetime.now(tz=UTC),  # noqa: TID251 - the shell reads the clock
    )
    if output is None:
        typer.echo(document.decode())
        return
    write_aside(output, document)
    answer = {"output": str(output), "statements": len(entries), "signer": signing.key_id}
    text = f"wrote {len(entries)} statements to {output}, signed by {signing.key_id}"
    typer.echo(json.dumps(answer) if as_json else text)


@app.command("import")
def import_export(
    file: Annotated[Path, typer.Argument(help="What another site exported.")],
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="PEM key of a signer you trust; repeatable."),
    ] = None,
    project: Project = HERE,
    as_json: Json = False,
) -> None:
    """Admit another site's statements, once their signatures and proofs check."""
    from titian.cli.verify import read_keys
    from titian.evidence.exchange import admit

    try:
        data = file.read_bytes()
    except OSError as error:
        raise _refusal(
            "T-E033", f"{file} cannot be read ({error.strerror}).", "Name an export."
        ) from None
    admission = admit(_open(project), data, trusted=read_keys(key or []))
    answer = {
        "admitted": list(admission.admitted),
        "known": admission.known,
        "signers": list(admission.signers),
        "signer_checked": admission.signer_checked,
    }
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    typer.echo(f"admitted {len(admission.admitted)} statements, {admission.known} were known")
    if not admission.signer_checked:
        typer.echo("the signer was not checked; name keys you trust with --key FILE")


def _open(project: Path) -> Ledger:
    from titian.evidence.ledger import Ledger

    folder = project.parent if project.is_file() else project
    if not (folder / LEDGER_FOLDER).is_dir() and not (folder / "titian.yaml").is_file():
        raise _refusal(
            "T-E034", f"{folder} is not a project with a ledger.", "Name a project's folder."
        )
    return Ledger.open(folder / LEDGER_FOLDER)


def _find(ledger: Ledger, wanted: str) -> Entry:
    if wanted.isdecimal() and len(wanted) < 10:
        if int(wanted) < len(ledger):
            return ledger.entry(int(wanted))
    elif len(wanted) >= 4:
        found = [e for e in ledger.statements() if e.digest.startswith(wanted.lower())]
        if len(found) == 1:
            return found[0]
    raise _refusal(
        "T-E035",
        f"{wanted!r} is no entry of this ledger of {len(ledger)}; an entry is a number from 0"
        " or the beginning of one digest, at least 4 digits.",
        "See `titian ledger list`.",
    )


def _row(entry: Entry) -> dict[str, Any]:
    predicate = entry.statement["predicate"]
    return {
        "index": entry.index,
        "digest": entry.digest,
        "project": predicate["project"],
        "stage": predicate["stage"],
        "site": predicate["site"],
        "signer": entry.key_id,
        "start": predicate["start"],
        "end": predicate["end"],
    }


def _refusal(code: str, message: str, remedy: str) -> Exception:
    from titian.errors import InputError, Problem

    return InputError(Problem(code=code, message=message, remedy=remedy))
