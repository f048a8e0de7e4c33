//! A model of 50 MB, loaded once and shared: a weight for each of its places, by which texts are sorted into two classes.

use std::fs;

use arrow_schema::{DataType, Field};
use thresher_core::json::FieldPath;
use thresher_io::runs::flow::{Opening, RowVerb};
use thresher_io::runs::parameters::Kind;
use thresher_io::runs::steps::{Marks, RowStep, RowWorker, Sees};
use thresher_io::{Error, Result};

thresher_io::parameters! {
    /// The model.
    pub struct Classify is "classify" {
        /// The file of the weights.
        model: Option<String> = None => Kind::Path("FILE"), required;
    }
}

struct Open(Vec<u8>, FieldPath);

impl RowVerb for Classify {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        let path = self.model.clone().unwrap_or_default();
        let weights =
            fs::read(&path).map_err(|error| Error::Parameter(format!("model is `{path}`: {error}")))?;
        Ok(Box::new(Open(weights, FieldPath::parse("text")?)))
    }
}

impl RowStep for Open {
    fn sees(&self) -> Sees {
        Sees::Text(self.1.clone())
    }

    fn columns(&self) -> Vec<Field> {
        vec![Field::new("class", DataType::Utf8, true)]
    }

    fn resident_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker(&self.0))
    }
}

struct Worker<'w>(&'w [u8]);

impl RowWorker for Worker<'_> {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        let place = text.bytes().fold(7usize, |hash, byte| hash.wrapping_mul(1_000_003) ^ usize::from(byte));
        let weight = self.0[place % self.0.len()];
        marks.value(if weight >= 128 { "high" } else { "low" });
    }
}
