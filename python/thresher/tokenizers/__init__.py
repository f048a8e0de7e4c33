"""Tokenizers of one's own: BPE and Unigram, trained on files or texts, saved as Hugging Face loads it.

>>> import thresher as th
>>> trained = th.tokenizers.train_texts(["low lower lowest"] * 9, vocab_size=270)
>>> trained.vocab_size, trained.report["longest"][0]["text"]
(264, ' lowest')
"""

from thresher.tokenizers.train import TrainedTokenizer, TrainReport, train, train_texts

__all__ = ["TrainReport", "TrainedTokenizer", "train", "train_texts"]
