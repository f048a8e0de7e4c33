//! What is read of a long text: stretches at even distances, from its beginning to its end.
//!
//! The language of a document does not depend on how much of it is read, beyond a few hundred characters, but a menu or a notice in
//! another language at its head would mislead who reads the head alone.

/// Stretches of a text.
const STRETCHES: usize = 8;

/// How far a stretch may begin behind its place, so that it begins with a word.
const WORD_BYTES: usize = 24;

/// The parts of a text that are read: all of it if it has at most `bytes` bytes, or `bytes` is 0; else 8 stretches that have
/// about `bytes` bytes together.
pub(super) fn sample(text: &str, bytes: usize) -> impl Iterator<Item = &str> {
    let whole = bytes == 0 || text.len() <= bytes;
    let count = if whole { 1 } else { STRETCHES };
    (0..count).map(move |number| if whole { text } else { stretch(text, number, bytes / STRETCHES) })
}

fn stretch(text: &str, number: usize, length: usize) -> &str {
    // Places are computed in 128 bits, in which nothing overflows.
    let room = (text.len() - length) as u128;
    let place = (room * number as u128 / (STRETCHES - 1) as u128) as usize;
    let head = &text.as_bytes()[place..(place + WORD_BYTES.min(length)).min(text.len())];
    let word = if place == 0 { None } else { head.iter().position(|byte| matches!(byte, b' ' | b'\n')) };
    let first = text.floor_char_boundary(place + word.unwrap_or(0));
    &text[first..text.floor_char_boundary(place + length).max(first)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_is_read_whole() {
        assert_eq!(sample("short", 5).collect::<Vec<_>>(), ["short"]);
        assert_eq!(sample(&"long ".repeat(9_999), 0).next().map(str::len), Some(49_995));
        assert_eq!(sample("", 1).collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn stretches_reach_from_the_beginning_to_the_end() {
        let text = (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>().join(" ") + " ";
        let parts: Vec<&str> = sample(&text, 4096).collect();
        assert_eq!(parts.len(), 8);
        assert!(parts[0].starts_with("0 1 2") && parts[7].ends_with("99999 "));
        assert!(parts[4].starts_with(' '));
    }

    proptest! {
        #[test]
        fn stretches_are_parts_of_the_text_of_the_size_asked_for(text in "[aé字🌾 ]{0,300}", bytes in 0usize..400) {
            let parts: Vec<&str> = sample(&text, bytes).collect();
            let sum: usize = parts.iter().map(|part| part.len()).sum();
            prop_assert!(bytes == 0 || sum <= bytes.max(text.len().min(bytes)) + 8 * 3);
            prop_assert!(parts.iter().all(|part| text.contains(part)));
        }
    }
}
