"""From spans to tokens: with a real tokenizer, what counts is exactly the tokens of the model's turns."""

from __future__ import annotations

from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from tokenizers import models, pre_tokenizers, trainers

import thresher as th
from tests.chat import chats, jinja, templates

SPECIAL = [
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<s>",
    "</s>",
]


def _tokenizer() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        [*templates.STYLES.values(), "user assistant thinking answer " * 9], trainer
    )
    return tokenizer


TOKENIZER = _tokenizer()


@pytest.mark.parametrize("style", ["chatml", "llama3", "gemma", "mistral"])
@given(row=chats.rows())
@settings(max_examples=40)
def test_the_tokens_that_count_are_those_of_the_turns(style: str, row: dict[str, Any]) -> None:
    options = {"from_format": "openai", "now": jinja.NOW, "arguments": "mapping", **templates.TOKENS}
    done = th.chat.render([row], template=templates.plain(style), **options)
    if done.errors:
        return
    text, spans = done.texts[0].as_py(), done.spans[0].as_py()
    # The oracle: cut the text at the edges of the spans, encode each piece alone, and count.
    want: list[int] = []
    at = 0
    for span in [*spans, {"start": len(text), "end": len(text)}]:
        for piece, inside in ((text[at : span["start"]], 0), (text[span["start"] : span["end"]], 1)):
            want += [inside] * len(TOKENIZER.encode(piece, add_special_tokens=False).ids)
        at = span["end"]
    encoded = TOKENIZER.encode(text, add_special_tokens=False)
    mask = th.chat.mask_tokens(encoded.offsets, spans)
    assert mask.dtype == "uint8"
    assert len(mask) == len(encoded.ids)
    for (start, end), counts in zip(encoded.offsets, mask.tolist(), strict=True):
        inside = [any(span["start"] <= place < span["end"] for span in spans) for place in range(start, end)]
        assert counts == (bool(inside) and all(inside))
    if len(want) == len(mask):
        assert mask.tolist() == want


def test_special_tokens_make_the_edges_of_turns_the_edges_of_tokens() -> None:
    row = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "thinking?"},
            {"role": "assistant", "content": "answer: naïve \U0001f600"},
            {"role": "user", "content": "more"},
            {"role": "assistant", "content": "assistant"},
        ]
    }
    for kind in (templates.plain, templates.tagged):
        done = th.chat.render([row], template=kind("chatml"), strict=True)
        encoded = TOKENIZER.encode(done.texts[0].as_py(), add_special_tokens=False)
        mask = th.chat.mask_tokens(encoded.offsets, done.spans[0].as_py())
        counted = [token for token, counts in zip(encoded.ids, mask.tolist(), strict=True) if counts]
        want = [
            TOKENIZER.encode(turn + "<|im_end|>").ids for turn in ("answer: naïve \U0001f600", "assistant")
        ]
        assert counted == [*want[0], *want[1]]


def test_a_token_over_an_edge_and_one_without_characters_do_not_count() -> None:
    spans = [{"start": 2, "end": 4}, {"start": 6, "end": 8}]
    offsets = [(0, 0), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (6, 7), (7, 8), (7, 9), (8, 8), (3, 7)]
    assert th.chat.mask_tokens(offsets, spans).tolist() == [0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0]
    assert th.chat.mask_tokens([], spans).tolist() == []
    assert th.chat.mask_tokens([(0, 1)], []).tolist() == [0]
