//! Rendering of chat data over files: rows of a text and of the spans that the model is to learn.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thresher_chat::template::{Arguments, Limits, Moment, RenderOptions, Source, Template, Variant};
use thresher_chat::{Format, RowError};
use thresher_core::json::{Json, Str};

use super::{NamedReshape, NewRows, Reshape, ReshapeWorker, RowsReport, RowsRun, Setup};
use crate::error::{Error, Result};
use crate::exhibits::Exhibits;
use crate::record::Record;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::evidence::Reported;
use crate::runs::options::Config;
use crate::runs::output::{Files, Marker};
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Refusal};

/// Where a template comes from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The template itself.
    pub template: Option<String>,
    /// The text of `tokenizer_config.json`.
    pub config: Option<String>,
}

impl Origin {
    /// The template; `name` says which of several.
    ///
    /// # Errors
    /// `Error::Parameter` if it cannot be compiled.
    pub fn compile(&self, name: Option<&str>) -> Result<Template> {
        let bad = |error: RowError| Error::Parameter(format!("the template: {error}"));
        let mut source = match &self.config {
            Some(config) => {
                let config = Json::parse(config).map_err(|error| bad(error.into()))?;
                Source::from_config(config, name, self.template.is_none()).map_err(bad)?
            }
            None => Source::default(),
        };
        if let Some(template) = &self.template {
            source.template.clone_from(template);
        }
        Template::compile(&source, &Limits::default()).map_err(bad)
    }
}

parameters! {
    /// How rows are rendered.
    pub struct RenderStep is "render" {
        /// The template: its text, or a `.jinja` file, a `tokenizer_config.json`, or the folder of a tokenizer.
        template: Origin = Origin::default() => Kind::Template, required;
        /// Which template, if a configuration has several.
        name: Option<String> = None => Kind::Text("NAME");
        /// The format of the rows: a name or a mapping of fields. Default: found out from the rows.
        from_format: Option<Value> = None => Kind::Format;
        /// End the text where the model would go on.
        add_generation_prompt: bool = false => Kind::Flag;
        /// Find what the model is to generate.
        mask: bool = true => Kind::Flag;
        /// What the template takes for today, as 2024-07-26.
        now: Option<String> = None => Kind::Text("DATE");
        /// The form in which the template gets the arguments of calls; auto is the one that it wants.
        arguments: String = "auto".into() => Kind::Choice(|| vec!["auto", "string", "mapping", "written"]);
        /// Of a preference, which one; or prompt for none.
        ending: String = "chosen".into() => Kind::Choice(|| vec!["chosen", "rejected", "prompt"]);
        /// Further variables of the template.
        variables: Map<String, Value> = Map::new() => Kind::Mapping;
    }
}

/// The parameters of a run.
pub type RenderRun = Config<RenderStep>;

impl RenderStep {
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
            variant: match &*self.ending {
                "chosen" => Variant::Chosen,
                "rejected" => Variant::Rejected,
                "prompt" => Variant::Prompt,
                other => return Err(unknown("ending", other, "chosen, rejected or prompt")),
            },
            limits: Limits::default(),
        })
    }
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

impl Reported for RenderReport {
    fn verb(&self) -> &'static str {
        "render"
    }

    fn files(&mut self) -> &mut Files {
        &mut self.rows.files
    }

    fn exhibits(&self) -> &Exhibits {
        &self.rows.exhibits
    }
}

/// Renders the rows of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses,
/// `Error::Data` in strict mode or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &RenderRun, progress: &Progress) -> Result<RenderReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let step = &config.step;
    step.parts()?;
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: false,
        format: step.from_format.as_ref(),
        options: &config.options,
    };
    let (rows_run, format) = RowsRun::open(setup, progress)?;
    let from = format.name().to_owned();
    let rendering = step.open(format)?;
    rows_run.publish(config, |run, place| {
        let named = NamedReshape { name: RenderStep::NAME, reshape: &rendering };
        let (rows, _) = clock.time("rows", || run.reshape(&named, place))?;
        clock.total(started);
        Ok(RenderReport {
            marker: Marker::default(),
            config: config.clone(),
            from,
            rows,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

/// The rendering of every row.
pub(crate) struct Rendering {
    template: Template,
    options: RenderOptions,
    format: Format,
}

impl RenderStep {
    /// The step over rows of a format.
    ///
    /// # Errors
    /// `Error::Parameter` for a template that cannot be compiled, or a value that there is not.
    pub(crate) fn open(&self, format: Format) -> Result<Rendering> {
        let (template, options) = self.parts()?;
        Ok(Rendering { template, options, format })
    }

    fn parts(&self) -> Result<(Template, RenderOptions)> {
        Ok((self.template.compile(self.name.as_deref())?, self.options()?))
    }
}

/// The fields of a rendered row.
const TEXT: &str = "text";
const SPANS: &str = "spans";

impl Reshape for Rendering {
    fn format(&self) -> Option<&str> {
        Some(self.format.name())
    }

    fn worker(&self) -> Box<dyn ReshapeWorker + '_> {
        Box::new(Worker(self))
    }

    fn summary(&self, _: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Value> {
        for found in found {
            found?;
        }
        Ok(json!({"from": self.format.name()}))
    }
}

/// One thread of it.
struct Worker<'r>(&'r Rendering);

impl ReshapeWorker for Worker<'_> {
    fn row(&mut self, row: &Record<'_>, new: &mut NewRows) -> std::result::Result<(), Refusal> {
        let Self(Rendering { template, options, format }) = self;
        let conversation = format.read(Json::checked(row.text))?;
        let rendered = template.render(&conversation, options)?;
        let out = new.text();
        let _ = write!(out, "{{\"{TEXT}\":\"{}\"", Str::encode(&*rendered.text).escaped());
        if options.mask {
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
        new.end();
        Ok(())
    }
}
