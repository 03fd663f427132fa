import pickle  # noqa: TID251 - writes what is scanned
import zipfile

import pytest

from titian.validation.scan.scanner import scan


class Verdict:
    """A report in a form that tests compare at a glance."""

    def __init__(self, report):
        self.report = report
        self.allowed = report.allowed
        self.format = report.format
        self.codes = [reason.code for reason in report.reasons]
        self.where = [reason.where for reason in report.reasons]


@pytest.fixture
def judge(tmp_path):
    """Scan bytes under a name."""

    def judge(content, name="file.bin"):
        path = tmp_path / name
        path.write_bytes(content)
        (report,) = scan([path])
        return Verdict(report)

    return judge


@pytest.fixture
def zipped(tmp_path):
    """Make a zip of members."""

    def zipped(members, method=zipfile.ZIP_STORED):
        path = tmp_path / "made.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path.read_bytes()

    return zipped


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.fixture
def calling():
    def calling(function, *arguments, protocol=4):
        return pickle.dumps(Calls(function, *arguments), protocol=protocol)

    return calling
