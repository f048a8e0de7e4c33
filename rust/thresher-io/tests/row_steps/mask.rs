//! An edit: each run of digits becomes `<n>`.

use thresher_core::json::FieldPath;
use thresher_io::Result;
use thresher_io::runs::flow::{Opening, RowVerb};
use thresher_io::runs::parameters::Kind;
use thresher_io::runs::steps::{Marks, RowStep, RowWorker, Sees};

thresher_io::parameters! {
    /// What is masked.
    pub struct Mask is "mask" {
        /// The field of the text.
        text_field: String = "text".into() => Kind::Text("FIELD");
    }
}

struct Open(FieldPath);

impl RowVerb for Mask {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        Ok(Box::new(Open(FieldPath::parse(&self.text_field)?)))
    }
}

impl RowStep for Open {
    fn sees(&self) -> Sees {
        Sees::Text(self.0.clone())
    }

    fn edits(&self) -> bool {
        true
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker)
    }
}

struct Worker;

impl RowWorker for Worker {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) {
            let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            marks.edit(start..start + digits, "<n>");
            at = start + digits;
        }
    }
}
