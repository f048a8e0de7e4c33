//! Renders conversations with the chat template of a model, and says which bytes the model is to generate.
//!
//! A chat template is code from strangers: a jinja2 program in `tokenizer_config.json`. This is an interpreter of its
//! own for that language, as Hugging Face configures it (`ImmutableSandboxedEnvironment` with `trim_blocks`,
//! `lstrip_blocks`, loop controls, the `generation` tag, `raise_exception`, `strftime_now` and a `tojson` that is
//! `json.dumps(..., ensure_ascii=False)`), and the tests hold it against jinja2 byte for byte.
//!
//! Why not minijinja, the crate for this language: with its fuel set, a comparison of two lists that hold themselves
//! twice, level by level, still takes twice the time per level, two namespaces that hold themselves abort the process,
//! and so does a long sum. Its operators cannot be replaced, and they differ from Python's (`for` over none, `<`
//! between types, big floats). Here every step, every item walked over and every 32 bytes written are paid for out of
//! one budget, no value and no expression can be deeper than a fixed limit, and data has no attributes but its members
//! and a list of methods that change nothing.
//!
//! Where it is not jinja2:
//! - `include`, `import`, `extends` and `block` are refused when the template is compiled; jinja2 fails when it gets
//!   there. So are filters nobody needs in a chat (see `filters.rs`), and of the globals `cycler`, `joiner` and `lipsum`.
//! - Integers computed beyond 127 bits are a limit; read from a row they keep their digits.
//! - `escape` and `safe` give plain texts, since nothing is escaped anyway; so what is escaped twice is.
//! - A slice of a constant that has none is an error; jinja2 folds it to nothing.
//! - Methods that nobody needs in a chat are not there: `encode`, `translate`, `expandtabs`, `istitle` and their like.
//! - jinja2 hides a variable of the row from inner scopes if the template itself sets one of that name further down.
//!   Here it is seen until then.
//! - What prints an address in Python (a method, a generator) is an error, and so is the view of a dict.
//! - Upper and lower case and what is printable follow Rust's Unicode version, not Python's.
//! - Half of a surrogate pair sets the row aside: no UTF-8 can carry it.

mod ast;
mod attributes;
mod chat;
mod checks;
mod clock;
mod config;
mod error;
mod eval;
mod expr;
mod filters;
mod format;
mod functions;
mod lex;
mod lists;
mod methods;
pub mod mismatch;
mod numbers;
mod ops;
mod parse;
mod parse_expr;
pub mod probe;
mod show;
mod spans;
mod value;

use std::sync::{Arc, OnceLock};

use thresher_core::json::Json;

use crate::conversation::Conversation;
use crate::error::Result;

pub use clock::Moment;
pub use config::Source;

use error::Failure;
use eval::Allowance;
use value::{Marked, Value};

/// What one template and one rendering may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the template's source.
    pub source: usize,
    /// Steps of one rendering, beside one for each byte of the row.
    pub steps: u64,
    /// Bytes of one rendered text.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { source: 1 << 20, steps: 500_000, output: 64 << 20 }
    }
}

/// In which form a template gets the arguments of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arguments {
    /// In the form that the template wants, as [`Template::probe`] finds out.
    #[default]
    Auto,
    /// As a text that holds JSON.
    Text,
    /// As a mapping.
    Mapping,
    /// As they stand in the row.
    Written,
}

/// Which ending of a row is rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// The completion, or the better one of two.
    #[default]
    Chosen,
    /// The worse one of two.
    Rejected,
    /// None: the prompt alone.
    Prompt,
}

/// How a conversation is rendered.
#[derive(Clone, Debug, Default)]
pub struct RenderOptions {
    /// Whether the text ends where the model would go on.
    pub add_generation_prompt: bool,
    /// Whether to find what the model is to generate.
    pub mask: bool,
    /// What `strftime_now` takes for now.
    pub now: Option<Moment>,
    /// Further variables, each with its value as checked JSON (`enable_thinking`, `true`).
    pub variables: Vec<(String, String)>,
    /// The form of the arguments of calls.
    pub arguments: Arguments,
    /// The ending.
    pub variant: Variant,
    /// What one rendering may use.
    pub limits: Limits,
}

/// A rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// What the model is to generate: byte ranges in order, without overlap, on character boundaries.
    pub spans: Vec<(usize, usize)>,
}

impl Rendered {
    /// The spans in characters instead of bytes, as Python counts.
    #[must_use]
    pub fn character_spans(&self) -> Vec<(i32, i32)> {
        let (mut at, mut chars) = (0, 0);
        let mut place = |byte: usize| {
            chars += self.text.get(at..byte).map_or(0, |text| text.chars().count());
            at = byte;
            chars as i32
        };
        self.spans.iter().map(|&(start, end)| (place(start), place(end))).collect()
    }
}

/// A compiled chat template.
#[derive(Debug)]
pub struct Template {
    body: ast::Body,
    has_generation: bool,
    /// Special tokens and their values as checked JSON.
    tokens: Vec<(String, String)>,
    /// The form of arguments that the template wants, once that was asked.
    wanted: OnceLock<Arguments>,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`TemplateError`](crate::Reason::TemplateError) with the line if it is no template, [`TemplateLimit`](crate::Reason::TemplateLimit) if it is too large.
    pub fn compile(source: &Source, limits: &Limits) -> Result<Self> {
        if source.template.len() > limits.source {
            let (len, most) = (source.template.len(), limits.source);
            return Err(
                Failure::limit(&format!("its source has {len} bytes, and at most {most} are read")).into()
            );
        }
        let parsed = parse::parse(&source.template)?;
        Ok(Self {
            body: parsed.body,
            has_generation: parsed.has_generation,
            tokens: source.tokens.clone(),
            wanted: OnceLock::new(),
        })
    }

    /// Whether the template itself says what the model is to generate.
    #[must_use]
    pub fn has_generation(&self) -> bool {
        self.has_generation
    }

    /// Renders with these variables and nothing else: an object of checked JSON.
    ///
    /// # Errors
    /// Why it cannot be rendered.
    pub fn render_variables(&self, variables: Json<'_>, options: &RenderOptions) -> Result<Rendered> {
        let mut all = Vec::new();
        for (name, value) in variables.entries() {
            all.push((Arc::from(&*name.decode()?), Value::from_json(value)?));
        }
        let (marked, _) = self.run(all, options, variables.text().len())?;
        let spans = if marked.is_lost { Vec::new() } else { marked.spans };
        Ok(Rendered { text: marked.text.to_string(), spans })
    }

    /// Renders a conversation.
    ///
    /// # Errors
    /// Why it cannot be rendered, or what the model is to generate cannot be found for sure.
    pub fn render(&self, conversation: &Conversation<'_>, options: &RenderOptions) -> Result<Rendered> {
        let has_calls = conversation.all_messages().any(|message| !message.calls.is_empty());
        let arguments = if has_calls { self.arguments(options) } else { options.arguments };
        let chat = chat::Chat::new(conversation, options, arguments)?;
        let messages = chat.messages.clone();
        let (marked, _) = self.run_messages(&chat, messages, options.add_generation_prompt, options)?;
        let text = marked.text.to_string();
        let spans = match (options.mask, self.has_generation) {
            (false, _) => Vec::new(),
            (true, true) => spans::learnt(&chat, &marked)?,
            (true, false) => spans::find(self, &chat, options, &text)?,
        };
        Ok(Rendered { text, spans })
    }

    /// Renders these messages with the tools of `chat`.
    fn run_messages(
        &self,
        chat: &chat::Chat,
        messages: Vec<Value>,
        add_generation_prompt: bool,
        options: &RenderOptions,
    ) -> Result<(Marked, u64)> {
        let mut variables = chat.variables(messages, add_generation_prompt)?;
        for (name, value) in self.tokens.iter().chain(&options.variables) {
            let value = Value::from_json(Json::checked(value))?;
            match variables.iter_mut().find(|(known, _)| **known == **name) {
                Some((_, old)) => *old = value,
                None => variables.push((name.as_str().into(), value)),
            }
        }
        self.run(variables, options, chat.bytes)
    }

    fn run(
        &self,
        variables: Vec<(Arc<str>, Value)>,
        options: &RenderOptions,
        bytes: usize,
    ) -> Result<(Marked, u64)> {
        let allowance = Allowance {
            steps: options.limits.steps.saturating_add(bytes as u64),
            output: options.limits.output,
        };
        Ok(eval::run(&self.body, variables, options.now, allowance)?)
    }
}
