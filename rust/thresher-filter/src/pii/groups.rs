//! A number as people write it: groups of digits with something between them.

/// Digits that are read; no number that is looked for has more.
const MOST: usize = 19;
/// Groups that are read.
const GROUPS: usize = 8;

/// What may stand between two groups, the longer ones first.
const SEPARATORS: [&[u8]; 14] =
    [b" - ", b" / ", b") ", b" (", b")-", b")/", b"-(", b".(", b" ", b"-", b".", b"/", b")", b"\xc2\xa0"];

/// A group: where it ends, and how many digits there are up to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    pub(super) end: usize,
    pub(super) digits: usize,
    /// Its own digits.
    pub(super) length: usize,
    /// The byte behind it that separates it from the next one.
    pub(super) separator: u8,
}

/// The groups from some digit on, and their digits.
#[derive(Debug)]
pub(super) struct Groups {
    digits: [u8; MOST],
    parts: [Group; GROUPS],
    count: usize,
}

impl Groups {
    /// Reads at most eight groups of at most 19 digits, from the digit at `start` on. A group that has more ends it, and is left out.
    pub(super) fn read(bytes: &[u8], start: usize) -> Self {
        let mut found = Self { digits: [0; MOST], parts: [Group::default(); GROUPS], count: 0 };
        let (mut at, mut total) = (start, 0);
        while found.count < GROUPS {
            let first = total;
            while total < MOST && at < bytes.len() && bytes[at].is_ascii_digit() {
                found.digits[total] = bytes[at];
                total += 1;
                at += 1;
            }
            if total == first || bytes.get(at).is_some_and(u8::is_ascii_digit) {
                break;
            }
            let rest = &bytes[at..];
            let is_one_byte = matches!(rest, [b' ' | b'-' | b'.' | b'/', b'0'..=b'9', ..]);
            let separator = if is_one_byte { Some(&rest[..1]) } else { separator(rest) };
            found.parts[found.count] = Group {
                end: at,
                digits: total,
                length: total - first,
                separator: separator.map_or(0, |one| one[0]),
            };
            found.count += 1;
            match separator {
                Some(separator) => at += separator.len(),
                None => break,
            }
        }
        found
    }

    /// The groups.
    pub(super) fn groups(&self) -> &[Group] {
        &self.parts[..self.count]
    }

    /// Where the last one ends; 0 if there is none.
    pub(super) fn end(&self) -> usize {
        self.groups().last().map_or(0, |group| group.end)
    }

    /// Its first `count` digits, in ASCII.
    pub(super) fn digits(&self, count: usize) -> &[u8] {
        &self.digits[..count]
    }

    /// Whether the first groups have these lengths, with one separator between all of them.
    pub(super) fn has_shape(&self, lengths: &[usize]) -> bool {
        let groups = self.groups();
        groups.len() >= lengths.len()
            && groups.iter().zip(lengths).all(|(group, length)| group.length == *length)
            && groups[..lengths.len() - 1].iter().all(|group| group.separator == groups[0].separator)
    }
}

/// What separates two groups at the beginning of `rest`.
fn separator(rest: &[u8]) -> Option<&[u8]> {
    let separates =
        |one: &&&[u8]| rest.starts_with(one) && rest.get(one.len()).is_some_and(u8::is_ascii_digit);
    SEPARATORS.iter().find(separates).map(|one| &rest[..one.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_as_far_as_they_go() {
        let groups = Groups::read(b"0049 (89) 123-45, 6", 0);
        let lengths: Vec<usize> = groups.groups().iter().map(|group| group.length).collect();
        assert_eq!(lengths, [4, 2, 3, 2]);
        assert_eq!((groups.groups()[3].end, groups.digits(11)), (16, &b"00498912345"[..]));
        assert!(Groups::read(b"4111-1111-1111-1111", 0).has_shape(&[4, 4, 4, 4]));
        assert!(!Groups::read(b"4111-1111 1111-1111", 0).has_shape(&[4, 4, 4, 4]));
        assert!(Groups::read(&[b'1'; 40], 0).groups().is_empty());
    }
}
