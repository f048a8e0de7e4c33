//! Rows as the elements of one JSON array, which is what readers of a `.json` file expect.
//!
//! Each row stands byte for byte as it came, and on a line of its own where it has none inside.

/// An array under construction.
#[derive(Debug, Default)]
pub(super) struct ArrayText {
    /// A row stands before.
    pub(super) has_rows: bool,
}

impl ArrayText {
    /// The text that adds `rows`; blank ones are none.
    pub(super) fn add<'r>(&mut self, rows: impl Iterator<Item = &'r [u8]>) -> Vec<u8> {
        let mut text = Vec::new();
        for row in rows.map(<[u8]>::trim_ascii).filter(|row| !row.is_empty()) {
            text.extend_from_slice(if self.has_rows { b",\n" } else { b"[\n" });
            text.extend_from_slice(row);
            self.has_rows = true;
        }
        text
    }

    /// The text that ends the array.
    pub(super) fn end(&self) -> &'static [u8] {
        if self.has_rows { b"\n]\n" } else { b"[]\n" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_several_pieces_make_one_array() {
        let mut array = ArrayText::default();
        let mut text = array.add([b"{\"a\": 1}".as_slice(), b""].into_iter());
        text.extend(array.add(std::iter::empty()));
        text.extend(array.add([b" {\n  \"b\": []\n}\r".as_slice()].into_iter()));
        text.extend(array.end());
        assert_eq!(text, b"[\n{\"a\": 1},\n{\n  \"b\": []\n}\n]\n");
        assert_eq!(ArrayText::default().end(), b"[]\n");
    }
}
