//! A reshape: each row becomes two, with half of its words each; the other members go with both.

use std::fmt::Write;

use thresher_core::json::{Json, Str};
use thresher_io::Result;
use thresher_io::record::{Reason, Record};
use thresher_io::runs::flow::{Opening, ReshapeVerb};
use thresher_io::runs::parameters::Kind;
use thresher_io::runs::rows::{NewRows, Reshape, ReshapeWorker};
use thresher_io::runs::steps::Refusal;

thresher_io::parameters! {
    /// What is cut.
    pub struct Halves is "halves" {
        /// The field of the text.
        text_field: String = "text".into() => Kind::Text("FIELD");
    }
}

impl ReshapeVerb for Halves {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn Reshape>> {
        Ok(Box::new(self.clone()))
    }
}

impl Reshape for Halves {
    fn worker(&self) -> Box<dyn ReshapeWorker + '_> {
        Box::new(Worker(self))
    }
}

struct Worker<'w>(&'w Halves);

impl ReshapeWorker for Worker<'_> {
    fn row(&mut self, row: &Record<'_>, new: &mut NewRows) -> std::result::Result<(), Refusal> {
        let row = Json::checked(row.text);
        let text =
            row.get(&self.0.text_field).and_then(|text| text.as_str()?.decode().ok().map(String::from));
        let missing = || Refusal { reason: Reason::MissingText, detail: "there is no text".into() };
        let text = text.ok_or_else(missing)?;
        let words: Vec<&str> = text.split(' ').collect();
        for half in [&words[..words.len() / 2], &words[words.len() / 2..]] {
            let half = half.join(" ");
            let _ = write!(new.text(), "{{\"{}\":\"{}\"", self.0.text_field, Str::encode(half).escaped());
            for (key, value) in row.members().into_iter().filter(|(key, _)| !key.is(&self.0.text_field)) {
                let _ = write!(new.text(), ",\"{}\":{}", key.escaped(), value.text());
            }
            new.text().push('}');
            new.end();
        }
        Ok(())
    }
}
