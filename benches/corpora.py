"""The corpora of the benches, made once and kept as JSONL (and Parquet) in a cache folder.

| name | what | bytes of text | truth |
|---|---|---|---|
| rfcs | every revision of every Rust RFC: 7,885 long documents in chains of edits | 153 MB | complete |
| psdocs | PowerShell documentation for several product versions, 3,008 pages | 32 MB | complete |
| short | 100,000 cuts of about 650 bytes: runs of whole paragraphs from `rfcs` | 65 MB | complete |
| languages | 100,000 short pages in the scripts of thirty languages | 60 MB | complete |
| windows | 318,606 windows of about 3 KB, cut anywhere out of `rfcs` | 1 GB | none |
| lookalikes | 100,000 pages of one template, 5.6 KB each, Jaccard about 0.61 | 560 MB | no pair |
| big | the file run: `rfcs`, `psdocs`, recombinations of their paragraphs, copies, edits | 520 MB | in part |

The real sets are read from the folder given by `--data` (`rfcs.jsonl.zst`, `psdocs.jsonl.zst`,
`languages.jsonl.zst`, a field `text`, and beside each, where they are known, the pairs with Jaccard >= 0.5 as
`NAME.pairs.tsv.zst`). Where a file is not there, seeded synthetic text of the same size and shape takes its
place; a record says which was used. A name may carry a size, as in `rfcs@20MB`: a seeded sample of its
documents, for engines that would take too long on all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benches import languages, mixture, synthetic, truth

SEED = 20_261_122
# Part of every file name in the cache; raise it when a recipe changes, so that old files are left alone.
_VERSION = 1
_SHAPES = {
    "rfcs": synthetic.Shape(n_docs=7_885, median_words=1_900, sigma=0.8, copies=0.01, edits=0.85),
    "psdocs": synthetic.Shape(n_docs=3_008, median_words=1_150, sigma=0.7, copies=0.05, edits=0.5),
    "short": synthetic.Shape(n_docs=100_000, median_words=85, sigma=0.5, copies=0.08, edits=0.35),
    "languages": synthetic.Shape(n_docs=100_000, median_words=60, sigma=0.5, copies=0.08, edits=0.35),
}
NAMES = ("rfcs", "psdocs", "short", "languages", "windows", "lookalikes", "big")
_QUICK_BYTES = {"rfcs": 12_000_000, "psdocs": 8_000_000}
_QUICK_SHORT_DOCS, _SHORT_DOCS = 15_000, 100_000
_QUICK_BIG_BYTES, _BIG_BYTES = 50_000_000, 520_000_000
_QUICK_WINDOWS, _WINDOWS = 15_000, 318_606
_QUICK_LOOKALIKES, _LOOKALIKES = 8_000, 100_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus on disk.

    Attributes:
        name: Name as asked for.
        path: The JSONL file, fields `id` (the row number) and `text`.
        n_docs: Number of documents.
        text_bytes: UTF-8 bytes of all texts; throughput is counted on these.
        origin: `real` or `synthetic`.
        details: How it was made, for the record.
        truth_file: Pairs known beforehand, if any.
        truth_complete: Whether `truth_file` misses no pair above its floor.
    """

    name: str
    path: Path
    n_docs: int
    text_bytes: int
    origin: str
    details: dict[str, Any] = field(default_factory=dict)
    truth_file: Path | None = None
    truth_complete: bool = True

    @property
    def parquet(self) -> Path:
        """The same rows as one Parquet file compressed with zstd."""
        return self.path.with_suffix(".parquet")

    def texts(self) -> list[str]:
        """Reads all texts into memory."""
        with self.path.open(encoding="utf-8") as file:
            return [json.loads(line)["text"] for line in file]

    def truth(self, words: truth.Words, threshold: float) -> truth.Pairs:
        """Returns the exact pairs at `threshold - 0.02` and above, from the cache where they are there."""
        if self.truth_file is not None and (words == "runs" or not self.truth_complete):
            known = truth.Pairs.load(self.truth_file)
            return truth.Pairs(known.left, known.right, known.jaccard, known.floor, self.truth_complete)
        floor = round(threshold - truth.TOLERANCE, 6)
        path = self.path.with_suffix(f".{words}-{floor}.npz")
        if not path.exists():
            truth.exact_pairs(self.texts(), floor=floor, words=words).save(path)
        return truth.Pairs.load(path)


def load(name: str, *, data: Path | None, cache: Path, quick: bool = False) -> Corpus:
    """Returns a corpus, making it first if the cache does not hold it.

    Args:
        name: One of `NAMES`, or such a name with a size as in `rfcs@20MB`.
        data: Folder of the real sets, or None.
        cache: Folder for what is made.
        quick: Smaller versions of all corpora.

    Returns:
        The corpus.

    Raises:
        ValueError: For a name that does not exist.
    """
    base, _, size = name.partition("@")
    if base not in NAMES or (size and not size.removesuffix("MB").isdigit()):
        message = f"unknown corpus `{name}`; allowed: {', '.join(NAMES)}, or one of them with `@20MB`"
        raise ValueError(message)
    cache.mkdir(parents=True, exist_ok=True)
    # `big` is real as soon as one of its parts is.
    parents: dict[str, list[str]] = {
        "short": ["rfcs"],
        "windows": ["rfcs"],
        "lookalikes": [],
        "big": ["rfcs", "psdocs"],
    }
    needed = parents.get(base, [base])
    real = data is not None and bool(needed) and all((data / f"{part}.jsonl.zst").exists() for part in needed)
    origin = "real" if real else "synthetic"
    stem = f"{name.replace('@', '-')}-{origin}{'-quick' if quick else ''}-v{_VERSION}"
    path = cache / f"{stem}.jsonl"
    meta = cache / f"{stem}.meta.json"
    if not meta.exists():
        details, pairs, complete = _make(base, size, path, data if real else None, cache, quick)
        if pairs is not None:
            pairs.save(cache / f"{stem}.known.npz")
        n_docs, text_bytes = details.pop("n_docs"), details.pop("text_bytes")
        made = Corpus(name, path, n_docs, text_bytes, origin, details, None, complete)
        fields = {**asdict(made), "path": path.name, "truth_file": pairs is not None}
        meta.write_text(json.dumps(fields, indent=1), encoding="utf-8")
    fields = json.loads(meta.read_text(encoding="utf-8"))
    fields["path"] = path
    fields["truth_file"] = cache / f"{stem}.known.npz" if fields["truth_file"] else None
    return Corpus(**fields)


def _make(
    base: str, size: str, path: Path, data: Path | None, cache: Path, quick: bool
) -> tuple[dict[str, Any], truth.Pairs | None, bool]:
    """Writes one corpus; returns its details, the pairs known beforehand and whether they are all."""
    if size or (quick and base in _QUICK_BYTES):
        parent = load(base, data=data, cache=cache, quick=quick and bool(size))
        limit = int(size.removesuffix("MB")) * 1_000_000 if size else _QUICK_BYTES[base]
        texts = parent.texts()
        rows = _sample_rows(texts, limit)
        written = _write(path, (texts[row] for row in rows))
        pairs = None
        if parent.truth_file is not None:
            pairs = truth.Pairs.load(parent.truth_file).restricted(rows, len(texts))
        return {**written, "recipe": f"seeded sample of {base}, {limit // 1_000_000} MB"}, pairs, True
    if base in ("rfcs", "psdocs", "languages"):
        if data is None:
            shape, made = _SHAPES[base], languages if base == "languages" else synthetic
            if quick and base == "languages":
                shape = replace(shape, n_docs=_QUICK_SHORT_DOCS)
            return {**_write(path, made.documents(shape, seed=SEED)), **asdict(shape)}, None, True
        written = _write(path, _read_zst(data / f"{base}.jsonl.zst"))
        return {**written, "recipe": "as given"}, _read_pairs(data / f"{base}.pairs.tsv.zst"), True
    if base == "short":
        n_docs = _QUICK_SHORT_DOCS if quick else _SHORT_DOCS
        if data is None:
            shape = replace(_SHAPES["short"], n_docs=n_docs)
            return {**_write(path, synthetic.documents(shape, seed=SEED + 1)), **asdict(shape)}, None, True
        texts = load("rfcs", data=data, cache=cache).texts()
        cuts = mixture.paragraph_cuts(texts, n_docs=n_docs, seed=SEED + 1)
        return (
            {**_write(path, cuts), "recipe": "runs of whole paragraphs of rfcs, about 650 bytes"},
            None,
            True,
        )
    none = truth.Pairs(*(np.empty(0, dtype=kind) for kind in (np.int64, np.int64, np.float64)), 0.0)
    if base == "windows":
        texts = load("rfcs", data=data, cache=cache, quick=quick).texts()
        cuts = mixture.windows(texts, n_docs=_QUICK_WINDOWS if quick else _WINDOWS, seed=SEED + 3)
        return (
            {**_write(path, cuts), "recipe": "windows of rfcs, log-normal around 2,200 characters"},
            none,
            False,
        )
    if base == "lookalikes":
        pages = synthetic.lookalikes(_QUICK_LOOKALIKES if quick else _LOOKALIKES, seed=SEED + 4)
        return {**_write(path, pages), "recipe": "658 words of a template, 202 drawn"}, none, True
    parts = [load(part, data=data, cache=cache, quick=quick) for part in ("rfcs", "psdocs")]
    target = _QUICK_BIG_BYTES if quick else _BIG_BYTES
    mix = mixture.mix([part.texts() for part in parts], target_bytes=target, seed=SEED + 2)
    written = _write(path, mix.texts)
    _write_parquet(path.with_suffix(".parquet"), mix.texts)
    return {**written, "recipe": mix.recipe}, mix.planted, False


def _sample_rows(texts: list[str], limit_bytes: int) -> truth.Ints:
    """Picks documents at random until `limit_bytes`, and returns their rows in order."""
    order = np.random.Generator(np.random.PCG64(SEED)).permutation(len(texts))
    sizes = np.array([len(texts[row].encode()) for row in order])
    return np.sort(order[: int(np.searchsorted(np.cumsum(sizes), limit_bytes)) + 1]).astype(np.int64)


def _write(path: Path, texts: Iterable[str]) -> dict[str, Any]:
    """Writes JSONL that appears at once; returns the number of documents and their bytes."""
    n_docs = text_bytes = 0
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        for text in texts:
            file.write(json.dumps({"id": str(n_docs), "text": text}, ensure_ascii=False) + "\n")
            n_docs += 1
            text_bytes += len(text.encode())
    part.replace(path)
    return {"n_docs": n_docs, "text_bytes": text_bytes}


def _write_parquet(path: Path, texts: list[str]) -> None:
    ids = pa.array([str(row) for row in range(len(texts))], pa.string())
    table = pa.table({"id": ids, "text": pa.array(texts, pa.large_string())})
    part = path.with_suffix(".part")
    pq.write_table(table, part, compression="zstd", row_group_size=8_192)
    part.replace(path)


def _read_zst(path: Path) -> Iterable[str]:
    with pa.input_stream(str(path), compression="zstd") as stream:
        lines = stream.read().split(b"\n")
    for line in lines:
        if line:
            yield json.loads(line)["text"]


def _read_pairs(path: Path) -> truth.Pairs | None:
    """Reads `row TAB row TAB jaccard` lines; None where there is no such file."""
    if not path.exists():
        return None
    with pa.input_stream(str(path), compression="zstd") as stream:
        rows = [line.split(b"\t") for line in stream.read().split(b"\n") if line]
    left = np.array([int(row[0]) for row in rows], dtype=np.int64)
    right = np.array([int(row[1]) for row in rows], dtype=np.int64)
    return truth.Pairs(left, right, np.array([float(row[2]) for row in rows]), 0.5)
