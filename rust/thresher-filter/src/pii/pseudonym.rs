//! Stable pseudonyms: the same value has the same one under the same key, and nobody finds the value without the key.
//!
//! A value is brought into one form (an address in lower case, a number without blanks), and keyed BLAKE3 of kind and form gives
//! the bits of its pseudonym. Where there are values that belong to nobody for sure, it looks like what it replaces:
//!
//! | kind | pseudonym | different ones |
//! |---|---|---|
//! | e-mail | a name at example.com (RFC 2606) | 2^59 |
//! | telephone | `+999` and twelve digits: no such calling code is given out (E.164) | 10^12 |
//! | IPv4 | an address of 240.0.0.0/4, which is never routed (RFC 1112) | 2^28 |
//! | IPv6 | an address of `2001:db8::/32` (RFC 3849) | 2^96 |
//! | card | 16 digits that begin with 0, which no issuer has | 9 * 10^14 |
//! | IBAN | country `XX`, which there is not, and 18 digits | 10^18 |
//! | SSN | an area from 900 on, and a group below 50 | 5 * 10^7 |
//! | MAC | a locally made group address, which no device has | 2^46 |
//! | others | the tag and 12 hexadecimal digits, as `<SECRET-5f3a...>` | 2^48 |
//!
//! None of them is found again. Two values of a kind may share a pseudonym; by the birthday bound that is likely from the square root
//! of the last column on, for IPv4 and SSN from some 10,000 values on.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use thresher_core::{Error, Result};

use super::kinds::Kind;

/// What keys of this purpose are derived under (BLAKE3, `derive_key`).
const PURPOSE: &str = "thresher 2026-11-28 pseudonyms of personal data";
const OF_FINGERPRINT: &str = "thresher 2026-11-28 fingerprint of a key of pseudonyms";
/// Bytes of the shortest key.
const SHORTEST: usize = 16;

/// A key of pseudonyms. It is never shown.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// By what a key is told from others, without telling it.
pub type Fingerprint = String;

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The key that a secret of at least 16 bytes stands for.
    ///
    /// # Errors
    /// `Error::Parameter` for a shorter one; the message does not show it.
    pub fn of_secret(secret: &[u8]) -> Result<Self> {
        if secret.len() < SHORTEST {
            return Err(Error::Parameter(format!(
                "the key of pseudonyms has `{}` bytes, but it has at least {SHORTEST}, or it could be guessed; make one \
                 with `openssl rand -hex 32`",
                secret.len()
            )));
        }
        Ok(Self(blake3::derive_key(PURPOSE, secret)))
    }

    /// By what a run tells that its key is the same.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = blake3::derive_key(OF_FINGERPRINT, &self.0);
        format!("{:016x}", number(&hash[..8]))
    }

    /// The pseudonym of a value.
    pub(super) fn pseudonym(&self, kind: Kind, value: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[kind as u8]);
        hasher.update(form(kind, value).as_bytes());
        let hash = *hasher.finalize().as_bytes();
        let (low, high) = (number(&hash[..8]), number(&hash[8..16]));
        match kind {
            Kind::Email => format!("{}@example.com", name(low)),
            Kind::Phone => {
                format!("+999 {:04} {:04} {:04}", low % 10_000, low / 10_000 % 10_000, high % 10_000)
            }
            Kind::Ip if value.contains(':') => {
                let bits = u128::from(low) << 64 | u128::from(high);
                Ipv6Addr::from(0x2001_0db8_u128 << 96 | bits >> 32).to_string()
            }
            Kind::Ip => Ipv4Addr::from(240 << 24 | low as u32 >> 4).to_string(),
            Kind::Card => {
                // Two zeros would begin a telephone number.
                let digits = format!("0{}{:014}", 1 + high % 9, low % 100_000_000_000_000);
                by_fours(&digits, separator(value))
            }
            Kind::Iban => {
                let digits = format!("XX{:02}{:018}", high % 100, low % 1_000_000_000_000_000_000);
                by_fours(&digits, separator(value))
            }
            Kind::Ssn => format!("9{:02}-{:02}-{:04}", low % 100, low / 100 % 50, low / 5_000 % 10_000),
            Kind::Mac => {
                let separator = if value.contains('-') { "-" } else { ":" };
                let octets: Vec<String> = hash[..6]
                    .iter()
                    .enumerate()
                    .map(|(place, byte)| match place {
                        0 => format!("{:02x}", byte | 3),
                        _ => format!("{byte:02x}"),
                    })
                    .collect();
                octets.join(separator)
            }
            Kind::Wallet | Kind::Secret | Kind::Credentials | Kind::Birthdate => {
                format!("<{}-{:012x}>", kind.tag(), low >> 16)
            }
        }
    }
}

/// The form that all ways to write a value have in common.
fn form(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Email => value.to_ascii_lowercase(),
        Kind::Phone => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            let is_american = digits.len() == 10 && !value.starts_with(['+', '0']);
            match digits.strip_prefix("00") {
                Some(dialled) => dialled.to_owned(),
                None if is_american => format!("1{digits}"),
                None => digits,
            }
        }
        Kind::Ip => value.parse::<IpAddr>().map_or_else(|_| value.to_owned(), |address| address.to_string()),
        Kind::Card | Kind::Iban | Kind::Ssn | Kind::Mac => {
            value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        }
        Kind::Wallet | Kind::Secret | Kind::Credentials | Kind::Birthdate => value.to_owned(),
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// A name of twelve letters and digits, the first one a letter.
fn name(bits: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..12)
        .map(|place| {
            let letter = (bits >> (5 * place) & 31) as usize;
            // A digit in front would be another kind of name.
            LETTERS[if place == 0 { letter % 24 } else { letter }] as char
        })
        .collect()
}

/// What stands between the groups of a number, if it has groups.
fn separator(value: &str) -> &'static str {
    if value.contains('-') {
        "-"
    } else if value.contains(' ') {
        " "
    } else {
        ""
    }
}

fn by_fours(digits: &str, separator: &str) -> String {
    let groups: Vec<&str> =
        (0..digits.len()).step_by(4).map(|at| &digits[at..digits.len().min(at + 4)]).collect();
    groups.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> Key {
        Key::of_secret(secret.as_bytes()).unwrap()
    }

    #[test]
    fn ways_to_write_a_value_share_a_pseudonym() {
        let key = key("a secret of some length");
        for (kind, one, other) in [
            (Kind::Email, "Ada@Lovelace.org", "ada@lovelace.ORG"),
            (Kind::Phone, "(415) 555-2671", "+1 415 555 2671"),
            (Kind::Phone, "0049 30 1234567", "+49-30-1234567"),
            (Kind::Ip, "2001:4860:4860:0:0:0:0:8888", "2001:4860:4860::8888"),
        ] {
            assert_eq!(key.pseudonym(kind, one), key.pseudonym(kind, other), "{one}");
        }
        let (plain, grouped) =
            (key.pseudonym(Kind::Card, "4556737586899855"), key.pseudonym(Kind::Card, "4556 7375 8689 9855"));
        assert_eq!(plain, grouped.replace(' ', ""));
    }

    #[test]
    fn another_key_gives_other_pseudonyms_and_another_fingerprint() {
        let (a, b) = (key("a secret of some length"), key("a secret of same length"));
        for kind in Kind::ALL {
            let (one, other) = (a.pseudonym(kind, "8.8.8.8"), b.pseudonym(kind, "8.8.8.8"));
            assert_ne!(one, other, "{kind:?}");
            assert_eq!(one, a.clone().pseudonym(kind, "8.8.8.8"));
        }
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert_eq!(format!("{a:?}"), "Key(..)");
    }

    #[test]
    fn a_short_key_is_refused_and_not_shown() {
        let said = Key::of_secret(b"hunter2").unwrap_err().to_string();
        assert!(said.contains("`7` bytes") && !said.contains("hunter2"), "{said}");
    }
}
