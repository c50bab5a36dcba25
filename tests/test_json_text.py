"""JSON of strangers: what Python's own reader stumbles over becomes one error, at its place."""

from __future__ import annotations

import json

import pytest

from mobilebert_lite.common.json_text import decode, parse, parse_at
from mobilebert_lite.errors import DataError


@pytest.mark.parametrize("text", [
    '{"a": [1, -2.5e3, null, true, "\\u00e9\\ud83d\\ude00"]}', " [ ] \n", "NaN", '"x"', "1e400", "[" * 100 + "]" * 100,
    json.dumps([[{}]] * 1000)])
def test_reads_as_python_does(text: str) -> None:
    assert repr(decode(text)) == repr(json.loads(text)) == repr(parse(b"\xef\xbb\xbf" + text.encode(), "it"))


@pytest.mark.parametrize(("text", "message"), [
    ("", "Expecting value"), ("{} x", "more after its end"), ("[" * 101 + "]" * 101, "inside each other"),
    ("[" * 100_000, "inside each other"), ('{"a":' * 50_000, "inside each other"), ("9" * 5000, "thousands of digits"),
    ('["\\ud800"]', "half of a character"), ('{"\\udc00": 1}', "half of a character")])
def test_one_kind_of_error(text: str, message: str) -> None:
    with pytest.raises(json.JSONDecodeError, match=message):
        decode(text)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(DataError, match="the table is not readable JSON: not UTF-8 at byte 1"):
        parse(b"[\xff]", "the table")


def test_halves_where_the_reader_looks_at_them_itself() -> None:
    assert decode('["\\ud800"]', halves=True) == ["\ud800"]


def test_one_value_after_another() -> None:
    assert parse_at("[1] {}", 4) == ({}, 6)
