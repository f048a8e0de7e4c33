//! Rendering of chat data over files: rows of a text and of the spans that the model is to learn.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thresher_chat::template::{Arguments, Limits, Moment, RenderOptions, Source, Template, Variant};
use thresher_chat::{Format, RowError};
use thresher_core::json::{Json, Str};

use super::{Refusal, RowWork, RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::output::Marker;
use crate::runs::progress::Progress;

/// Where a template comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The template itself.
    pub template: Option<String>,
    /// The text of `tokenizer_config.json`.
    pub config: Option<String>,
    /// Which of several templates.
    pub name: Option<String>,
}

impl Origin {
    /// The template.
    ///
    /// # Errors
    /// `Error::Parameter` if it cannot be compiled.
    pub fn compile(&self) -> Result<Template> {
        let bad = |error: RowError| Error::Parameter(format!("the template: {error}"));
        let mut source = match &self.config {
            Some(config) => {
                let config = Json::parse(config).map_err(|error| bad(error.into()))?;
                Source::from_config(config, self.name.as_deref(), self.template.is_none()).map_err(bad)?
            }
            None => Source::default(),
        };
        if let Some(template) = &self.template {
            source.template.clone_from(template);
        }
        Template::compile(&source, &Limits::default()).map_err(bad)
    }
}

/// How rows are rendered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The template.
    pub template: Origin,
    /// The template that the model is deployed with, if two are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Origin>,
    /// The format of the rows: a name or a mapping of fields; found out from the rows if not given.
    pub from: Option<Value>,
    /// Whether the text ends where the model would go on.
    pub add_generation_prompt: bool,
    /// Whether to find what the model is to generate.
    pub mask: bool,
    /// What the template takes for today.
    pub now: Option<String>,
    /// Further variables of the template.
    pub variables: Map<String, Value>,
    /// The form in which the template gets the arguments of calls: `auto`, `string`, `mapping` or `written`.
    pub arguments: String,
    /// Of a preference: `chosen`, `rejected` or `prompt`.
    pub variant: String,
}

impl Settings {
    /// The same in the types of the renderer.
    ///
    /// # Errors
    /// `Error::Parameter` for a value that there is not.
    pub fn options(&self) -> Result<RenderOptions> {
        let now = self.now.as_deref().map(|now| {
            let moment = Moment::parse(now);
            moment.ok_or_else(|| {
                let allowed = "it is a date, as `2024-07-26` or `2024-07-26T10:00:00`";
                Error::Parameter(format!("now is `{now}`, but {allowed}"))
            })
        });
        let unknown = |name: &str, value: &str, allowed: &str| {
            Error::Parameter(format!("{name} is `{value}`, but it is {allowed}"))
        };
        Ok(RenderOptions {
            add_generation_prompt: self.add_generation_prompt,
            mask: self.mask,
            now: now.transpose()?,
            variables: self.variables.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
            arguments: match &*self.arguments {
                "auto" => Arguments::Auto,
                "string" => Arguments::Text,
                "mapping" => Arguments::Mapping,
                "written" => Arguments::Written,
                other => return Err(unknown("arguments", other, "auto, string, mapping or written")),
            },
            variant: match &*self.variant {
                "chosen" => Variant::Chosen,
                "rejected" => Variant::Rejected,
                "prompt" => Variant::Prompt,
                other => return Err(unknown("ending", other, "chosen, rejected or prompt")),
            },
            limits: Limits::default(),
        })
    }
}

/// The parameters of a rendering. Written to `run.json` as they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderRun {
    /// Files and patterns to read, or `-`.
    pub inputs: Vec<String>,
    /// A folder, a data file, or `-`.
    pub output: String,
    /// Whether a finished result may be replaced.
    pub overwrite: bool,
    /// How rows are rendered.
    pub settings: Settings,
    /// Threads to use.
    pub threads: usize,
    /// Folder for temporary files.
    pub tmp: Option<String>,
    /// Whether the first row that cannot be rendered ends the run.
    pub strict: bool,
    /// Share of the rows, from 0 to 1, of which more may not be set aside.
    pub max_quarantine: f64,
    /// Longest row, in bytes; a longer one is set aside.
    pub max_record_bytes: u64,
    /// Bytes of input that a thread works on at a time; the output does not depend on it.
    pub batch_bytes: u64,
}

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct RenderReport {
    /// That the file is ours.
    #[serde(flatten)]
    pub marker: Marker,
    /// The parameters.
    pub config: RenderRun,
    /// The format that was read.
    pub from: String,
    /// Inputs, outputs and books.
    #[serde(flatten)]
    pub rows: RowsReport,
    /// Seconds of each step.
    pub timings: BTreeMap<&'static str, f64>,
    /// Most memory that the process held.
    pub peak_rss_bytes: u64,
    /// Threads used.
    pub threads: usize,
}

/// Renders the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &RenderRun, progress: &Progress) -> Result<RenderReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let (template, options) = (config.settings.template.compile()?, config.settings.options()?);
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(&config.output),
        overwrite: config.overwrite,
        keeps_format: false,
        format: config.settings.from.as_ref(),
        threads: config.threads,
        tmp: config.tmp.as_deref(),
        strict: config.strict,
        max_quarantine: config.max_quarantine,
        max_record_bytes: config.max_record_bytes,
        batch_bytes: config.batch_bytes,
    };
    let (rows_run, format) = RowsRun::open(setup, progress)?;
    let work = Rendering { template, options, format };
    let (rows, ()) = clock.time("rows", || rows_run.run(&work, || (), |(), _, _, ()| Ok(())))?;
    clock.total(started);
    let report = RenderReport {
        marker: Marker::default(),
        config: config.clone(),
        from: work.format.name().to_owned(),
        rows,
        timings: clock.seconds.into_iter().collect(),
        peak_rss_bytes: peak_rss_bytes(),
        threads: config.threads,
    };
    rows_run.finish(&report)?;
    Ok(report)
}

struct Rendering {
    template: Template,
    options: RenderOptions,
    format: Format,
}

/// The fields of a rendered row.
const TEXT: &str = "text";
const SPANS: &str = "spans";

impl RowWork for Rendering {
    type State = ();
    type Found = ();

    fn state(&self) {}

    fn found(&self) {}

    fn row(
        &self,
        (): &mut (),
        (): &mut (),
        _: u64,
        row: Json<'_>,
        out: &mut String,
    ) -> std::result::Result<(), Refusal> {
        let conversation = self.format.read(row)?;
        let rendered = self.template.render(&conversation, &self.options)?;
        let _ = write!(out, "{{\"{TEXT}\":\"{}\"", Str::encode(&*rendered.text).escaped());
        if self.options.mask {
            let _ = write!(out, ",\"{SPANS}\":[");
            for (index, (start, end)) in rendered.character_spans().into_iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                let _ = write!(out, "{comma}{{\"start\":{start},\"end\":{end}}}");
            }
            out.push(']');
        }
        // What belongs to the row and to no turn goes with it, as an id does.
        for (key, value) in &conversation.extra {
            if ![TEXT, SPANS].contains(&key.escaped()) {
                let _ = write!(out, ",\"{}\":{value}", key.escaped());
            }
        }
        out.push('}');
        Ok(())
    }
}
