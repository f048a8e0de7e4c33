//! What a pipeline can be made of: verbs by name, each with its parameters, and what opens it.

use std::sync::Arc;

use serde_json::{Map, Value};
use thresher_chat::Format;

use crate::error::{Error, Result};
use crate::runs::dedup::{self, DedupStep};
use crate::runs::gather::{self, AnyGather, Gather};
use crate::runs::options::Config;
use crate::runs::pack::PackStep;
use crate::runs::parameters::{Named, Parameter, Step, named_by};
use crate::runs::progress::Progress;
use crate::runs::rows::convert::{self, ConvertStep};
use crate::runs::rows::decontaminate::DecontaminateStep;
use crate::runs::rows::filter::{self, FilterStep};
use crate::runs::rows::language::LanguageStep;
use crate::runs::rows::pii::{self, PiiStep};
use crate::runs::rows::quality::QualityStep;
use crate::runs::rows::render::{self, RenderStep};
use crate::runs::rows::tokenize::{self, TokenizeStep};
use crate::runs::rows::validate::{self, ValidateStep};
use crate::runs::rows::{Reshape, chat_format};
use crate::runs::shuffle::ShuffleStep;
use crate::runs::source::Source;
use crate::runs::steps::RowStep;
use crate::suggest::nearest;

/// What a step may look at before it begins.
pub struct Opening<'o> {
    pub(crate) sources: &'o [Source],
    pub(crate) threads: usize,
    pub(crate) progress: &'o Progress,
    /// The run is strict.
    pub strict: bool,
}

impl Opening<'_> {
    /// The chat format of the rows: the one asked for, or the one that some of them are of.
    ///
    /// # Errors
    /// `Error::Parameter` for a format that there is not, or rows of none or several; those of reading.
    pub fn chat_format(&self, asked: Option<&Value>) -> Result<Format> {
        chat_format(asked, self.sources, self.threads, self.progress)
    }
}

/// The parameters of a row step. A verb of one more is this, in one file.
pub trait RowVerb: Step {
    /// The step of these parameters.
    ///
    /// # Errors
    /// `Error::Parameter` for parameters that cannot be.
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn RowStep>>;

    /// Checks what can be checked before the steps in front of it have run.
    ///
    /// # Errors
    /// `Error::Parameter` for parameters that cannot be.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The run of this verb by itself, where it is more than a pipeline of one step.
    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        let _ = (config, progress);
        None
    }
}

/// The parameters of a step that makes new rows.
pub trait ReshapeVerb: Step {
    /// The step of these parameters.
    ///
    /// # Errors
    /// `Error::Parameter` for parameters that cannot be.
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn Reshape>>;

    /// The run of this verb by itself, where it is more than a pipeline of one step.
    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        let _ = (config, progress);
        None
    }
}

type Open<S> = Arc<dyn Fn(&Opening<'_>) -> Result<Box<S>> + Send + Sync>;
type Check = Arc<dyn Fn() -> Result<()> + Send + Sync>;
type Alone = Arc<dyn Fn(&Config<Value>, &Progress) -> Option<Result<Value>> + Send + Sync>;

/// What a step does, as a pipeline sees it.
#[derive(Clone)]
pub(crate) enum Kind {
    /// Looks at each row by itself.
    Rows(Open<dyn RowStep>, Check),
    /// Makes new rows.
    Reshape(Open<dyn Reshape>),
    /// Decides on all rows together.
    Dedup(Box<DedupStep>),
    /// Takes all rows, and makes new files of them.
    Gather(Arc<dyn AnyGather>),
}

/// One step of a pipeline.
#[derive(Clone)]
pub(crate) struct FlowStep {
    pub(crate) verb: &'static str,
    /// The parameters, with their defaults.
    pub(crate) parameters: Value,
    pub(crate) kind: Kind,
    /// Files and variables that parameters name.
    pub(crate) named: Vec<Named>,
    alone: Alone,
}

impl FlowStep {
    /// Runs the step by itself, where that is more than a pipeline of it.
    pub(crate) fn alone(&self, config: &Config<Value>, progress: &Progress) -> Option<Result<Value>> {
        (self.alone)(config, progress)
    }
}

/// A verb that a pipeline may have as a step.
#[derive(Clone)]
struct Verb {
    name: &'static str,
    parameters: fn() -> Vec<Parameter>,
    parse: fn(Map<String, Value>) -> serde_json::Result<FlowStep>,
}

/// The verbs that pipelines are made of.
#[derive(Clone)]
pub struct Verbs(Vec<Verb>);

impl Default for Verbs {
    fn default() -> Self {
        let mut verbs = Self(vec![dedup()])
            .rows::<FilterStep>()
            .reshape::<ConvertStep>()
            .rows::<ValidateStep>()
            .reshape::<RenderStep>()
            .rows::<LanguageStep>()
            .rows::<QualityStep>()
            .rows::<PiiStep>();
        verbs.0.push(tokenize());
        verbs.rows::<DecontaminateStep>().gather::<ShuffleStep>().gather::<PackStep>()
    }
}

impl Verbs {
    /// With one more row step.
    #[must_use]
    pub fn rows<P: RowVerb + 'static>(mut self) -> Self {
        self.0.push(Verb {
            name: P::NAME,
            parameters: P::parameters,
            parse: |given| {
                let kind = |step: P| {
                    let own = step.clone();
                    Kind::Rows(Arc::new(move |opening| step.open(opening)), Arc::new(move || own.check()))
                };
                step::<P>(given, kind, P::alone)
            },
        });
        self
    }

    /// With one more step that makes new rows.
    #[must_use]
    pub fn reshape<P: ReshapeVerb + 'static>(mut self) -> Self {
        self.0.push(Verb {
            name: P::NAME,
            parameters: P::parameters,
            parse: |given| {
                step::<P>(given, |step| Kind::Reshape(Arc::new(move |opening| step.open(opening))), P::alone)
            },
        });
        self
    }

    /// With one more step that takes all rows and makes new files of them.
    #[must_use]
    fn gather<P: Gather + 'static>(mut self) -> Self {
        self.0.push(Verb {
            name: P::NAME,
            parameters: P::parameters,
            parse: |given| {
                let alone =
                    |config: &Config<P>, progress: &Progress| Some(report(gather::run(config, progress)));
                step::<P>(given, |step| Kind::Gather(Arc::new(step)), alone)
            },
        });
        self
    }

    /// The step at `index` of a pipeline: an object of one verb and its parameters.
    ///
    /// # Errors
    /// `Error::Parameter` for a verb or a parameter that there is not, or a value of a wrong type.
    pub(crate) fn parse(&self, index: usize, step: &Map<String, Value>) -> Result<FlowStep> {
        let mut members = step.iter();
        let (Some((verb, given)), None) = (members.next(), members.next()) else {
            return Err(Error::Parameter(format!("step {} is not one verb with its parameters", index + 1)));
        };
        let Some(known) = self.0.iter().find(|known| known.name == verb) else {
            let names: Vec<String> = self.0.iter().map(|verb| verb.name.to_owned()).collect();
            return Err(Error::Parameter(format!(
                "step {} is `{verb}`, but there is no such step; {}the steps are {}",
                index + 1,
                nearest(verb, &names),
                names.join(", ")
            )));
        };
        let place = format!("step {} ({verb})", index + 1);
        let given = match given {
            Value::Null => Map::new(),
            Value::Object(fields) => fields.clone(),
            _ => return Err(Error::Parameter(format!("{place} has parameters by name, or none"))),
        };
        let names: Vec<String> = (known.parameters)().iter().map(|one| one.name.to_owned()).collect();
        if let Some(name) = given.keys().find(|name| !names.contains(name)) {
            let near = nearest(name, &names);
            return Err(Error::Parameter(format!(
                "{place} has no parameter `{name}`; {near}it has {}",
                names.join(", ")
            )));
        }
        let wrong = |error: &dyn std::fmt::Display| Error::Parameter(format!("{place}: {error}"));
        let step = (known.parse)(given).map_err(|error| wrong(&error))?;
        // A mistake is told before the steps in front of it have run.
        let checked = match &step.kind {
            Kind::Gather(gather) => gather.check(),
            Kind::Rows(_, check) => check(),
            Kind::Reshape(_) | Kind::Dedup(_) => Ok(()),
        };
        checked.map_err(|error| match error {
            Error::Parameter(said) => wrong(&said),
            other => other,
        })?;
        Ok(step)
    }
}

/// Tokens take the place of rows, or are columns beside the others.
fn tokenize() -> Verb {
    Verb {
        name: TokenizeStep::NAME,
        parameters: TokenizeStep::parameters,
        parse: |given| {
            let kind = |step: TokenizeStep| {
                if step.keep_columns {
                    let open =
                        move |opening: &Opening<'_>| Ok(Box::new(step.open(opening)?) as Box<dyn RowStep>);
                    return Kind::Rows(Arc::new(open), Arc::new(|| Ok(())));
                }
                Kind::Reshape(Arc::new(move |opening| Ok(Box::new(step.open(opening)?) as Box<dyn Reshape>)))
            };
            let alone = |config: &Config<TokenizeStep>, progress: &Progress| {
                Some(report(tokenize::run(config, progress)))
            };
            step::<TokenizeStep>(given, kind, alone)
        },
    }
}

fn dedup() -> Verb {
    Verb {
        name: DedupStep::NAME,
        parameters: DedupStep::parameters,
        parse: |given| {
            let alone =
                |config: &Config<DedupStep>, progress: &Progress| Some(report(dedup::run(config, progress)));
            step::<DedupStep>(given, |step| Kind::Dedup(Box::new(step)), alone)
        },
    }
}

fn step<P: Step + 'static>(
    given: Map<String, Value>,
    kind: impl FnOnce(P) -> Kind,
    alone: fn(&Config<P>, &Progress) -> Option<Result<Value>>,
) -> serde_json::Result<FlowStep> {
    let step: P = serde_json::from_value(Value::Object(given))?;
    let parameters = serde_json::to_value(&step)?;
    let own = step.clone();
    let alone: Alone = Arc::new(move |config: &Config<Value>, progress: &Progress| {
        let config = Config {
            inputs: config.inputs.clone(),
            output: config.output.clone(),
            step: own.clone(),
            options: config.options.clone(),
            within: config.within.clone(),
        };
        alone(&config, progress)
    });
    let named = named_by::<P>(&parameters);
    Ok(FlowStep { verb: P::NAME, parameters, kind: kind(step), named, alone })
}

/// A report as JSON.
pub(crate) fn report(report: Result<impl serde::Serialize>) -> Result<Value> {
    serde_json::to_value(report?).map_err(|error| Error::Internal(error.to_string()))
}

impl RowVerb for ValidateStep {
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        Ok(Box::new(Self::open(self, opening.chat_format(self.format.as_ref())?, opening.strict)?))
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        Some(report(validate::run(config, progress)))
    }
}

impl RowVerb for PiiStep {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        Ok(Box::new(Self::open(self)?))
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        Some(report(pii::run(config, progress)))
    }
}

impl RowVerb for FilterStep {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        Ok(Box::new(Self::open(self)?))
    }

    fn check(&self) -> Result<()> {
        Self::open(self).map(drop)
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        Some(report(filter::run(config, progress)))
    }
}

impl ReshapeVerb for ConvertStep {
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn Reshape>> {
        Ok(Box::new(Self::open(self, opening.chat_format(self.from_format.as_ref())?, opening.strict)?))
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        Some(report(convert::run(config, progress)))
    }
}

impl ReshapeVerb for RenderStep {
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn Reshape>> {
        Ok(Box::new(Self::open(self, opening.chat_format(self.from_format.as_ref())?)?))
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        Some(report(render::run(config, progress)))
    }
}
