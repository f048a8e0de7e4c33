//! Payment cards: the issuer by the first digits and the length (ISO/IEC 7812), and the check digit (Luhn).

use super::context::Cue;
use super::groups::Groups;
use super::kinds::Kind;
use super::scan::Scan;

/// How numbers are grouped on cards.
const SHAPES: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
/// Numbers that issuers and payment services give out for tests.
const TESTS: [&[u8]; 17] = [
    b"4111111111111111",
    b"4242424242424242",
    b"4012888888881881",
    b"4000056655665556",
    b"4222222222222",
    b"5555555555554444",
    b"5105105105105100",
    b"5200828282828210",
    b"2223003122003222",
    b"378282246310005",
    b"371449635398431",
    b"6011111111111117",
    b"6011000990139424",
    b"3566002020360505",
    b"3530111333300000",
    b"30569309025904",
    b"38520000023237",
];

impl Scan<'_> {
    /// Looks at a number whose first group has `length` digits; gives whether it is a card.
    pub(super) fn card(&mut self, start: usize, length: usize, behind: u8) -> bool {
        let is_grouped = length == 4;
        // Groups behind a group are the end of a longer number, unless that was found for what it is.
        let goes_on = behind == b' '
            && self.before(start) == b' '
            && start > 1
            && self.bytes[start - 2].is_ascii_digit()
            && self.done != start - 1;
        if !matches!(self.bytes[start], b'2'..=b'6')
            || is_grouped
                && (goes_on || !matches!(behind, b' ' | b'-') || !self.byte(start + 5).is_ascii_digit())
        {
            return false;
        }
        let groups = Groups::read(self.bytes, start);
        let shape: &[usize] = if is_grouped {
            let Some(shape) = SHAPES.iter().find(|shape| groups.has_shape(shape)) else { return false };
            shape
        } else {
            &[length]
        };
        let Some(last) = groups.groups().get(shape.len() - 1) else { return false };
        let number = groups.digits(last.digits);
        if !self.closes(last.end) || !has_issuer(number) || !passes_luhn(number) {
            return false;
        }
        let is_test = TESTS.contains(&number) || number[1..].iter().all(|digit| *digit == number[1]);
        if is_test && !self.reserved {
            return false;
        }
        // What is grouped as on a card is one. Numbers of 13, 14 and 17 to 19 digits in one piece are as often something else.
        let is_card = if is_grouped {
            true
        } else if matches!(length, 15 | 16) {
            !self.context.says_rather(Cue::Reference, Cue::Card, start)
        } else {
            self.context.says_rather(Cue::Card, Cue::Reference, start)
        };
        if is_card {
            self.found(start, last.end, Kind::Card);
        }
        is_card
    }
}

/// Whether a network of cards gives out numbers with these first digits and of this length.
fn has_issuer(number: &[u8]) -> bool {
    let prefix =
        |digits: usize| number[..digits].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let (two, three, four) = (prefix(2), prefix(3), prefix(4));
    match number.len() {
        // Visa has given out 13 digits, and has 19 in its rules.
        13 => number[0] == b'4',
        14 => matches!(two, 36 | 38 | 39) || (300..=305).contains(&three),
        15 => matches!(two, 34 | 37),
        16 => {
            number[0] == b'4'
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || two == 65
                || (644..=649).contains(&three)
                || (3528..=3589).contains(&four)
                || two == 62
                || matches!(two, 36 | 38 | 39 | 50 | 56..=58 | 63 | 67)
                || (300..=305).contains(&three)
        }
        17..=19 => number[0] == b'4' && number.len() == 19 || matches!(two, 50 | 56..=58 | 62 | 63 | 65 | 67),
        _ => false,
    }
}

/// Luhn's check (ISO/IEC 7812-1, annex B): of every second digit from the right twice its value, its digits added up.
fn passes_luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            match (place % 2, digit) {
                (0, digit) => digit,
                (_, digit @ 0..=4) => 2 * digit,
                (_, digit) => 2 * digit - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_that_issuers_publish_for_tests_have_issuer_and_check_digit() {
        for number in TESTS {
            assert!(has_issuer(number) && passes_luhn(number), "{}", String::from_utf8_lossy(number));
        }
    }

    #[test]
    fn one_wrong_digit_is_found() {
        let good = *b"4556737586899855";
        assert!(passes_luhn(&good));
        for place in 0..good.len() {
            for digit in (b'0'..=b'9').filter(|digit| *digit != good[place]) {
                let mut bad = good;
                bad[place] = digit;
                assert!(!passes_luhn(&bad));
            }
        }
    }
}
