"""Changes that make hostile files of sound ones: of plain bytes, of JSON, tables and words."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from typing import Any

Mutation = Callable[[random.Random, bytes], bytes]

TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e308",
    "-1e308",
    "1e400",
    "nan",
    "-inf",
    "9" * 30,
    "9" * 5000,
    "a" * 300,
    "x" * 3000,
    "../../x",
    "..",
    "/etc/passwd",
    "C:\\x",
    "~nobody/x",
    "a/../b",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\0",
    "a\0b",
    "\n",
    "a\nb",
    "\u202eabc",
    "\ud800",
    "\U0001f600",
    "ä/ö",
    "٣",
    "²",
    "%s%n{0}",
    "true",
    "null",
    "a,b",
    '"',
    "'",
    "=1+1",
    "reference/000000",
    "day/000000",
    "train",
    "val",
    "test",
    "31N",
    "99Z",
    "0.5",
    "1,5",
    "-0",
    "1_0",
    "2024-02-30T25:00",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01",
    "1e-320",
    "a" * 300 + "/b",
    "day/" + "b" * 300,
    "day/000000.",
    "day/ä" + "ü" * 150,
    "day/.",
    "\ud83d\ude00",
)
"""What people and programs put where a word or a number is expected."""
VALUES: tuple[Any, ...] = (
    *TEXTS,
    None,
    True,
    False,
    0,
    -1,
    1,
    255,
    256,
    2**31,
    2**63,
    2**64,
    10**30,
    10**400,
    0.0,
    -0.0,
    1e-320,
    1e308,
    -1e308,
    float("inf"),
    float("nan"),
    [],
    {},
    [[]],
    [None],
    [0, 1],
    {"": None},
    {"a": {"b": []}},
    [[[[0]]]],
    [1e308, -1e308],
)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def of_bytes(rng: random.Random, data: bytes) -> bytes:
    """One to four changes that know nothing of the form."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, kind = rng.randrange(len(changed) + 1), rng.randrange(7)
        span = min(rng.choice((1, 1, 2, 4, 16, 100)), max(len(changed) - at, 0))
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + span] = rng.randbytes(span)
        elif kind == 2:
            changed[at:at] = rng.randbytes(rng.choice((1, 2, 8, 40)))
        elif kind == 3:
            del changed[at : at + span]
        elif kind == 4:
            changed[at:at] = changed[at : at + span] * rng.randint(1, 3)
        elif kind == 5:
            width, order = rng.choice((1, 2, 4)), rng.choice(("little", "big"))
            number = rng.choice(NUMBERS) & (256**width - 1)
            changed[at : at + width] = number.to_bytes(width, order)  # type: ignore[arg-type]
        elif rng.random() < 0.3:
            del changed[at:]
    return bytes(changed)


def of_json(rng: random.Random, data: bytes) -> bytes:
    """Other values, keys and nesting; now and then what is no JSON."""
    value = json.loads(data)
    for _ in range(rng.randint(1, 3)):
        value = _changed(rng, value)
    if rng.random() < 0.01:
        value = {"a": "DEEP"}
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    text = text.replace('"DEEP"', "[" * 100_000 if rng.random() < 0.5 else '{"a":' * 5000)
    made = text.encode("utf-8", "surrogatepass" if rng.random() < 0.2 else "replace")
    return of_bytes(rng, made) if rng.random() < 0.1 else made


def _changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key, rest = rng.choice(list(value)), dict(value)
        kind = rng.randrange(10)
        if kind == 0:
            del rest[key]
        elif kind == 1:
            rest[rng.choice(TEXTS)] = rest.pop(key)
        elif kind == 2:
            rest[rng.choice(TEXTS)] = rng.choice(VALUES)
        else:
            rest[key] = _changed(rng, rest[key])
        return rest
    if isinstance(value, list) and value and rng.random() < 0.9:
        at, rest = rng.randrange(len(value)), list(value)
        kind = rng.randrange(10)
        if kind == 0:
            del rest[at]
        elif kind == 1:
            rest.insert(at, rest[at])
        elif kind == 2:
            rest.insert(at, rng.choice(VALUES))
        else:
            rest[at] = _changed(rng, rest[at])
        return rest
    if isinstance(value, (int, float)) and rng.random() < 0.3:
        return value * rng.choice((-1, 0, 2, 1e-9, 1e9)) if abs(value) < 1e300 else 0
    return [value] * rng.randint(0, 3) if rng.random() < 0.1 else rng.choice(VALUES)


def of_table(rng: random.Random, data: bytes) -> bytes:
    """Other cells, rows, columns, separators and quotes."""
    rows = [list(row) for row in csv.reader(io.StringIO(data.decode()))]
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(rows))
        row = rows[at]
        kind = rng.randrange(12)
        if kind == 0 and len(rows) > 1:
            del rows[at]
        elif kind == 1:
            rows.insert(at, list(row))
        elif kind == 2 and row:
            del row[rng.randrange(len(row))]
        elif kind == 3:
            row.insert(rng.randrange(len(row) + 1), rng.choice(TEXTS))
        elif kind == 4 and rows[0]:
            column = rng.randrange(len(rows[0]))
            rows = [[cell for number, cell in enumerate(line) if number != column] for line in rows]
        elif kind == 5 and rows[0]:
            column, text = rng.randrange(len(rows[0])), rng.choice(TEXTS)
            rows = [rows[0], *([*line[:column], text, *line[column + 1 :]] for line in rows[1:])]
        elif row:
            row[rng.randrange(len(row))] = rng.choice(TEXTS)
        rows = rows or [[]]
    text = io.StringIO()
    csv.writer(text, delimiter=rng.choice(",,,,;\t"), lineterminator=rng.choice(("\n", "\r\n", "\r"))).writerows(rows)
    made = text.getvalue().encode("utf-8", "surrogatepass" if rng.random() < 0.2 else "replace")
    return of_bytes(rng, made) if rng.random() < 0.15 else made


def of_words(rng: random.Random, data: bytes) -> bytes:
    """Other words in a text of words and lines."""
    lines = [line.split(" ") for line in data.decode().split("\n")]
    for _ in range(rng.randint(1, 3)):
        line = rng.choice(lines)
        at, kind = rng.randrange(len(line)), rng.randrange(6)
        if kind == 0 and len(line) > 1:
            del line[at]
        elif kind == 1:
            line.insert(at, rng.choice(TEXTS))
        elif kind == 2:
            lines.insert(rng.randrange(len(lines)), list(line))
        else:
            line[at] = rng.choice(TEXTS)
    made = "\n".join(" ".join(line) for line in lines).encode("utf-8", "replace")
    return of_bytes(rng, made) if rng.random() < 0.1 else made
