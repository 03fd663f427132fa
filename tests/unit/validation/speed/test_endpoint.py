"""Endpoints that hang, refuse or answer garbage cost a reason, not the run."""

from __future__ import annotations

import time

import pytest
from tests.unit.validation.speed import endpoints

from titian.errors import InputError
from titian.validation.speed.endpoint import NoAnswerError, check_answer, open_endpoint
from titian.validation.speed.generator import generate
from titian.validation.speed.scenario import make_load


@pytest.fixture
def opened():
    """Open endpoints that are closed after the test."""
    targets = []

    def of(url, **options):
        targets.append(open_endpoint(url, **options))
        return targets[-1]

    yield of
    for target in targets:
        target.close()


def refused(url, **options):
    with pytest.raises(InputError) as caught:
        open_endpoint(url, **options)
    return str(caught.value)


def test_an_endpoint_is_asked_and_tried(opened):
    with endpoints.endpoint() as (url, seen):
        target = opened(url + "/infer")
        assert target.name == "/v2/models/small"
        assert target.notes == (
            "CPU time and memory are those of the endpoint's process and are not shown",
            "free axes were taken as 1: x",
        )
        assert target.answer(0, 3) == [0.5] * 6
    assert seen[0]["inputs"][0]["shape"] == [1, 4]
    assert seen[1]["inputs"][0]["shape"] == [3, 4]
    assert len(seen[1]["inputs"][0]["data"]) == 12


def test_one_connection_serves_a_whole_run(opened):
    with endpoints.endpoint() as (url, _):
        target = opened(url)
        trace = generate(target.answer, make_load(min_duration_s=0.0, min_queries=50))
    assert trace.answered.all()
    assert trace.failures == ()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://127.0.0.1:1/v2/health",
        "http:///v2/models/small",
        "http://127.0.0.1:none/v2/models/small",
    ],
)
def test_a_url_that_names_no_model_is_refused(url):
    assert refused(url).startswith(f"T-V166: {url} does not name a model of an endpoint")


def test_a_password_is_neither_used_nor_repeated():
    text = refused("http://ann:secret@127.0.0.1:1/v2/models/small")
    assert text.startswith("T-V166: http://...@127.0.0.1:1/v2/models/small does not name")
    assert "secret" not in text


def test_a_refused_connection_is_told():
    port = endpoints.closed_port()
    assert refused(f"http://127.0.0.1:{port}{endpoints.PATH}") == (
        "T-V167: the endpoint of /v2/models/small gave no usable answer: the connection was "
        "refused. See that it is up and speaks the Open Inference Protocol, version 2, in JSON."
    )


@pytest.mark.parametrize("behave", [lambda held: time.sleep(3), endpoints.drip])
def test_an_endpoint_that_hangs_or_drips_meets_the_deadline(behave):
    with endpoints.raw_endpoint(behave) as url:
        begin = time.monotonic()
        text = refused(url, timeout_s=0.3)
        assert time.monotonic() - begin < 1.5
    assert "gave no usable answer: no answer within 0.3 s." in text


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "garbage: not HTTP (BadStatusLine)"),
        (b"", "the connection was closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "garbage: 'hi' is not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "an answer that breaks off"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "'{}' describes no inputs"),
    ],
)
def test_garbage_is_told(sent, reason):
    def behave(connection):
        connection.recv(65536)
        connection.sendall(sent)

    with endpoints.raw_endpoint(behave) as url:
        assert reason in refused(url, timeout_s=2.0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1]", "has no outputs"),
        (b'{"outputs": []}', "has no outputs"),
        (b'{"outputs": [3]}', "an output is not an object"),
        (b'{"outputs": [{"data": [1], "shape": "x"}]}', "an output lacks data or shape"),
        (
            b'{"outputs": [{"data": [1], "shape": [2]}]}',
            "an output of shape [2] holds 1 values",
        ),
        (b"\xff\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_an_answer_that_is_none_is_told(content, reason):
    with pytest.raises(NoAnswerError) as caught:
        check_answer(content)
    assert reason in str(caught.value)


def test_nested_data_counts_as_flat():
    content = b'{"outputs": [{"data": [[1, 2], [3, 4]], "shape": [2, 2]}]}'
    assert check_answer(content) == [1.0, 2.0, 3.0, 4.0]


def test_failures_within_a_run_are_counted_and_the_rest_is_kept(opened):
    calls = []

    def now_and_then(request):
        calls.append(1)
        return 503 if len(calls) % 4 == 0 else endpoints.answer_of(request)

    with endpoints.endpoint(now_and_then) as (url, _):
        target = opened(url)
        trace = generate(target.answer, make_load(min_duration_s=0.0, min_queries=40))
    assert [(f.reason, f.count) for f in trace.failures] == [("status 503", 10)]
    assert trace.answered.sum() == 30
    assert trace.cut == ""


def test_an_endpoint_that_dies_ends_the_run_with_what_there_is(opened):
    with endpoints.endpoint() as (url, _):
        target = opened(url, timeout_s=0.5)
        good = generate(target.answer, make_load(min_duration_s=0.0, min_queries=5))
    trace = generate(target.answer, make_load(min_duration_s=5.0, min_queries=5))
    assert good.answered.all()
    assert trace.cut == "10 queries in a row had no answer"


def test_several_workers_each_have_a_connection(opened):
    def slow(request):
        time.sleep(0.02)
        return endpoints.answer_of(request)

    with endpoints.endpoint(slow) as (url, _):
        target = opened(url)
        load = make_load("server", target_qps=200.0, min_duration_s=0.3, min_queries=60)
        trace = generate(target.answer, load, workers=8)
    assert trace.answered.all()
    assert trace.wall_s < 1.1  # one after the other takes 1.2 s


def test_an_answer_of_no_numbers_is_noted(opened):
    def nothing(_request):
        nan = float("nan")
        return {"outputs": [{"name": "y", "shape": [1, 2], "data": [nan, 1.0]}]}

    with endpoints.endpoint(nothing) as (url, _):
        target = opened(url)
    assert not target.finite
    assert target.notes[-1] == "the first answer holds NaN or infinity"


def test_a_connection_closed_between_queries_is_opened_again(opened):
    with endpoints.endpoint(hang_up_after=7) as (url, _):
        target = opened(url)
        trace = generate(target.answer, make_load(min_duration_s=0.0, min_queries=50))
    assert trace.answered.all()
