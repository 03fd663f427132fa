"""The written dossier: every number resolves, nothing comes from outside, bytes repeat."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest

from titian.dossier.content import Table
from titian.dossier.html import render_html
from titian.dossier.reference import Evidence, StatementRef
from titian.dossier.review import compose, is_simulated
from titian.dossier.write import write_dossier
from titian.errors import InputError
from titian.evidence.verify import canonical, resolve
from titian.values import Data, DossierOptions, Project

HOSTILE = '<script>alert("x")</script> #panic("typst") $1^2$ \\u{0} {{ 7*7 }} *bold* & "q\'`'


def check_reference(reference, statements):
    """Fail unless a reference leads to exactly the value it shows, in either notation."""
    value = resolve(statements[reference["statement"]], reference["pointer"])
    if "value" in reference:
        texts = {canonical(value).decode(), value if isinstance(value, str) else None}
        shown = reference["value"]
        assert shown in texts or canonical(shown) == canonical(value), reference


class Page(HTMLParser):
    """Collects tags with their attributes, and the text outside of style."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.words = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, _tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside != "style":
            self.words.append(data)

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(written):
    return Page((written[0] / "index.html").read_text(encoding="utf-8"))


def json_references(value):
    if isinstance(value, dict):
        if {"statement", "pointer"} <= value.keys():
            yield value
        for item in value.values():
            yield from json_references(item)
    elif isinstance(value, list):
        for item in value:
            yield from json_references(item)


def literals(value, path=""):
    """Yield the paths of the numbers that are no reference's value."""
    if isinstance(value, dict):
        known = {"statement", "pointer"} <= value.keys()
        for key, item in value.items():
            if not (known and key == "value"):
                yield from literals(item, f"{path}/{key}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from literals(item, f"{path}/{at}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def test_every_data_element_resolves_to_what_it_shows(page, written):
    elements = page.named("data")
    assert len(elements) > 400
    for attrs in elements:
        reference = {name.removeprefix("data-"): value for name, value in attrs.items()}
        check_reference(reference, written[1])


def test_check_of_a_data_element_turns_red(page, written):
    attrs = next(a for a in page.named("data") if a["value"] == "0.9012345678901234")
    reference = {name.removeprefix("data-"): value for name, value in attrs.items()}
    with pytest.raises(AssertionError):
        check_reference({**reference, "value": "0.91"}, written[1])


def test_every_place_on_the_page_exists(page, written):
    places = [a for _, a in page.tags if "data-pointer" in a]
    assert any(attrs.get("class") == "line" for attrs in places)
    for attrs in places:
        check_reference(
            {"statement": attrs["data-statement"], "pointer": attrs["data-pointer"]},
            written[1],
        )


def test_every_number_in_a_table_or_list_is_a_reference(page, written):
    """Outside `data`, drawings and code, the page's own words hold no number."""
    text = (written[0] / "index.html").read_text(encoding="utf-8")
    body = text[text.index("<main") : text.index("</main>")]
    for pattern in (
        r"<svg.*?</svg>",
        r"<data [^>]*>.*?</data>",
        r"<span [^>]*data-pointer[^>]*>.*?</span>",
        r"<code.*?</code>",
        r"<figcaption>.*?</figcaption>",  # the stage's own words on its figure
        r"<caption.*?</caption>",
        r"<dd>(?:Flag|chest|labels|abnormal).*?</dd>",  # the project file's own words
        r"SHA-256",
    ):
        body = re.sub(pattern, "", body, flags=re.DOTALL)
    words = unescape(re.sub(r"<[^>]*>", " ", body))
    assert re.findall(r"\S*\d\S*", words) == []


def test_every_number_of_the_json_is_a_reference_that_resolves(written):
    document = json.loads((written[0] / "dossier.json").read_bytes())
    found = list(json_references(document))
    assert len(found) > 300
    for reference in found:
        check_reference(reference, written[1])
    del document["project"]
    assert list(literals(document)) == []


def test_json_is_canonical_and_holds_the_project_for_a_replay(written, sample):
    data = (written[0] / "dossier.json").read_bytes()
    document = json.loads(data)
    assert canonical(document) + b"\n" == data
    assert document["project"]["requirements"][0]["at_least"] == 0.8
    assert document["project"]["key"] is None
    assert [item["stage"] for item in document["statements"]][-1] == "verdict"
    assert [row["verdict"] for row in document["verdicts"]].count("not met") == 2


def test_a_path_to_a_key_never_reaches_the_dossier(sample, tmp_path):
    project, statements = sample.sample_run(key="/home/someone/secret.pem")
    write_dossier(tmp_path, project=project, statements=statements, version="0.1.0")
    for path in tmp_path.iterdir():
        assert b"secret.pem" not in path.read_bytes(), path.name


def test_page_needs_nothing_from_outside(page):
    assert not page.named("script")
    assert not page.named("link")
    for tag, attrs in page.tags:
        for name in ("src", "href"):
            target = attrs.get(name) or "#"
            assert target.startswith(("#", "data:image/png")), (tag, target)
    policy = next(a["content"] for a in page.named("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_jumps_lead_somewhere(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.named("a")} <= set(ids)


def test_sections_stand_in_the_order_a_reviewer_asks(page):
    assert [attrs["id"] for attrs in page.named("section")] == [
        "verdicts",
        "not-shown",
        "findings",
        "figures",
        "flow",
        "card",
        "controls",
        "ledger",
        "words",
    ]


def test_every_drawing_has_a_name_and_every_column_a_heading(page):
    assert len(page.named("svg")) > 15
    assert all(attrs["aria-label"] and attrs["role"] == "img" for attrs in page.named("svg"))
    assert all(attrs["aria-label"] for attrs in page.named("figure"))
    assert all(attrs.get("scope") in {"col", "row"} for attrs in page.named("th"))


def test_outcome_counts_come_from_the_verdict_statement(page):
    text = " ".join("".join(page.words).split())
    assert "5 ✓ met2 ✕ not met7 ? not shown" in text


def test_same_arguments_give_the_same_bytes(written, sample, tmp_path):
    project, statements = sample.sample_run()
    write_dossier(tmp_path, project=project, statements=statements, version="0.1.0")
    for name in ("index.html", "dossier.pdf", "dossier.json", "mlbom.cdx.json"):
        assert (tmp_path / name).read_bytes() == (written[0] / name).read_bytes(), name


def test_cases_are_shipped_only_when_the_project_says_so(written, sample, tmp_path):
    assert (written[0] / "cases.parquet").read_bytes() == b"PAR1"
    cases = tmp_path / "cases.parquet"
    cases.write_bytes(b"PAR1")
    folder = tmp_path / "out"
    folder.mkdir()
    project, statements = sample.sample_run(dossier=DossierOptions())
    write_dossier(
        folder, project=project, statements=statements, version="0.1.0", cases_file=cases
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "dossier.json",
        "dossier.pdf",
        "index.html",
        "mlbom.cdx.json",
    ]


def test_case_images_stay_at_the_site_unless_the_project_says_otherwise(sample):
    def drawn(**changes):
        project, statements = sample.sample_run(**changes)
        evidence = Evidence(statements)
        document = compose(project, evidence, verdict=statements[-1], version="0")
        return render_html(document, evidence)

    assert "data:image/png;base64," in drawn()
    assert "data:image/png;base64," not in drawn(dossier=DossierOptions())


def test_hostile_names_are_shown_as_they_are_and_do_nothing(sample, tmp_path):
    project, statements = sample.sample_run(
        name=HOSTILE,
        intended_use=HOSTILE,
        data=replace(sample.PROJECT.data, label=HOSTILE, table=HOSTILE),
    )
    body = json.loads(json.dumps(statements[0].statement))
    body["predicate"]["findings"][0]["what"] = HOSTILE
    body["predicate"]["findings"][0]["code"] = HOSTILE
    body["predicate"]["figures"][0]["title"] = HOSTILE
    body["predicate"]["figures"][0]["caption"] = HOSTILE
    body["predicate"]["figures"][0]["categories"][0] = HOSTILE
    body["predicate"]["settings"] = {HOSTILE: HOSTILE}
    statements[0] = StatementRef(digest=statements[0].digest, statement=body)
    write_dossier(tmp_path, project=project, statements=statements, version="0.1.0")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert Page(text).named("title") == [{}]
    assert HOSTILE in "".join(Page(text).words)
    assert "{{ 7*7 }}" in text
    assert (tmp_path / "dossier.pdf").read_bytes().startswith(b"%PDF-")


def test_project_named_by_a_number_is_no_literal(sample, tmp_path):
    project, statements = sample.sample_run(
        name="2024", intended_use="7", data=replace(sample.PROJECT.data, label="3", subject="4")
    )
    write_dossier(tmp_path, project=project, statements=statements, version="0.1.0")
    assert "<h1>2024</h1>" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_simulated_data_are_said_on_the_page(written):
    text = (written[0] / "index.html").read_text(encoding="utf-8")
    assert text.count("Simulated data.</strong>") == 2
    assert '@page { @top-right { content: "SIMULATED DATA"' in text


def test_simulated_is_read_from_words_or_a_finding(sample):
    def project(name, use):
        return Project(name=name, intended_use=use, data=Data(table="t", label="y"))

    none = Evidence([])
    assert is_simulated(project("phantom-study", "Triage."), none)
    assert is_simulated(project("study", "Made from synthetic cases."), none)
    assert not is_simulated(project("phantoms", "Triage."), none)
    found = Evidence(sample.road()[:1])
    assert is_simulated(project("study", "Triage."), found)
    assert not is_simulated(project("study", "Triage."), Evidence(sample.road()[1:]))


def test_real_data_carry_no_banner(sample):
    _, statements = sample.sample_run()
    project = replace(sample.PROJECT, intended_use="Triage.")
    kept = [item for item in statements if item.stage != "ingest"]
    evidence = Evidence(kept)
    document = compose(project, evidence, verdict=kept[-1], version="0")
    assert not document.simulated
    # the verdicts still name their evidence, though its statement is not among these
    assert "SIMULATED" not in render_html(document, evidence).upper()


def test_run_with_hardly_anything_still_gives_a_dossier(sample, tmp_path):
    project = Project(name="p", intended_use="u", data=Data(table="t.csv", label="y"))
    verdict = sample.verdict_of(project, [])
    write_dossier(tmp_path, project=project, statements=[verdict], version="0.1.0")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "The project names no requirement" in text
    assert "not shown" in text


def test_dossier_without_verdicts_is_refused(sample, tmp_path):
    with pytest.raises(InputError) as caught:
        write_dossier(
            tmp_path, project=sample.PROJECT, statements=sample.road(), version="0.1.0"
        )
    assert str(caught.value) == (
        "T-R005: no statement of the stage 'verdict' among the 5 given; a dossier is drawn "
        "around the verdicts. Run the whole project, so that the verdict stage runs."
    )
    assert list(tmp_path.iterdir()) == []


def test_figure_of_an_unknown_kind_is_refused(sample, tmp_path):
    project, statements = sample.sample_run()
    body = json.loads(json.dumps(statements[0].statement))
    body["predicate"]["figures"][0]["values"] = [[1]]
    statements[0] = StatementRef(digest=statements[0].digest, statement=body)
    with pytest.raises(InputError) as caught:
        write_dossier(tmp_path, project=project, statements=statements, version="0.1.0")
    assert str(caught.value) == (
        "T-R004: figure /predicate/figures/0 of stage 'ingest' is no figure "
        "(ValueError('values are not 3 rows of 4')); a figure is one of line, bar, forest, "
        "heatmap, table, images, flow, and its rows, columns and series have equal lengths. "
        "Report this: the stage returned a figure that cannot be drawn."
    )


def test_pages_that_typst_refuses_are_an_environment_fault(sample, monkeypatch, tmp_path):
    from titian.dossier import pdf
    from titian.errors import EnvironmentFault

    broken = tmp_path / "dossier.typ"
    broken.write_text("#panic(1)")
    monkeypatch.setattr(pdf, "TEMPLATE", broken)
    project, statements = sample.sample_run()
    evidence = Evidence(statements)
    document = compose(project, evidence, verdict=statements[-1], version="0")
    with pytest.raises(EnvironmentFault, match="T-R006: typst could not set the pages"):
        pdf.render_pdf(document, evidence)


def test_model_of_several_classes_has_its_measures_by_class(sample):
    earlier = sample.road()
    body = json.loads(json.dumps(earlier[-1].statement))
    measured = body["predicate"]["measurements"]
    measured[1]["subgroup"] = {"abnormal": "pneumonia"}
    earlier[-1] = StatementRef(digest=earlier[-1].digest, statement=body)
    statements = [*earlier, sample.verdict_of(sample.PROJECT, earlier)]
    evidence = Evidence(statements)
    document = compose(sample.PROJECT, evidence, verdict=statements[-1], version="0")
    card = next(section for section in document.sections if section.id == "card")
    table = next(block for block in card.blocks if isinstance(block, Table))
    assert len(table.rows) == 12
    text = render_html(document, evidence)
    assert 'abnormal = <data value="pneumonia"' in text
    verdicts = [row for row in statements[-1].predicate["verdicts"] if row["id"] == "R1"]
    assert [row["subgroup"] for row in verdicts] == [{"abnormal": "pneumonia"}]
