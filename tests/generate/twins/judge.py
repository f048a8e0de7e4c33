"""The slow twin of the judge: from a row to its score by the prompts and the answers of the script.

It takes nothing of the judge, and knows one judge and one row at a time. Rows to be judged are here as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import thresher as th
from tests.generate.scripted.answers import Manner, reply_to
from tests.generate.scripts import judge as script

PROMPTS = Path(th.generate.__file__).parent / "prompts"
MODEL, OTHER = "m-1", "m-2"


def rows_of(count: int, **others: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"r{place}", "instruction": f"Question {place}?", "response": f"Answer number {place}."}
        | others
        for place in range(count)
    ]


def pairs_of(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"p{place}",
            "prompt": f"Question {place}?",
            "chosen": f"One {place}.",
            "rejected": f"Two {place}.",
        }
        for place in range(count)
    ]


def listed(count: int) -> list[dict[str, Any]]:
    items = [
        {"item": "names the cause", "weight": 3},
        {"item": "is polite"},
        {"item": "is short", "weight": 0.5},
    ]
    return [row | {"rubric": items[: 1 + place % 3]} for place, row in enumerate(rows_of(count))]


def prompt(name: str, **values: str) -> str:
    text = (PROMPTS / f"{name}.txt").read_text("utf-8")
    text = "\n".join(line for line in text.split("\n") if not line.startswith("#!")).strip("\n")
    for place in re.findall(r"\{\{(\w+)\}\}", text):
        assert place in values, place
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)


def said(messages: list[dict[str, str]], schema: dict[str, Any], model: str, tops: int) -> Any:
    """The content of the script's answer, and the body that asked."""
    body: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0.0, "max_tokens": 1024}
    if tops:
        body |= {"logprobs": True, "top_logprobs": tops}
    asked = {"name": "answer", "strict": True, "schema": schema}
    body["response_format"] = {"type": "json_schema", "json_schema": asked}
    raw, _ = reply_to(body, "0" * 32, script, Manner())  # type: ignore[arg-type]
    return json.loads(raw)["choices"][0]["message"]["content"], body


def schema_of(**members: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def twin_ask(
    text: str, schema: dict[str, Any], form: str, parse: Callable[[str], Any], model: str, tops: int
) -> Any:
    """What was read, how often it was asked, and the last body; three times at most."""
    messages = [{"role": "user", "content": text}]
    for turn in range(1, 4):
        content, body = said(messages, schema, model, tops)
        found = parse(content)
        if found is not None:
            return found, turn, body
        again = {"role": "user", "content": prompt("judge_again", form=form)}
        messages = [*messages, {"role": "assistant", "content": content[:2000]}, again]
    return None, 3, body


def mark_of(*texts: str) -> str:
    # No text of these tests holds eight digits of a hash.
    return hashlib.sha256(b"0\0" + "\0".join([*texts, ""]).encode()).hexdigest()[:8]


def twin_score(row: dict[str, Any], scale: int, model: str = MODEL) -> tuple[Any, Any, int]:
    """Score, expected score and how often it was asked."""
    text = prompt(
        "judge_score",
        scale=str(scale),
        rubric=prompt(f"judge_rubric_{scale}"),
        mark=mark_of(row["instruction"], row["response"]),
        question=row["instruction"],
        reference="",
        answer=row["response"],
    )

    def parse(content: str) -> int | None:
        try:
            value = json.loads(content)["score"]
        except (ValueError, TypeError, KeyError):
            found = re.fullmatch(rf"(?:Score: |Rating: \[\[)?(\d+)(?:\]\]|/{scale})?", content)
            value = int(found[1]) if found else None
        return value if value in range(1, scale + 1) else None

    schema = schema_of(
        reason={"type": "string"}, score={"type": "integer", "enum": list(range(1, scale + 1))}
    )
    form = f'{{"reason": "...", "score": N}}, where N is a whole number from 1 to {scale}.'
    found, turns, body = twin_ask(text, schema, form, parse, model, 2 * scale)
    if found is None:
        return None, None, turns
    shares = script._shares(body)
    return found, sum(int(name) * share for name, share in shares.items()) / sum(shares.values()), turns


def twin_pair(row: dict[str, Any], model: str = MODEL) -> tuple[Any, list[str]]:
    """What the first answer is worth, and the winners of both orders by their place in the row."""
    one, two = row["chosen"], row["rejected"]
    orders = []
    for first, second in ((one, two), (two, one)):
        text = prompt(
            "judge_pairwise",
            rubric=prompt("judge_criteria"),
            mark=mark_of(row["prompt"], one, two),
            question=row["prompt"],
            reference="",
            first=first,
            second=second,
        )

        def parse(content: str) -> str | None:
            name = json.loads(content)["winner"] if content.startswith("{") else content.strip("[].")
            return {"A": "A", "B": "B", "tie": "tie", "TIE": "tie"}.get(name)

        schema = schema_of(reason={"type": "string"}, winner={"type": "string", "enum": ["A", "B", "tie"]})
        form = '{"reason": "...", "winner": W}, where W is "A", "B" or "tie".'
        found, _, _ = twin_ask(text, schema, form, parse, model, 10)
        if found is None:
            return None, []
        orders.append(found)
    orders[1] = {"A": "B", "B": "A", "tie": "tie"}[orders[1]]
    if orders[0] != orders[1] or orders[0] == "tie":
        return 0.5, orders
    return (1 if orders[0] == "A" else 0), orders


def twin_list(row: dict[str, Any], model: str = MODEL) -> float | None:
    items = [(one["item"], one.get("weight", 1)) for one in row["rubric"]]
    names = [f"item_{place}" for place in range(1, len(items) + 1)]
    text = prompt(
        "judge_checklist",
        items="\n".join(f"{name}: {item}" for name, (item, _) in zip(names, items, strict=True)),
        mark=mark_of(row["instruction"], row["response"]),
        question=row["instruction"],
        reference="",
        answer=row["response"],
    )

    def parse(content: str) -> dict[str, str] | None:
        try:
            found = json.loads(content)
            return found if all(found[name] in ("yes", "no") for name in names) else None
        except (ValueError, TypeError, KeyError):
            return None

    choice = {"type": "string", "enum": ["yes", "no"]}
    form = '{"reason": "...", ' + ", ".join(f'"{name}": "yes" or "no"' for name in names) + "}."
    schema = schema_of(reason={"type": "string"}, **dict.fromkeys(names, choice))
    found, _, _ = twin_ask(text, schema, form, parse, model, 0)
    if found is None:
        return None
    met = sum(weight for name, (_, weight) in zip(names, items, strict=True) if found[name] == "yes")
    return met / sum(weight for _, weight in items)
