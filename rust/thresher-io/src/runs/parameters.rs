//! Parameters, each described once: a field of a struct, its default, and what people and editors are told of it.
//!
//! `parameters!` makes the struct of a step from one list. The text above a field is its documentation in Rust and its
//! help text everywhere else. Python reads the list as JSON (`describe`) and makes of it the checks of its functions, the
//! options of the command line and the JSON Schema of a pipeline; a test holds the Python signatures against it.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::runs::find::find;
use crate::tokenizer::file_of;

/// A size as a text; `thresher._params.size` reads it.
const SIZE: &str = r"^[0-9]+(\.[0-9]+)? *([kKmMgGtTpP][iI]?)?[bB]?$";

/// What a parameter can be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// True or false.
    Flag,
    /// A whole number.
    Whole {
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// A number from 0 to 1.
    Share,
    /// Any number; the name that stands for it in help texts.
    Number(&'static str),
    /// Bytes: a whole number, or a text with a unit, as `4GB`.
    Size,
    /// A text; the name that stands for it in help texts.
    Text(&'static str),
    /// One of some words.
    Choice(fn() -> Vec<&'static str>),
    /// Any number of texts; the name that stands for one.
    Texts(&'static str),
    /// Any number of some words; the name that stands for one.
    Choices(&'static str, fn() -> Vec<&'static str>),
    /// The name of a chat format, or a mapping of fields.
    Format,
    /// A chat template: its text, or the path of a file.
    Template,
    /// Values by name.
    Mapping,
    /// Any number of mappings of values by name; the name that stands for one.
    Records(&'static str),
    /// The path of a file or folder; the name that stands for it.
    Path(&'static str),
    /// Any number of paths of files, patterns or folders; the name that stands for one.
    Paths(&'static str),
    /// The name of a variable of the environment that holds a key; the name that stands for it.
    Variable(&'static str),
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name, in Rust, Python and YAML.
    pub name: &'static str,
    /// What it is, in a sentence or two.
    pub about: String,
    /// What it can be.
    pub kind: Kind,
    /// What it is if it is not given.
    pub default: Value,
    /// Whether it has to be given.
    pub required: bool,
}

/// What one step of a run is asked for.
pub trait Step: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync {
    /// The name of the verb.
    const NAME: &'static str;

    /// Every parameter, in order.
    fn parameters() -> Vec<Parameter>;
}

impl Parameter {
    /// The parameter as a property of a JSON Schema, with its name, the name of its kind and that of its value.
    #[must_use]
    pub fn describe(&self) -> Value {
        let words = |choices: fn() -> Vec<&'static str>| json!({"type": "string", "enum": choices()});
        let (kind, metavar, schema) = match self.kind {
            Kind::Flag => ("flag", "", json!({"type": "boolean"})),
            Kind::Whole { least, most } => {
                ("whole", "N", json!({"type": "integer", "minimum": least, "maximum": most}))
            }
            Kind::Number(metavar) => ("number", metavar, json!({"type": "number"})),
            Kind::Share => ("share", "SHARE", json!({"type": "number", "minimum": 0, "maximum": 1})),
            Kind::Size => {
                let text = json!({"type": "string", "pattern": SIZE});
                (
                    "size",
                    "SIZE",
                    json!({"anyOf": [{"type": "integer", "minimum": 1, "maximum": i64::MAX}, text]}),
                )
            }
            Kind::Text(metavar) | Kind::Variable(metavar) => ("text", metavar, json!({"type": "string"})),
            Kind::Choice(choices) => ("choice", "", words(choices)),
            Kind::Texts(metavar) => ("texts", metavar, several(&json!({"type": "string"}))),
            Kind::Choices(metavar, choices) => ("choices", metavar, several(&words(choices))),
            Kind::Format => {
                let names = json!({"type": "string", "enum": thresher_chat::NAMES});
                ("format", "FORMAT", json!({"anyOf": [names, {"type": "object"}]}))
            }
            Kind::Template => ("template", "FILE", json!({"type": "string"})),
            Kind::Mapping => ("mapping", "NAME=VALUE", json!({"type": "object"})),
            Kind::Records(metavar) => {
                ("records", metavar, json!({"type": "array", "items": {"type": "object"}}))
            }
            Kind::Path(metavar) => ("path", metavar, json!({"type": "string"})),
            Kind::Paths(metavar) => ("paths", metavar, several(&json!({"type": "string"}))),
        };
        let schema = if self.default.is_null() && !self.required {
            json!({"anyOf": [schema, {"type": "null"}]})
        } else {
            schema
        };
        json!({
            "name": self.name, "kind": kind, "metavar": metavar, "about": self.about,
            "default": self.default, "required": self.required, "schema": schema,
        })
    }
}

/// A list of what `item` describes, or one of it.
fn several(item: &Value) -> Value {
    json!({"anyOf": [item, {"type": "array", "items": item}]})
}

/// What a parameter names, and whose contents belong to what a run is.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    /// A file.
    File(PathBuf),
    /// A variable of the environment that holds a key.
    Variable(String),
}

/// What the parameters of a step name.
pub(crate) fn named_by<P: Step>(parameters: &Value) -> Vec<Named> {
    let mut named = Vec::new();
    for one in P::parameters() {
        let given = parameters.get(one.name);
        let text = given.and_then(Value::as_str);
        match one.kind {
            Kind::Path(_) => named.extend(text.map(|path| Named::File(file_of(Path::new(path))))),
            Kind::Paths(_) => {
                let given = given.and_then(Value::as_array).into_iter().flatten();
                given.filter_map(Value::as_str).for_each(|path| {
                    named.extend(found_at(Path::new(path)).into_iter().map(Named::File));
                });
            }
            Kind::Variable(_) => named.extend(text.map(|name| Named::Variable(name.to_owned()))),
            _ => {}
        }
    }
    named
}

/// The files that a path of a file, a pattern or a folder stands for. What stands for none is said by whoever reads it.
fn found_at(path: &Path) -> Vec<PathBuf> {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    let is_found = find(path, false, &mut found, &mut notes).is_ok();
    found.into_iter().filter(|one| is_found && one.form.is_some()).map(|one| one.path).collect()
}

/// The parameters of a step, as [`Parameter::describe`] gives them.
#[must_use]
pub fn describe<P: Step>() -> Vec<Value> {
    P::parameters().iter().map(Parameter::describe).collect()
}

/// A struct of parameters from one list of fields: `name: type = default => kind`, and `required` behind it if there is no
/// default that would do.
#[macro_export]
macro_rules! parameters {
    (
        $(#[doc = $what:literal])+
        pub struct $name:ident is $verb:literal {
            $(
                $(#[doc = $about:literal])+
                $field:ident: $type:ty = $default:expr => $kind:expr $(, $required:ident)?;
            )+
        }
    ) => {
        $(#[doc = $what])+
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $( $(#[doc = $about])+ pub $field: $type, )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        impl $crate::runs::parameters::Step for $name {
            const NAME: &'static str = $verb;

            fn parameters() -> Vec<$crate::runs::parameters::Parameter> {
                let defaults = $crate::runs::parameters::fields_of(&Self::default());
                vec![$(
                    $crate::runs::parameters::Parameter {
                        name: stringify!($field),
                        about: concat!($($about),+).trim().to_owned(),
                        kind: $kind,
                        default: defaults.get(stringify!($field)).cloned().unwrap_or_default(),
                        required: [$(stringify!($required)),*].contains(&"required"),
                    }
                ),+]
            }
        }
    };
}

pub(crate) use parameters;

/// The fields of a struct, as JSON.
#[must_use]
pub fn fields_of(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}
