"""The sample run, made once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_PATH = Path(__file__).with_name("sample.py")


def load_sample():
    """Load ``sample.py`` from beside the tests (they are no package)."""
    if "dossier_sample" not in sys.modules:
        spec = importlib.util.spec_from_file_location("dossier_sample", _PATH)
        module = importlib.util.module_from_spec(spec)
        sys.modules["dossier_sample"] = module
        spec.loader.exec_module(module)
    return sys.modules["dossier_sample"]


@pytest.fixture(scope="session")
def sample():
    return load_sample()


@pytest.fixture(scope="session")
def written(sample, tmp_path_factory):
    """The sample's dossier folder and its statements by digest."""
    from titian.dossier.write import write_dossier

    folder = tmp_path_factory.mktemp("dossier")
    project, statements = sample.sample_run()
    cases = tmp_path_factory.mktemp("cases") / "cases.parquet"
    cases.write_bytes(b"PAR1")
    write_dossier(
        folder, project=project, statements=statements, version="0.1.0", cases_file=cases
    )
    return folder, {item.digest: item.statement for item in statements}
