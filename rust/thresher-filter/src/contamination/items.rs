//! Rows of benchmarks to items: which members of a row are prompts, and which are answers.
//!
//! Published test sets call them by some thirty names ([`PROMPTS`], [`ANSWERS`]; case does not matter), and nest them: a list
//! of turns, of messages with roles, of choices, an object with a text. Each text is a field of its own, called as it is
//! reached (`turns[1]`, `choices.text[0]`), so that a match says which. Whoever has other names gives them as paths.

use thresher_core::json::{FieldPath, Json, Kind};

/// Members that hold what a model is asked, in lower case.
pub const PROMPTS: [&str; 20] = [
    "question",
    "prompt",
    "problem",
    "instruction",
    "input",
    "query",
    "goal",
    "passage",
    "context",
    "ctx",
    "stem",
    "sentence",
    "premise",
    "hypothesis",
    "text",
    "content",
    "turns",
    "messages",
    "conversations",
    "conversation",
];

/// Members that hold what a model is to answer, in lower case.
pub const ANSWERS: [&str; 19] = [
    "answer",
    "answers",
    "solution",
    "solutions",
    "canonical_solution",
    "output",
    "response",
    "completion",
    "target",
    "targets",
    "reference",
    "references",
    "choices",
    "options",
    "endings",
    "correct_answer",
    "best_answer",
    "ground_truth",
    "explanation",
];

/// Members of a nested object that hold its text.
const INNER: [&str; 5] = ["text", "content", "value", "stem", "question"];

/// Who speaks in a message, where that is the model.
const MODEL: [&str; 4] = ["assistant", "gpt", "model", "chatbot"];

/// Which side of an item a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// What a model is asked.
    Prompt,
    /// What it is to answer.
    Answer,
}

impl Side {
    /// Its name in evidence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Answer => "answer",
        }
    }
}

/// A text of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// How it is reached in its row.
    pub name: String,
    /// What it is.
    pub side: Side,
    /// The text.
    pub text: String,
}

/// An item: the fields of a row, prompts first but for the turns of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The place of its row in the benchmark, from 0.
    pub row: u64,
    /// Its texts.
    pub fields: Vec<Field>,
}

/// The items of a test set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Benchmark {
    /// What it is called in evidence.
    pub name: String,
    /// Its items.
    pub items: Vec<Item>,
}

/// Which members of rows are fields.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Paths of prompts. With neither these nor answers, fields are found by their names.
    pub prompts: Vec<FieldPath>,
    /// Paths of answers.
    pub answers: Vec<FieldPath>,
}

impl Fields {
    /// The item of a row, a JSON object that was checked; without fields if it has none of them.
    ///
    /// ```
    /// use thresher_core::json::Json;
    /// use thresher_filter::contamination::Fields;
    /// let row = Json::checked(r#"{"id": 7, "question": "How many?", "answer": 18}"#);
    /// let item = Fields::default().item(3, row);
    /// let texts: Vec<_> = item.fields.iter().map(|field| (field.name.as_str(), field.text.as_str())).collect();
    /// assert_eq!((item.row, texts), (3, vec![("question", "How many?"), ("answer", "18")]));
    /// ```
    #[must_use]
    pub fn item(&self, row: u64, object: Json<'_>) -> Item {
        let mut fields = Vec::new();
        if self.prompts.is_empty() && self.answers.is_empty() {
            for (side, names) in [(Side::Prompt, &PROMPTS[..]), (Side::Answer, &ANSWERS[..])] {
                for (key, value) in object.members() {
                    if let Ok(key) = key.decode()
                        && names.contains(&key.to_ascii_lowercase().as_str())
                    {
                        collect(&key, side, value, &mut fields);
                    }
                }
            }
        } else {
            for (side, paths) in [(Side::Prompt, &self.prompts), (Side::Answer, &self.answers)] {
                for path in paths {
                    let value = path.parts().iter().try_fold(object, |value, part| value.get(part));
                    if let Some(value) = value {
                        collect(&path.to_string(), side, value, &mut fields);
                    }
                }
            }
        }
        Item { row, fields }
    }
}

/// The texts in a value, however deep; how deep JSON nests is bounded where it was checked.
fn collect(name: &str, side: Side, value: Json<'_>, fields: &mut Vec<Field>) {
    match value.kind() {
        Kind::String => {
            let text = value.as_str().and_then(|text| text.decode().ok().map(String::from));
            fields.extend(text.map(|text| Field { name: name.to_owned(), side, text }));
        }
        Kind::Number => fields.push(Field { name: name.to_owned(), side, text: value.text().to_owned() }),
        Kind::Array => {
            for (at, inner) in value.items().enumerate() {
                collect(&format!("{name}[{at}]"), side, inner, fields);
            }
        }
        Kind::Object => {
            let role = value.get("role").or_else(|| value.get("from")).and_then(Json::as_str);
            let is_model = role.is_some_and(|role| MODEL.iter().any(|model| role.is(model)));
            let side = if is_model { Side::Answer } else { side };
            for (key, inner) in value.members() {
                if let Some(key) = INNER.into_iter().find(|inner| key.is(inner)) {
                    collect(&format!("{name}.{key}"), side, inner, fields);
                }
            }
        }
        Kind::Null | Kind::Bool => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(row: &str) -> Vec<(String, Side, String)> {
        let item = Fields::default().item(0, Json::parse(row).unwrap());
        item.fields.into_iter().map(|field| (field.name, field.side, field.text)).collect()
    }

    fn plain(row: &str) -> Vec<String> {
        named(row).into_iter().map(|(name, side, text)| format!("{} {name}={text}", side.name())).collect()
    }

    #[test]
    fn fields_of_published_test_sets_are_found() {
        assert_eq!(
            plain(
                r#"{"task_id": "x/0", "prompt": "def f():", "canonical_solution": "  return 1", "test": "assert"}"#
            ),
            ["prompt prompt=def f():", "answer canonical_solution=  return 1"]
        );
        assert_eq!(plain(r#"{"turns": ["one", "two"]}"#), ["prompt turns[0]=one", "prompt turns[1]=two"]);
        assert_eq!(
            plain(r#"{"choices": {"text": ["a", "b"], "label": ["A", "B"]}, "Question": "Q"}"#),
            ["prompt Question=Q", "answer choices.text[0]=a", "answer choices.text[1]=b"]
        );
        assert_eq!(
            plain(
                r#"{"messages": [{"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "V"}]}"#
            ),
            ["prompt messages[0].content=U", "answer messages[1].content=A", "prompt messages[2].content=V"]
        );
        assert!(plain(r#"{"question": null, "answer": true, "label": "x"}"#).is_empty());
        assert!(plain(r#"{"question": "\ud800"}"#).is_empty());
    }

    #[test]
    fn given_paths_take_the_place_of_known_names() {
        let fields = Fields {
            prompts: vec![FieldPath::parse("meta.ask").unwrap()],
            answers: vec![FieldPath::parse("test").unwrap()],
        };
        let row = r#"{"question": "not this", "meta": {"ask": ["this"]}, "test": "and this"}"#;
        let item = fields.item(1, Json::parse(row).unwrap());
        let names: Vec<&str> = item.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["meta.ask[0]", "test"]);
    }
}
