//! A filter with two reasons.

use thresher_core::json::FieldPath;
use thresher_io::Result;
use thresher_io::runs::flow::{Opening, RowVerb};
use thresher_io::runs::parameters::Kind;
use thresher_io::runs::steps::{Marks, RowStep, RowWorker, Sees};

thresher_io::parameters! {
    /// Which texts stay.
    pub struct Length is "length" {
        /// The field of the text.
        text_field: String = "text".into() => Kind::Text("FIELD");
        /// The least bytes of a text.
        least: usize = 20 => Kind::Whole { least: 0, most: u32::MAX as u64 };
        /// The most digits of a text.
        most_digits: usize = 40 => Kind::Whole { least: 0, most: u32::MAX as u64 };
    }
}

struct Open(Length, FieldPath);

impl RowVerb for Length {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        Ok(Box::new(Open(self.clone(), FieldPath::parse(&self.text_field)?)))
    }
}

impl RowStep for Open {
    fn sees(&self) -> Sees {
        Sees::Text(self.1.clone())
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker(&self.0))
    }
}

struct Worker<'w>(&'w Length);

impl RowWorker for Worker<'_> {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        if text.len() < self.0.least {
            marks.remove("too_short", format!("{} bytes", text.len()));
        }
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if digits > self.0.most_digits {
            marks.remove("too_many_digits", format!("{digits} digits"));
        }
    }
}
