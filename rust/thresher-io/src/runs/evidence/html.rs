//! HTML that cannot be steered by what it shows: whatever comes from data is escaped, whatever is markup is a constant.
//!
//! [`Html::tag`] takes string constants of the program only, so that no text can become markup by mistake. Text shows what would
//! steer the reader instead of doing it: control characters, marks of the direction of writing, characters that take no room.

use std::fmt::Write;

/// A page under construction.
#[derive(Default)]
pub(crate) struct Html(String);

impl Html {
    /// Appends markup of the program.
    pub(crate) fn tag(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends text, escaped for elements and for attributes in quotes.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                _ if is_hidden(c) => {
                    let _ = write!(self.0, "{}", c.escape_unicode());
                }
                _ => self.0.push(c),
            }
        }
        self
    }

    /// Appends a length or a place in a drawing; what is no number is 0.
    pub(crate) fn number(&mut self, number: f64) -> &mut Self {
        let number = if number.is_finite() { number } else { 0.0 };
        let _ = write!(self.0, "{number:.1}");
        self
    }

    /// Appends a count with separators.
    pub(crate) fn count(&mut self, count: u64) -> &mut Self {
        self.text(&grouped(count))
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Whether a character would be invisible, or would change how others are shown.
pub(crate) fn is_hidden(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    let is_no_character = (c as u32) & 0xfffe == 0xfffe;
    c.is_control() || is_format || is_no_character
}

/// A number with separators: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in decimal units.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1000.0, 0);
    while value >= 999.95 && unit + 1 < units.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    format!("{value:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut html = Html::default();
        html.text(text);
        html.finish()
    }

    #[test]
    fn nothing_that_marks_up_steers_or_hides_comes_through() {
        let hostile = "<script>alert(1)</script><img src=x onerror=\"a\" alt='b'>&lt;\u{1b}[31m\u{202e}abc\0\u{200b}\u{2028}\u{9b}";
        let shown = escaped(hostile);
        assert!(
            !shown.contains([
                '<', '>', '"', '\'', '\u{1b}', '\u{202e}', '\0', '\u{200b}', '\u{2028}', '\u{9b}'
            ])
        );
        assert!(shown.contains("&amp;lt;") && shown.contains("\\u{202e}") && shown.contains("\\u{1b}[31m"));
        assert_eq!(escaped("a\n\tb é 数 😀"), "a\n\tb é 数 😀");
    }

    #[test]
    fn numbers_are_numbers() {
        let mut html = Html::default();
        html.number(f64::NAN).tag(" ").number(f64::INFINITY).tag(" ").number(1.25).tag(" ").count(1_234_567);
        assert_eq!(html.finish(), "0.0 0.0 1.2 1,234,567");
        let shown = [0, 999, 1000, 5_210_000, 999_960, u64::MAX].map(size);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "5.2 MB", "1.0 MB", "18.4 EB"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_markup(text in any::<String>()) {
            let shown = escaped(&text);
            prop_assert!(!shown.contains(['<', '>', '"', '\'']));
            prop_assert!(shown.chars().all(|c| !is_hidden(c) || c == '\n' || c == '\t'));
            // Every ampersand begins one of ours.
            for part in shown.split('&').skip(1) {
                prop_assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|known| part.starts_with(known)));
            }
        }
    }
}
