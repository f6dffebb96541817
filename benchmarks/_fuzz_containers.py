"""Changes that make hostile files of sound PNG, JPEG, zip and safetensors, with lengths and checksums kept right."""

from __future__ import annotations

import io
import json
import random
import stat
import struct
import warnings
import zipfile
import zlib

from benchmarks import _fuzz_mutations as mutations

ZIP_NAMES = (
    "a.csv",
    "../../x",
    "a/../../x",
    "/etc/x",
    "C:/x",
    "..\\x",
    "x\n",
    "",
    ".",
    "./",
    "a//b",
    "a/./b",
    "a",
    "a/b",
    "é",
    "b" * 300,
    "/".join("c" * 200 for _ in range(30)),
    "<img src=x>",
    "dataset.json",
    "t/dataset.json",
    "a/" * 600 + "x",
    "con",
    " ",
    "a ",
    ".hidden",
    "\u202e.png",
)


def of_png(rng: random.Random, data: bytes) -> bytes:
    """Other chunks with right checksums, so that decoders read on."""
    chunks, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + length]])
        at += 12 + length
    for _ in range(rng.randint(1, 2)):
        kind, number = rng.randrange(8), rng.randrange(len(chunks))
        chunk = chunks[number]
        if kind == 0:
            chunk[0] = rng.choice(
                (b"tRNS", b"PLTE", b"gAMA", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fdAT", b"pHYs")
            )
        elif kind == 1 and len(chunks) > 1:
            del chunks[number]
        elif kind == 2:
            chunks.insert(rng.randrange(len(chunks) + 1), list(chunk))
        elif kind == 3:
            body = zlib.compress(bytes(rng.choice((10, 10_000, 3_000_000))))
            chunks.insert(1, [rng.choice((b"zTXt", b"iCCP", b"iTXt")), b"k\0\0" + body])
        elif kind == 4 and chunks[0][0] == b"IHDR" and len(chunks[0][1]) == 13:
            width, height = (rng.choice((0, 1, 3, 16, 5000, 60_000, 2**31 - 1, 2**32 - 1)) for _ in range(2))
            depth, colour, rest = (
                rng.choice((1, 2, 4, 8, 16, 3)),
                rng.choice((0, 2, 3, 4, 6, 1)),
                bytes([0, 0, rng.randrange(3)]),
            )
            chunks[0][1] = struct.pack(">IIBB", width, height, depth, colour) + rest
        elif kind == 5:
            chunks.insert(1, [b"eXIf", mutations.of_bytes(rng, EXIF)])
        else:
            chunk[1] = mutations.of_bytes(rng, chunk[1])
    body = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return data[:8] + (mutations.of_bytes(rng, body) if rng.random() < 0.1 else body)


EXIF = (
    b"MM\0*\0\0\0\x08\0\x03\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\x87\x69\0\x04\0\0\0\x01\0\0\0\x08"
    b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\0"
)
"""A small EXIF block: turned by 90 degrees, with folders of tags that lead back to the first."""


def of_jpeg(rng: random.Random, data: bytes) -> bytes:
    """Other bytes within a segment, or one put in, its length kept right."""
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        segments.append([data[at : at + 2], data[at + 4 : at + 2 + length]])
        at += 2 + length
    rest = data[at:]
    kind, number = rng.randrange(6), rng.randrange(len(segments))
    if kind == 0:
        segments.insert(rng.randrange(len(segments) + 1), [b"\xff\xe1", b"Exif\0\0" + mutations.of_bytes(rng, EXIF)])
    elif kind == 1:
        rest = mutations.of_bytes(rng, rest)
    elif kind == 2 and len(segments) > 1:
        del segments[number]
    elif kind == 3:
        segments[number][0] = bytes([0xFF, rng.choice((0xC0, 0xC2, 0xC4, 0xDB, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE))])
    else:
        head = 6 if segments[number][1].startswith(b"Exif\0\0") else 0
        content = segments[number][1]
        segments[number][1] = content[:head] + mutations.of_bytes(rng, content[head:])
    body = b"".join(mark + struct.pack(">H", min(len(content) + 2, 0xFFFF)) + content for mark, content in segments)
    return data[:2] + body + rest


def of_zip(rng: random.Random, data: bytes) -> bytes:
    """A zip with hostile names, kinds, methods and sizes; what was in it stays in it half of the time."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that are there twice
        with zipfile.ZipFile(file, "w") as made:
            with zipfile.ZipFile(io.BytesIO(data)) as source:
                for entry in source.infolist() if rng.random() < 0.6 else ():
                    content = source.read(entry)
                    made.writestr(entry.filename, mutations.of_bytes(rng, content) if rng.random() < 0.2 else content)
            for _ in range(rng.randrange(4)):
                entry = zipfile.ZipInfo(rng.choice(ZIP_NAMES))
                entry.compress_type = rng.choice(
                    (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
                )
                entry.external_attr = rng.choice((0, stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR)) << 16
                made.writestr(entry, bytes(rng.choice((0, 10, 1000, 200_000))))
    content = file.getvalue()
    return mutations.of_bytes(rng, content) if rng.random() < 0.6 else content


def of_safetensors(rng: random.Random, data: bytes) -> bytes:
    """Another header with its length kept right, or another body."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = data[8 : 8 + length], data[8 + length :]
    if rng.random() < 0.2:
        return mutations.of_bytes(rng, data)
    value = json.loads(header)
    card = json.loads(value.get("__metadata__", {}).get("card", "null"))
    if card is not None and rng.random() < 0.5:
        value["__metadata__"]["card"] = mutations.of_json(rng, json.dumps(card).encode()).decode("utf-8", "replace")
        header = json.dumps(value).encode()
    elif rng.random() < 0.3:
        name = rng.choice([key for key in value if key != "__metadata__"])
        value[name]["dtype"] = rng.choice(
            ("F64", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "I32", "U8", "BOOL", "U64", "X")
        )
        header = json.dumps(value).encode()
    else:
        header = mutations.of_json(rng, header)
    return struct.pack("<Q", len(header)) + header + body
