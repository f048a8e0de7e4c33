"""What other libraries read of token rows, bins and token files.

`make test-readers` installs them all. Elsewhere each test runs where its library is there; CI has `datasets`.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import thresher as th
from tests.tokens.tokenizers_of_tests import byte_level

CONTEXT = 64
TEXTS = ["one two three", "", "four " * 50, "five", "six seven", "eight nine ten " * 7, "eleven"] * 5


def _library(name: str) -> Any:
    """A module, or the test is skipped. What they warn of when they are imported is no concern of ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    except ModuleNotFoundError as missing:
        pytest.skip(f"{missing.name} is not installed")


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """A file of texts, and a tokenizer."""
    lines = [f'{{"id": "{row}", "text": "{text}"}}\n' for row, text in enumerate(TEXTS)]
    (tmp_path / "texts.jsonl").write_text("".join(lines))
    tokenizer = byte_level(tmp_path / "tokenizer.json")
    return {"inputs": tmp_path / "texts.jsonl", "tokenizer": tokenizer, "id": "id"}


@pytest.fixture
def rows(inputs: dict[str, Any], tmp_path: Path) -> Path:
    """Token rows as Parquet."""
    th.tokenize_files(output=tmp_path / "rows.parquet", **inputs)
    return tmp_path / "rows.parquet"


@pytest.fixture
def bins(rows: Path, tmp_path: Path) -> Path:
    """Bins as Parquet."""
    th.pack_files(rows, tmp_path / "bins.parquet", context=CONTEXT, pad=0, cu_seqlens=True)
    return tmp_path / "bins.parquet"


def _loaded(path: Path, kind: str | None = None) -> Any:
    """The rows of a file as `datasets` loads them."""
    cache = str(path.parent / "cache")
    data: Any = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=cache)
    return data.with_format(kind)


def _lengths(inputs: dict[str, Any]) -> list[int]:
    """The number of tokens of each text."""
    return [len(ids) for ids in th.tokenize(TEXTS, inputs["tokenizer"]).to_pylist()]


def _segments(row: dict[str, Any]) -> list[list[int]]:
    """The documents of a bin by its lengths, without padding."""
    ends = np.cumsum(row["seq_lengths"])[: len(row["document_ids"])]
    return [part.tolist() for part in np.split(np.asarray(row["input_ids"]), ends)[: len(ends)]]


def test_datasets_reads_token_rows_and_bins(inputs: dict[str, Any], rows: Path, bins: Path) -> None:
    tokens = _loaded(rows)
    assert tokens["document"] == [str(row) for row in range(len(TEXTS))]
    assert list(tokens["length"]) == [len(ids) for ids in tokens["input_ids"]] == _lengths(inputs)
    packed = _loaded(bins)
    found = sorted(segment for row in packed for segment in _segments(row))
    pieces = [ids[at : at + CONTEXT] for ids in tokens["input_ids"] for at in range(0, len(ids), CONTEXT)]
    assert found == sorted(pieces)


def test_a_torch_loader_stacks_padded_bins_and_walks_ragged_rows(
    inputs: dict[str, Any], rows: Path, bins: Path
) -> None:
    torch = _library("torch")
    data = _loaded(bins, "torch").select_columns(["input_ids", "position_ids", "loss_mask"])
    seen = 0
    for batch in torch.utils.data.DataLoader(data, batch_size=4):
        assert batch["input_ids"].shape[1] == CONTEXT == batch["position_ids"].shape[1]
        assert (batch["input_ids"][batch["loss_mask"] == 0] == 0).all()
        seen += int(batch["loss_mask"].sum())
    assert seen == sum(_lengths(inputs))
    ragged = torch.utils.data.DataLoader(_loaded(rows, "torch"), batch_size=None)
    assert [len(row["input_ids"]) for row in ragged] == _lengths(inputs)


def test_the_collator_of_trl_gives_the_positions_that_bins_have(bins: Path) -> None:
    _library("torch")
    collator_of = _library("trl.trainer.sft_trainer").DataCollatorForLanguageModeling
    collator = collator_of(pad_token_id=0, padding_free=True)
    data = list(_loaded(bins))
    for batch in (data, data[:1], data[1:3]):
        made = collator([{"input_ids": row["input_ids"], "seq_lengths": row["seq_lengths"]} for row in batch])
        positions = [position for row in batch for position in row["position_ids"]]
        assert made["position_ids"][0].tolist() == positions
        assert made["input_ids"][0].tolist() == [token for row in batch for token in row["input_ids"]]
        bounds = [bound + at * CONTEXT for at, row in enumerate(batch) for bound in row["cu_seqlens"][:-1]]
        assert made["cu_seq_lens_q"].tolist() == [*bounds, len(batch) * CONTEXT]


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("dtype", ["uint16", "int32"])
def test_megatron_reads_its_files(
    inputs: dict[str, Any], rows: Path, tmp_path: Path, mapped: bool, dtype: Any
) -> None:
    _library("torch")
    reader = _library("megatron.core.datasets.indexed_dataset").IndexedDataset
    th.tokenize_files(output=tmp_path / "out", format="megatron", dtype=dtype, **inputs)
    (prefix,) = [path.with_suffix("") for path in (tmp_path / "out").rglob("*.idx")]
    th.tokens.merge([prefix, prefix], tmp_path / "merged")
    expected = list(_loaded(rows)["input_ids"])
    for path, documents in ((prefix, expected), (tmp_path / "merged", expected * 2)):
        found = reader(str(path), mmap=mapped)
        assert len(found) == len(documents)
        assert [found[row].tolist() for row in range(len(found))] == documents
        assert found[0].dtype == dtype
        assert found.document_indices.tolist() == list(range(len(documents) + 1))
        assert found.sequence_lengths.tolist() == [len(document) for document in documents]
        assert found.get(2, offset=3, length=4).tolist() == documents[2][3:7]
