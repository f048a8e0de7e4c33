"""Signatures of hash scheme 2, as written down: stored ones stay good, or the scheme gets a new number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import thresher as th
from thresher import _core

GOLDEN = json.loads((Path(__file__).parent / "golden" / "scheme2.json").read_text("ascii"))
DOCUMENTS: list[dict[str, Any]] = GOLDEN["documents"]
EMPTY = "ffffffff"


def test_the_scheme_is_the_one_written_down() -> None:
    assert _core.scheme_version() == GOLDEN["scheme"]


@pytest.mark.parametrize("num_hashes", [16, 100, 128])
def test_signatures_are_those_written_down(num_hashes: int) -> None:
    assert len(DOCUMENTS) > 50
    found = th.minhash([document["text"] for document in DOCUMENTS], num_hashes=num_hashes).to_pylist()
    for document, lanes in zip(DOCUMENTS, found, strict=True):
        assert "".join(f"{lane:08x}" for lane in lanes) == document["signatures"][str(num_hashes)], document[
            "name"
        ]


def test_a_document_without_a_word_has_only_empty_lanes() -> None:
    wordless = [document for document in DOCUMENTS if not document["words"]]
    assert wordless
    assert all(document["signatures"]["16"] == EMPTY * 16 for document in wordless)
