"""What is to be found: values of each type as their standards make them, each with words around it.

A template has `{}` where the value stands. Some values are hard on purpose: characters that RFC 5322 allows
and hardly anybody uses, numbers of a country in its own form, dates in other languages.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import random
import string
import zlib
from collections.abc import Callable

from benches.personal.checks import base58check, eip55, iban_check, luhn, segwit

Made = tuple[str, str]
"""A value, and the template around it."""

_SYLLABLES = [a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "on")]
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOP_LEVEL = [
    "com",
    "net",
    "org",
    "de",
    "co.uk",
    "fr",
    "io",
    "dev",
    "ch",
    "nl",
    "info",
    "it",
    "es",
    "pl",
    "com.br",
]
_TOP_LEVEL += ["co.jp", "edu", "gov", "eu", "app", "museum", "cn", "ru", "xn--p1ai"]
_ATEXT = "!#$%&'*+/=?^_`{|}~-"


def word(draw: random.Random, least: int = 2, most: int = 4) -> str:
    """A word of some syllables."""
    return "".join(draw.choices(_SYLLABLES, k=draw.randint(least, most)))


def digits(draw: random.Random, count: int) -> str:
    """So many digits."""
    return "".join(draw.choices(string.digits, k=count))


def email(draw: random.Random) -> Made:
    """An address of RFC 5322: a dot-atom at a host name."""
    first, last = word(draw), word(draw)
    local = draw.choice(
        [
            f"{first}.{last}",
            f"{first[0]}{last}",
            f"{first}_{last}{draw.randint(1, 99)}",
            f"{first}+{word(draw)}",
            first,
            f"{first.title()}.{last.title()}",
            f"{first}-{last}",
            f"{draw.randint(10, 9999)}{last}",
            f"{first[0]}.{last[0]}.{word(draw)}",
        ]
    )
    if draw.random() < 0.02:
        local = f"{first}{draw.choice(_ATEXT)}{last}"
    labels = [word(draw, 1, 3) for _ in range(draw.choice((1, 1, 1, 2)))]
    if draw.random() < 0.1:
        labels[0] += f"-{draw.randint(1, 99)}"
    host = ".".join([*labels, draw.choice(_TOP_LEVEL)])
    if draw.random() < 0.05:
        host = host.upper()
    templates = [
        "Please write to {}.",
        "<{}>",
        "({})",
        "contact: {},",
        '"email": "{}"',
        "mailto:{}",
        "From: Jo <{}>\nTo: all",
        "{}",
        "name;{};2024",
        "[{}]",
        "e-mail={}&id=4",
        "请联系{}。",
        "'{}'",
        "Questions? Ask {}!",
        "cc {} and others",
    ]
    return f"{local}@{host}", draw.choice(templates)


# Countries of E.164: calling code, the digit dialled at home before an area, and forms of their numbers (N: 2
# to 9, X: any digit), grouped as people there write them.
_PLANS: list[tuple[str, str, list[str]]] = [
    ("49", "0", ["30 XXXXXXX", "89 XXXXXX", "171 NXXXXXX", "221 XXXXXXX", "40 XX XX XX X"]),
    ("44", "0", ["20 NXXX XXXX", "7NXX XXXXXX", "161 NXX XXXX", "1223 NXXXXX"]),
    ("33", "0", ["1 NX XX XX XX", "6 XX XX XX XX", "4 NX XX XX XX"]),
    ("39", "", ["06 NXXX XXXX", "333 XXX XXXX", "02 NXXXXXXX"]),
    ("34", "", ["91 NXX XX XX", "612 XXX XXX", "93 NXXXXXX"]),
    ("31", "0", ["20 NXXXXXX", "6 NXXXXXXX"]),
    ("41", "0", ["44 NXX XX XX", "79 NXX XX XX"]),
    ("43", "0", ["1 NXXXXXX", "664 NXXXXXX"]),
    ("46", "0", ["8 NXX XXX XX", "70 NXX XX XX"]),
    ("47", "", ["2N XX XX XX", "9NX XX XXX"]),
    ("45", "", ["3X XX XX XX"]),
    ("48", "", ["22 NXX XX XX", "60N XXX XXX"]),
    ("420", "", ["2NX XXX XXX", "60N XXX XXX"]),
    ("351", "", ["21 NXX XXXX", "91N XXX XXX"]),
    ("353", "0", ["1 NXX XXXX", "87 NXX XXXX"]),
    ("7", "8", ["495 NXX-XX-XX", "916 NXX-XX-XX"]),
    ("81", "0", ["3-NXXX-XXXX", "90-NXXX-XXXX"]),
    ("86", "", ["138 XXXX XXXX", "139XXXXXXXX"]),
    ("91", "0", ["98NXX XXXXX", "22 NXXX XXXX"]),
    ("55", "", ["(11) 9NXXX-XXXX", "(21) NXXX-XXXX"]),
    ("61", "0", ["2 9XXX XXXX", "4NX XXX XXX"]),
    ("27", "0", ["11 NXX XXXX", "82 NXX XXXX"]),
    ("52", "", ["55 NXXX XXXX", "33 NXXX XXXX"]),
    ("90", "0", ["212 NXX XX XX", "532 NXX XX XX"]),
    ("65", "", ["6XXX XXXX", "9XXX XXXX"]),
]
_FICTIONAL = ("20 7946 0", "161 496 0", "555 01", "4 65 71", "1 99 00", "30 23125", "2 555")
_WORDS = [
    "Tel.: {}",
    "Phone: {}",
    "call me at {}",
    "Telefon {}",
    "Fax {}",
    "mobile {}",
    "WhatsApp {}",
    "tél. {}",
    '"phone": "{}"',
    "Teléfono: {}",
    "Contact us on {}.",
    "Tel {} or by mail",
    "phone number {},",
]


def _filled(draw: random.Random, form: str) -> str:
    while True:
        made = "".join(
            {"N": draw.choice("23456789"), "X": draw.choice(string.digits)}.get(c, c) for c in form
        )
        if not any(made.startswith(kept) for kept in _FICTIONAL):
            return made


def american(draw: random.Random) -> tuple[str, str, str]:
    """Area, exchange and line of the North American Numbering Plan."""
    while True:
        area = draw.choice("23456789") + draw.choice("012345678") + draw.choice(string.digits)
        exchange = draw.choice("23456789") + digits(draw, 2)
        line = digits(draw, 4)
        if area[1:] != "11" and exchange[1:] != "11" and not (exchange == "555" and line.startswith("01")):
            return area, exchange, line


def phone(draw: random.Random) -> Made:
    """A number of E.164 in the notations of E.123, and in those of its country behind a word."""
    free = ["{}", "({})", "Reach us: {}.", "tel:{}", "{}, open from 9", '"{}"']
    if draw.random() < 0.35:
        area, exchange, line = american(draw)
        written, needs_word = draw.choice(
            [
                (f"({area}) {exchange}-{line}", False),
                (f"{area}-{exchange}-{line}", False),
                (f"{area}.{exchange}.{line}", False),
                (f"+1 {area} {exchange} {line}", False),
                (f"+1-{area}-{exchange}-{line}", False),
                (f"1-{area}-{exchange}-{line}", False),
                (f"+1{area}{exchange}{line}", False),
                (f"{area} {exchange} {line}", True),
                (f"{area}{exchange}{line}", True),
                (f"({area}){exchange}-{line}", False),
            ]
        )
        templates = _WORDS if needs_word or draw.random() < 0.5 else [one for one in free if one[0] != "("]
        return written, draw.choice(templates)
    code, trunk, forms = draw.choice(_PLANS)
    national = _filled(draw, draw.choice(forms))
    bare = national.replace("(", "").replace(")", "")
    kind = draw.random()
    if kind < 0.4:
        return f"+{code} {bare}", draw.choice(free + _WORDS)
    if kind < 0.55:
        return "+" + code + "".join(filter(str.isdigit, bare)), draw.choice(free + _WORDS)
    if kind < 0.62:
        return f"+{code}-{bare.replace(' ', '-')}", draw.choice(free + _WORDS)
    if kind < 0.68 and trunk == "0":
        return f"+{code} (0){bare}", draw.choice(free + _WORDS)
    if kind < 0.74:
        return f"00{code} {bare}", draw.choice(_WORDS)
    area, _, rest = bare.partition(" ")
    if trunk and rest and draw.random() < 0.3:
        return f"({trunk}{area}) {rest}", draw.choice(_WORDS)
    return trunk + national, draw.choice(_WORDS)


def ip(draw: random.Random) -> Made:
    """An address that is routed: IPv4 (RFC 6890 says which), IPv6 in the forms of RFC 4291 and RFC 5952."""
    templates = [
        "connection from {} closed",
        "host {}",
        '{} - - [10/Oct/2024:13:55:36] "GET / HTTP/1.1" 200',
        "blocked {}, again",
        "client={}",
        "IP address: {}",
        "({})",
        "server {} is down",
        "ping {}",
        "user@{}",
    ]
    if draw.random() < 0.65:
        while True:
            address = ipaddress.IPv4Address(draw.getrandbits(32))
            if address.is_global and not address.is_multicast and draw.random() < 0.98:
                return str(address), draw.choice([*templates, "http://{}/index.html", "{}:8080 answers"])
    block = ipaddress.IPv6Network(
        draw.choice(["2a00::/16", "2600::/12", "2400::/12", "2001:4800::/22", "2804::/16"])
    )
    address6 = block[draw.getrandbits(128 - block.prefixlen)]
    if draw.random() < 0.5:
        # Few of the bits of an interface that was numbered by hand are set.
        address6 = ipaddress.IPv6Address(int(address6) >> 64 << 64 | draw.randrange(1, 1 << 16))
    written = draw.choice([str(address6), str(address6), address6.exploded, str(address6).upper()])
    return written, draw.choice([*templates[:-1], "[{}]:443", "inet6 {} prefixlen 64"])


_ISSUERS = [
    (["4"], 16, 6),
    (["51", "52", "53", "54", "55"], 16, 4),
    (["2221", "2345", "2500", "2719"], 16, 1),
    (["34", "37"], 15, 2),
    (["6011", "65", "644", "649"], 16, 1),
    (["3528", "3589", "3550"], 16, 1),
    (["36", "38", "300", "305"], 14, 1),
    (["62"], 16, 1),
    (["62"], 19, 0.3),
    (["5018", "6304", "6759"], 16, 0.5),
]


def card(draw: random.Random) -> Made:
    """A card number (ISO/IEC 7812) of one of the networks."""
    prefixes, length, _ = draw.choices(_ISSUERS, weights=[weight for _, _, weight in _ISSUERS])[0]
    prefix = draw.choice(prefixes)
    number = prefix + digits(draw, length - len(prefix) - 1)
    number += luhn(number)
    shape = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}[length]
    kind = draw.random()
    templates = [
        "card {}",
        "Visa/Mastercard: {}",
        '"card_number": "{}"',
        "paid with {} exp 12/27",
        "credit card no. {}",
        "cc={}",
        "{} 12/27 123",
        "debit card {}.",
    ]
    if kind < 0.6:
        parts, at = [], 0
        for size in shape:
            parts.append(number[at : at + size])
            at += size
        number = ("-" if kind < 0.2 else " ").join(parts)
        templates += ["{}", "({})"]
    return number, draw.choice(templates)


# Countries of ISO 13616 and their account numbers: n digits, a capitals, c both.
_ACCOUNTS = {
    "DE": "n18",
    "GB": "a4n14",
    "FR": "n10c11n2",
    "ES": "n20",
    "IT": "a1n10c12",
    "NL": "a4n10",
    "BE": "n12",
    "AT": "n16",
    "CH": "n5c12",
    "PL": "n24",
    "SE": "n20",
    "NO": "n11",
    "DK": "n14",
    "FI": "n14",
    "IE": "a4n14",
    "PT": "n21",
    "GR": "n7c16",
    "CZ": "n20",
    "SK": "n20",
    "HU": "n24",
    "RO": "a4c16",
    "BG": "a4n6c8",
    "HR": "n17",
    "SI": "n15",
    "LT": "n16",
    "LV": "a4c13",
    "EE": "n16",
    "LU": "n3c13",
    "MT": "a4n5c18",
    "CY": "n8c16",
    "TR": "n6c16",
    "AE": "n19",
    "SA": "n2c18",
    "IL": "n19",
    "BR": "n23a1c1",
    "UA": "n6c19",
    "KZ": "n3c13",
    "QA": "a4c21",
    "IS": "n22",
    "LI": "n5c12",
}


def iban(draw: random.Random) -> Made:
    """An account number with its check digits."""
    country, structure = draw.choice(list(_ACCOUNTS.items()))
    account, at = "", 0
    while at < len(structure):
        end = at + 1
        while end < len(structure) and structure[end].isdigit():
            end += 1
        letters = {
            "n": string.digits,
            "a": string.ascii_uppercase,
            "c": string.digits + string.ascii_uppercase,
        }
        account += "".join(draw.choices(letters[structure[at]], k=int(structure[at + 1 : end])))
        at = end
    number = country + iban_check(country, account) + account
    if draw.random() < 0.5:
        number = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    return number, draw.choice(["IBAN {}", "account {}.", '"iban": "{}"', "{}", "Konto: {}, BIC", "IBAN:{}"])


def ssn(draw: random.Random) -> Made:
    """A social security number (SSA: no area 000, 666 or 9xx, no group 00, no serial 0000)."""
    area = draw.choice([one for one in range(1, 900) if one != 666])
    parts = f"{area:03d}", f"{draw.randint(1, 99):02d}", f"{draw.randint(1, 9999):04d}"
    kind = draw.random()
    words = ["SSN {}", "SSN: {}", "social security number {}", '"ssn": "{}"', "Social Security No. {},"]
    if kind < 0.7:
        return "-".join(parts), draw.choice([*words, "{}", "employee {} was"])
    return (" " if kind < 0.8 else "").join(parts), draw.choice(words)


def wallet(draw: random.Random) -> Made:
    """An address of Bitcoin or Ethereum."""
    address = draw.choice(
        [
            lambda: base58check(b"\x00" + draw.randbytes(20)),
            lambda: base58check(b"\x05" + draw.randbytes(20)),
            lambda: segwit(0, draw.randbytes(20)),
            lambda: segwit(0, draw.randbytes(32)),
            lambda: segwit(1, draw.randbytes(32)),
            lambda: eip55(draw.randbytes(20)),
            lambda: "0x" + draw.randbytes(20).hex(),
        ]
    )()
    return address, draw.choice(["send it to {}", "BTC: {}", "{}", '"address":"{}"', "wallet {}.", "({})"])


def _token(draw: random.Random, letters: str, count: int) -> str:
    return "".join(draw.choices(letters, k=count))


def _github(draw: random.Random) -> str:
    # The last six characters are the CRC-32 of the others, as GitHub has written of its tokens.
    body = _token(draw, _BASE62, 30)
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = _BASE62[digit] + check
    return draw.choice(("ghp_", "gho_", "ghs_", "ghu_")) + body + check


def _jwt(draw: random.Random) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    claims = part(json.dumps({"sub": digits(draw, 10), "name": word(draw), "iat": 1_700_000_000}).encode())
    signature = hmac.new(draw.randbytes(32), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{part(signature)}"


def _private_key(draw: random.Random) -> str:
    label = draw.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"))
    body = base64.b64encode(draw.randbytes(draw.choice((118, 600, 1190)))).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"


def secret(draw: random.Random) -> Made:
    """A key or token of a service in its documented form, or a random value of something secret."""
    url_safe = _BASE62 + "-_"
    tokens: list[Callable[[], str]] = [
        lambda: _github(draw),
        lambda: "github_pat_" + _token(draw, _BASE62, 22) + "_" + _token(draw, _BASE62, 59),
        lambda: "AKIA" + _token(draw, string.ascii_uppercase + "234567", 16),
        lambda: f"xoxb-{digits(draw, 12)}-{digits(draw, 13)}-{_token(draw, _BASE62, 24)}",
        lambda: "sk_live_" + _token(draw, _BASE62, 24),
        lambda: "sk-proj-" + _token(draw, _BASE62, 48),
        lambda: "sk-" + _token(draw, _BASE62, 48),
        lambda: "sk-ant-api03-" + _token(draw, url_safe, 93) + "AA",
        lambda: "AIza" + _token(draw, url_safe, 34) + draw.choice(_BASE62),
        lambda: "hf_" + _token(draw, string.ascii_letters, 34),
        lambda: "npm_" + _token(draw, _BASE62, 36),
        lambda: "glpat-" + _token(draw, _BASE62, 20),
        lambda: _jwt(draw),
    ]
    kind = draw.random()
    if kind < 0.1:
        return _private_key(draw), "key:\n{}\n"
    if kind < 0.35:
        value = draw.choice(
            [
                draw.randbytes(20).hex(),
                draw.randbytes(32).hex(),
                _token(draw, _BASE62, 32),
                base64.b64encode(draw.randbytes(30)).decode(),
                _token(draw, url_safe, 43).strip("-_"),
            ]
        )
        templates = [
            'api_key = "{}"',
            "API_KEY={}",
            '"client_secret": "{}"',
            "password: {}",
            "auth_token='{}'",
            "SECRET_KEY = '{}'",
            "aws_secret_access_key={}",
            '"accessToken":"{}"',
        ]
        return value, draw.choice(templates)
    return draw.choice(tokens)(), draw.choice(
        ["{}", "token {}", 'KEY="{}"', "Authorization: Bearer {}", "({})"]
    )


def credentials(draw: random.Random) -> Made:
    """User and password in a URL (RFC 3986, 3.2.1)."""
    password = (
        _token(draw, _BASE62 + "-._~!$'*+,;=%", draw.randint(6, 16)).replace("%", "%21").replace("$", "s")
    )
    scheme = draw.choice(("https", "postgres", "ftp", "mongodb+srv", "redis", "amqp", "http"))
    host = f"{word(draw)}.{word(draw)}.{draw.choice(_TOP_LEVEL)}"
    port = draw.choice(("", ":5432", ":8080"))
    return f"{word(draw)}:{password}", draw.choice(
        [f"{scheme}://{{}}@{host}{port}/{word(draw)}", f"url={scheme}://{{}}@{host}"]
    )


def mac(draw: random.Random) -> Made:
    """The address of a device: neither of a group nor local (IEEE 802: the two lowest bits)."""
    octets = [draw.randrange(0, 256, 4), *draw.randbytes(5)]
    separator, form = draw.choice(((":", "{:02x}"), (":", "{:02X}"), ("-", "{:02X}")))
    templates = ["ether {} txqueuelen", "MAC: {}", "{}", "at {} on en0", '"mac":"{}"', "({})", "HWaddr {},"]
    return separator.join(form.format(octet) for octet in octets), draw.choice(templates)


_MONTHS = ["January", "February", "March", "April", "May", "June"]
_MONTHS += ["July", "August", "September", "October", "November", "December"]


def birthdate(draw: random.Random) -> Made:
    """A date that the text calls a date of birth, in forms of ISO 8601 and of several countries."""
    year, month, day = draw.randint(1930, 2012), draw.randint(1, 12), draw.randint(1, 28)
    name = _MONTHS[month - 1]
    ordinal = {1: "st", 2: "nd", 3: "rd"}.get(day % 10 if day not in (11, 12, 13) else 0, "th")
    written = draw.choice(
        [
            f"{year}-{month:02d}-{day:02d}",
            f"{month:02d}/{day:02d}/{year}",
            f"{month}/{day}/{year}",
            f"{day:02d}.{month:02d}.{year}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{day}{ordinal} {name} {year}",
            f"{name[:3]} {day}, {year}",
            f"{day}-{month:02d}-{year}",
            f"{name} {day}{ordinal}, {year}",
            f"{day} {name[:3]} {year}",
        ]
    )
    templates = [
        "born on {}",
        "born {}",
        "DOB: {}",
        "date of birth: {}",
        '"birth_date": "{}"',
        "birthday is {}.",
        "D.O.B. {}",
        "was born in Rome on {}",
        "(born {})",
        "Date of Birth {},",
    ]
    if "." in written:
        templates += ["geboren am {}", "geb. {}"]
    return written, draw.choice(templates)


TYPES: dict[str, Callable[[random.Random], Made]] = {
    "email": email,
    "phone": phone,
    "ip": ip,
    "card": card,
    "iban": iban,
    "ssn": ssn,
    "wallet": wallet,
    "secret": secret,
    "credentials": credentials,
    "mac": mac,
    "birthdate": birthdate,
}
"""What makes a value of each type."""
