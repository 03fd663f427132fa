"""The bill of materials: form, contents, and the CycloneDX schema where it is at hand."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from titian.dossier.bom import bom
from titian.dossier.reference import Evidence
from titian.evidence.verify import resolve


@pytest.fixture(scope="module")
def document(written):
    return json.loads((written[0] / "mlbom.cdx.json").read_text(encoding="utf-8"))


def component(document, kind):
    return [item for item in document["components"] if item["type"] == kind]


def test_it_is_cyclonedx_with_one_model(document):
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    (model,) = component(document, "machine-learning-model")
    assert model["hashes"][0]["alg"] == "SHA-256"
    assert model["modelCard"]["considerations"]["useCases"] == [
        "Flag abnormal chest X-rays for a second reader; phantom study."
    ]


def test_metrics_carry_interval_slice_and_place(document, written):
    (model,) = component(document, "machine-learning-model")
    metrics = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    places = [item["value"] for item in model["modelCard"]["properties"]]
    assert len(metrics) == len(places) == 18  # 11 measures, 7 known groups
    assert metrics[0]["type"] == "sensitivity"
    assert metrics[0]["value"] == "0.9012345678901234"
    assert set(metrics[0]["confidenceInterval"]) == {"lowerBound", "upperBound"}
    assert metrics[1]["slice"] == "sex = F"
    for metric, place in zip(metrics, places, strict=True):
        value = resolve(written[1][place[:64]], place[64:])
        assert float(metric["value"]) == value


def test_data_from_outside_and_libraries_are_components(document):
    assert [item["name"] for item in component(document, "data")] == ["source"]
    libraries = {item["name"]: item["purl"] for item in component(document, "library")}
    assert libraries["torch"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    refs = [item["bom-ref"] for item in document["components"]]
    assert len(refs) == len(set(refs))
    known = {*refs, "project"}
    for item in document["dependencies"]:
        assert {item["ref"], *item["dependsOn"]} <= known


def test_serial_number_follows_the_statements(sample):
    project, statements = sample.sample_run()

    def serial(kept):
        return bom(project, Evidence(kept), verdict=kept[-1], version="0")["serialNumber"]

    assert serial(statements) == serial(list(statements))
    assert serial(statements) != serial(statements[1:])


@pytest.mark.skipif(
    find_spec("cyclonedx") is None,
    reason="the CycloneDX schema comes with the package cyclonedx-python-lib",
)
def test_it_satisfies_the_cyclonedx_schema(document):
    import jsonschema
    from referencing import Registry, Resource

    folder = Path(find_spec("cyclonedx").origin).parent / "schema" / "_res"

    def load(name):
        return json.loads((folder / name).read_text(encoding="utf-8"))

    registry = Registry().with_resources(
        (name.replace(".SNAPSHOT", ""), Resource.from_contents(load(name)))
        for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    )
    schema = load("bom-1.6.SNAPSHOT.schema.json")
    base = schema["$id"].rsplit("/", 1)[0]
    registry = registry.with_resources(
        (f"{base}/{name}", Resource.from_contents(load(name)))
        for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    )
    jsonschema.Draft7Validator(schema, registry=registry).validate(document)
