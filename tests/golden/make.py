"""Writes `scheme2.json`: what hash scheme 2 gives for some eighty documents, computed by the reference twin.

`python tests/golden/make.py` writes the file anew. A difference means another scheme: see `README.md` here.
The reference is loaded by its path, so that neither the package nor its compiled core has to be installed.
"""

import functools
import importlib.util
import json
import operator
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
GOLDEN = HERE / "scheme2.json"
REFERENCE = HERE.parents[1] / "python" / "thresher" / "_reference.py"

LISTED_SHINGLES = 64
"""Larger sets are given by their size, xor and sum."""

FILLER = "The ferry left the harbour at nine and the gulls went with it, loud as ever, over water"

SHORT = {
    "empty": "",
    "blanks only": " \t\n  ",
    "punctuation only": "?! ... -- ___",
    "one word": "Harbour",
    "one letter": "a",
    "four words": "four words stand here",
    "five words": "now five words stand here",
    "six words": "and now six words stand here",
    "one word repeated": "again again again again again again again again",
    "a cycle of words": "one two three one two three one two three one two three",
    "digits": "In 2024, 3.14 of 1,000 (or 0x1F) and 2nd, 3rd",
    "other numbers": "½ of Ⅻ is ⅵ; x² + ٣٤ = ④",
    "underscores": "snake_case_name and __init__ and a_b",
    "apostrophes": "It's the dogs' bowl, isn't it? O'Neill’s too",
    "mixed case": "ThE QUICK bRoWn FoX JUMPS over The lAzY dog",
    "sharp s": "Straße STRASSE STRAẞE groß",
    "dotted capital i": "İstanbul ISTANBUL ıstanbul istanbul İİ",
    "sigma": "ΟΔΥΣΣΕΥΣ ὈΔΥΣΣΕΎΣ Σ ς σ ΣΣ",
    "titlecase digraph": "ǅungla Ǉubav ǆ",
    "circled letters": "ⒶⒷⓒ 🅰🅱 🄰 text",
    "combining marks": "cafe\u0301 e\u0301\u0327 \u0301start n\u0303o a\u20dd",
    "composed and decomposed": "résumé re\u0301sume\u0301",
    "emoji": "so 👩‍👩‍👧‍👦 happy 👍🏽 today ❤️ and 1️⃣ flag 🇳🇴",
    "cyrillic": "Паром вышел в девять, и ЧАЙКИ полетели за ним",
    "greek": "Το καράβι έφυγε στις εννιά, ΚΑΙ οι γλάροι μαζί του",
    "arabic": "غادرت العبّارة الميناء في التاسعة، وتبعتها النوارس",
    "hebrew": "המעבורת יצאה מהנמל בתשע, והשחפים עִמָּהּ",
    "devanagari": "नाव नौ बजे बंदरगाह से निकली, और पक्षी उसके साथ गए।",
    "thai": "เรือออกจากท่าเวลาเก้าโมง ๙:๐๐ น.",
    "lao": "ເຮືອອອກຈາກທ່າເກົ້າໂມງ",
    "khmer": "ទូកចេញពីកំពង់ផែម៉ោងប្រាំបួន។",
    "myanmar": "လှေသည် ကိုးနာရီတွင် ထွက်သည်။",
    "chinese": "渡船九点离开港口，海鸥跟着它飞。",
    "chinese beyond the first plane": "𠀀𠮷野家〇々",
    "japanese": "フェリーは九時に港を出て、カモメがついていった。ｶﾓﾒ",
    "korean": "배는 아홉 시에 항구를 떠났고 갈매기가 따라갔다",
    "mixed scripts": "GPU的速度は速いよ and 3倍Faster ไทยThai кот",
    "deseret capitals": "𐐀𐐁 𐐨𐐩 plain",
    "nul bytes": "before\0after \0\0 end\0",
    "line ends": "first line\r\nsecond line\rthird line\nfourth",
    "no-break space": "ten\u00a0km and\u202f5\u2009m or soft\u00adhyphen zero\u200bwidth",
    "byte order mark": "\ufeffthe mark goes first and \ufeff again",
    "control characters": "a\x1bb \x7fc\x80d\x85e",
    "private use and tags": "a\ue000b \U000e0041c",
    "last code point": "end\U0010ffff of all",
}


@functools.cache
def load_reference() -> ModuleType:
    """The reference twin, without its package."""
    spec = importlib.util.spec_from_file_location("thresher_reference", REFERENCE)
    if spec is None or spec.loader is None:
        message = f"cannot load `{REFERENCE}`"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated_text(n_words: int, seed: int) -> str:
    """Words of one to four syllables, from the 64-bit linear congruential generator of Knuth's MMIX."""
    syllables = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu"]
    state = seed

    def draw(below: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % below

    found = ["".join(syllables[draw(10)] for _ in range(1 + draw(4))) for _ in range(n_words)]
    return " ".join(word.title() + "." if draw(9) == 0 else word for word in found)


def documents() -> Iterator[tuple[str, str]]:
    """Name and text of each golden document."""
    yield from SHORT.items()
    for n_bytes in (7, 8, 9, 15, 16, 17, 31, 32, 33, 1000, 5000):
        yield f"word of {n_bytes} bytes", ("Abcdefghij" * n_bytes)[:n_bytes]
    for n_bytes in (16, 32):
        yield f"two-byte letter across byte {n_bytes}", "x" * (n_bytes - 1) + "Éy"
    for offset in range(60, 71):
        yield f"curly quotes at byte {offset}", f"{FILLER[:offset]}“Away” {FILLER}"
    for offset in (63, 64, 65):
        yield f"word character beyond ASCII at byte {offset}", FILLER[:offset] + "Éa漢b " + FILLER
    for offset in (4090, 4095, 4096, 4097):
        yield f"long word at byte {offset}", (f"{FILLER} " * 50)[: offset - 1] + " " + "Ü" * 40 + " end"
    yield "2000 words", generated_text(2000, 1)


def shingle_entry(shingles: set[int]) -> dict[str, Any]:
    """A set of hashes: all of them if they are few, else its size, xor and sum."""
    if len(shingles) <= LISTED_SHINGLES:
        return {"hashes": [f"{shingle:016x}" for shingle in sorted(shingles)]}
    return {
        "count": len(shingles),
        "xor": f"{functools.reduce(operator.xor, shingles):016x}",
        "sum": f"{sum(shingles) % 2**64:016x}",
    }


def build() -> dict[str, Any]:
    """The whole content of `scheme2.json`."""
    reference = load_reference()
    entries = []
    for name, text in documents():
        shingles = reference.shingles(text)
        signatures = {k: reference.signature(shingles, k) for k in (16, 100, 128)}
        entries.append(
            {
                "name": name,
                "text": text,
                "words": reference.words(text),
                "shingles": {
                    "word5": shingle_entry(shingles),
                    "char3": shingle_entry(reference.shingles(text, ngram=3, unit="char")),
                },
                "signatures": {
                    str(k): "".join(f"{lane:08x}" for lane in lanes) for k, lanes in signatures.items()
                },
                **{
                    f"band_keys_{bands}x{rows}": [
                        f"{key:016x}" for key in reference.band_keys(signatures[128], bands, rows)
                    ]
                    for bands, rows in ((21, 6), (18, 7))
                },
            }
        )
    return {"scheme": reference.SCHEME_VERSION, "documents": entries}


def render(content: dict[str, Any]) -> str:
    """JSON in pure ASCII with a document a line, so that a diff names the documents that changed."""
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in content["documents"])
    return f'{{"scheme":{content["scheme"]},"documents":[\n{lines}\n]}}\n'


def main() -> None:
    """Writes the file, if every character is one that the oldest supported Python knows."""
    unknown = {c for _, text in documents() for c in text if unicodedata.category(c) == "Cn"} - {"\U0010ffff"}
    if unknown:
        message = f"Unicode {unicodedata.unidata_version} does not know {sorted(map(ascii, unknown))}"
        raise ValueError(message)
    GOLDEN.write_text(render(build()), encoding="ascii")


if __name__ == "__main__":
    main()
