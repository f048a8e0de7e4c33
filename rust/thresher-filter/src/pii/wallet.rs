//! Addresses of cryptocurrencies, told by their checksums: Bitcoin in `Base58Check` and in Bech32 (BIP 173, BIP 350), Ethereum
//! by its length and, where letters are of both cases, by the checksum in them (EIP-55).

use sha2::{Digest, Sha256};
use sha3::Keccak256;

use super::kinds::Kind;
use super::scan::Scan;

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Characters of an address in `Base58Check`.
const BASE58_LENGTHS: std::ops::RangeInclusive<usize> = 26..=35;
/// Characters of an address in Bech32: the longest of a program of 40 bytes.
const BECH32_LENGTHS: std::ops::RangeInclusive<usize> = 14..=74;
/// What remains of the checksum: version 0, and later ones.
const BECH32_REST: u32 = 1;
const BECH32M_REST: u32 = 0x2bc8_30a3;
/// Digits behind `0x`.
const ETHEREUM: usize = 40;

impl Scan<'_> {
    /// Looks at a number of `length` digits that goes on with a letter.
    pub(super) fn wallet(&mut self, start: usize, length: usize, behind: u8) {
        let first = self.bytes[start];
        if first == b'0' && length == 1 && matches!(behind, b'x' | b'X') {
            self.ethereum(start);
        } else if matches!(first, b'1' | b'3') && length < *BASE58_LENGTHS.end() {
            let rest = &self.bytes[start..self.bytes.len().min(start + BASE58_LENGTHS.end() + 1)];
            let count = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if BASE58_LENGTHS.contains(&count) && self.closes(start + count) && is_base58check(&rest[..count])
            {
                self.found(start, start + count, Kind::Wallet);
            }
        }
    }

    fn ethereum(&mut self, start: usize) {
        let Some(digits) = self.bytes.get(start + 2..start + 2 + ETHEREUM) else { return };
        let end = start + 2 + ETHEREUM;
        if !digits.iter().all(u8::is_ascii_hexdigit) || !self.closes(end) {
            return;
        }
        // The address of nobody, and what counts up, are examples.
        let varied = distinct(digits) > 6;
        let in_order =
            digits.windows(2).filter(|two| two[1].wrapping_sub(two[0]) == 1).count() > ETHEREUM / 2;
        if varied && !in_order && has_eip55(digits) {
            self.found(start, end, Kind::Wallet);
        }
    }

    /// Looks at the `1` of `bc1`.
    pub(super) fn bech32(&mut self, one: usize) {
        let Some(start) = one.checked_sub(2) else { return };
        let is_prefix = self.bytes[start..one].eq_ignore_ascii_case(b"bc");
        if !is_prefix || !self.opens(start) {
            return;
        }
        let rest = &self.bytes[start..self.bytes.len().min(start + BECH32_LENGTHS.end() + 1)];
        let count = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if BECH32_LENGTHS.contains(&count) && self.closes(start + count) && is_bech32(&rest[..count]) {
            self.found(start, start + count, Kind::Wallet);
        }
    }
}

/// How many different bytes there are.
pub(super) fn distinct(bytes: &[u8]) -> u32 {
    let seen = bytes.iter().fold([0u64; 4], |mut seen, byte| {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
        seen
    });
    seen.iter().map(|bits| bits.count_ones()).sum()
}

/// Whether a text is 25 bytes in Base58, of which the first is the version of an address of the main network, and the last four are
/// the first of the doubled SHA-256 of the others.
fn is_base58check(text: &[u8]) -> bool {
    // 25 bytes, the highest first.
    let mut limbs = [0u64; 4];
    for &byte in text {
        let Some(digit) = BASE58.iter().position(|&one| one == byte) else { return false };
        let mut carry = digit as u128;
        for limb in limbs.iter_mut().rev() {
            carry += u128::from(*limb) * 58;
            *limb = carry as u64;
            carry >>= 64;
        }
        if carry != 0 {
            return false;
        }
    }
    let mut bytes = [0; 32];
    for (to, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(limbs) {
        *to = limb.to_be_bytes();
    }
    let (high, value) = bytes.split_at(7);
    let zeros = value.iter().take_while(|byte| **byte == 0).count();
    let ones = text.iter().take_while(|byte| **byte == b'1').count();
    if high.iter().any(|byte| *byte != 0) || !matches!(value[0], 0x00 | 0x05) || zeros != ones {
        return false;
    }
    let (payload, check) = value.split_at(21);
    Sha256::digest(Sha256::digest(payload))[..4] == *check
}

/// Whether a text is an address of the main network in Bech32 or Bech32m, in one case.
fn is_bech32(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    if text != lower && text.iter().any(u8::is_ascii_lowercase) {
        return false;
    }
    // The prefix `bc`, as BIP 173 expands it.
    let mut rest = [3, 3, 0, 2, 3].into_iter().fold(1, polymod);
    let mut version = 0;
    for (place, &byte) in lower[3..].iter().enumerate() {
        let Some(value) = BECH32.iter().position(|&one| one == byte) else { return false };
        if place == 0 {
            version = value;
        }
        rest = polymod(rest, value as u32);
    }
    // A version, and a program of 20 or 32 bytes in version 0, else of 2 to 40.
    let length = lower.len();
    match version {
        0 => rest == BECH32_REST && matches!(length, 42 | 62),
        1..=16 => rest == BECH32M_REST,
        _ => false,
    }
}

fn polymod(rest: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = rest >> 25;
    let shifted = (rest & 0x01ff_ffff) << 5 ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .fold(shifted, |rest, (bit, term)| rest ^ if top >> bit & 1 == 1 { *term } else { 0 })
}

/// Whether the case of the letters is the one that EIP-55 gives them, or all are of one case.
fn has_eip55(digits: &[u8]) -> bool {
    let lower = digits.to_ascii_lowercase();
    if lower == digits || !digits.iter().any(u8::is_ascii_lowercase) {
        return true;
    }
    let hash = Keccak256::digest(&lower);
    digits.iter().enumerate().all(|(place, digit)| {
        let nibble = hash[place / 2] >> (4 * (1 - place % 2)) & 15;
        digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_addresses_pass_and_changed_ones_do_not() {
        let base58 = [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        ];
        for address in base58 {
            assert!(is_base58check(address.as_bytes()), "{address}");
            let changed = address.replace('e', "f");
            assert!(!is_base58check(changed.as_bytes()), "{changed}");
        }
        // BIP 173 and BIP 350.
        let bech32 = [
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ];
        for address in bech32 {
            assert!(is_bech32(address.as_bytes()), "{address}");
            assert!(
                !is_bech32(address.replace('w', "q").replace('W', "Q").replace('x', "q").as_bytes()),
                "{address}"
            );
        }
        // EIP-55.
        for address in
            ["5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"]
        {
            assert!(has_eip55(address.as_bytes()), "{address}");
            assert!(!has_eip55(address.replace('A', "a").replace('B', "b").as_bytes()), "{address}");
        }
    }
}
