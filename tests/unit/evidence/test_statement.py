"""Statements: their form is fixed, and they hold nothing about a machine or a person."""

from datetime import datetime, timedelta, timezone

import pytest

from titian.errors import InputError
from titian.evidence import statement as module
from titian.evidence.statement import local_names, statement_digest, timestamp
from titian.values import Finding, Measurement, Severity


def finding(text):
    return Finding(
        code="data.x", severity=Severity.INFO, what=text, where="cases 1, 2", remedy="Look."
    )


def test_a_statement_has_the_form_that_the_architecture_says(make_statement):
    statement = make_statement()
    assert list(statement) == ["_type", "subject", "predicateType", "predicate"]
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:titian:stage-run:1"
    assert statement["subject"] == [
        {
            "name": "records.parquet",
            "digest": {"sha256": "ab" * 32},
            "annotations": {"kind": "records", "size_bytes": 18233},
        }
    ]
    assert " ".join(statement["predicate"]) == (
        "project stage key settings seed inputs measurements findings figures controls"
        " verdicts environment actor site start end replay"
    )
    assert statement["predicate"]["start"] == "2026-11-22T20:29:33Z"
    assert statement["predicate"]["measurements"][0]["value"] == 0.75


def test_the_digest_depends_on_every_value(make_statement):
    assert statement_digest(make_statement()) == statement_digest(make_statement())
    assert statement_digest(make_statement()) != statement_digest(make_statement(seed=8))
    assert len(statement_digest(make_statement())) == 64


@pytest.mark.parametrize(
    "text",
    [
        "/home/amirah/study/labels.csv",
        "/data",
        "cannot open '/var/data/x.png'",
        "path=/srv/images/1.png",
        "file:///srv/x",
        "see ~/study/labels.csv",
        r"C:\Users\study\labels.csv",
        r"\\server\share\x",
        "in (/mnt/disk/a)",
        "seen on moonbase today",
        "user amirah",
    ],
)
def test_a_path_or_a_name_is_refused_wherever_it_stands(make_statement, text):
    for changes in (
        {"settings": {"deep": [{"x": text}]}},
        {"settings": {text: 1}},
        {"findings": [finding(text)]},
        {"environment": {"libraries": {"numpy": text}}},
        {"site": text},
    ):
        with pytest.raises(InputError, match=r"^T-E004: the text .* of the statement holds"):
            make_statement(**changes)


@pytest.mark.parametrize(
    "text",
    [
        "images/a/b.png",
        "either/or, 45 CFR 164.514(b)",
        "https://in-toto.io/Statement/v1",
        "12 mg/mL",
        "1/s",
        "BCa bootstrap by subject / Wilson",
        "n/a",
        "[40,65)",
        "a ~ b",
        "moonbases and Amirahs are other words",
        ">= 0.80",
        "C: a ratio",
        "about ~5/10 cases",
    ],
)
def test_honest_texts_pass(make_statement, text):
    make_statement(findings=[finding(text)], settings={"x": text})


def test_pointers_and_pictures_are_no_paths(make_statement):
    make_statement(
        settings={
            "evidence": {"pointer": "/predicate/measurements/3"},
            "png_base64": ["iVBOR+/ab/cd", "/9j/4AAQ"],
        }
    )


def test_the_refusal_says_what_where_and_what_next(make_statement):
    with pytest.raises(InputError) as caught:
        make_statement(settings={"table": "/home/me/labels.csv", "more": ["on moonbase"]})
    assert str(caught.value) == (
        "T-E004: the text '/home/me/labels.csv' at /predicate/settings/table of the statement"
        " holds an absolute path; a statement leaves the site. Use a path relative to the data"
        " folder, or another word.\n"
        "T-E004: the text 'on moonbase' at /predicate/settings/more/0 of the statement holds"
        " this machine's or this user's name; a statement leaves the site. Use a path relative"
        " to the data folder, or another word."
    )


def test_a_number_that_json_lacks_is_refused(make_statement):
    with pytest.raises(InputError) as caught:
        make_statement(measurements=[Measurement(name="auc", value=float("nan"), n=3)])
    assert str(caught.value) == (
        "T-E005: nan is not a number of JSON, at /predicate/measurements/0/value of the"
        " statement. Leave an unknown number out as None and say why in `reason`."
    )


def test_names_of_this_machine_are_looked_up_unless_they_tell_nothing(monkeypatch):
    monkeypatch.setattr(module.socket, "gethostname", lambda: "moonbase.example.org")
    monkeypatch.setattr(module.getpass, "getuser", lambda: "amirah")
    local_names.cache_clear()
    assert local_names() == {"moonbase.example.org", "moonbase", "amirah"}
    monkeypatch.setattr(module.getpass, "getuser", lambda: "root")
    local_names.cache_clear()
    assert local_names() == {"moonbase.example.org", "moonbase"}
    local_names.cache_clear()


def test_times_are_written_in_utc():
    there = timezone(timedelta(hours=8))
    assert timestamp(datetime(2026, 1, 1, 4, tzinfo=there)) == "2025-12-31T20:00:00Z"
    with pytest.raises(ValueError, match=r"^a time in evidence needs its zone$"):
        timestamp(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
