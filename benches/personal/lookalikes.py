"""What is not to be found: what looks like personal data, and what is reserved and so belongs to nobody."""

from __future__ import annotations

import base64
import random
import string
import uuid
from collections.abc import Callable

from benches.personal.checks import base58check, iban_check, luhn
from benches.personal.values import digits, word

_HEX = "0123456789abcdef"


def _hex(draw: random.Random, count: int) -> str:
    return "".join(draw.choices(_HEX, k=count))


def _isbn(draw: random.Random) -> str:
    body = "978" + digits(draw, 9)
    check = -sum(int(digit) * (1 if place % 2 == 0 else 3) for place, digit in enumerate(body)) % 10
    return f"ISBN {body[:3]}-{body[3]}-{body[4:7]}-{body[7:]}-{check}"


def _wrong_card(draw: random.Random) -> str:
    body = draw.choice(("4", "51", "2221", "6011")) + digits(draw, 14)
    body = body[:15]
    wrong = (int(luhn(body)) + draw.randint(1, 9)) % 10
    number = f"{body}{wrong}"
    return draw.choice((number, " ".join(number[at : at + 4] for at in range(0, 16, 4))))


def _wrong_iban(draw: random.Random) -> str:
    account = digits(draw, 18)
    wrong = (int(iban_check("DE", account)) + draw.randint(1, 90)) % 97
    return f"reference DE{wrong:02d}{account}"


def _wrong_wallet(draw: random.Random) -> str:
    address = base58check(b"\x00" + draw.randbytes(20))
    other = draw.choice([letter for letter in "abcdefghkmnp" if letter != address[-1]])
    return address[:-1] + other


_ALIKE: list[Callable[[random.Random], str]] = [
    lambda draw: (
        f"version {draw.randint(0, 12)}.{draw.randint(0, 30)}.{draw.randint(0, 9)}.{draw.randint(0, 255)}"
    ),
    lambda draw: f"v{draw.randint(0, 12)}.{draw.randint(0, 30)}.{draw.randint(0, 99)}",
    lambda draw: (
        f"Chrome/{draw.randint(80, 130)}.0.{draw.randint(1000, 6999)}.{draw.randint(10, 200)} Safari/537.36"
    ),
    lambda draw: (
        f"updated the driver to {draw.randint(20, 32)}.0.{draw.randint(100, 255)}.{draw.randint(10, 255)}"
    ),
    lambda draw: (
        f"see section {draw.randint(1, 9)}.{draw.randint(1, 9)}.{draw.randint(1, 9)}.{draw.randint(1, 9)}"
    ),
    lambda draw: f"OID 1.3.6.1.4.1.{draw.randint(1, 9999)}.{draw.randint(1, 9)}",
    _isbn,
    lambda draw: f"ISBN-10: {digits(draw, 1)}-{digits(draw, 3)}-{digits(draw, 5)}-{digits(draw, 1)}",
    lambda draw: f"order {digits(draw, 3)}-{digits(draw, 7)}-{digits(draw, 7)}",
    lambda draw: f"order number {digits(draw, 10)}",
    lambda draw: f"invoice {draw.randint(200, 999)}-{draw.randint(200, 999)}-{digits(draw, 4)}",
    lambda draw: f"tracking 1Z{digits(draw, 3)}AA1{digits(draw, 10)}",
    lambda draw: f"part no. {digits(draw, 3)}-{digits(draw, 2)}-{digits(draw, 4)}",
    lambda draw: f"EAN {digits(draw, 13)}",
    lambda draw: f"commit {_hex(draw, 40)}",
    lambda draw: f"sha256: {_hex(draw, 64)}",
    lambda draw: f"md5 {_hex(draw, 32)}",
    lambda draw: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
    lambda draw: f"{{{str(uuid.UUID(int=draw.getrandbits(128), version=4)).upper()}}}",
    lambda draw: f"2024-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}T{draw.randint(10, 23)}:59:30Z",
    lambda draw: f"{draw.randint(10, 23)}:{draw.randint(10, 59)}:{draw.randint(10, 59)}",
    lambda draw: f"timestamp {draw.randint(1_500_000_000_000, 1_800_000_000_000)}",
    lambda draw: f"at {draw.randint(1_500_000_000, 1_800_000_000)} s",
    lambda draw: f"doi:10.{digits(draw, 4)}/{digits(draw, 7)}.{digits(draw, 7)}",
    lambda draw: f"arXiv:{draw.randint(10, 24)}{draw.randint(10, 12)}.{digits(draw, 5)}",
    lambda draw: f"{draw.uniform(-90, 90):.6f}, {draw.uniform(-180, 180):.6f}",
    lambda draw: f"{draw.random():.16f}",
    lambda draw: f"${draw.randint(1, 999)},{digits(draw, 3)},{digits(draw, 3)}.00",
    lambda draw: f"ZIP {digits(draw, 5)}-{digits(draw, 4)}",
    lambda draw: f"EIN {draw.randint(10, 99)}-{digits(draw, 7)}",
    lambda draw: f"pages {draw.randint(100, 400)}-{draw.randint(401, 900)}",
    lambda draw: f"{draw.randint(100, 999)} {draw.randint(100, 999)} {draw.randint(1000, 9999)} units",
    lambda draw: f"{draw.randint(1900, 2024)}-{draw.randint(1900, 2024)}",
    lambda draw: f"published on {draw.randint(1, 28)} March {draw.randint(1950, 2020)}",
    lambda draw: f"founded {draw.randint(1950, 2020)}-0{draw.randint(1, 9)}-{draw.randint(10, 28)}",
    lambda draw: f"due {draw.randint(1, 12):02d}/{draw.randint(1, 28):02d}/2024",
    lambda draw: f"{word(draw)}@example.{draw.choice(('com', 'org', 'net'))}",
    lambda draw: f"{word(draw)}@{word(draw)}.{draw.choice(('test', 'invalid', 'example'))}",
    lambda draw: f"icon@{draw.randint(2, 3)}x.png",
    lambda draw: f"@{word(draw)}",
    lambda draw: f"@{word(draw)}.setter\ndef {word(draw)}(self):",
    lambda draw: f"git clone git@github.com:{word(draw)}/{word(draw)}.git",
    lambda draw: f"{word(draw)}@{word(draw)} ~ %",
    lambda draw: f"npm install @{word(draw)}/{word(draw)}@{draw.randint(1, 9)}.{draw.randint(0, 9)}.0",
    lambda draw: f"10.{draw.randint(0, 255)}.{draw.randint(0, 255)}.{draw.randint(1, 254)}",
    lambda draw: f"192.168.{draw.randint(0, 255)}.{draw.randint(1, 254)}",
    lambda draw: f"host 192.0.2.{draw.randint(1, 254)}",
    lambda draw: f"server 203.0.113.{draw.randint(1, 254)}:443",
    lambda draw: "127.0.0.1 localhost",
    lambda draw: f"255.255.{draw.choice((0, 128, 255))}.0",
    lambda draw: f"2001:db8::{_hex(draw, 4)}",
    lambda draw: f"fe80::{_hex(draw, 4)}:{_hex(draw, 4)}",
    lambda draw: f"std::{word(draw)}::{word(draw)}",
    lambda draw: f"{draw.randint(200, 999)}-555-01{digits(draw, 2)}",
    lambda draw: f"(212) 555-01{digits(draw, 2)}",
    lambda draw: f"+44 7700 900{digits(draw, 3)}",
    lambda draw: "00:00:5e:00:53:" + _hex(draw, 2),
    lambda draw: "fingerprint " + ":".join(_hex(draw, 2) for _ in range(16)),
    lambda draw: "ff:ff:ff:ff:ff:ff",
    lambda draw: f"#{_hex(draw, 6)}",
    lambda draw: f"0x{_hex(draw, 8)}",
    lambda draw: "0x" + "0" * 40,
    _wrong_card,
    _wrong_iban,
    _wrong_wallet,
    lambda draw: (
        f"{draw.choice(('000', '666', '9' + digits(draw, 2)))}-{draw.randint(10, 99)}-{digits(draw, 4)}"
    ),
    lambda draw: "4111 1111 1111 1111",
    lambda draw: "SSN 123-45-6789",
    lambda draw: 'api_key = "YOUR_API_KEY_HERE"',
    lambda draw: f"password: {word(draw)}",
    lambda draw: "AKIAIOSFODNN7EXAMPLE",
    lambda draw: "ghp_" + "x" * 36,
    lambda draw: "token = tokenizer.next_token(stream)",
    lambda draw: f"secret_key = os.environ['{word(draw).upper()}']",
    lambda draw: f"https://user:password@{word(draw)}.com/",
    lambda draw: f"https://{word(draw)}.com:8080/{word(draw)}@{draw.randint(1, 9)}",
    lambda draw: "data:image/png;base64," + base64.b64encode(draw.randbytes(60)).decode(),
    lambda draw: "cache key: " + "".join(draw.choices(string.ascii_letters + string.digits, k=32)),
    lambda draw: f"https://twitter.com/{word(draw)}/status/{draw.randint(10**18, 2 * 10**18)}",
    lambda draw: f"RFC {draw.randint(100, 9999)}, {draw.randint(1990, 2020)}",
    lambda draw: " ".join(str(draw.randint(0, 99)) for _ in range(12)),
    lambda draw: ",".join(f"{draw.uniform(0, 500):.2f}" for _ in range(6)),
]


def lookalike(draw: random.Random) -> str:
    """Something that is no personal data."""
    return draw.choice(_ALIKE)(draw)
