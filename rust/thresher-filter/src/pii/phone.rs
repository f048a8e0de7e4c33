//! Telephone numbers: international ones by the plan of E.164, those of North America by its own, others in the
//! forms of their countries.
//!
//! | form | what has to be there |
//! |---|---|
//! | `+49 30 1234567`, `+44 (0)20 ...` | a calling code of E.164 and as many digits as its numbers have |
//! | `(415) 555-2671`, `415-555-2671`, `1.415.555.2671` | area and exchange of the North American plan |
//! | `01 23 45 67 89` | five pairs behind a 0, as in France |
//! | `0049 30 1234567` | as with `+`, in several groups or behind a word |
//! | `030 / 1234567`, `912 345 678`, `4155552671` | a word for a telephone in front of it, such as `Tel.` |
//!
//! A number of an order, a book or a part is none, if the word in front says so. Numbers that regulators keep for films
//! and books stand for nobody.

use super::calling::{calling_code, is_fictional};
use super::context::Cue;
use super::groups::{Group, Groups};
use super::kinds::Kind;
use super::scan::Scan;

impl Scan<'_> {
    /// Looks at the digits behind a `+`.
    pub(super) fn international(&mut self, start: usize) {
        let plus = start - 1;
        let before = self.before(plus);
        if !self.kinds.has(Kind::Phone)
            || self.bytes[start] == b'0'
            || before.is_ascii_alphanumeric()
            || matches!(before, b'_' | b'+' | b')' | b'-' | b'/')
        {
            return;
        }
        self.dialled(plus, start);
    }

    /// A number that begins with a calling code, at `digits`.
    fn dialled(&mut self, start: usize, digits: usize) -> bool {
        let groups = Groups::read(self.bytes, digits);
        let number = self.longest(&groups).filter(|(_, number)| self.reserved || !is_fictional(number));
        let Some((end, _)) = number else {
            // Its groups are no numbers of their own.
            self.done = self.done.max(groups.end());
            return false;
        };
        self.found(self.bracket(start, end), end, Kind::Phone);
        true
    }

    /// The start of a number, or of the bracket in front of it, if that is closed within the number.
    fn bracket(&self, start: usize, end: usize) -> usize {
        let count = |bracket: u8| memchr::memchr_iter(bracket, &self.bytes[start..end]).count();
        start - usize::from(self.before(start) == b'(' && count(b')') > count(b'('))
    }

    /// The most groups that are a number of E.164, and its digits.
    fn longest(&self, groups: &Groups) -> Option<(usize, Vec<u8>)> {
        groups.groups().iter().rev().filter(|group| group.digits <= 16 && self.closes(group.end)).find_map(
            |last| {
                let mut number = groups.digits(last.digits).to_vec();
                let (code, least, most) = calling_code(&number)?;
                // The `(0)` of those who dial it at home; in Italy it belongs to the number.
                if number.get(code) == Some(&b'0') && !number.starts_with(b"39") {
                    number.remove(code);
                }
                let national = number.len() - code;
                ((least..=most).contains(&national) && number.len() >= 8).then_some((last.end, number))
            },
        )
    }

    /// Looks at a number without a `+`, whose first group has `length` digits.
    pub(super) fn national(&mut self, start: usize, length: usize, behind: u8) {
        let separated = matches!(behind, b' ' | b'-' | b'.' | b'/' | b')' | b'(' | 0xc2);
        let first = self.bytes[start];
        if length < 7 && !separated || self.before(start) == b'=' && !self.says_phone(start) {
            return;
        }
        let is_done = match (length, first) {
            (3, b'2'..=b'9') => self.north_american(start, 0),
            // An area follows, with or without a bracket; in lists of numbers none does.
            (1, b'1')
                if matches!(
                    self.bytes.get(start + 2..).unwrap_or_default(),
                    [b'(', ..] | [b'2'..=b'9', b'0'..=b'9', b'0'..=b'9', ..]
                ) =>
            {
                self.north_american(start, 1)
            }
            (2, b'0') => self.pairs(start),
            (2, b'1'..=b'9') if behind == b')' => self.brazilian(start),
            _ => false,
        };
        // Groups behind a group are the end of a longer number, unless that was found for what it is.
        let goes_on = self.before(start) == b' '
            && start > 1
            && self.bytes[start - 2].is_ascii_digit()
            && self.done != start - 1;
        if is_done || length == 1 || goes_on {
            return;
        }
        if self.bytes[start..].starts_with(b"00") && self.byte(start + 2) != b'0' {
            if length < 8 || self.says_phone(start) {
                self.dialled(start, start + 2);
            }
            return;
        }
        if self.says_phone(start) {
            self.behind_a_word(start);
        }
    }

    fn says_phone(&mut self, at: usize) -> bool {
        self.context.says_rather(Cue::Phone, Cue::Reference, at)
    }

    /// `415-555-2671` with any separator, behind `1` if `skipped` is 1.
    fn north_american(&mut self, start: usize, skipped: usize) -> bool {
        let groups = Groups::read(self.bytes, start);
        let Some([area, exchange, line]) = groups.groups().get(skipped..skipped + 3) else { return false };
        if (area.length, exchange.length, line.length) != (3, 3, 4) || !self.closes(line.end) {
            return false;
        }
        let number = &groups.digits(line.digits)[skipped..];
        if !is_north_american(number) {
            return false;
        }
        let is_bracketed = area.separator == b')' && (skipped == 1 || self.before(start) == b'(');
        let is_even = area.separator == exchange.separator && matches!(area.separator, b'-' | b'.');
        let is_slashed = area.separator == b'/' && exchange.separator == b'-';
        let is_phone = if is_bracketed {
            true
        } else if is_even || is_slashed {
            !self.context.says_rather(Cue::Reference, Cue::Phone, start)
        } else {
            self.says_phone(start)
        };
        let number = [b"1", number].concat();
        is_phone && self.take(start, *line, &number)
    }

    /// `01 23 45 67 89`.
    fn pairs(&mut self, start: usize) -> bool {
        let groups = Groups::read(self.bytes, start);
        let Some(last) = groups.groups().get(4) else { return false };
        if groups.groups().len() > 5 {
            // A list of numbers, of which none is looked at again.
            self.done = self.done.max(groups.end());
            return false;
        }
        let number = groups.digits(last.digits);
        let is_french = groups.has_shape(&[2, 2, 2, 2, 2]) && number[1] != b'0';
        if !is_french || !self.closes(last.end) || self.context.says_rather(Cue::Reference, Cue::Phone, start)
        {
            return false;
        }
        let number = [b"33", &number[1..]].concat();
        self.take(start, *last, &number)
    }

    /// `(11) 91234-5678`.
    fn brazilian(&mut self, start: usize) -> bool {
        let groups = Groups::read(self.bytes, start);
        let [area, first, last] = groups.groups() else { return false };
        let is_shape = self.before(start) == b'('
            && (area.length, last.length) == (2, 4)
            && matches!(first.length, 4 | 5)
            && first.separator == b'-';
        if !is_shape || !self.closes(last.end) || self.context.says_rather(Cue::Reference, Cue::Phone, start)
        {
            return false;
        }
        let number = [b"55", groups.digits(last.digits)].concat();
        self.take(start, *last, &number)
    }

    /// A number behind a word for a telephone: 9 to 12 digits, or 8 in several groups, and no more behind them.
    fn behind_a_word(&mut self, start: usize) {
        let groups = Groups::read(self.bytes, start);
        let Some(last) = groups.groups().last().copied() else { return };
        if !self.closes(last.end) {
            return;
        }
        self.done = self.done.max(last.end);
        let several = groups.groups().len() > 1;
        let number = groups.digits(last.digits);
        let is_year = |year: &[u8]| year.starts_with(b"19") || year.starts_with(b"20");
        let is_date = last.digits == 8
            && (!several
                || groups.has_shape(&[4, 2, 2]) && is_year(number)
                || groups.has_shape(&[2, 2, 4]) && is_year(&number[4..]));
        let is_constant = number.iter().all(|digit| *digit == number[0]);
        let is_ssn = groups.groups().len() == 3 && groups.has_shape(&[3, 2, 4]);
        if !(8..=12).contains(&last.digits)
            || is_date
            || is_constant
            || is_ssn
            || number[0] != b'0' && groups.groups().iter().any(|group| group.length == 1)
        {
            return;
        }
        let number = match number {
            [b'0', b'1'..=b'9', ..] => [b"0", &number[1..]].concat(),
            [b'1', rest @ ..] if rest.len() == 10 && is_north_american(rest) => number.to_vec(),
            _ if number.len() == 10 && is_north_american(number) => [b"1", number].concat(),
            _ => number.to_vec(),
        };
        self.take(start, last, &number);
    }

    /// Takes a number whose digits with calling code, or with a 0 where that is not known, are `number`.
    fn take(&mut self, start: usize, last: Group, number: &[u8]) -> bool {
        if is_fictional(number) && !self.reserved {
            // Nothing else either.
            self.done = self.done.max(last.end);
            return true;
        }
        self.found(self.bracket(start, last.end), last.end, Kind::Phone);
        true
    }
}

/// Whether ten digits are a number of the North American plan: neither area nor exchange begins with 0 or 1 or is a service
/// (`N11`), and no area has a 9 in the middle.
fn is_north_american(number: &[u8]) -> bool {
    let is_code = |code: &[u8]| code[0] >= b'2' && &code[1..3] != b"11";
    number.len() == 10 && is_code(&number[..3]) && number[1] != b'9' && is_code(&number[3..6])
}
