"""Small tokenizers that tests make, and readers of token files that share nothing with the package."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np


def byte_level(path: Path, filler: int = 0) -> Path:
    """A byte-level BPE of some merges with `<|bos|>` and `<|eos|>`, and tokens that nothing makes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + at) for at in range(len(others))]
    merges = ["t h", "th e", "Ġ the", "i n", "Ġ a", "n d", "Ġa nd", "e r", "a b", "ab c"]
    tokens = letters + ["".join(merge.split()) for merge in merges] + [f"filler{at}" for at in range(filler)]
    vocab = {token: at for at, token in enumerate(tokens)}
    added = [
        {
            "id": len(vocab) + at,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for at, token in enumerate(["<|bos|>", "<|eos|>"])
    ]
    pre = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocab,
        "merges": merges,
    }
    file: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": pre,
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": model,
    }
    path.write_text(json.dumps(file), "utf-8")
    return path


def read_megatron(prefix: Path) -> tuple[np.dtype[Any], list[np.ndarray[Any, Any]], list[int]]:
    """Type, sequences and boundaries of documents, by the text of the layout alone."""
    index = Path(f"{prefix}.idx").read_bytes()
    magic, version, code, sequences, boundaries = struct.unpack_from("<9sQBQQ", index)
    assert (magic, version) == (b"MMIDIDX\0\0", 1)
    kinds = {1: "<u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f8", 7: "<f4", 8: "<u2"}
    dtype = np.dtype(kinds[code])
    at = struct.calcsize("<9sQBQQ")
    lengths = np.frombuffer(index, "<i4", sequences, at)
    pointers = np.frombuffer(index, "<i8", sequences, at + 4 * sequences)
    documents = np.frombuffer(index, "<i8", boundaries, at + 12 * sequences)
    assert len(index) == at + 12 * sequences + 8 * boundaries
    tokens = (
        np.memmap(f"{prefix}.bin", dtype, "r") if Path(f"{prefix}.bin").stat().st_size else np.zeros(0, dtype)
    )
    starts = pointers // dtype.itemsize
    return (
        dtype,
        [np.array(tokens[a : a + n]) for a, n in zip(starts, lengths, strict=True)],
        documents.tolist(),
    )
