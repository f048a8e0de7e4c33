"""The benches of thresher: corpora, one adapter per rival, exact truth and a runner; see README.md."""
