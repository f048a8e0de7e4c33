"""Scores by a rubric: from 1 to 5 or from 1 to 10, with a reason first.

The scale is a list of whole numbers that the schema names. An answer with another number is no score: a 7.5
is asked for again, not rounded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thresher import _params
from thresher.errors import FileError, ParameterError
from thresher.generate import prompts
from thresher.generate.answers import objects
from thresher.generate.judging import scores
from thresher.generate.judging.method import Reading, Verdict, asked, problem_of
from thresher.generate.request import Message

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from thresher.generate.judging.asking import Heard
    from thresher.generate.judging.cases import Case

SCALES = (5, 10)
_NAMED = re.compile(
    r"(?:(?:the |my |final |overall |total )*(?:score|rating|grade)\s*(?:is|of|:|=)?\s*)(?P<open>\[\[)?"
    r"(?P<score>\d+(?:\.\d+)?)(?:\]\])?(?:\s*(?:/|out of)\s*(?P<most>\d+))?\.?",
    re.IGNORECASE,
)
"""A line that says the score by its name."""
_BARE = re.compile(r"(?:\[\[)?(?P<score>\d+(?:\.\d+)?)(?:\]\])?(?:\s*(?:/|out of)\s*(?P<most>\d+))?\.?")
"""A whole answer that is nothing but a score."""


def rubric_of(rubric: str | os.PathLike[str] | None, otherwise: prompts.Prompt) -> str:
    """A rubric: the text of a file, or a text itself; the built-in one if there is none.

    Raises:
        ParameterError: It is empty.
        FileError: The file cannot be read.
    """
    if rubric is None:
        return otherwise.text
    text = rubric if isinstance(rubric, str) else ""
    if not isinstance(rubric, str) or _is_file(rubric):
        path = Path(_params.path("rubric", rubric, "a text, or a file with one"))
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            code = getattr(error, "errno", None) or 5
            raise FileError(code, f"cannot read the rubric `{path}`: {error}", str(path)) from error
    if not text.strip():
        message = "rubric is empty, but it says what each score stands for; leave it out for the built-in one"
        raise ParameterError(message)
    return text.strip()


def _is_file(text: str) -> bool:
    """Whether a text is the name of a file; a rubric has blanks or several lines as a rule."""
    try:
        return "\n" not in text and Path(text).is_file()
    except (OSError, ValueError):
        return False


def reference_of(case: Case, prompt: prompts.Prompt) -> str:
    """The part of a prompt with the answer that is known to be right; empty if there is none."""
    if not case.reference:
        return ""
    return f"\n{prompt.fill(mark=case.mark, reference=case.reference)}\n"


def members(text: str, name: str) -> list[dict[str, Any]]:
    """The JSON objects in an answer that have a member, the last one first."""
    return [one for one in reversed(objects(text)) if name in one]


def reason_in(found: Mapping[str, Any]) -> str:
    """The reason in an answer, if it gives one."""
    reason = found.get("reason")
    return reason.strip() if isinstance(reason, str) else ""


class Score:
    """Judging by a score.

    Args:
        rubric: What each score stands for.
        scale: The best score.
        own_prompts: Files that replace prompts, by their names.
    """

    name = "score"

    def __init__(
        self,
        rubric: str | os.PathLike[str] | None = None,
        *,
        scale: int = 5,
        own_prompts: Mapping[str, str] | None = None,
    ) -> None:
        if scale not in SCALES:
            message = f"scale is `{scale}`, but scores go from 1 to 5 or to 10"
            raise ParameterError(message)
        names = ("judge_score", "judge_reference", f"judge_rubric_{scale}", "judge_again")
        self.prompts = {name: prompts.load(name, own_prompts) for name in names}
        self.rubric = rubric_of(rubric, self.prompts[f"judge_rubric_{scale}"])
        self.again = self.prompts["judge_again"].text
        self.scale, self.best, self.tops = scale, float(scale), 2 * scale
        self.labels = {str(score): float(score) for score in range(1, scale + 1)}

    def questions(self, case: Case) -> Sequence[tuple[Message, ...]]:
        """One."""
        text = self.prompts["judge_score"].fill(
            scale=str(self.scale),
            rubric=self.rubric,
            mark=case.mark,
            question=case.question,
            reference=reference_of(case, self.prompts["judge_reference"]),
            answer=case.answers[0],
        )
        return [(Message(role="user", content=text),)]

    def schema(self, case: Case) -> dict[str, Any]:
        """Reason, then score: what is written first can count for what comes behind it."""
        return {
            "type": "object",
            "properties": {
                "reason": {"type": "string"},
                "score": {"type": "integer", "enum": [int(label) for label in self.labels]},
            },
            "required": ["reason", "score"],
            "additionalProperties": False,
        }

    def form(self, case: Case) -> str:
        """The form of an answer in words."""
        return f'{{"reason": "...", "score": N}}, where N is a whole number from 1 to {self.scale}.'

    def read(self, case: Case, text: str) -> Reading | None:
        """The score of the last object that has one, or of a line that says nothing else."""
        found = members(text, "score")
        if found:
            label = self._label(found[0]["score"])
            return None if label is None else Reading(label=label, reason=reason_in(found[0]))
        lines = [line.strip().strip("*_` ") for line in text.strip().splitlines() if line.strip()]
        if not lines:
            return None
        said = _NAMED.fullmatch(lines[-1]) or (_BARE.fullmatch(lines[-1]) if len(lines) == 1 else None)
        if said is None or said["most"] not in (None, str(self.scale)):
            return None
        label = self._label(said["score"])
        return None if label is None else Reading(label=label, reason="\n".join(lines[:-1]))

    def _label(self, value: Any) -> str | None:  # noqa: ANN401 - it is what a model wrote
        """A score of the scale as text; None if a value is none."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except ValueError:
            return None
        label = str(int(number)) if number.is_integer() else ""
        return label if label in self.labels else None

    def verdict(self, case: Case, heard: Sequence[Heard[Reading]]) -> Verdict:
        """The score, and what the probabilities make of it."""
        (one,) = heard
        if one.found is None:
            return Verdict(problem=problem_of(heard), asked=asked(heard))
        parts = scores.shares(one.answers[-1].choices, "score", one.found.label, list(self.labels))
        return Verdict(
            score=self.labels[one.found.label],
            expected=None if parts is None else scores.expectation(parts, self.labels),
            reason=one.found.reason,
            asked=asked(heard),
        )
