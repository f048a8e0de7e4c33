"""Mixing sources: so much of each, and a table of what came out."""

from thresher._mix.files import MixReport, mix_files

__all__ = ["MixReport", "mix_files"]
