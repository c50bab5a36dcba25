"""Files of examples in every form that is read: rows, columns, quotes, nested objects, tags, row groups."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hostile_values import TEXTS, VALUES, Case, changed_json, damaged_bytes, damaged_text, dumped

QUESTION, CONTEXT = "what is the rate", "the battery of my phone should last all day"
ROWS: dict[str, list[dict[str, Any]]] = {
    "qa": [{"id": str(i), "question": QUESTION, "context": f"{CONTEXT} {i}", "answers": ["battery"]}
           for i in range(12)],
    "classification": [{"text": f"{CONTEXT} {i}", "label": i % 4} for i in range(12)],
    "multiple-choice": [{"prompt": f"{CONTEXT} {i}", "choice0": "one", "choice1": "two", "label": i % 2}
                        for i in range(12)],
    "next-sentence": [{"text": CONTEXT, "pair": f"{QUESTION} {i}", "label": i % 2} for i in range(12)],
    "fill-mask": [{"text": f"{CONTEXT} {i}"} for i in range(12)]}
SAVED = "saved/data-00000-of-00001.arrow"
TAGGED = "".join("the O\nbattery B-person\nof O\nmy I-person\nphone B-city\n\n" for _ in range(12))


def squad(rows: Sequence[dict[str, Any]]) -> Any:
    """The questions in the form of SQuAD 2.0."""
    return {"version": "2.0", "data": [{"title": "a", "paragraphs": [
        {"context": row["context"], "qas": [{"id": row["id"], "question": row["question"], "is_impossible": False,
                                             "answers": [{"text": "battery", "answer_start": 4}]}]} for row in rows]}]}


def table(rows: Sequence[dict[str, Any]], separator: str, end: str = "\n") -> bytes:
    """With a header, and quotes where cells need them."""
    def cell(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return '"' + text.replace('"', '""') + '"' if any(one in text for one in (separator, '"', "\n")) else text

    lines = [separator.join(rows[0]), *(separator.join(map(cell, row.values())) for row in rows)]
    return "".join(line + end for line in lines).encode()


def lines_of(rows: Sequence[Any]) -> bytes:
    """JSON lines."""
    return b"".join(dumped(row) + b"\n" for row in rows)


def whole(task: str) -> Case:
    """The same examples in every form, each as a file by itself."""
    rows = ROWS.get(task, [])
    if task == "token-classification":
        tagged = [{"tokens": ["the", "battery"], "ner_tags": ["O", "B-person"]} for _ in range(12)]
        return {"x.conll": TAGGED.encode(), "x.jsonl": lines_of(tagged)}
    case = {"x.jsonl": lines_of(rows), "x.json": dumped(rows), "x.tsv": table(rows, "\t"), "x.csv": table(rows, ",")}
    if task == "qa":
        case = {"x.jsonl": case["x.jsonl"], "x.json": dumped(squad(rows)), "list.json": case["x.json"]}
    if task == "fill-mask":
        case["x.txt"] = "".join(f"{row['text']}\n" for row in rows).encode()
    return {**case, **arrow(rows)}


def arrow(rows: Sequence[dict[str, Any]]) -> Case:
    """Parquet, and a folder as ``datasets`` saves it: a stream of Arrow, and what names it."""
    import pyarrow as pa
    from pyarrow import parquet

    made = pa.Table.from_pylist(list(rows))
    packed, streamed = io.BytesIO(), io.BytesIO()
    parquet.write_table(made, packed)
    with pa.ipc.new_stream(streamed, made.schema) as writer:
        writer.write_table(made)
    return {"x.parquet": packed.getvalue(), SAVED: streamed.getvalue(), "saved/state.json": dumped(
        {"_data_files": [{"filename": Path(SAVED).name}], "_fingerprint": "0", "_split": "train"})}


def mutate(rng: random.Random, case: Case) -> tuple[str, Case]:
    """One of the files of ``case`` damaged; the others are left out, for each file and folder is read by itself."""
    name = rng.choice(sorted(case))
    beside = {other: held for other, held in case.items() if other.split("/")[0] == name.split("/")[0]}
    form = name.rsplit(".", 1)[1]
    if form in ("parquet", "arrow"):
        what, changed = columnar(rng, case[name])
    elif rng.random() < 0.2:
        what, changed = damaged_text(rng, case[name])
    else:
        change = {"json": _json, "jsonl": _json_lines, "conll": _tags}.get(form, _cells)
        what, changed = change(rng, case[name])
    return f"{name}: {what}", {**beside, name: changed}


def _json(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    value = json.loads(content)
    if rng.random() < 0.1:
        return "root", dumped(rng.choice(VALUES))
    changed = dumped(changed_json(rng, value))
    if rng.random() < 0.1:
        return "two values", changed + rng.choice((changed, b"}", b",", b"[", b"x"))
    return "tree", changed


def _json_lines(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """Rows that differ: other values, other keys, no objects, or none at all."""
    rows = [json.loads(line) for line in content.splitlines()]
    place = rng.randrange(len(rows))
    how = rng.choice(("value", "value", "value", "tree", "line", "many keys", "many rows", "one line"))
    if how == "value":
        for row in rng.choice((rows, [rows[place]])):
            row[rng.choice(sorted(row))] = rng.choice(VALUES)
    elif how == "tree":
        rows = changed_json(rng, rows)
    elif how == "line":
        rows[place] = rng.choice(VALUES)
    elif how == "many keys":
        for i, row in enumerate(rows):
            row.update({f"k{i}-{j}": 1 for j in range(rng.choice((1, 1000, 20_000)))})
    elif how == "many rows":
        rows *= 2000
    lines = [dumped(row) for row in rows]
    return how, (b" " if how == "one line" else b"\n").join(lines)


def _cells(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """A table with cells that open and never close, too many or too few of them, other headers, or other ends."""
    separator = b"\t" if b"\t" in content.split(b"\n")[0] else b","
    rows = [line.split(separator) for line in content.split(b"\n")]
    row = rng.choice(rows)
    changes: dict[str, Callable[[], object]] = {
        "open": lambda: row.__setitem__(-1, b'"' + row[-1]),
        "all open": lambda: rows.extend([[b'"a', b"b"]] * rng.choice((30, 20_000))),
        "quotes": lambda: row.__setitem__(0, b'"' * rng.choice((1, 3, 4, 10_001)) + row[0]),
        "cell": lambda: row.__setitem__(rng.randrange(len(row)), rng.choice(TEXTS).encode("utf-8", "surrogatepass")),
        "columns": lambda: row.extend([b"x"] * rng.choice((1, 5, 200_000))),
        "fewer": lambda: row.pop(),
        "header": lambda: rows[0].__setitem__(0, rng.choice(TEXTS).encode("utf-8", "replace")),
        "same header": lambda: rows.__setitem__(0, [rows[0][-1]] * len(rows[0])),
        "wide header": lambda: rows[0].extend([b"c%d" % i for i in range(100_000)]),
        "no header": lambda: rows.pop(0),
        "labels": lambda: [one.__setitem__(-1, b"l%d" % i) for i, one in enumerate(rows)],
        "many labels": lambda: rows.extend([[b"text", b"l%d" % i] for i in range(50_000)]),
        "many rows": lambda: rows.extend(rows[1:] * 3000),
        "long cell": lambda: row.__setitem__(0, b"a " * rng.choice((1000, 100_000, 1_000_000))),
        "long word": lambda: row.__setitem__(0, b"a" * rng.choice((131_073, 2_000_000))),
        "mixed": lambda: row.insert(0, b";|,\t")}
    what = rng.choice(sorted(changes))
    changes[what]()
    return what, b"\n".join(separator.join(row) for row in rows)


def _tags(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """A BIO file with other tags, more columns, sentences without end, or thousands of tags."""
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    how = rng.choice(("tag", "columns", "no ends", "word", "many tags", "separator", "long"))
    if how == "tag":
        lines[place] = b"word " + rng.choice((b"X-a", b"B-", b"I-city", b"", b"E-x", b"B-\x1b[31m", b"O O", b"B" * 999))
    elif how == "columns":
        lines[place] += rng.choice((b" x", b" x y z", b" x" * 100_000, b"\tB-city"))
    elif how == "no ends":
        lines = [line for line in lines if line] * rng.choice((1, 1000))
    elif how == "word":
        lines[place] = rng.choice(TEXTS).encode("utf-8", "surrogatepass") + b" O"
    elif how == "many tags":
        lines += [b"word B-t%d" % i for i in range(50_000)]
    elif how == "separator":
        lines = [line.replace(b" ", rng.choice((b"\t", b",", b"|", b"  ", b"\xc2\xa0"))) for line in lines]
    else:
        lines[place] = b"w" * 1_000_000 + b" O"
    return how, b"\n".join(lines)


def columnar(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """Parquet or Arrow: columns of other types, of nothing, nested, or packed too well; or other bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    if rng.random() < 0.5:
        return damaged_bytes(rng, content)
    is_parquet = content.startswith(b"PAR1")
    rows = (parquet.read_table(io.BytesIO(content)) if is_parquet else pa.ipc.open_stream(content).read_all())
    count = len(rows)
    odd: dict[str, Callable[[], Any]] = {
        "none": lambda: pa.nulls(count), "numbers": lambda: pa.array([0.5] * count),
        "bytes": lambda: pa.array([b"\xff\xfe"] * count), "lists": lambda: pa.array([[["a"]]] * count),
        "objects": lambda: pa.array([{"a": {"b": 1}}] * count),
        "times": lambda: pa.array([0] * count, pa.timestamp("ns")),
        "classes": lambda: pa.array(["a", None] * (count // 2)).dictionary_encode(),
        "long": lambda: pa.array([TEXTS[7]] * count), "controls": lambda: pa.array(["\x1b[31m\0"] * count),
        "decimals": lambda: pa.array([1] * count).cast(pa.decimal128(38, 10))}
    what = rng.choice(("rows", "same names", *odd))
    if what == "rows":
        rows = pa.concat_tables([rows] * rng.choice((2, 5000))) if rng.random() < 0.8 else rows.slice(0, 0)
    elif what == "same names":
        rows = rows.rename_columns([rng.choice(("text", "label", "\x1b[31m", ""))] * rows.num_columns)
    else:
        place = rng.randrange(rows.num_columns)
        rows = rows.set_column(place, rows.column_names[place], odd[what]())
    stream = io.BytesIO()
    if is_parquet:
        parquet.write_table(rows, stream, compression=rng.choice(("snappy", "zstd", "none")))
    else:
        with pa.ipc.new_stream(stream, rows.schema) as writer:
            writer.write_table(rows)
    return what, stream.getvalue()
