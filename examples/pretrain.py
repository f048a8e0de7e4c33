"""Raw text to the batches of a training loop: `python examples/pretrain.py`.

Deduplicates, trains a tokenizer on what is left, and packs shuffled tokens into rows of one length. Where
torch and datasets are installed they read the batches, else pyarrow does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

import thresher as th

if TYPE_CHECKING:
    from collections.abc import Iterator

RAW = "examples/raw"
OUT = Path("pretrain-out")
CONTEXT = 64
EOS = 0
"""The id of `<|endoftext|>`, the first token of a trained vocabulary."""


def main() -> None:
    """Makes the batches and prints their shapes."""
    print(th.dedup_files(RAW, OUT / "clean", threshold=0.7, overwrite=True))
    print(th.tokenizers.train(OUT / "clean" / "data", OUT / "tok.json", vocab_size=300, overwrite=True))
    steps: list[dict[str, Any]] = [
        {"tokenize": {"tokenizer": str(OUT / "tok.json")}},
        {"shuffle": {"seed": 1}},
        {"pack": {"context": CONTEXT, "eos": EOS, "pad": EOS}},
    ]
    packed = OUT / "packed.parquet"
    print(th.Pipeline(steps, inputs=OUT / "clean" / "data", output=packed, options={"overwrite": True}).run())
    for batch in batches(packed, size=2):
        print("batch", list(batch.shape))


def batches(path: Path, size: int) -> Iterator[Any]:
    """The ids of `size` rows at a time."""
    try:
        from datasets import load_dataset
        from torch.utils.data import DataLoader
    except ImportError:
        for rows in pq.ParquetFile(path).iter_batches(size, columns=["input_ids"]):
            yield rows["input_ids"].flatten().to_numpy().reshape(-1, CONTEXT)
    else:
        rows = load_dataset("parquet", data_files=str(path), split="train").with_format("torch")
        yield from (batch["input_ids"] for batch in DataLoader(rows, batch_size=size))


if __name__ == "__main__":
    main()
