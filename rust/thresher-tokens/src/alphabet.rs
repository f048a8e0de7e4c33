//! How byte-level models write bytes as characters: GPT-2's table (Radford et al. 2019, `bytes_to_unicode` in its `encoder.py`).
//!
//! Bytes that Latin-1 prints keep their character; the 68 others take those from U+0100 on, in order. The alphabet of a
//! vocabulary is sorted by these characters, as `tokenizers` does.

/// Bytes that are written as they are.
fn prints(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The character that each byte is written as.
#[must_use]
pub fn characters() -> [char; 256] {
    let mut others = '\u{100}'..;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if prints(byte) { char::from(byte) } else { others.next().unwrap_or_default() }
    })
}

/// All bytes, in the order of their characters.
#[must_use]
pub fn bytes_in_order() -> [u8; 256] {
    let characters = characters();
    let mut bytes: [u8; 256] = std::array::from_fn(|byte| byte as u8);
    bytes.sort_unstable_by_key(|&byte| characters[byte as usize]);
    bytes
}

/// Bytes as they are written.
#[must_use]
pub fn written(bytes: &[u8]) -> String {
    let characters = characters();
    bytes.iter().map(|&byte| characters[byte as usize]).collect()
}

/// The bytes of a written token; none if it has a character that stands for no byte.
#[must_use]
pub fn read(token: &str) -> Option<Vec<u8>> {
    let characters = characters();
    token.chars().map(|c| characters.iter().position(|&other| other == c).map(|at| at as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_and_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&written(&all)), Some(all));
        assert_eq!(written(b" a\n\x00\xAD"), "ĠaĊĀŃ");
        assert_eq!(read("a b"), None);
    }

    #[test]
    fn the_alphabet_begins_with_what_prints() {
        let order = bytes_in_order();
        assert_eq!((order[0], order[187], order[188], order[255]), (b'!', 0xFF, 0, 0xAD));
    }
}
