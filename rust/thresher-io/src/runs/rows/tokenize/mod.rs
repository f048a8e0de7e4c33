//! Texts of files, or chat rows as their template shows them, as ids of tokens.
//!
//! ```text
//! text ─> worker of the tokenizer ─> ids, lengths, masks: columns of a unit ─> Parquet, Arrow, JSONL, .bin/.idx, .npy
//! ```
//!
//! By default the step makes new rows (`document`, `input_ids`, `length`), which go from the encoder to the output as Arrow
//! buffers in the pass that reads the texts. With `keep_columns` it is a row step: the same columns stand beside all others, whose
//! values pass through as in every run, at the price of a second pass that copies them.

mod encode;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;
use thresher_chat::template::Template;
use thresher_core::json::{FieldPath, Fields};
use thresher_tokens::layout::Dtype;
use thresher_tokens::tokenizer::Options;

pub(crate) use encode::{Chat, Encoding};
pub use report::{TokenCounts, TokenizeReport, TokenizerReport};

use super::render::{Origin, RenderStep};
use super::write::KnownFormat;
use super::{NamedReshape, RowsRun, Setup};
use crate::codec::DataFormat;
use crate::error::{Error, Result};
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::flow::Opening;
use crate::runs::options::Config;
use crate::runs::output::Marker;
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::tokenizer::load;

parameters! {
    /// How texts become tokens.
    pub struct TokenizeStep is "tokenize" {
        /// The tokenizer: a tokenizer.json, or a folder that holds one.
        tokenizer: String = String::new() => Kind::Path("FILE"), required;
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Dotted path of the id field. Default: documents are named `file:row`.
        id: Option<String> = None => Kind::Text("FIELD");
        /// Put the special tokens of the tokenizer around each text, as its file says.
        add_special_tokens: bool = false => Kind::Flag;
        /// A token before each text, as `<s>`.
        bos: Option<String> = None => Kind::Text("TOKEN");
        /// A token behind each text, as `</s>`.
        eos: Option<String> = None => Kind::Text("TOKEN");
        /// Text that spells a special token is that token. Default: it is text.
        special_in_text: bool = false => Kind::Flag;
        /// Write which bytes of the text each token stands for.
        offsets: bool = false => Kind::Flag;
        /// Write the other columns too.
        keep_columns: bool = false => Kind::Flag;
        /// What is written: rows (parquet, arrow, jsonl), .bin and .idx of Megatron-LM, or shards for numpy. With auto, what
        /// the name of the output says, else parquet.
        format: String = "auto".into() => Kind::Choice(|| vec!["auto", "parquet", "arrow", "jsonl", "megatron", "npy"]);
        /// What megatron and npy store ids as. With auto, the narrowest that holds the vocabulary.
        dtype: String = "auto".into() => Kind::Choice(|| vec!["auto", "uint16", "uint32", "int32", "int64"]);
        /// For chat rows, the template that makes a text of each: its text, or a `.jinja` file, a `tokenizer_config.json`, or
        /// the folder of a tokenizer. What it writes of special tokens are those, and `assistant_masks` says what to learn.
        template: Option<Origin> = None => Kind::Template;
        /// Which template, if a configuration has several.
        name: Option<String> = None => Kind::Text("NAME");
        /// The format of chat rows: a name or a mapping of fields. Default: found out from the rows.
        from_format: Option<Value> = None => Kind::Format;
    }
}

/// The parameters of a run.
pub type TokenizeRun = Config<TokenizeStep>;

impl TokenizeStep {
    /// The step over the inputs of a pipeline.
    ///
    /// # Errors
    /// As [`Self::encoding`].
    pub(crate) fn open(&self, opening: &Opening<'_>) -> Result<Encoding> {
        let format = self.is_chat().then(|| opening.chat_format(self.from_format.as_ref())).transpose()?;
        self.encoding(format)
    }

    fn is_chat(&self) -> bool {
        self.template.is_some()
    }

    /// What is read of a row.
    fn fields(&self) -> Result<Fields> {
        let text = if self.is_chat() { None } else { Some(FieldPath::parse(&self.text)?) };
        Ok(Fields { text, id: self.id.as_deref().map(FieldPath::parse).transpose()?, rank: None })
    }

    /// The tokenizer with what is asked of it, for chat rows of a format if there is one.
    ///
    /// # Errors
    /// `Error::Parameter` for a tokenizer or a template that cannot be used, a token that the tokenizer has not, or a width that
    /// does not hold its ids; `Error::Io` if a file cannot be read.
    pub(crate) fn encoding(&self, chat: Option<thresher_chat::Format>) -> Result<Encoding> {
        let path = PathBuf::from(&self.tokenizer);
        let tokenizer = load(&path)?;
        let id_of = |name: &str, token: &Option<String>| {
            let unknown = |token: &String| {
                Error::Parameter(format!(
                    "{name} is `{token}`, but the tokenizer has no such token; name one of its vocabulary"
                ))
            };
            token.as_ref().map(|token| tokenizer.id_of(token).ok_or_else(|| unknown(token))).transpose()
        };
        let options = Options {
            add_special_tokens: self.add_special_tokens,
            // Templates write the special tokens of their model.
            special_in_text: self.special_in_text || chat.is_some(),
            bos: id_of("bos", &self.bos)?,
            eos: id_of("eos", &self.eos)?,
            ..Options::default()
        };
        let format = self.known_format(tokenizer.vocab_size())?;
        let chat = chat.map(|format| self.chat(format)).transpose()?;
        let of_chat = [("name", self.name.is_some()), ("from_format", self.from_format.is_some())];
        if let Some((name, _)) = of_chat.iter().find(|(_, given)| chat.is_none() && *given) {
            return Err(Error::Parameter(format!(
                "{name} is given, but no template; it is for chat rows, of which a template makes texts"
            )));
        }
        let Fields { text, id, .. } = self.fields()?;
        Ok(Encoding { tokenizer, options, path, text, id, chat, offsets: self.offsets, format })
    }

    fn chat(&self, format: thresher_chat::Format) -> Result<Chat> {
        let render = RenderStep {
            template: self.template.clone().unwrap_or_default(),
            name: self.name.clone(),
            from_format: self.from_format.clone(),
            ..RenderStep::default()
        };
        let template: Template = render.template.compile(render.name.as_deref())?;
        Ok(Chat { template, options: render.options()?, format })
    }

    /// What is written, with the width of ids.
    fn known_format(&self, vocab_size: u32) -> Result<Option<KnownFormat>> {
        let rows = |format| Ok(Some(KnownFormat::Rows(format)));
        let is_tokens = matches!(&*self.format, "megatron" | "npy");
        if self.keep_columns && self.format != "auto" {
            return Err(Error::Parameter(format!(
                "format is `{}`, but with keep_columns rows are written as they came; leave one of them out",
                self.format
            )));
        }
        if !is_tokens && self.dtype != "auto" {
            return Err(Error::Parameter(format!(
                "dtype is `{}`, but rows have lists of uint32; it is for format `megatron` and `npy`",
                self.dtype
            )));
        }
        let dtype = |auto: Dtype| -> Result<Dtype> {
            let asked = Dtype::of_name(&self.dtype).unwrap_or(auto);
            asked.check(vocab_size)?;
            Ok(asked)
        };
        match &*self.format {
            "auto" => Ok(None),
            "parquet" => rows(DataFormat::Parquet),
            "arrow" => rows(DataFormat::Ipc),
            "jsonl" => rows(DataFormat::Jsonl),
            "megatron" => {
                let dtype = dtype(Dtype::megatron(vocab_size))?;
                if dtype.code().is_none() {
                    return Err(Error::Parameter(format!(
                        "dtype is `{}`, which an index of Megatron-LM has no code for; use `uint16`, `int32` or `int64`",
                        dtype.name()
                    )));
                }
                Ok(Some(KnownFormat::Megatron(dtype)))
            }
            "npy" => Ok(Some(KnownFormat::Npy(dtype(Dtype::narrowest(vocab_size))?))),
            other => Err(Error::Parameter(format!(
                "format is `{other}`, but it is auto, parquet, arrow, jsonl, megatron or npy"
            ))),
        }
    }
}

/// Turns the texts of files into tokens, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &TokenizeRun, progress: &Progress) -> Result<TokenizeReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let step = &config.step;
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: step.keep_columns,
        format: step.from_format.as_ref(),
        options: &config.options,
    };
    let (encoding, rows_run) = if step.is_chat() {
        let (run, format) = RowsRun::open(setup, progress)?;
        (step.encoding(Some(format))?, run)
    } else {
        let encoding = step.encoding(None)?;
        (encoding, RowsRun::over_fields(setup, &step.fields()?, progress)?)
    };
    let (tokenizer, format) = (TokenizerReport::of(&encoding), encoding.format);
    let is_stream = config.output.as_deref() == Some("-");
    rows_run.publish(config, |run, place| {
        let (rows, summary) = if step.keep_columns {
            run.examine(TokenizeStep::NAME, Box::new(encoding), place, &mut clock)?
        } else {
            let named = NamedReshape { name: TokenizeStep::NAME, reshape: &encoding };
            clock.time("rows", || run.reshape(&named, place))?
        };
        let tokens = TokenCounts::of_summary(&summary)?;
        tokens.check(&rows.outputs, format, is_stream)?;
        clock.total(started);
        Ok(TokenizeReport {
            marker: Marker::default(),
            config: config.clone(),
            tokenizer,
            tokens,
            rows,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

#[cfg(test)]
mod tests;
