"""Writes filters.jsonl: what the tools whose semantics the filters follow make of small documents.

    python tests/golden/make_filters.py [--dclm CHECKOUT] [--redpajama CHECKOUT]

It needs Python 3.11, datatrove 0.10.1 and numpy; for DCLM a checkout of mlfoundations/dclm at 361714b with
nltk and uniseg, for RedPajama one of togethercomputer/RedPajama-Data at 6d2cee9 with nltk and msgspec.
Without a checkout its part is taken over from the file that is there. Words are cut at blanks and sentences
by punctuation, where datatrove would ask spaCy.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import struct
import subprocess
import sys
import types
from pathlib import Path

GOLDEN = Path(__file__).parent / "filters.jsonl"
SOUP = """
the be to of and that have with cat dog house lorem ipsum javascript JavaScript cookie cookies policy
privacy terms use uses Use COOKIES ... … # ## - • * ● { } [1] [edit] [12 [] 3 12 1,200 likes views K 2k
e.g. Dr. end. stop! what? "yes." 'no.' (ok.) café naïve straße ΟΔΟΣ İstanbul ſign-in Sign-in 数 数据。
你好！ Да. привет हिन्दी भाषा। عربي؟ 🌾 ① ² Ⅷ ½ don't can’t 3.14 a.b foo_bar _x . ; : / — a ab abc bc c Å
"""
PIECES = [
    *SOUP.split(),
    *[
        "\u00a0",
        "\u200b",
        "\x00",
        "\x1f",
        "\x1c",
        "\x0b",
        "\x85",
        "\u2028",
        "\r",
        "e\u0301",
        "\u212a",
        "coo\u212aies",
    ],
    *[
        "citation needed]",
        "[citation needed]",
        "Read more...",
        "items in cart",
        ". . .",
        "lorem ipsum",
        "use cookies.",
    ],
]
SEPARATORS = (
    [" "] * 12 + ["\n"] * 4 + ["\n\n", "\n\n\n", "\r\n", "\r", " \n", "\t", "\u00a0", "  ", "\u2028", "\x0b"]
)
SENTENCES = [
    "The museum opens at nine in the morning and closes at five.",
    "It has rooms with maps, coins and letters that have never been shown before.",
    "Visitors are asked to leave their bags at the door.",
    "A guide can be booked for groups of ten or more.",
    "What would you like to see first?",
    "- Tickets",
    "3 likes",
    "Read more...",
    "We use cookies to count visits.",
    "OPEN EVERY DAY OF THE WEEK",
]


def documents() -> list[str]:
    """Hostile ones, soups of pieces, and pages with repetitions."""
    pick = random.Random(20)
    made = [
        "",
        "\n",
        "\n\n\n",
        " ",
        "\x00",
        "\x00" * 70,
        "a" * 1100,
        "a " * 120,
        "\n" * 90,
        ". " * 120,
        "é" * 90,
        "数" * 90,
    ]
    made += [
        ("x" * 1001 + " a b.\n") * 3,
        "a\n" * 80,
        "-- --- --- ---- - x - ---- --- --- --\n" * 3,
        "ab c a bc " * 30,
    ]
    made += ["the and word " * (n // 3) + "word " * (n % 3) for n in (49, 50, 51)]
    for size in [1, 2, 3, 8, 20, 60, 60, 150] * 10:
        some = pick.sample(PIECES, pick.choice([2, 5, 12, 40, len(PIECES)]))
        made.append("".join(pick.choice(some) + pick.choice(SEPARATORS) for _ in range(size)))
    for size in [3, 6, 12, 25] * 14:
        some = pick.sample(SENTENCES, pick.choice([2, 4, 8, 10]))
        numbered = [
            f"{text} Room {pick.randrange(1000)} is next." if pick.random() < 0.7 else text
            for text in some * size
        ]
        chosen = pick.sample(numbered, size)
        made.append("".join(text + pick.choice([" ", " ", "\n", "\n\n"]) for text in chosen))
    return made


CLOSERS = set(".?!\"')]}”’»")


def sentence_spans(text: str, terminal: set[str]) -> list[tuple[int, int]]:
    """Sentences by punctuation, as `signals/sentences.rs` says."""
    spans, start, at = [], 0, 0
    while at < len(text):
        if text[at] not in terminal:
            at += 1
            continue
        end = at + 1
        ends = not text[at].isascii()
        if not ends:
            while end < len(text) and text[end] in CLOSERS:
                end += 1
            behind = end
            while behind < len(text) and text[behind].isspace():
                behind += 1
            ends = end == len(text) or (behind > end and (behind == len(text) or not text[behind].islower()))
        if ends:
            spans.append((start, end))
            start = end
        at = end
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans


def bits(values: dict[str, float | None]) -> dict[str, str | None]:
    """Doubles as 16 hexadecimal digits."""
    return {name: None if value is None else struct.pack(">d", value).hex() for name, value in values.items()}


def over(count: float, of: int) -> float | None:
    return count / of if of else None


def datatrove_signals(text: str) -> dict[str, float | None]:
    from datatrove.pipeline.filters import gopher_repetition_filter as repetition
    from datatrove.pipeline.filters.gopher_quality_filter import STOP_WORDS
    from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION

    words, lines = text.split(), text.splitlines()
    plain = [word for word in words if any(c not in PUNCTUATION_SET for c in word)]
    filled = [line for line in text.split("\n") if line.strip() != ""]
    paragraphs = re.split(r"\n{2,}", text.strip())
    pieces = re.split("\n+", text)
    duplicates = {
        name: repetition.find_duplicates(of) for name, of in [("paragraph", paragraphs), ("line", pieces)]
    }
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    ellipses = sum(line.rstrip().endswith(("...", "…")) for line in lines)
    ended = sum(line.endswith(tuple(TERMINAL_PUNCTUATION)) for line in filled)
    return {
        "chars": len(text),
        "words": len(words),
        "lines": len(filled),
        "longest_line": max(map(len, text.split("\n"))),
        "mean_line": over(sum(map(len, filled)), len(filled)),
        "longest_word": max(map(len, words), default=0),
        "mean_word": over(sum(map(len, words)), len(words)),
        "gopher.words": len(plain),
        "gopher.mean_word": over(sum(map(len, plain)), len(plain)),
        "gopher.hashes": over(text.count("#"), len(words)),
        "gopher.ellipses": over(text.count("...") + text.count("…"), len(words)),
        "gopher.bullet_lines": over(bullets, len(lines)),
        "gopher.ellipsis_lines": over(ellipses, len(lines)),
        "gopher.letter_words": over(sum(any(c.isalpha() for c in word) for word in words), len(words)),
        "gopher.stop_words": len(set(STOP_WORDS) & set(words)),
        "repetition.duplicate_paragraphs": duplicates["paragraph"][0] / len(paragraphs),
        "repetition.duplicate_paragraph_chars": over(duplicates["paragraph"][1], len(text)),
        "repetition.duplicate_lines": duplicates["line"][0] / len(pieces) if text else None,
        "repetition.duplicate_line_chars": over(duplicates["line"][1], len(text)),
        **{
            f"repetition.top_{n}_gram": over(repetition.find_top_duplicate(grams) if grams else 0, len(text))
            for n in (2, 3, 4)
            for grams in [repetition.get_n_grams(words, n)]
        },
        **{
            f"repetition.duplicate_{n}_grams": over(repetition.find_all_duplicate(words, n), len(text))
            for n in range(5, 11)
        },
        "fineweb.lines": len(filled),
        "fineweb.line_punct": over(ended, len(filled)),
        "fineweb.short_lines": over(sum(len(line) <= 30 for line in filled), len(filled)),
        "fineweb.duplicate_chars": over(repetition.find_duplicates(filled)[1], len(text.replace("\n", ""))),
        "fineweb.newlines": over(text.count("\n"), len(words)),
    }


def datatrove(texts: list[str]) -> list[dict]:
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.utils import word_tokenizers
    from datatrove.utils.text import TERMINAL_PUNCTUATION

    blanks = types.SimpleNamespace(
        word_tokenize=str.split, span_tokenize=lambda text: sentence_spans(text, TERMINAL_PUNCTUATION)
    )
    word_tokenizers.load_word_tokenizer = lambda language: blanks
    filters = {
        "gopher": GopherQualityFilter(),
        "gopher-repetition": GopherRepetitionFilter(),
        "c4": C4QualityFilter(),
        "fineweb": FineWebQualityFilter(),
    }
    rows = []
    for text in texts:
        row: dict = {"reasons": {}, "c4_text": None}
        for name, each in filters.items():
            document = Document(text=text, id="")
            kept = each.filter(document)
            row["reasons"][name] = None if kept is True else kept[1]
            if name == "c4" and kept is True:
                row["c4_text"] = document.text
        rows.append({**row, "signals": bits(datatrove_signals(text))})
    return rows


def stub(name: str, **members: object) -> None:
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(members)


def dclm(texts: list[str], checkout: Path) -> list[dict]:
    """Failing steps of `dclm_baseline_refinedweb.yaml` without URLs and languages, and the edited text."""

    def tokenize(text: str) -> list[str]:
        return [word for word in re.split("[ \n\r\t\v\f\0]", text) if word]

    for name in (
        "justext",
        "blingfire",
        "lxml",
        "retrie",
        "baselines",
        "baselines.mappers",
        "baselines.mappers.filters",
    ):
        stub(name)
    stub("lxml.etree", ParserError=ValueError)
    stub("retrie.retrie", Blacklist=None)
    stub("bs4", BeautifulSoup=None)
    stub("transformers", AutoTokenizer=None)
    stub("unidecode", unidecode=None)
    stub("fasttext", FastText=types.SimpleNamespace(tokenize=tokenize))
    stub("core")
    sys.path[:0] = [str(checkout / "baselines")]
    for name, folder in [
        ("baselines", ""),
        ("baselines.mappers", "mappers"),
        ("baselines.mappers.filters", "mappers/filters"),
        ("core", "core"),
    ]:
        sys.modules[name].__path__ = [str(checkout / "baselines" / folder)]
    from baselines.mappers import modifiers as edit
    from baselines.mappers.core_utils import split_words
    from baselines.mappers.filters import content_filters as keep

    grams = [(f"top_{n}_gram", n, most) for n, most in ((2, 0.2), (3, 0.18), (4, 0.16))]
    grams += [(f"repeated_{n}_grams", n, (20 - n) / 100) for n in range(5, 11)]
    steps = [
        (
            "words",
            lambda page, _: keep.page_length_filter(page, "word", 50, 100_000, ignore_punctuation=True),
        ),
        ("mean_word", lambda page, _: keep.word_length_filter(page, 3, 10)),
        ("symbols", lambda page, _: keep.symbol_ratio_filter(page, 0.1)),
        ("bullet_lines", lambda page, _: keep.bullet_count_filter(page, 0.9)),
        ("ellipsis_lines", lambda page, _: keep.ellipsis_count_filter(page, 0.3)),
        ("no_letter_words", lambda page, _: keep.alphabetic_word_ratio_filter(page, 0.2)),
        ("stop_words", lambda page, _: keep.stop_word_filter(page, False, 2)),
        ("repeated_lines", lambda page, cache: keep.repetition_filter(page, "line", 0.3, False, cache=cache)),
        (
            "repeated_paragraphs",
            lambda page, cache: keep.repetition_filter(page, "paragraph", 0.3, False, cache=cache),
        ),
        ("repeated_line_chars", lambda page, cache: keep.repetition_filter(page, "line", 0.2, cache=cache)),
        (
            "repeated_paragraph_chars",
            lambda page, cache: keep.repetition_filter(page, "paragraph", 0.2, cache=cache),
        ),
    ]
    edits = [
        lambda page: edit.uppercase_ratio_line_modifier(page, max_ratio=0.5),
        lambda page: edit.numeric_ratio_line_modifier(page, max_ratio=0.999999),
        edit.counter_line_modifier(),
        lambda page: edit.line_length_modifier(page, min_length=2),
        edit.substring_line_modifier("items in cart", max_length=10, remove_substring_only=True),
        edit.substring_line_modifier(
            "Read more...", location="suffix", max_length=10, remove_substring_only=True
        ),
        edit.substring_line_modifier("Sign-in", location="prefix", max_length=10, remove_substring_only=True),
    ]
    newlines = edit.newline_removal_modifier(max_consecutive=2)
    rows = []
    for text in texts:
        [page] = newlines({"text": text})
        text, cache = page["text"], {}
        failing = [name for name, step in steps if not step({"text": text}, cache)]
        failing += [
            name
            for name, n, most in grams
            if not keep.repetition_filter({"text": text}, n, most, cache=cache)
        ]
        page["before"] = len(split_words(text, ignore_punctuation=True))
        edited = text if all(each(page) for each in edits) else None
        left = page["text"] if edited is not None else ""
        if not left or not keep.word_removal_ratio_filter(
            {**page, "text": left}, "before", max_removed_ratio=0.05
        ):
            failing.append("removed_words")
        rows.append({"dclm": failing, "dclm_text": left})
    return rows


def red_pajama(texts: list[str], checkout: Path) -> list[dict]:
    sys.path[:0] = [str(checkout / "app" / "src")]
    import core.document
    from core.quality_signals import content, natural_language, repetitions

    # Later releases of NLTK match by the module `regex`, to which marks are part of words.
    vars(core.document)["_word_tokenizer"] = types.SimpleNamespace(
        tokenize=re.compile(r"\w+|[^\w\s]+").findall
    )
    names = "Num_Sentences Word_Count Mean_Word_Length Symbol_To_Word_Ratio Frac_Lines_End_With_Ellipsis"
    names += " Frac_No_Alph_Words"
    names += " Frac_Unique_Words Unigram_Entropy Frac_All_Caps_Words Lorem_Ipsum Curly_Bracket"
    names += " Frac_Chars_Top_2gram Frac_Chars_Top_3gram Frac_Chars_Top_4gram"
    classes = names.split() + [f"Frac_Chars_Dupe_{n}Grams" for n in range(5, 11)]
    modules = (natural_language, content, repetitions)
    signals = {
        f"rps_doc_{name}".lower(): next(
            vars(module)[f"RPS_Doc_{name}"] for module in modules if f"RPS_Doc_{name}" in vars(module)
        )()
        for name in classes
    }
    rows = []
    for text in texts:
        document = core.document.Document(text, domain=None)
        values = {name: signal(document)[0][2] for name, signal in signals.items()}
        rows.append({"redpajama": bits(values)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dclm", type=Path)
    parser.add_argument("--redpajama", type=Path)
    # Both checkouts have a package `core`, so each gets a process of its own.
    parser.add_argument("--only", choices=["dclm", "redpajama"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    texts = documents()
    if arguments.only:
        part = dclm if arguments.only == "dclm" else red_pajama
        json.dump(part(texts, getattr(arguments, arguments.only)), sys.stdout)
        return
    before = {}
    if GOLDEN.exists():
        before = {row["text"]: row for row in map(json.loads, GOLDEN.read_text("utf-8").splitlines())}
    rows = [
        {**before.get(text, {}), "text": text, **row}
        for text, row in zip(texts, datatrove(texts), strict=True)
    ]
    for name in ("dclm", "redpajama"):
        if checkout := getattr(arguments, name):
            command = [sys.executable, __file__, "--only", name, f"--{name}", str(checkout)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            for row, part in zip(rows, json.loads(done.stdout), strict=True):
                row.update(part)
    GOLDEN.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
