"""Every one-bit change of every file is caught, with what and where, and without a crash."""

import random

import pytest

from titian.evidence.verify import read_folder, verify

TRIALS = 1000  # in the folder, and as many in the zip
SLOW_TRIALS = 10_000


def flip(path, bit):
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def assert_caught(path, name):
    report = verify(path)
    failed = [check for check in report.checks if not check.ok]
    assert failed
    assert all(check.what and check.where for check in failed)
    assert any(check.where.startswith(name) for check in failed), (name, failed)
    assert report.lines()[-1] == "NOT verified"


def mutate_folder(folder, trials, seed):
    names = sorted(read_folder(folder))
    rng = random.Random(seed)
    for trial in range(trials):
        name = names[trial % len(names)]
        bit = rng.randrange(8 * (folder / name).stat().st_size)
        flip(folder / name, bit)
        try:
            assert_caught(folder, name)
        finally:
            flip(folder / name, bit)
    assert verify(folder).ok


def mutate_zip(archive, trials, seed):
    rng = random.Random(seed)
    size = archive.stat().st_size
    tail = 8 * min(size, 1200)  # the directory at the end deserves its share
    for trial in range(trials):
        bit = 8 * size - 1 - rng.randrange(tail if trial % 2 else 8 * size)
        flip(archive, bit)
        try:
            assert_caught(archive, "")
        finally:
            flip(archive, bit)
    assert verify(archive).ok


def test_a_thousand_bits_of_the_folder(sample, tmp_path):
    mutate_folder(sample.copy(tmp_path), TRIALS, seed=1)


def test_a_thousand_bits_of_the_zip(sample, tmp_path):
    archive = tmp_path / "x.zip"
    archive.write_bytes(sample.archive.read_bytes())
    mutate_zip(archive, TRIALS, seed=2)


@pytest.mark.slow
def test_many_more_bits(sample, tmp_path):
    archive = tmp_path / "x.zip"
    archive.write_bytes(sample.archive.read_bytes())
    mutate_zip(archive, SLOW_TRIALS, seed=3)
    mutate_folder(sample.copy(tmp_path), SLOW_TRIALS, seed=4)


@pytest.mark.slow
def test_every_bit_of_the_manifest(sample, tmp_path):
    folder = sample.copy(tmp_path)
    for bit in range(8 * (folder / "manifest.json").stat().st_size):
        flip(folder / "manifest.json", bit)
        assert_caught(folder, "manifest.json")
        flip(folder / "manifest.json", bit)


def test_every_truncation_is_caught(sample, tmp_path):
    folder = sample.copy(tmp_path)
    rng = random.Random(5)
    for name, data in read_folder(folder).items():
        for length in {0, 1, len(data) - 1, *(rng.randrange(len(data)) for _ in range(10))}:
            (folder / name).write_bytes(data[:length])
            assert_caught(folder, name)
        (folder / name).write_bytes(data)
    archive = tmp_path / "x.zip"
    data = sample.archive.read_bytes()
    for length in {0, 1, 4, 29, len(data) - 1, *(rng.randrange(len(data)) for _ in range(30))}:
        archive.write_bytes(data[:length])
        assert_caught(archive, "x.zip")


def test_swapped_and_repeated_bytes_are_caught(sample, tmp_path):
    folder = sample.copy(tmp_path)
    rng = random.Random(6)
    for name, data in read_folder(folder).items():
        for _ in range(10):
            start = rng.randrange(len(data) - 1)
            end = rng.randrange(start + 1, len(data) + 1)
            for changed in (
                data[:start] + data[end:],
                data[:end] + data[start:],
                data[:start] + data[start:end][::-1] + data[end:],
            ):
                if changed != data:
                    (folder / name).write_bytes(changed)
                    assert_caught(folder, name)
        (folder / name).write_bytes(data)
