//! A column: how many words the text has.

use arrow_schema::{DataType, Field};
use thresher_core::json::FieldPath;
use thresher_io::Result;
use thresher_io::runs::flow::{Opening, RowVerb};
use thresher_io::runs::parameters::Kind;
use thresher_io::runs::steps::{Marks, RowStep, RowWorker, Sees};

thresher_io::parameters! {
    /// What is counted.
    pub struct Words is "words" {
        /// The field of the text.
        text_field: String = "text".into() => Kind::Text("FIELD");
        /// The name of the column.
        column: String = "words".into() => Kind::Text("NAME");
    }
}

struct Open(Words, FieldPath);

impl RowVerb for Words {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        Ok(Box::new(Open(self.clone(), FieldPath::parse(&self.text_field)?)))
    }
}

impl RowStep for Open {
    fn sees(&self) -> Sees {
        Sees::Text(self.1.clone())
    }

    fn columns(&self) -> Vec<Field> {
        vec![Field::new(&self.0.column, DataType::Int64, true)]
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Worker)
    }
}

struct Worker;

impl RowWorker for Worker {
    fn row(&mut self, text: &str, marks: &mut Marks) {
        marks.value(text.split_whitespace().count() as i64);
    }
}
