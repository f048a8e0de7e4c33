"""Personal data in memory: spans, tags and pseudonyms, over every kind of input and the generated set."""

from __future__ import annotations

import string
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thresher as th
from benches.personal.checks import base58check, eip55, iban_check, keccak256, luhn, segwit
from benches.personal.documents import documents
from benches.personal.values import TYPES

KEY = "a key of some length"
TEXTS = ["Mail ada@lovelace.org or call (415) 555-2671.", None, "", "Ünï: 81.2.69.142", "nothing here"]


def _found(text: str, **options: Any) -> list[tuple[str, str]]:
    (spans,) = th.filters.find_pii([text], **options).to_pylist()
    return [(span["type"], text.encode()[span["start"] : span["end"]].decode()) for span in spans]


def test_spans_are_bytes_of_the_text() -> None:
    found = th.filters.find_pii(TEXTS).to_pylist()
    assert found[1] is None
    assert [len(spans) for spans in found if spans is not None] == [2, 0, 1, 0]
    assert _found("Ünï: 81.2.69.142") == [("ip", "81.2.69.142")]


def test_every_input_gives_the_same() -> None:
    wanted = th.filters.find_pii(TEXTS).to_pylist()
    table = pa.table({"text": TEXTS, "n": range(5)})
    sliced = pa.array(["x@y.net", *TEXTS], pa.large_string())[1:]
    chunked = pa.chunked_array([TEXTS[:2], TEXTS[2:]])
    for texts in (pa.array(TEXTS), sliced, chunked, pa.array(TEXTS, pa.string_view()), iter(TEXTS)):
        assert th.filters.find_pii(texts).to_pylist() == wanted
    assert th.filters.find_pii(table, text="text").to_pylist() == wanted
    assert th.filters.find_pii([], threads=2).to_pylist() == []


def test_threads_change_nothing() -> None:
    texts = [document.text for document in documents(300, seed=4)]
    for key, action in ((None, "redact"), (KEY, "pseudonym")):
        one, two = (
            th.filters.redact_pii(texts, action=action, key=key, threads=threads)  # type: ignore[arg-type]
            for threads in (1, 2)
        )
        assert one.texts.equals(two.texts)
        assert one.counts == two.counts


def test_tags_take_the_place_of_values_and_drop_only_says_which_go() -> None:
    result = th.filters.redact_pii(TEXTS, tag="[{type}]")
    assert result.texts.to_pylist() == [
        "Mail [EMAIL] or call [PHONE].",
        None,
        "",
        "Ünï: [IP]",
        "nothing here",
    ]
    assert result.counts == {"email": 1, "phone": 1, "ip": 1}
    assert result.keep.to_pylist() == [True] * 5
    assert "ada" not in repr(result)
    dropped = th.filters.redact_pii(TEXTS, action="drop", types="email")
    assert dropped.texts.to_pylist() == TEXTS
    assert dropped.keep.to_pylist() == [False, True, True, True, True]
    assert dropped.counts == {"email": 1}


def test_a_value_has_one_pseudonym_under_a_key_and_another_under_another() -> None:
    texts = ["ada@lovelace.org", "Mail Ada@Lovelace.ORG!", "bob@lovelace.org"]
    one = th.filters.redact_pii(texts, action="pseudonym", key=KEY).texts.to_pylist()
    assert one[1] == f"Mail {one[0]}!"
    assert one[0] != one[2]
    assert all(text.rstrip("!").endswith("@example.com") for text in one)
    assert th.filters.redact_pii(texts, action="pseudonym", key=KEY.encode()).texts.to_pylist() == one
    other = th.filters.redact_pii(texts, action="pseudonym", key=f"{KEY}!").texts.to_pylist()
    assert set(one).isdisjoint(other)


def test_pseudonyms_of_the_generated_set_are_not_found_again() -> None:
    texts = [document.text for document in documents(600, seed=9)]
    once = th.filters.redact_pii(texts, action="pseudonym", key=KEY).texts.to_pylist()
    for text, redacted in zip(texts, once, strict=True):
        # What was there before may be found now, since a word in front of it has come nearer.
        assert [value for _, value in _found(redacted) if value not in text] == []


def test_keys_are_asked_for_checked_and_never_shown() -> None:
    for given_key, action, said in (
        (None, "pseudonym", "key is None"),
        ("hunter2", "pseudonym", "`7` bytes"),
        ("hunter2hunter2hunter2", "redact", "action is `redact`"),
        (7_777_777, "pseudonym", "a str or bytes"),
    ):
        with pytest.raises(th.ParameterError, match=said) as error:
            th.filters.redact_pii(["a"], action=action, key=given_key)  # type: ignore[arg-type]
        assert "hunter" not in str(error.value)
        assert "777" not in str(error.value)
    with pytest.raises(th.ParameterError, match="did you mean `email`"):
        th.filters.find_pii(["a"], types=["emial"])  # type: ignore[list-item]
    with pytest.raises(th.ParameterError, match=r"`\{kind\}`"):
        th.filters.redact_pii(["a"], tag="{kind}")


def test_what_is_reserved_is_found_if_asked_for() -> None:
    text = "jo@example.com, 192.0.2.1"
    assert _found(text) == []
    assert _found(text, reserved=True) == [("email", "jo@example.com"), ("ip", "192.0.2.1")]


def test_the_generated_set_is_found_as_far_as_the_bars_say() -> None:
    made = list(documents(1500, seed=2))
    found = th.filters.find_pii([document.text for document in made]).to_pylist()
    right, said, labelled = Counter[str](), Counter[str](), Counter[str]()
    for document, spans in zip(made, found, strict=True):
        places = {(span["start"], span["end"], span["type"]) for span in spans}
        right.update(type_ for _, _, type_ in places & set(document.labels))
        said.update(type_ for _, _, type_ in places)
        labelled.update(type_ for _, _, type_ in document.labels)
    assert set(labelled) == set(TYPES)
    for type_ in TYPES:
        assert right[type_] >= 0.95 * said[type_], (type_, "precision", right[type_], said[type_])
        assert right[type_] >= 0.92 * labelled[type_], (type_, "recall", right[type_], labelled[type_])


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from(string.digits + " .-:@/+()abEX"), max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    assert all(value for _, value in _found(text))


def test_the_checks_of_the_generator_are_those_of_the_standards() -> None:
    assert luhn("7992739871") == "3"
    assert iban_check("GB", "WEST12345698765432") == "82"
    satoshi = bytes.fromhex("62e907b15cbf27d5425399ebf6f0fb50ebb88f18")
    assert base58check(b"\0" + satoshi) == "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    program = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
    assert segwit(0, program) == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    address = bytes.fromhex("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
    assert eip55(address) == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
