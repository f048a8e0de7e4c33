//! Edits of a text: which spans are replaced by what.
//!
//! Several steps edit one text after the other. What stays of them is one list of edits of the text as it stands in the
//! input ([`Edits::then`]), so a text is read, edited once, and written, however many steps there were.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Replacements in a text, in order and apart from each other. Places are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edits(Vec<(usize, usize, String)>);

/// A stretch of an edited text: of the original, or new.
#[derive(Clone, Debug)]
enum Stretch {
    Old(usize, usize),
    /// What stands in place of the original's bytes `at..end`.
    New(String, usize, usize),
}

impl Edits {
    /// Whether the text stays as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces `span`, which begins behind every span before.
    ///
    /// # Errors
    /// Why these are not edits of `text`, as a sentence.
    pub fn push(&mut self, text: &str, span: Range<usize>, new: &str) -> Result<(), String> {
        let behind = self.0.last().map_or(0, |(_, end, _)| *end);
        if span.start < behind || span.start > span.end {
            return Err(format!(
                "the span {span:?} does not lie behind byte {behind}, where the one before ends"
            ));
        }
        if text.get(span.clone()).is_none() {
            return Err(format!("the span {span:?} does not begin and end between characters of the text"));
        }
        self.0.push((span.start, span.end, new.to_owned()));
        Ok(())
    }

    /// The text after these edits.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let mut edited = String::with_capacity(text.len());
        let mut at = 0;
        for (start, end, new) in &self.0 {
            edited.push_str(text.get(at..*start).unwrap_or_default());
            edited.push_str(new);
            at = *end;
        }
        edited.push_str(text.get(at..).unwrap_or_default());
        edited
    }

    /// These edits and then `later` ones of the edited text, as edits of the text that these are of.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        if self.is_empty() || later.is_empty() {
            return if self.is_empty() { later.clone() } else { self.clone() };
        }
        let mut stretches = self.stretches();
        stretches.reverse();
        let mut edited = Vec::new();
        let mut at = 0;
        for (start, end, new) in &later.0 {
            take(&mut stretches, start - at, &mut edited);
            let mut gone = Vec::new();
            take(&mut stretches, end - start, &mut gone);
            // If nothing goes, it stands where the next stretch begins.
            let next = stretches.last().map_or(usize::MAX, |next| next.place().0);
            let (from, to) = gone
                .first()
                .zip(gone.last())
                .map_or((next, next), |(first, last)| (first.place().0, last.place().1));
            edited.push(Stretch::New(new.clone(), from, to));
            at = *end;
        }
        edited.extend(stretches.into_iter().rev());
        Self::of(edited)
    }

    /// The edited text as stretches; the last one of the original has no end.
    fn stretches(&self) -> Vec<Stretch> {
        let mut stretches = Vec::with_capacity(2 * self.0.len() + 1);
        let mut at = 0;
        for (start, end, new) in &self.0 {
            stretches.push(Stretch::Old(at, *start));
            stretches.push(Stretch::New(new.clone(), *start, *end));
            at = *end;
        }
        stretches.push(Stretch::Old(at, usize::MAX));
        stretches
    }

    fn of(stretches: Vec<Stretch>) -> Self {
        let mut edits: Vec<(usize, usize, String)> = Vec::new();
        // Whether the stretch before was new, so that the next one belongs to the same edit.
        let mut joins = false;
        for stretch in stretches {
            match stretch {
                Stretch::Old(start, end) => joins &= start == end,
                Stretch::New(new, start, end) => {
                    match edits.last_mut().filter(|_| joins) {
                        Some(last) => {
                            last.1 = last.1.max(end);
                            last.2.push_str(&new);
                        }
                        None => edits.push((start, end, new)),
                    }
                    joins = true;
                }
            }
        }
        Self(edits)
    }
}

impl Stretch {
    /// Its bytes in the original.
    fn place(&self) -> (usize, usize) {
        match self {
            Self::Old(start, end) | Self::New(_, start, end) => (*start, *end),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Old(start, end) => end - start,
            Self::New(new, ..) => new.len(),
        }
    }
}

/// Moves the next `len` bytes of a text, whose stretches lie in reverse order, to `to`.
fn take(from: &mut Vec<Stretch>, mut len: usize, to: &mut Vec<Stretch>) {
    while let Some(next) = from.pop() {
        if next.len() == 0 || next.len() <= len {
            if len == 0 && next.len() == 0 && matches!(&next, Stretch::New(..)) {
                // What was deleted right here stays in front of what follows.
                to.push(next);
                continue;
            }
            len -= next.len();
            to.push(next);
            continue;
        }
        if len == 0 {
            from.push(next);
            return;
        }
        let (head, tail) = match next {
            Stretch::Old(start, end) => (Stretch::Old(start, start + len), Stretch::Old(start + len, end)),
            Stretch::New(new, start, end) => {
                let (head, tail) = new.split_at(len);
                // The bytes that it stands for belong to its first part.
                (Stretch::New(head.to_owned(), start, end), Stretch::New(tail.to_owned(), end, end))
            }
        };
        to.push(head);
        from.push(tail);
        return;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Edits of a text from any numbers.
    fn edits(text: &str, seeds: &[(usize, usize, String)]) -> Edits {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut edits = Edits::default();
        let mut at = 0;
        for (skip, len, new) in seeds {
            let start = at + skip % 4;
            let end = start + len % 4;
            if end >= places.len() {
                break;
            }
            edits.push(text, places[start]..places[end], new).unwrap();
            at = end;
        }
        edits
    }

    proptest! {
        #[test]
        fn edits_after_edits_are_edits_of_the_first_text(
            text in "[a-cä€]{0,30}",
            first in proptest::collection::vec((0usize..9, 0usize..9, "[x-zü]{0,3}"), 0..6),
            second in proptest::collection::vec((0usize..9, 0usize..9, "[P-Rß]{0,3}"), 0..6),
            third in proptest::collection::vec((0usize..9, 0usize..9, "[0-3]{0,2}"), 0..6),
        ) {
            let one = edits(&text, &first);
            let after_one = one.apply(&text);
            let two = edits(&after_one, &second);
            let after_two = two.apply(&after_one);
            let three = edits(&after_two, &third);
            let both = one.then(&two);
            prop_assert_eq!(both.apply(&text), &*after_two);
            prop_assert_eq!(both.then(&three).apply(&text), three.apply(&after_two));
            prop_assert_eq!(one.then(&two.then(&three)).apply(&text), three.apply(&after_two));
            // They lie in order and apart, as edits do.
            let mut again = Edits::default();
            for (start, end, new) in &both.0 {
                again.push(&text, *start..*end, new).unwrap();
            }
        }
    }

    #[test]
    fn a_span_that_is_none_is_refused_with_what_is_wrong() {
        let mut edits = Edits::default();
        edits.push("naïve", 0..1, "N").unwrap();
        assert!(edits.push("naïve", 0..2, "x").unwrap_err().contains("does not lie behind byte 1"));
        assert!(edits.push("naïve", 3..4, "x").unwrap_err().contains("between characters"));
        assert!(edits.push("naïve", 5..9, "x").is_err());
        assert_eq!(edits.apply("naïve"), "Naïve");
    }
}
