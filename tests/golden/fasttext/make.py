"""Makes the models and predictions of this folder with fastText itself.

`pip install fasttext-ng==0.9.3`, then run it. The texts are generated. Each model has another loss and other
features, and two are quantised; `predictions.jsonl` has, for each model and text, all labels with their
probabilities.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import fasttext

HERE = Path(__file__).parent
MODELS = {
    "softmax.bin": {"loss": "softmax", "wordNgrams": 2, "bucket": 60},
    "subwords.bin": {"loss": "ns", "minn": 2, "maxn": 4, "bucket": 90},
    "tree.bin": {"loss": "hs", "wordNgrams": 3, "minn": 1, "maxn": 3, "bucket": 70},
    "each.bin": {"loss": "ova"},
    "quantised.ftz": {"loss": "softmax", "wordNgrams": 2, "minn": 2, "maxn": 3, "bucket": 500},
    "pruned.ftz": {"loss": "hs", "minn": 2, "maxn": 4, "bucket": 700},
}
QUANTISED = {"quantised.ftz": {"qnorm": True, "qout": False}, "pruned.ftz": {"cutoff": 300, "dsub": 3}}
LABELS = {
    "Küste": ["wave", "sand", "Möwe", "🌊", "salt", "boat"],
    "forest": ["tree", "moss", "Rinde", "ручей", "owl", "fern"],
    "city": ["tram", "街道", "glass", "noise", "bread", "stairs"],
    "none": ["and", "the", "with", "again"],
    "rare": ["comet", "eclipse"],
}


def main() -> None:
    """Trains, saves, and asks."""
    rng = random.Random(5)
    lines = []
    for label, weight in zip(LABELS, (50, 40, 30, 15, 5), strict=True):
        for _ in range(weight):
            words = rng.choices(LABELS[label] + LABELS["none"], k=rng.randint(3, 9))
            lines.append(f"__label__{label} " + " ".join(words))
    rng.shuffle(lines)
    texts = [line.partition(" ")[2] for line in rng.sample(lines, 12)]
    texts += [
        "",
        "unheard of",
        "wave tree tram comet",
        "Möwe __label__city and",
        "street" * 20,
        "🌊街道 ручей",
        "the  \t the\x0bthe",
    ]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "train.txt"
        source.write_text("\n".join(lines) + "\n", "utf-8")
        found = []
        for name, options in MODELS.items():
            model = fasttext.train_supervised(
                str(source), dim=6, epoch=20, lr=0.3, thread=1, verbose=0, **options
            )
            if name in QUANTISED:
                model.quantize(input=str(source), retrain=False, **QUANTISED[name])
            model.save_model(str(HERE / name))
            for text in texts:
                labels, probabilities = model.predict(text, k=-1)
                answer = {
                    label.removeprefix("__label__"): round(float(one), 7)
                    for label, one in zip(labels, probabilities, strict=True)
                }
                found.append({"model": name, "text": text, "labels": answer})
    rows = [json.dumps(row) for row in found]
    (HERE / "predictions.jsonl").write_text("\n".join(rows) + "\n", "ascii")


if __name__ == "__main__":
    main()
