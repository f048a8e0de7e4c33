"""Seeded short documents in the scripts of thirty languages, for what Latin text alone would flatter.

The words are those of `synthetic`, letter by letter in another alphabet, so lengths, frequencies, edits and
copies are the same in every script. A third of the sentences stay in ASCII, as commands and names do in real
pages. Scripts written without blanks lose the blanks between their words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from zlib import crc32

from benches import synthetic

_LATIN = "abcdefghijklmnopqrstuvwxyz"


def _span(first: str, last: str) -> str:
    return "".join(map(chr, range(ord(first), ord(last) + 1)))


_CYRILLIC, _ARABIC, _HAN = _span("а", "я"), _span("ء", "ي"), _span("一", "鿿")
# Letters that take the place of the last ones of the Latin alphabet.
_LATIN_ENDINGS = {
    "de": "äöüß",
    "fr": "éèàçù",
    "es": "áéíóñ",
    "pt": "ãõçéê",
    "it": "àèìòù",
    "sv": "åäö",
    "da": "æøå",
    "pl": "ąćęłńśż",
    "cs": "áčěřšýž",
    "tr": "çğışöü",
    "ro": "ăâîșț",
    "vi": "ạảấầẩậắằẵ",
    "hu": "áéőűú",
}
ALPHABETS = {
    "en": _LATIN,
    **{language: _LATIN[: 26 - len(own)] + own for language, own in _LATIN_ENDINGS.items()},
    "ru": _CYRILLIC,
    "uk": _CYRILLIC[:26] + "іїєґ",
    "bg": _CYRILLIC[:28],
    "el": _span("α", "ω"),
    "he": _span("א", "ת"),
    "ar": _ARABIC,
    "fa": _ARABIC[:24] + "پچژگ",
    "hi": _span("अ", "ह"),
    "mr": _span("ऄ", "ह"),
    "bn": _span("অ", "হ"),
    "ta": _span("க", "ஹ"),
    "hy": _span("ա", "ֆ"),
    "ko": _span("가", "힣"),
    "zh": _HAN[:3_000],
    "ja": _span("ぁ", "ん") + _span("ァ", "ン") + _HAN[:500],
    "th": _span("ก", "ฮ"),
}
# Words of each language: thirty large vocabularies would take longer to make than the text.
_VOCABULARY = 8_000
_WITHOUT_BLANKS = {"zh", "ja", "th"}
# A character of these stands for so many Latin letters.
_DENSE = {"zh": 3, "ja": 2, "ko": 3}


def _word(latin: str, language: str) -> str:
    if not latin.isalpha():
        return latin
    alphabet, dense = ALPHABETS[language], _DENSE.get(language, 1)
    groups = (latin[at : at + dense].lower() for at in range(0, len(latin), dense))
    numbers = (
        sum((ord(letter) - ord("a")) * 26**place for place, letter in enumerate(group)) for group in groups
    )
    return "".join(alphabet[number % len(alphabet)] for number in numbers)


def _translate(text: str, language: str) -> str:
    blank = "" if language in _WITHOUT_BLANKS else " "
    # A sentence decides by itself whether it stays, so that a copy of it does the same.
    return ". ".join(
        sentence
        if crc32(sentence.encode()) % 3 == 0
        else blank.join(_word(word, language) for word in sentence.split(" "))
        for sentence in text.split(". ")
    )


def texts(language: str, shape: synthetic.Shape, *, seed: int) -> Iterator[str]:
    """Yields documents of one language, a key of `ALPHABETS`."""
    for text in synthetic.Writer(seed, _VOCABULARY).documents(shape):
        yield _translate(text, language)


def documents(shape: synthetic.Shape, *, seed: int) -> Iterator[str]:
    """Yields documents as `synthetic` makes them in thirty languages, one language after the other.

    Args:
        shape: Number and lengths of all documents and the shares of copies.
        seed: Any integer; the same seed and shape give the same text.

    Yields:
        One document after another.
    """
    bounds = [shape.n_docs * number // len(ALPHABETS) for number in range(len(ALPHABETS) + 1)]
    for number, language in enumerate(ALPHABETS):
        part = replace(shape, n_docs=bounds[number + 1] - bounds[number])
        yield from texts(language, part, seed=seed + number)
