"""Pipelines of several steps, from a document or from Python."""

from thresher._pipeline.pipeline import Pipeline
from thresher._pipeline.report import PipelineReport

__all__ = ["Pipeline", "PipelineReport"]
