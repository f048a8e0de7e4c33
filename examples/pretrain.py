"""Raw text to the batches of a training loop: `python examples/pretrain.py`."""

from pathlib import Path

import pyarrow.parquet as pq

import thresher as th

OUT = Path("pretrain-out")
EOS = 0  # the id of `<|endoftext|>`, the first token of a trained vocabulary

print(th.dedup_files("examples/raw", OUT / "clean", threshold=0.7, overwrite=True))
print(th.tokenizers.train(OUT / "clean/data", OUT / "tok.json", vocab_size=300, overwrite=True))
steps = [
    {"tokenize": {"tokenizer": str(OUT / "tok.json")}},
    {"shuffle": {"seed": 1}},
    {"pack": {"context": 64, "eos": EOS, "pad": EOS}},
]
packed = OUT / "packed.parquet"
print(th.Pipeline(steps, inputs=OUT / "clean/data", output=packed, options={"overwrite": True}).run())

# With torch: rows = datasets.load_dataset("parquet", data_files="pretrain-out/packed.parquet", split="train")
#             for batch in torch.utils.data.DataLoader(rows.with_format("torch"), batch_size=2): ...
for rows in pq.ParquetFile(packed).iter_batches(2, columns=["input_ids"]):
    batch = rows["input_ids"].flatten().to_numpy().reshape(len(rows), -1)
    print("batch", list(batch.shape))
