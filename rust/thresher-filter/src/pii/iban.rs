//! International bank account numbers: the structure of each country in the registry of ISO 13616, and the check digits
//! (ISO/IEC 7064, MOD 97-10).

use super::kinds::Kind;
use super::scan::Scan;

/// Countries and what follows their check digits: so many digits (n), capitals (a), or either (c). ISO 13616 registry, kept by
/// SWIFT.
const STRUCTURES: [(&[u8; 2], &str); 89] = [
    (b"AD", "8n12c"),
    (b"AE", "19n"),
    (b"AL", "8n16c"),
    (b"AT", "16n"),
    (b"AZ", "4a20c"),
    (b"BA", "16n"),
    (b"BE", "12n"),
    (b"BG", "4a6n8c"),
    (b"BH", "4a14c"),
    (b"BI", "23n"),
    (b"BR", "23n1a1c"),
    (b"BY", "4c4n16c"),
    (b"CH", "5n12c"),
    (b"CR", "18n"),
    (b"CY", "8n16c"),
    (b"CZ", "20n"),
    (b"DE", "18n"),
    (b"DJ", "23n"),
    (b"DK", "14n"),
    (b"DO", "4c20n"),
    (b"EE", "16n"),
    (b"EG", "25n"),
    (b"ES", "20n"),
    (b"FI", "14n"),
    (b"FK", "2a12n"),
    (b"FO", "14n"),
    (b"FR", "10n11c2n"),
    (b"GB", "4a14n"),
    (b"GE", "2a16n"),
    (b"GI", "4a15c"),
    (b"GL", "14n"),
    (b"GR", "7n16c"),
    (b"GT", "24c"),
    (b"HN", "4a20n"),
    (b"HR", "17n"),
    (b"HU", "24n"),
    (b"IE", "4a14n"),
    (b"IL", "19n"),
    (b"IQ", "4a15n"),
    (b"IS", "22n"),
    (b"IT", "1a10n12c"),
    (b"JO", "4a4n18c"),
    (b"KW", "4a22c"),
    (b"KZ", "3n13c"),
    (b"LB", "4n20c"),
    (b"LC", "4a24c"),
    (b"LI", "5n12c"),
    (b"LT", "16n"),
    (b"LU", "3n13c"),
    (b"LV", "4a13c"),
    (b"LY", "21n"),
    (b"MC", "10n11c2n"),
    (b"MD", "20c"),
    (b"ME", "18n"),
    (b"MK", "3n10c2n"),
    (b"MN", "16n"),
    (b"MR", "23n"),
    (b"MT", "4a5n18c"),
    (b"MU", "4a19n3a"),
    (b"NI", "4a20n"),
    (b"NL", "4a10n"),
    (b"NO", "11n"),
    (b"OM", "3n16c"),
    (b"PK", "4a16c"),
    (b"PL", "24n"),
    (b"PS", "4a21c"),
    (b"PT", "21n"),
    (b"QA", "4a21c"),
    (b"RO", "4a16c"),
    (b"RS", "18n"),
    (b"RU", "14n15c"),
    (b"SA", "2n18c"),
    (b"SC", "4a20n3a"),
    (b"SD", "14n"),
    (b"SE", "20n"),
    (b"SI", "15n"),
    (b"SK", "20n"),
    (b"SM", "1a10n12c"),
    (b"SO", "19n"),
    (b"ST", "21n"),
    (b"SV", "4a20n"),
    (b"TL", "19n"),
    (b"TN", "20n"),
    (b"TR", "6n16c"),
    (b"UA", "6n19c"),
    (b"VA", "18n"),
    (b"VG", "4a16n"),
    (b"XK", "16n"),
    (b"YE", "4a4n18c"),
];
const LONGEST: usize = 34;

impl Scan<'_> {
    /// Looks at the check digits, at `digits`, behind the letters of a country.
    pub(super) fn iban(&mut self, digits: usize) {
        let Some(start) = digits.checked_sub(2) else { return };
        let before = self.before(start);
        if before.is_ascii_alphanumeric() || before == b'_' {
            return;
        }
        let Some((country, rest)) = self.bytes[start..].split_first_chunk::<2>() else { return };
        let known = STRUCTURES.iter().find(|(code, _)| *code == country);
        let Some((_, structure)) = known.filter(|_| rest.len() > 10) else { return };
        if !rest[0].is_ascii_digit() || !rest[1].is_ascii_digit() {
            return;
        }
        // Written in one piece, or by fours with a blank or a hyphen between.
        let separator = Some(rest[2]).filter(|byte| matches!(byte, b' ' | b'-'));
        let mut number = [0; LONGEST];
        number[..2].copy_from_slice(country);
        number[2..4].copy_from_slice(&rest[..2]);
        let (mut length, mut at) = (4_usize, digits + 2);
        for class in classes(structure) {
            if length.is_multiple_of(4) && separator.is_some_and(|separator| self.byte(at) == separator) {
                at += 1;
            }
            let byte = self.byte(at);
            let fits = match class {
                b'n' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_uppercase(),
                _ => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            };
            if !fits {
                return;
            }
            number[length] = byte;
            length += 1;
            at += 1;
        }
        let behind = self.byte(at);
        let goes_on = behind.is_ascii_alphanumeric() || behind == b'_';
        if !goes_on && passes_97(&number[..length]) {
            self.found(start, at, Kind::Iban);
        }
    }
}

/// The class of each character of a structure.
fn classes(structure: &str) -> impl Iterator<Item = u8> {
    structure.split_inclusive(|c: char| c.is_ascii_lowercase()).flat_map(|part| {
        let (count, class) = part.split_at(part.len() - 1);
        std::iter::repeat_n(class.as_bytes()[0], count.parse().unwrap_or(0))
    })
}

/// Whether the number with its first four characters behind the others, letters as 10 to 35, is 1 modulo 97.
fn passes_97(number: &[u8]) -> bool {
    let turned = number[4..].iter().chain(&number[..4]);
    let rest = turned.fold(0u64, |rest, byte| {
        let rest = match byte {
            b'0'..=b'9' => rest * 10 + u64::from(byte - b'0'),
            _ => rest * 100 + u64::from(byte - b'A') + 10,
        };
        // Reduced only when the next one might not fit.
        if rest > u64::MAX / 200 { rest % 97 } else { rest }
    });
    rest % 97 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_registry_pass() {
        for number in [
            "AD1200012030200359100100",
            "AE070331234567890123456",
            "AT611904300234573201",
            "BE68539007547034",
            "BR1800360305000010009795493C1",
            "CH9300762011623852957",
            "DE89370400440532013000",
            "ES9121000418450200051332",
            "FR1420041010050500013M02606",
            "GB29NWBK60161331926819",
            "GR1601101250000000012300695",
            "HU42117730161111101800000000",
            "IT60X0542811101000000123456",
            "LC55HEMM000100010012001200023015",
            "MT84MALT011000012345MTLCAST001S",
            "NL91ABNA0417164300",
            "NO9386011117947",
            "PL61109010140000071219812874",
            "SE4550000000058398257466",
            "SC18SSCB11010000000000001497USD",
            "TR330006100519786457841326",
            "VG96VPVG0000012345678901",
        ] {
            assert!(passes_97(number.as_bytes()), "{number}");
            let (_, structure) =
                STRUCTURES.iter().find(|(code, _)| code[..] == number.as_bytes()[..2]).unwrap();
            assert_eq!(classes(structure).count() + 4, number.len(), "{number}");
        }
    }

    #[test]
    fn the_remainder_is_that_of_the_long_number() {
        let naive = |number: &[u8]| {
            let digits: String = number[4..]
                .iter()
                .chain(&number[..4])
                .map(|byte| (*byte as char).to_digit(36).unwrap().to_string())
                .collect();
            digits.bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97) == 1
        };
        for check in 0..100 {
            let number = format!("MT{check:02}MALT01100001ZZZZZZZZZZZZZ001S");
            assert_eq!(passes_97(number.as_bytes()), naive(number.as_bytes()), "{number}");
        }
    }
}
