//! Values of a template, with the meaning they have in Python.
//!
//! Lists, tuples and dicts never change; only a namespace does, so only through one can a value hold itself. Each
//! container knows its depth when it is made, and one that is too deep is never made. Whatever walks over a value
//! pays for each step: a list that holds another twice, which holds another twice, is soon larger than any memory.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use thresher_core::json::{Json, Kind};

use super::ast::{For, Macro};
use super::error::{Failure, Outcome};

/// Containers in containers. JSON itself allows 128 levels.
const MAX_DEPTH: u16 = 200;
/// Members from which on a dict has an index.
const INDEXED: usize = 8;

/// What is left of what one rendering may use.
#[derive(Debug)]
pub(super) struct Budget(Cell<u64>);

/// Bytes that cost as much as one step.
const BYTES_PER_STEP: u64 = 32;

impl Budget {
    pub(super) fn new(steps: u64) -> Self {
        Self(Cell::new(steps))
    }

    /// What is left.
    pub(super) fn left(&self) -> u64 {
        self.0.get()
    }

    /// Pays for steps.
    pub(super) fn steps(&self, steps: u64) -> Outcome<()> {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or(0));
        if left.is_none() { Err(Failure::limit("too many steps, or too much text")) } else { Ok(()) }
    }

    /// Pays for a text of so many bytes, before it is made.
    pub(super) fn bytes(&self, bytes: usize) -> Outcome<()> {
        self.steps(bytes as u64 / BYTES_PER_STEP + 1)
    }
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Nothing of this name is there.
    Undefined(Arc<str>),
    None,
    Bool(bool),
    Int(i128),
    /// An integer too large for this machine, by its digits.
    Digits(Arc<str>),
    Float(f64),
    Text(Arc<str>),
    /// A text some of whose bytes the model is to generate.
    Marked(Rc<Marked>),
    List(Rc<Items>),
    Tuple(Rc<Items>),
    /// What can be iterated and nothing else: generators, and the views of a dict.
    Iter(Rc<Items>),
    Range(i64, i64, i64),
    Dict(Rc<Dict>),
    Namespace(Rc<RefCell<Dict>>),
    Macro(Rc<Closure>),
    Loop(Rc<LoopState>),
    /// A function of the environment.
    Function(&'static str),
    /// A method of a value.
    Method(Rc<(Value, Arc<str>)>),
}

/// A text and the byte ranges in it that the model is to generate.
#[derive(Debug, Default, Clone)]
pub(super) struct Marked {
    pub(super) text: Arc<str>,
    pub(super) spans: Vec<(usize, usize)>,
    /// Whether a text to be generated was changed before it was printed, so that its range is lost.
    pub(super) is_lost: bool,
}

/// The items of a container.
#[derive(Debug)]
pub(super) struct Items {
    pub(super) items: Vec<Value>,
    depth: u16,
}

/// A macro and the scope it was made in.
#[derive(Debug)]
pub(super) struct Closure {
    pub(super) definition: Arc<Macro>,
    pub(super) scope: usize,
}

/// Where a loop is.
#[derive(Debug)]
pub(super) struct LoopState {
    pub(super) definition: Arc<For>,
    pub(super) scope: usize,
    pub(super) items: Rc<Items>,
    pub(super) index: Cell<usize>,
    pub(super) depth: usize,
    pub(super) last_changed: RefCell<Option<Value>>,
}

/// A dict in the order of its keys' first appearance. Keys are texts, numbers, bools or none.
#[derive(Clone, Debug, Default)]
pub(super) struct Dict {
    pub(super) entries: Vec<(Value, Value)>,
    index: HashMap<Key, usize>,
    depth: u16,
}

/// What two keys are compared by: 1, 1.0 and true are one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    None,
    Int(i128),
    Float(u64),
    Text(Arc<str>),
    Tuple(Vec<Key>),
    Undefined,
}

impl Key {
    fn of(value: &Value) -> Outcome<Self> {
        Ok(match value {
            Value::None => Self::None,
            Value::Bool(value) => Self::Int(i128::from(*value)),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => Self::Int(*value as i128),
            Value::Float(value) => Self::Float(value.to_bits()),
            Value::Digits(text) | Value::Text(text) => Self::Text(text.clone()),
            Value::Marked(marked) => Self::Text(marked.text.clone()),
            Value::Undefined(_) => Self::Undefined,
            Value::Tuple(items) if items.depth < 8 => {
                Self::Tuple(items.items.iter().map(Self::of).collect::<Outcome<_>>()?)
            }
            other => return Err(Failure::error(format!("a {} cannot be a key", other.type_name()))),
        })
    }
}

impl Dict {
    /// Sets `key`; depth is not looked at.
    pub(super) fn set(&mut self, key: Value, value: Value) -> Outcome<()> {
        self.depth = self.depth.max(value.depth()).max(key.depth());
        let name = Key::of(&key)?;
        if let Some(at) = self.find(&name) {
            self.entries[at].1 = value;
            return Ok(());
        }
        self.entries.push((key, value));
        if self.entries.len() > INDEXED {
            if self.index.is_empty() {
                for (at, (key, _)) in self.entries.iter().enumerate() {
                    self.index.insert(Key::of(key)?, at);
                }
            } else {
                self.index.insert(name, self.entries.len() - 1);
            }
        }
        Ok(())
    }

    fn find(&self, name: &Key) -> Option<usize> {
        if self.index.is_empty() {
            return self.entries.iter().position(|(key, _)| Key::of(key).is_ok_and(|key| key == *name));
        }
        self.index.get(name).copied()
    }

    pub(super) fn get(&self, key: &Value) -> Outcome<Option<&Value>> {
        Ok(self.find(&Key::of(key)?).map(|at| &self.entries[at].1))
    }

    pub(super) fn get_text(&self, key: &str) -> Option<&Value> {
        if self.index.is_empty() {
            return self.entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value);
        }
        self.find(&Key::Text(key.into())).map(|at| &self.entries[at].1)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// As a value, unless it is too deep.
    pub(super) fn into_value(self) -> Outcome<Value> {
        deep_enough(self.depth)?;
        Ok(Value::Dict(Rc::new(self)))
    }

    /// Sets a member by name.
    pub(super) fn put(&mut self, key: &str, value: Value) {
        // A text is always a key.
        let _ = self.set(Value::text(key), value);
    }
}

fn deep_enough(depth: u16) -> Outcome<()> {
    if depth >= MAX_DEPTH {
        return Err(Failure::limit(&format!("a value is more than {MAX_DEPTH} levels deep")));
    }
    Ok(())
}

impl Items {
    pub(super) fn new(items: Vec<Value>) -> Outcome<Rc<Self>> {
        let depth = items.iter().map(Value::depth).max().unwrap_or(0);
        deep_enough(depth)?;
        Ok(Rc::new(Self { items, depth }))
    }
}

impl Value {
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn undefined(name: &str) -> Self {
        Self::Undefined(name.into())
    }

    pub(super) fn list(items: Vec<Self>) -> Outcome<Self> {
        Ok(Self::List(Items::new(items)?))
    }

    pub(super) fn tuple(items: Vec<Self>) -> Outcome<Self> {
        Ok(Self::Tuple(Items::new(items)?))
    }

    pub(super) fn iter(items: Vec<Self>) -> Outcome<Self> {
        Ok(Self::Iter(Items::new(items)?))
    }

    /// A JSON value as Python reads it.
    pub(super) fn from_json(json: Json<'_>) -> Outcome<Self> {
        Ok(match json.kind() {
            Kind::Null => Self::None,
            Kind::Bool => Self::Bool(json.text() == "true"),
            Kind::Number => number(json.text()),
            Kind::String => match json.as_str() {
                Some(text) => Self::text(text.decode()?),
                None => Self::None,
            },
            Kind::Array => Self::list(json.items().map(Self::from_json).collect::<Outcome<_>>()?)?,
            Kind::Object => {
                let mut dict = Dict::default();
                for (key, value) in json.entries() {
                    dict.set(Self::text(key.decode()?), Self::from_json(value)?)?;
                }
                dict.into_value()?
            }
        })
    }

    fn depth(&self) -> u16 {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Iter(items) => items.depth + 1,
            Self::Dict(dict) => dict.depth + 1,
            Self::Method(method) => method.0.depth() + 1,
            _ => 0,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Marked(marked) => Some(&marked.text),
            _ => None,
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// An integer, bools included.
    pub(super) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Digits(text) => text.parse().ok(),
            _ => self.as_int().map(|value| value as f64),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Marked(marked) => !marked.text.is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.items.is_empty(),
            Self::Dict(dict) => !dict.entries.is_empty(),
            Self::Range(..) => self.len().is_some_and(|len| len > 0),
            _ => true,
        }
    }

    /// What Python calls its type, for messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "undefined value",
            Self::None => "none",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Digits(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) | Self::Marked(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Iter(_) => "iterator",
            Self::Range(..) => "range",
            Self::Dict(_) => "dict",
            Self::Namespace(_) => "namespace",
            Self::Macro(_) => "macro",
            Self::Loop(_) => "loop",
            Self::Function(_) => "function",
            Self::Method(_) => "method",
        }
    }

    /// Python's `len`, where there is one.
    pub(super) fn len(&self) -> Option<usize> {
        Some(match self {
            Self::Undefined(_) => 0,
            Self::Text(_) | Self::Marked(_) => self.as_text()?.chars().count(),
            Self::List(items) | Self::Tuple(items) | Self::Iter(items) => items.items.len(),
            Self::Dict(dict) => dict.entries.len(),
            Self::Range(start, stop, step) => range_len(*start, *stop, *step),
            Self::Loop(state) => state.items.items.len(),
            _ => return None,
        })
    }

    /// The items that a loop goes over.
    pub(super) fn iterate(&self, budget: &Budget) -> Outcome<Rc<Items>> {
        if let Self::List(items) | Self::Tuple(items) | Self::Iter(items) = self {
            budget.steps(items.items.len() as u64)?;
            return Ok(items.clone());
        }
        budget.steps(self.len().unwrap_or(0) as u64)?;
        Items::new(match self {
            Self::Undefined(_) => Vec::new(),
            Self::Text(_) | Self::Marked(_) => {
                let text = self.as_text().unwrap_or_default();
                text.chars().map(|c| Self::text(&*c.encode_utf8(&mut [0; 4]))).collect()
            }
            Self::Dict(dict) => dict.entries.iter().map(|(key, _)| key.clone()).collect(),
            Self::Range(start, _, step) => (0..self.len().unwrap_or(0) as i64)
                .map(|index| Self::Int(i128::from(*start) + i128::from(index) * i128::from(*step)))
                .collect(),
            other => return Err(Failure::error(format!("a {} cannot be iterated", other.type_name()))),
        })
    }
}

fn range_len(start: i64, stop: i64, step: i64) -> usize {
    let (start, stop, step) = (i128::from(start), i128::from(stop), i128::from(step));
    let distance = if step > 0 { stop - start } else { start - stop };
    if distance <= 0 || step == 0 { 0 } else { ((distance - 1) / step.abs() + 1) as usize }
}

fn number(text: &str) -> Value {
    if text.contains(['.', 'e', 'E']) {
        return Value::Float(text.parse().unwrap_or(f64::NAN));
    }
    match text.parse() {
        Ok(value) => Value::Int(value),
        Err(_) => Value::Digits(text.into()),
    }
}
