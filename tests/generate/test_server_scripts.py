"""The scripts of the server answer what recipes and judges ask, with the faults that they are made for."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.generate.scripted.answers import Manner, digest_of, reply_to
from tests.generate.scripted.asking import question
from tests.generate.scripts import document_qa, domain, explain, judge, self_instruct


def replied(script: Any, body: dict[str, Any]) -> dict[str, Any]:
    raw, _ = reply_to(body, digest_of(body), script, Manner())
    return msgspec.json.decode(raw)["choices"][0]


# The script `domain`.


def test_a_prompt_is_read_for_its_number_and_its_task_types() -> None:
    prompt = (
        "Domain: law.\nEach has one of these task types: explain, list steps for.\nWrite 7 examples as JSON."
    )
    assert domain.number_of_pairs(prompt) == 7
    assert domain.task_types(prompt) == ["explain", "list steps for"]
    assert domain.number_of_pairs("Generate 12 diverse instruction-response pairs.") == 12
    assert domain.number_of_pairs("1 of them. Write 7 examples") == 7
    assert (domain.number_of_pairs("nothing"), domain.task_types("nothing")) == (5, list(domain.USUAL_TYPES))


def _differ(one: list[str], other: list[str]) -> int:
    return abs(len(one) - len(other)) + sum(a != b for a, b in zip(one, other, strict=False))


def test_pairs_come_in_every_form_with_near_duplicates_and_broken_ones() -> None:
    forms: Counter[str] = Counter()
    pairs: list[dict[str, Any]] = []
    for number in range(300):
        reply = domain.answer(question(f"Write 6 examples about {number}"))
        text = reply.content
        if reply.finish_reason == "length":
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(text)
            forms["cut"] += 1
        elif text.startswith("```json\n"):
            pairs += msgspec.json.decode(text.removeprefix("```json\n").removesuffix("```"))
            forms["fenced"] += 1
        elif not text.startswith(("{", "[")):
            forms["prose"] += 1
        else:
            value = msgspec.json.decode(text)
            found = (
                [value]
                if isinstance(value, list)
                else [one for one in value.values() if isinstance(one, list)]
            )
            if not found:
                forms["error" if "error" in value else "single" if value else "nothing"] += 1
                continue
            pairs += found[0]
            short = len(found[0]) == 3
            forms["short" if short else "array" if isinstance(value, list) else min(value)] += 1
            assert short or len(found[0]) == 6
    assert {"cut", "fenced", "prose", "array", "items", "data", "error", "single", "nothing", "short"} < set(
        forms
    )
    assert sum(forms[key] for key in domain.KEYS) > 10
    whole = [pair for pair in pairs if set(pair) == {"instruction", "response", "task_type"}]
    broken = [
        pair
        for pair in whole
        if not all(isinstance(text, str) and text for text in pair.values())
        or pair["instruction"] == pair["response"]
        or pair["task_type"] not in domain.USUAL_TYPES
        or "### " in pair["response"]
    ]
    share = (len(pairs) - len(whole) + len(broken)) / len(pairs)
    assert 0.1 < share < 0.2
    words = [pair["instruction"].split() for pair in whole if isinstance(pair["instruction"], str)]
    worn = [domain.well_worn(place, ["x"])["instruction"].split() for place in range(domain.SETS)]
    near = sum(any(_differ(one, other) <= 1 for other in worn) for one in words)
    assert 0.1 < near / len(words) < 0.2


def test_a_base_model_continues_with_one_pair_and_goes_on_behind_the_line_of_signs() -> None:
    missing = 0
    for number in range(200):
        reply = domain.answer({"model": "m", "prompt": f"Domain: law {number}\nTask: explain\nInstruction:"})
        pair, _, more = reply.content.partition(f"\n{domain.END}\n")
        instruction, _, response = pair.partition("\nResponse: ")
        missing += not instruction.strip() or not response.strip()
        assert more.startswith("Domain: ")
    assert 2 < missing < 40


# Self-Instruct.

SEEDS = (
    "Name a tree that grows in the north of the country",
    "Which of the two cities lies closer to the sea?",
    "Give ten reasons why people of all ages should sleep more.",
)


def listed(number: int) -> str:
    seeds = [f"{place}. {SEEDS[(place + number) % 3]}" for place in range(1, 9)]
    return "Here is a list of different tasks:\n" + "\n".join(seeds) + "\n"


def lcs(left: Sequence[str], right: Sequence[str]) -> int:
    row = [0] * (len(right) + 1)
    for a in left:
        above = 0
        for place, b in enumerate(right, 1):
            above, row[place] = row[place], above + 1 if a == b else max(row[place], row[place - 1])
    return row[-1]


def rouge_l(left: str, right: str) -> float:
    a, b = (re.findall("[a-z0-9]+", text.lower()) for text in (left, right))
    return 2 * lcs(a, b) / (len(a) + len(b))


def test_a_chat_model_continues_the_list_between_the_numbers_that_it_is_given() -> None:
    seen = Counter()
    for number in range(40):
        text = listed(number) + f"\nContinue the list with tasks 9 to 16. {number}"
        found = replied(self_instruct, question(text))
        content = found["message"]["content"]
        numbers = [int(one) for one in re.findall(r"^(\d+) ?\. ", content, re.MULTILINE)]
        assert numbers == list(range(9, 9 + len(numbers)))
        assert len(numbers) == 8 or found["finish_reason"] == "length"
        seen["prefaced"] += not content.startswith("9")
        seen["cut"] += found["finish_reason"] == "length"
    assert 0 < seen["prefaced"] < 20
    assert 0 <= seen["cut"] < 10


def test_a_base_model_continues_behind_the_number_and_beyond_the_last() -> None:
    body = {"model": "base", "prompt": listed(0) + "9.", "temperature": 0.7}
    text = replied(self_instruct, body)["text"]
    assert text.startswith(" ")
    assert re.findall(r"^(\d+) ?\. ", text, re.MULTILINE) == [str(number) for number in range(10, 22)]
    stopped = replied(self_instruct, {**body, "stop": ["\n16"]})
    assert stopped["finish_reason"] == "stop"
    assert text.startswith(stopped["text"])
    assert "\n15" in stopped["text"]
    assert "\n16" not in stopped["text"]


def test_instructions_break_each_filter_and_stand_around_the_novelty_threshold() -> None:
    made = []
    for number in range(250):
        text = replied(self_instruct, {"model": f"m{number}", "prompt": listed(number) + "9."})["text"]
        made += [one.strip() for one in re.split(r"\n\d+\s?\. ?", text)]
    words = [len(one.split()) for one in made]
    assert sum(count <= 3 for count in words) > 20
    assert sum(count > 150 for count in words) > 10
    assert sum(bool(re.search(r"(?i)\b(draw|image|plot|go to)\b", one)) for one in made) > 50
    assert sum(one.startswith("Write a program") for one in made) > 10
    assert sum(not one[:1].isascii() for one in made) > 10
    assert sum(one[:1] in "-(.#" for one in made) > 10
    scores = [max(rouge_l(one, seed) for seed in SEEDS) for one in made[:800]]
    assert sum(score == 1 for score in scores) > 10
    assert sum(score == 0.7 for score in scores) > 10
    assert sum(0.6 < score < 0.8 for score in scores) > 50
    assert sum(score < 0.5 for score in scores) > 400


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Task: Say hello.\nClassification? No\n\nTask: Sort it.\nClassification?", "classify"),
        ("Task: Sort.\nClass label: a\nText: b\n\nTask: Classify the message.", "labels"),
        ("Task: Turn it.\nExample 1\nWord: a\nOutput: b\n\nTask: Translate it.", "inputs"),
        (listed(1) + "9.", "instructions"),
        (listed(1) + "\nContinue the list with tasks 9 to 16.", "instructions"),
    ],
)
def test_the_kind_of_a_question_is_recognised(text: str, kind: str) -> None:
    assert self_instruct.kind_of(text) == kind


def test_classification_is_answered_with_yes_or_no_mostly_as_the_task_has_it() -> None:
    seen: Counter[tuple[bool, bool]] = Counter()
    for number in range(200):
        is_label = number % 2 == 0
        task = f"Classify message {number}." if is_label else f"Translate message {number}."
        found = replied(
            self_instruct, question(f"Task: Sing.\nClassification? No\n\nTask: {task}\nClassification?")
        )
        said = found["message"]["content"].strip().lower()
        assert re.match("yes|no", said)
        seen[is_label, said.startswith("yes")] += 1
    assert seen[True, True] + seen[False, False] > 180
    assert seen[True, False] + seen[False, True] > 0


def test_instances_come_with_and_without_inputs_and_with_each_fault() -> None:
    labelled, generated = [], []
    for number in range(300):
        start = "Task: Sort.\nClass label: a\nText: b\n\n"
        labelled.append(
            replied(self_instruct, question(f"{start}Task: Classify {number}."))["message"]["content"]
        )
        start = "Task: Turn.\nExample 1\nWord: a\nOutput: b\n\n"
        generated.append(
            replied(self_instruct, question(f"{start}Task: Translate {number}."))["message"]["content"]
        )
    pairs = [re.findall(r"Class label:(.*)\n(.*)", text) for text in labelled]
    assert 0 < sum(not found for found in pairs) < 40
    texts = [dict.fromkeys(given for _, given in found) for found in pairs]
    assert sum(len(found) > len(given) == 1 for found, given in zip(pairs, texts, strict=True)) > 10
    assert sum(any(not label.strip() for label, _ in found) for found in pairs) > 10
    assert sum(any(label.strip().endswith(":") for label, _ in found) for found in pairs) > 10
    assert sum(any(label.strip() == given for label, given in found) for found in pairs) > 5
    assert sum(len(found) > 5 for found in pairs) > 20
    examples = [text for text in generated if "Example 1" in text]
    assert len(examples) > 100
    assert sum(text.lstrip().startswith("Output:") for text in generated) > 80
    assert sum("Example 6" in text for text in examples) > 10
    assert sum(bool(re.search(r"Output: (?:\n|\Z)", text)) for text in generated) > 10
    assert sum("Output: Here it is:" in text for text in examples) > 5
    assert sum("\n\nTask: " in text for text in generated) > 50
    cut = replied(
        self_instruct, question("Task: a\nExample 1\nOutput: b\n\nTask: Translate 1.", stop=["Task:"])
    )
    assert "Task:" not in cut["message"]["content"]


# Questions about documents.

PASSAGE = (
    "The mill was built in 1804 by two brothers.\nIt stands\nby the river. Nobody knows its first owner."
)


def test_questions_about_a_passage_quote_it_mostly() -> None:
    text = f'Questions.\n\nPassage of "mill":\n{PASSAGE}\n\nWrite 3 as one JSON object and nothing else.'
    assert document_qa.passage(text) == PASSAGE
    chance = random.Random(1)
    made = [document_qa.pair(chance, PASSAGE) for _ in range(1000)]
    quoted = [one["quote"] in PASSAGE for one in made if "quote" in one]
    assert 0.75 < sum(quoted) / len(made) < 0.9
    words = " ".join(PASSAGE.split())
    spaced = [
        " ".join(one.get("quote", "").split()) in words and "  " in one.get("quote", "") for one in made
    ]
    assert 40 < sum(spaced) < 130
    assert 20 < sum("quote" not in one for one in made) < 80
    assert 30 < sum("the passage" in one["question"] for one in made) < 100
    assert 20 < sum(one["question"] == "What is known about it?" for one in made) < 100
    names = ["question", "answer", "quote"]
    schema = {
        "type": "object",
        "properties": {
            "pairs": {
                "type": "array",
                "minItems": 1,
                "maxItems": 3,
                "items": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in names},
                    "required": names,
                    "additionalProperties": False,
                },
            }
        },
        "required": ["pairs"],
    }
    counts: Counter[int] = Counter()
    for number in range(60):
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        choice = replied(document_qa, question(text, seed=number, response_format=form))
        try:
            value = msgspec.json.decode(choice["message"]["content"])
        except msgspec.DecodeError:
            continue
        if jsonschema.Draft202012Validator(schema).is_valid(value):
            counts[len(value["pairs"])] += 1
            assert all(one["question"].startswith("What ") for one in value["pairs"])
    assert 30 < sum(counts.values()) < 58
    assert counts[3] > counts[1] + counts[2] > 0


# The judge.


def scored(number: int, scale: str = "1 to 5") -> str:
    return f"Rate from {scale}. Say the score as one digit.\n\nResponse:\nAnswer number {number}.\n"


@pytest.mark.parametrize(("scale", "most"), [("1 to 5", 5), ("1-10", 10)])
def test_a_score_follows_the_quality_of_the_text_with_its_probabilities(scale: str, most: int) -> None:
    qualities, found, odd = [], [], 0
    for number in range(300):
        body = question(scored(number, scale), logprobs=True, top_logprobs=10)
        choice = replied(judge, body)
        content = choice["message"]["content"]
        digits = re.search(r"\d+", content)
        if digits is None or int(digits[0]) != judge.score(body) or "." in content:
            odd += 1
            continue
        qualities.append(judge.quality(f"Answer number {number}."))
        found.append(int(digits[0]))
        places = [place for place in choice["logprobs"]["content"] if place["token"] == digits[0]]
        tops = {one["token"]: one["logprob"] for one in places[0]["top_logprobs"]}
        assert {str(point) for point in range(1, most + 1)} <= set(tops)
        assert max(tops, key=lambda name: tops[name]) == digits[0]
    assert 5 < odd < 60
    assert set(found) == set(range(1, most + 1))
    slips = [abs(points - (1 + value * (most - 1))) for points, value in zip(found, qualities, strict=True)]
    assert max(slips) < 0.5 + judge.NOISE * (most - 1) + 0.01
    assert sum(slips) > 0


def compared(first: str, second: str, words: str = "") -> dict[str, Any]:
    return question(f"Which is better?{words}\n\n[Answer A]\n{first}\n\n[Answer B]\n{second}\n\nSay A or B.")


def test_the_first_of_two_has_an_advantage_that_turns_some_verdicts() -> None:
    seen: Counter[str] = Counter()
    for number in range(400):
        one, other = f"text {number}", f"another {number}"
        pair = (judge.winner(compared(one, other)), judge.winner(compared(other, one)))
        seen["A A" if pair == ("A", "A") else "B B" if pair == ("B", "B") else "steady"] += 1
        if pair == ("A", "B") and abs(judge.quality(one) - judge.quality(other)) > 2 * judge.NOISE:
            assert judge.quality(one) > judge.quality(other)
    assert 40 < seen["A A"] < 150
    assert seen["B B"] < 10
    assert seen["steady"] > 240


def test_a_verdict_about_two_has_the_letter_and_its_probabilities() -> None:
    forms: Counter[str] = Counter()
    for number in range(60):
        body = {**compared(f"x {number}", f"y {number}"), "logprobs": True, "top_logprobs": 2}
        choice = replied(judge, body)
        content = choice["message"]["content"]
        verdict = msgspec.json.decode(content)["winner"] if content.startswith("{") else content
        assert verdict == judge.winner(body)
        (place,) = [one for one in choice["logprobs"]["content"] if one["token"] == verdict]
        assert {one["token"] for one in place["top_logprobs"]} == {"A", "B"}
        forms["json" if content.startswith("{") else "bare"] += 1
    assert len(forms) == 2
    ties = [judge.winner(compared(f"x {number}", f"y {number}", " Or is it a tie?")) for number in range(200)]
    assert 2 < ties.count("tie") < 60


def test_a_verdict_in_the_form_of_a_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
        },
        "required": ["reason", "score"],
        "additionalProperties": False,
    }
    followed = 0
    for number in range(100):
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        body = question(scored(number), response_format=form, logprobs=True, top_logprobs=5)
        choice = replied(judge, body)
        try:
            value = msgspec.json.decode(choice["message"]["content"])
        except msgspec.DecodeError:
            continue
        if not jsonschema.Draft202012Validator(schema).is_valid(value):
            continue
        followed += 1
        assert value["score"] == judge.score(body)
        tokens = choice["logprobs"]["content"]
        assert any(one["token"] == str(value["score"]) and len(one["top_logprobs"]) == 5 for one in tokens)
    assert 80 < followed < 100


def test_yes_or_no_and_items_of_a_rubric() -> None:
    said = Counter(
        judge.answer(question(f"Is it polite? Answer yes or no. {number}")).content for number in range(100)
    )
    assert {"yes", "no", "yes.", "no."} <= set(said)
    items = {"polite": {"type": "boolean"}, "short": {"enum": ["yes", "no"]}, "why": {"type": "string"}}
    made = judge.record(question("x"), random.Random(1), items)
    assert made is not None
    assert set(made) == set(items)
    assert isinstance(made["polite"], bool)
    assert made["short"] in ("yes", "no")


# The teacher.


def taught(number: int, system: str) -> dict[str, Any]:
    asked = {"role": "user", "content": f"What is {number} + 25?"}
    return {"model": "m", "messages": [{"role": "system", "content": system}, asked]}


def test_a_teacher_explains_and_sometimes_speaks_of_its_instructions() -> None:
    replies = [explain.answer(taught(number, "Explain step by step.")) for number in range(400)]
    mentioned = sum(any(one in reply.content for one in explain.MENTIONS) for reply in replies)
    assert 15 < mentioned < 60
    assert 2 < sum(reply.content.startswith("I'm sorry") for reply in replies) < 25
    assert 3 < sum(reply.finish_reason == "length" for reply in replies) < 30
    assert 30 < sum(bool(reply.reasoning) for reply in replies) < 100


def test_a_strategy_decides_how_often_a_sum_is_right() -> None:
    def right(system: str) -> float:
        replies = [(number, explain.answer(taught(number, system)).content) for number in range(300)]
        ended = [(number, re.search(r"answer is (\d+)\.", text)) for number, text in replies]
        found = [int(match[1]) == number + 25 for number, match in ended if match]
        return sum(found) / len(found)

    assert right("Think step by step.") > 0.9
    assert right("Answer at once.") == pytest.approx(explain.accuracy("Answer at once."), abs=0.1)
    assert explain.accuracy("Answer at once.") < 0.85
