"""Whether judge, teacher and student are of one family: a model prefers answers of its own kind.

Families are what `Endpoint.family` says; that two endpoints serve the same model needs no saying.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that has a part in the rows.

    Attributes:
        identity: What names its weights; empty if unknown.
        family: Its family; empty if unknown.
    """

    identity: str = ""
    family: str = ""

    @property
    def shown(self) -> str:
        """Its name in a note."""
        return f"`{self.identity}`" if self.identity else f"of the family {self.family}"


def teachers_of(rows: Any) -> list[Model]:  # noqa: ANN401 - rows of any shape
    """The models that made rows: from the report of a generation, or from the `run.json` beside a file."""
    report = getattr(rows, "report", None)
    if report is None and isinstance(rows, str | os.PathLike):
        report = _report_beside(Path(rows))
    config = report.get("config") if isinstance(report, dict) else None
    if not isinstance(config, dict):
        return []
    recipe = config.get("recipe")
    if isinstance(recipe, dict) and recipe.get("name") == "judge":
        # Rows that were judged before: their teacher is not the one that judged them.
        return [_model(one) for one in recipe.get("teachers") or () if isinstance(one, dict)]
    return [_model(one) for one in config.get("endpoints") or () if isinstance(one, dict)]


def _report_beside(path: Path) -> Any:  # noqa: ANN401 - any JSON
    places = [path / "run.json"] if path.is_dir() else [Path(f"{path}.run.json")]
    if path.parent.name == "data":
        places.append(path.parent.parent / "run.json")
    for place in places:
        try:
            return json.loads(place.read_text("utf-8"))
        except (OSError, ValueError):
            continue
    return None


def _model(given: Mapping[str, Any]) -> Model:
    return Model(identity=str(given.get("identity") or ""), family=str(given.get("family") or ""))


def notes(judges: Sequence[Model], teachers: Sequence[Model], student: str | None) -> list[str]:
    """What there is to warn of.

    >>> notes([Model(identity="m-70b", family="m")], [Model(identity="m-8b", family="M")], None)
    ['judge `m-70b` and teacher `m-8b` are of one family (m), and models prefer answers of their own kind']
    """
    others = [("teacher", one) for one in teachers]
    if student:
        others.append(("student", Model(family=student)))
    found = []
    for judge in judges:
        for role, other in others:
            ending = "and models prefer answers of their own kind"
            if judge.identity and judge.identity == other.identity:
                found.append(f"judge and {role} are the same model {judge.shown}, {ending}")
            elif judge.family and judge.family.casefold() == other.family.casefold():
                found.append(
                    f"judge {judge.shown} and {role} {other.shown} are of one family ({judge.family}),"
                    f" {ending}"
                )
        if others and not judge.family:
            found.append(
                f"the family of the judge {judge.shown} is not stated, so it cannot be compared; `family` of"
                " the endpoint states it"
            )
    return list(dict.fromkeys(found))
