//! What edits of lines took out of a text, as spans of it.
//!
//! Of each line that is left nothing but parts were cut, and lines keep their order. So both texts are walked side by side, and each
//! line of the original is looked at once: it is taken for the next line of the edited text if that can be made of it by
//! cutting. An earlier line than the one that was meant gives the same edited text. Time is linear in the original.

use std::ops::Range;

use memchr::memmem;

/// Spans of a text, in bytes, in order and apart, each with what stands there instead: nothing, or a line end.
pub type Cuts = Vec<(Range<usize>, String)>;

/// The spans of `text` by whose replacement it becomes `edited`; `is_break` says what ends a line of it.
///
/// If `edited` was made in another way, what is left from the first line on that cannot be explained is one span.
pub(crate) fn cuts(text: &str, edited: &str, is_break: impl Fn(char) -> bool) -> Cuts {
    let mut cuts = Cuts::new();
    if text == edited {
        return cuts;
    }
    let mut lines = lines(text, is_break);
    let mut pieces: Vec<Range<usize>> = Vec::new();
    // Both up to where all is explained.
    let (mut at, mut explained) = (0, 0);
    for (number, wanted) in edited.split('\n').enumerate() {
        let line_end = if number == 0 { "" } else { "\n" };
        if !lines.any(|line| cut_to(text, line, wanted, &mut pieces)) {
            cuts.push((at..text.len(), edited.get(explained..).unwrap_or_default().to_owned()));
            return cuts;
        }
        for (index, piece) in pieces.iter().enumerate() {
            replace(text, at..piece.start, if index == 0 { line_end } else { "" }, &mut cuts);
            at = piece.end;
        }
        explained += line_end.len() + wanted.len();
    }
    replace(text, at..text.len(), "", &mut cuts);
    cuts
}

fn lines(text: &str, is_break: impl Fn(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    text.split(is_break).map(move |line| {
        let start = line.as_ptr() as usize - text.as_ptr() as usize;
        start..start + line.len()
    })
}

/// Finds the parts of a line of which `wanted` consists; says whether it does.
fn cut_to(text: &str, line: Range<usize>, wanted: &str, pieces: &mut Vec<Range<usize>>) -> bool {
    pieces.clear();
    let start = line.start;
    let line = text.get(line).unwrap_or_default();
    if wanted.len() > line.len() {
        return false;
    }
    if let Some(found) = memmem::find(line.as_bytes(), wanted.as_bytes()) {
        pieces.push(start + found..start + found + wanted.len());
        return true;
    }
    let mut left = wanted.chars();
    let mut next = left.next();
    for (at, c) in line.char_indices() {
        if next != Some(c) {
            continue;
        }
        let found = start + at..start + at + c.len_utf8();
        match pieces.last_mut() {
            Some(last) if last.end == found.start => last.end = found.end,
            _ => pieces.push(found),
        }
        next = left.next();
    }
    next.is_none()
}

/// Notes that `span` becomes `new`, a line end or nothing; a line end that is there already stays.
fn replace(text: &str, span: Range<usize>, new: &str, cuts: &mut Cuts) {
    let old = text.get(span.clone()).unwrap_or_default();
    if old == new {
        return;
    }
    if new.is_empty() {
        cuts.push((span, String::new()));
    } else if old.starts_with(new) {
        cuts.push((span.start + new.len()..span.end, String::new()));
    } else if old.ends_with(new) {
        cuts.push((span.start..span.end - new.len(), String::new()));
    } else if let Some(kept) = old.find(new).map(|found| span.start + found) {
        cuts.push((span.start..kept, String::new()));
        cuts.push((kept + new.len()..span.end, String::new()));
    } else {
        cuts.push((span, new.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn applied(text: &str, cuts: &Cuts) -> String {
        let (mut edited, mut at) = (String::new(), 0);
        for (span, new) in cuts {
            assert!(span.start >= at && (span.end > span.start || !new.is_empty()), "{cuts:?}");
            edited.push_str(&text[at..span.start]);
            edited.push_str(new);
            at = span.end;
        }
        edited + &text[at..]
    }

    #[test]
    fn lines_and_parts_of_them_are_cut_where_they_stand() {
        let text = "  One line. \r\nmenu\nA fact.[1] And[edit] more.\u{2028}end";
        let edited = "One line.\nA fact. And more.";
        let found = cuts(text, edited, |c| matches!(c, '\n' | '\r' | '\u{2028}'));
        assert_eq!(applied(text, &found), edited);
        let gone: Vec<&str> = found.iter().map(|(span, _)| &text[span.clone()]).collect();
        assert_eq!(gone, ["  ", " \r\nmenu", "[1]", "[edit]", "\u{2028}end"]);
        assert!(cuts(text, text, |c| c == '\n').is_empty());
        assert_eq!(cuts("a\nb", "", |c| c == '\n'), [(0..3, String::new())]);
        assert_eq!(cuts("a\nb\nc", "a\nx", |c| c == '\n'), [(1..5, "\nx".to_owned())]);
    }

    proptest! {
        #[test]
        fn whatever_is_left_of_the_lines_of_a_text_the_cuts_make_it(
            lines in proptest::collection::vec("[ab\\[é ]{0,6}", 0..8),
            keep in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 6), 8),
            wished in "[ab\n]{0,9}",
        ) {
            let text = lines.join("\n");
            let left: Vec<String> = lines
                .iter()
                .zip(&keep)
                .filter(|(_, keep)| keep[0])
                .map(|(line, keep)| line.chars().zip(keep).filter(|(_, keep)| **keep).map(|(c, _)| c).collect())
                .collect();
            let edited = left.join("\n");
            let found = cuts(&text, &edited, |c| c == '\n');
            prop_assert_eq!(&applied(&text, &found), &edited);
            prop_assert!(found.iter().all(|(_, new)| new.is_empty()), "{:?} of {:?}", found, text);
            prop_assert_eq!(applied(&text, &cuts(&text, &wished, |c| c == '\n')), wished);
        }
    }
}
