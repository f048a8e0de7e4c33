//! What belongs to one person: US social security numbers, and dates that the text calls dates of birth.

use super::context::Cue;
use super::kinds::Kind;
use super::scan::Scan;

/// Numbers that were printed for everybody to see (SSA, "Misused SSNs"), and the one that examples have.
const KNOWN: [u32; 3] = [78_051_120, 219_099_999, 123_456_789];
/// Years in which somebody may be born of whom a text speaks as of a living person.
const YEARS: std::ops::RangeInclusive<u32> = 1900..=2035;
const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
/// The months whole, for what follows their first three letters.
const ENDS: [&[u8]; 12] =
    [b"uary", b"ruary", b"ch", b"il", b"", b"e", b"y", b"ust", b"tember", b"ober", b"ember", b"ember"];

impl Scan<'_> {
    /// Looks at `123-45-6789`, or at nine digits behind a word; gives whether it is a number of that kind.
    pub(super) fn ssn(&mut self, start: usize, length: usize, behind: u8) -> bool {
        let (end, number, is_plain) = if length == 9 {
            (start + 9, self.value(start, 9), true)
        } else {
            let ends = self.run_if(start + 4, behind, 2).and_then(|at| self.run_if(at + 1, behind, 4));
            let Some(end) = ends.filter(|_| matches!(behind, b'-' | b' ')) else { return false };
            let number = self.value(start, 3) * 1_000_000
                + self.value(start + 4, 2) * 10_000
                + self.value(start + 7, 4);
            (end, number, behind == b' ')
        };
        // SSA, "Social Security Number Randomization": areas 000, 666 and from 900 on are given to nobody.
        let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
        if matches!(area, 0 | 666 | 900..) || group == 0 || serial == 0 || !self.closes(end) {
            return false;
        }
        if KNOWN.contains(&number) && !self.reserved {
            return false;
        }
        let is_ssn = if is_plain {
            self.context.says_rather(Cue::Ssn, Cue::Reference, start)
        } else {
            !self.context.says_rather(Cue::Reference, Cue::Ssn, start)
                && !self.context.says_rather(Cue::Phone, Cue::Ssn, start)
        };
        if is_ssn {
            self.found(start, end, Kind::Ssn);
        }
        is_ssn
    }

    /// Where a run of exactly `length` digits at `start` ends, if the byte in front of it is `separator`.
    fn run_if(&self, start: usize, separator: u8, length: usize) -> Option<usize> {
        let rest = self.bytes.get(start..)?;
        let is_run = self.before(start) == separator
            && rest.iter().take(length + 1).take_while(|byte| byte.is_ascii_digit()).count() == length;
        is_run.then_some(start + length)
    }

    /// Looks at the first number of a date; gives whether it is a date of birth.
    pub(super) fn birthdate(&mut self, start: usize, length: usize, behind: u8) -> bool {
        let first = self.value(start, length);
        let found = match length {
            4 if matches!(behind, b'-' | b'/' | b'.') => self.year_first(start, first, behind),
            1 | 2
                if matches!(behind, b'-' | b'/' | b'.') && self.byte(start + length + 1).is_ascii_digit() =>
            {
                self.in_digits(start, length, first, behind)
            }
            1 | 2 => self.in_words(start, length, first),
            _ => None,
        };
        let Some((start, end)) = found else { return false };
        let is_birth = self.closes(end) && self.context.says_rather(Cue::Birth, Cue::Version, start);
        if is_birth {
            self.found(start, end, Kind::Birthdate);
        }
        is_birth
    }

    /// `1980-03-12`.
    fn year_first(&self, start: usize, year: u32, separator: u8) -> Option<(usize, usize)> {
        let (month, at) = self.small(start + 5)?;
        let (day, end) = self.small(at + 1).filter(|_| self.byte(at) == separator)?;
        (YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day))
            .then_some((start, end))
    }

    /// `12.03.1980`, `3/12/80`.
    fn in_digits(&self, start: usize, length: usize, first: u32, separator: u8) -> Option<(usize, usize)> {
        let (second, at) = self.small(start + length + 1)?;
        let digits = self.bytes.get(at + 1..).map(|_| self.run_of_digits(at + 1))?;
        let is_year = match digits {
            2 => true,
            4 => YEARS.contains(&self.value(at + 1, 4)),
            _ => false,
        };
        // Either may be the month.
        let is_date = (1..=31).contains(&first) && (1..=31).contains(&second) && first.min(second) <= 12;
        (is_date && is_year && self.byte(at) == separator).then_some((start, at + 1 + digits))
    }

    /// `12 March 1980`, `12th of March, 1980`, `March 12, 1980`.
    fn in_words(&self, start: usize, length: usize, day: u32) -> Option<(usize, usize)> {
        if !(1..=31).contains(&day) {
            return None;
        }
        let mut at = start + length;
        let ordinal = self
            .bytes
            .get(at..at + 2)
            .is_some_and(|two| [b"st", b"nd", b"rd", b"th"].iter().any(|end| two.eq_ignore_ascii_case(*end)));
        at += if ordinal { 2 } else { usize::from(self.byte(at) == b'.') };
        if let Some(month) = self.month_before(start) {
            return self.year_behind(at).map(|end| (month, end));
        }
        at = self.blank(at)?;
        if self.bytes[at..].starts_with(b"of ") || self.bytes[at..].starts_with(b"de ") {
            at += 3;
        }
        let end = self.month(at)?;
        self.year_behind(end).map(|end| (start, end))
    }

    /// A number of one or two digits, and where it ends.
    fn small(&self, start: usize) -> Option<(u32, usize)> {
        let digits = self.bytes.get(start..)?.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        matches!(digits, 1 | 2).then(|| (self.value(start, digits), start + digits))
    }

    /// The place behind one blank or hyphen.
    fn blank(&self, at: usize) -> Option<usize> {
        matches!(self.bytes.get(at), Some(b' ' | b'-' | b'\t')).then_some(at + 1)
    }

    /// The end of a year, behind a blank, and a comma or a point before that.
    fn year_behind(&self, at: usize) -> Option<usize> {
        let at = self.blank(at + usize::from(matches!(self.byte(at), b',' | b'.')))?;
        let digits = self.bytes.get(at..)?.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
        (digits == 4 && YEARS.contains(&self.value(at, 4))).then_some(at + 4)
    }

    /// The end of the name of a month, whole or its first three letters.
    fn month(&self, at: usize) -> Option<usize> {
        let word = self.bytes[at..].iter().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
        is_month(&self.bytes[at..at + word]).then_some(at + word)
    }

    /// The start of the name of a month that stands in front, with a blank between.
    fn month_before(&self, start: usize) -> Option<usize> {
        let end = start.checked_sub(1).filter(|&at| self.bytes[at] == b' ')?;
        let end = end - usize::from(self.before(end) == b'.');
        let from = end.saturating_sub(10);
        let word = self.bytes[from..end].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        is_month(&self.bytes[end - word..end]).then_some(end - word)
    }
}

fn is_month(word: &[u8]) -> bool {
    let Some((start, rest)) = word.split_at_checked(3) else { return false };
    let named = MONTHS.iter().position(|month| start.eq_ignore_ascii_case(month));
    named.is_some_and(|month| {
        rest.is_empty()
            || rest.eq_ignore_ascii_case(ENDS[month])
            || month == 8 && rest.eq_ignore_ascii_case(b"t")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_whole_or_three_letters() {
        for word in ["January", "feb", "MAY", "Sept", "September", "october"] {
            assert!(is_month(word.as_bytes()), "{word}");
        }
        for word in ["ja", "", "marc", "decimal", "mayor", "sepal"] {
            assert!(!is_month(word.as_bytes()), "{word}");
        }
    }
}
