"""Check digits and checksums, from their standards, in the plainest way."""

from __future__ import annotations

import hashlib

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def luhn(digits: str) -> str:
    """The check digit behind some digits (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)


def iban_check(country: str, account: str) -> str:
    """The check digits of an account number (ISO 13616, ISO/IEC 7064)."""
    number = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{98 - int(number) % 97:02d}"


def base58check(payload: bytes) -> str:
    """Bytes with their checksum in Base58, as Bitcoin writes them."""
    whole = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(whole, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(whole) - len(whole.lstrip(b"\0"))) + text


def _polymod(values: list[int]) -> int:
    rest = 1
    for value in values:
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            rest ^= term if top >> bit & 1 else 0
    return rest


def segwit(version: int, program: bytes) -> str:
    """A Bitcoin address in Bech32 (BIP 173) or, from version 1 on, Bech32m (BIP 350)."""
    bits = "".join(f"{byte:08b}" for byte in program)
    bits += "0" * (-len(bits) % 5)
    values = [version] + [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    prefix = [ord(letter) >> 5 for letter in "bc"] + [0] + [ord(letter) & 31 for letter in "bc"]
    rest = _polymod(prefix + values + [0] * 6) ^ (1 if version == 0 else 0x2BC830A3)
    values += [rest >> 5 * (5 - place) & 31 for place in range(6)]
    return "bc1" + "".join(BECH32[value] for value in values)


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it: the padding is that from before FIPS 202."""
    mask, rate = (1 << 64) - 1, 136
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % rate))
    padded[-1] |= 0x80
    state = [[0] * 5 for _ in range(5)]

    def rotated(lane: int, by: int) -> int:
        return (lane << by | lane >> (64 - by)) & mask if by else lane

    for block in range(0, len(padded), rate):
        for lane in range(rate // 8):
            word = int.from_bytes(padded[block + 8 * lane : block + 8 * lane + 8], "little")
            state[lane % 5][lane // 5] ^= word
        register = 1
        for _ in range(24):
            sums = [a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] for a in state]
            for x in range(5):
                for y in range(5):
                    state[x][y] ^= sums[(x + 4) % 5] ^ rotated(sums[(x + 1) % 5], 1)
            x, y, lane = 1, 0, state[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                state[x][y], lane = rotated(lane, (step + 1) * (step + 2) // 2 % 64), state[x][y]
            for y in range(5):
                row = [state[x][y] for x in range(5)]
                for x in range(5):
                    state[x][y] = row[x] ^ (~row[(x + 1) % 5] & mask & row[(x + 2) % 5])
            for bit in range(7):
                register = (register << 1 ^ (register >> 7) * 0x71) % 256
                if register & 2:
                    state[0][0] ^= 1 << ((1 << bit) - 1)
    return b"".join(state[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))


def eip55(address: bytes) -> str:
    """An Ethereum address with its checksum in the case of its letters."""
    digits = address.hex()
    hashed = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(nibble, 16) >= 8 else digit
        for digit, nibble in zip(digits, hashed, strict=False)
    )
