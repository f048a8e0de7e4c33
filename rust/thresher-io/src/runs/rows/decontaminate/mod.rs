//! Rows that hold items of benchmarks, dropped or cut; what was found, and where.
//!
//! The benchmarks are read and indexed once, before the first row. `thresher_filter::contamination` says what is found by which
//! rule. A row step: it may stand anywhere in a pipeline.

mod report;

use std::time::Instant;

use serde_json::Value;
use thresher_chat::Format;
use thresher_chat::conversation::Content;
use thresher_core::json::{FieldPath, Fields, Json};
use thresher_filter::contamination::{Benchmark, Cut, Cutter, Detector, Index, Options, Rule, Verdict};

pub use report::{BenchmarkFound, DecontaminateReport, Decontaminated, MatchFound, table};

use super::{RowsRun, Setup};
use crate::error::{Error, Result};
use crate::record::Reason;
use crate::runs::benchmarks;
use crate::runs::books::peak_rss_bytes;
use crate::runs::clock::Clock;
use crate::runs::flow::{Opening, RowVerb};
use crate::runs::options::Config;
use crate::runs::output::Marker;
use crate::runs::parameters::{Kind, Step, parameters};
use crate::runs::progress::Progress;
use crate::runs::steps::{Found, Marks, RowStep, RowWorker, Sees};
use crate::secret;
use report::{UnitFound, detail};

/// Reasons of removal.
const CONTAMINATED: &str = "contaminated";
const CUT_TOO_OFTEN: &str = "cut_too_often";
const NOTHING_LEFT: &str = "nothing_left";

const COUNT: Kind = Kind::Whole { least: 0, most: u32::MAX as u64 };

parameters! {
    /// What texts must not hold, and what becomes of those that do.
    pub struct DecontaminateStep is "decontaminate" {
        /// The benchmarks: files of any input format, patterns or folders. Each file is one, called by its name.
        against: Vec<String> = Vec::new() => Kind::Paths("EVAL"), required;
        /// When an item counts as found: gpt3-13 (any 13 words of a field in a row), palm-70 (70 % of its 8-grams), llama3-8
        /// (80 % of its words in 8-grams), or ngram:N (any N words in a row).
        rule: String = "gpt3-13".into() => Kind::Text("RULE");
        /// Find items with one word in ten inserted, deleted or changed too.
        fuzzy: bool = false => Kind::Flag;
        /// Drop the documents, or cut what was found out of them as GPT-3 did.
        action: String = "drop".into() => Kind::Choice(|| vec!["drop", "cut"]);
        /// The share from which on palm-70 or llama3-8 counts, above 0. Default: that of the rule.
        threshold: Option<f64> = None => Kind::Share;
        /// An n-gram that more items of a benchmark have than this counts for nothing: it frames the questions.
        common: usize = 10 => COUNT;
        /// Paths of the fields that are prompts of the benchmarks. Default: found by their names, as question, prompt or turns.
        prompts: Vec<String> = Vec::new() => Kind::Texts("FIELD");
        /// Paths of the fields that are answers. Default: found by their names, as answer, solution or choices.
        answers: Vec<String> = Vec::new() => Kind::Texts("FIELD");
        /// With cut, characters that go on either side.
        window: usize = 200 => COUNT;
        /// With cut, characters of a piece that stays; a shorter one goes.
        min_piece: usize = 200 => COUNT;
        /// With cut, pieces of a document that stays; one that splits into more goes as a whole.
        max_pieces: usize = 10 => COUNT;
        /// Dotted path of the text field.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Dotted path of the id field. Default: documents are named `file:row`.
        id: Option<String> = None => Kind::Text("FIELD");
        /// Rows are chat data: the text of all turns counts. They can only be dropped.
        chat: bool = false => Kind::Flag;
        /// The format of chat rows: a name or a mapping of fields. Default: found out from the rows.
        from_format: Option<Value> = None => Kind::Format;
        /// Matches to list in the report; all are counted.
        max_matches: usize = 1000 => COUNT;
    }
}

/// The parameters of a run.
pub type DecontaminateRun = Config<DecontaminateStep>;

/// The step, with its benchmarks.
pub(crate) struct Decontamination {
    index: Index,
    /// How texts are cut; without it they are dropped.
    cutter: Option<Cutter>,
    text: FieldPath,
    id: Option<FieldPath>,
    chat: Option<Format>,
    max_matches: usize,
}

impl DecontaminateStep {
    fn is_chat(&self) -> bool {
        self.chat || self.from_format.is_some()
    }

    /// What is read of a row.
    fn fields(&self) -> Result<Fields> {
        let text = if self.is_chat() { None } else { Some(FieldPath::parse(&self.text)?) };
        Ok(Fields { text, id: self.id.as_deref().map(FieldPath::parse).transpose()?, rank: None })
    }

    /// What is looked for.
    ///
    /// # Errors
    /// `Error::Parameter` for a rule or a threshold that there is not.
    fn options(&self) -> Result<Options> {
        let rule = Rule::named(&self.rule, self.threshold)?;
        Ok(Options { rule, fuzzy: self.fuzzy, common: self.common })
    }

    fn cutter(&self) -> Result<Option<Cutter>> {
        match &*self.action {
            "drop" => Ok(None),
            "cut" if self.is_chat() => {
                Err(Error::Parameter("action is `cut`, but of chat rows no part can go; use `drop`".into()))
            }
            "cut" => Ok(Some(Cutter {
                window: self.window,
                min_piece: self.min_piece,
                max_pieces: self.max_pieces,
            })),
            other => Err(Error::Parameter(format!("action is `{other}`, but it is `drop` or `cut`"))),
        }
    }

    /// The index of the benchmarks, and how texts are cut unless they are dropped. `more` are benchmarks besides those that
    /// `against` names, of which there may be none then.
    ///
    /// # Errors
    /// `Error::Parameter` for parameters that cannot be; those of reading the benchmarks.
    pub fn prepare(&self, mut more: Vec<Benchmark>, progress: &Progress) -> Result<(Index, Option<Cutter>)> {
        let (options, cutter) = (self.options()?, self.cutter()?);
        if !self.against.is_empty() || more.is_empty() {
            more.extend(benchmarks::read(&self.against, &self.prompts, &self.answers, progress)?);
        }
        Ok((Index::build(&more, options, &secret::draw()?)?, cutter))
    }

    /// The step over texts, or over chat rows of a format.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    fn open(&self, chat: Option<Format>, progress: &Progress) -> Result<Decontamination> {
        let (index, cutter) = self.prepare(Vec::new(), progress)?;
        Ok(Decontamination {
            index,
            cutter,
            text: FieldPath::parse(&self.text)?,
            id: self.id.as_deref().map(FieldPath::parse).transpose()?,
            chat,
            max_matches: self.max_matches,
        })
    }
}

impl RowVerb for DecontaminateStep {
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn RowStep>> {
        let chat = self.is_chat().then(|| opening.chat_format(self.from_format.as_ref())).transpose()?;
        Ok(Box::new(Self::open(self, chat, opening.progress)?))
    }

    fn alone(config: &Config<Self>, progress: &Progress) -> Option<Result<Value>> {
        let internal = |error: serde_json::Error| Error::Internal(error.to_string());
        Some(run(config, progress).and_then(|report| serde_json::to_value(report).map_err(internal)))
    }
}

/// Takes what benchmarks hold out of files, and gives the report that it also writes.
///
/// # Errors
/// `Error::Parameter` for what can be known to be wrong beforehand, `Error::Io` for what the system refuses, `Error::Data` for a
/// row of a benchmark that cannot be read, in strict mode, or for files that change meanwhile, `Error::Busy`, `Error::Cancelled`.
pub fn run(config: &DecontaminateRun, progress: &Progress) -> Result<DecontaminateReport> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let step = &config.step;
    // A mistake is told before anything is read.
    step.options()?;
    step.cutter()?;
    let setup = Setup {
        inputs: &config.inputs,
        output: Some(config.output()?),
        keeps_format: true,
        format: step.from_format.as_ref(),
        options: &config.options,
    };
    let (rows_run, format) = if step.is_chat() {
        let (run, format) = RowsRun::open(setup, progress)?;
        (run, Some(format))
    } else {
        (RowsRun::over_fields(setup, &step.fields()?, progress)?, None)
    };
    let opened = clock.time("index", || step.open(format, progress))?;
    rows_run.publish(config, |run, place| {
        let (rows, summary) = run.examine(DecontaminateStep::NAME, Box::new(opened), place, &mut clock)?;
        clock.total(started);
        Ok(DecontaminateReport {
            marker: Marker::default(),
            config: config.clone(),
            rows,
            found: Decontaminated::of_summary(summary)?,
            timings: std::mem::take(&mut clock.seconds).into_iter().collect(),
            peak_rss_bytes: peak_rss_bytes(),
            threads: config.options.threads(),
        })
    })
}

impl RowStep for Decontamination {
    fn sees(&self) -> Sees {
        if self.chat.is_some() { Sees::Row } else { Sees::Text(self.text.clone()) }
    }

    fn id(&self) -> Option<&FieldPath> {
        self.id.as_ref()
    }

    fn format(&self) -> Option<&str> {
        self.chat.as_ref().map(Format::name)
    }

    fn edits(&self) -> bool {
        self.cutter.is_some()
    }

    fn resident_bytes(&self) -> u64 {
        self.index.bytes()
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let found = UnitFound::default();
        Box::new(Worker { step: self, detector: Detector::new(&self.index), turns: String::new(), found })
    }

    fn summary(&self, inputs: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Value> {
        report::summary(&self.index, self.max_matches, inputs, found)
    }
}

/// One thread of it.
struct Worker<'w> {
    step: &'w Decontamination,
    detector: Detector<'w>,
    /// The text of a chat row.
    turns: String,
    found: UnitFound,
}

impl RowWorker for Worker<'_> {
    fn row(&mut self, row: &str, marks: &mut Marks) {
        let text = match &self.step.chat {
            None => row,
            Some(format) => match turns_of(format, row, &mut self.turns) {
                Ok(()) => &self.turns,
                Err(error) => {
                    marks.set_aside(Reason::Chat(error.reason), error.detail);
                    return;
                }
            },
        };
        let Some(verdict) = self.detector.check(text) else { return };
        let removed = act(self.step, text, &verdict, marks);
        self.found.add(&self.step.index, marks.slot(), &verdict, removed, self.step.max_matches);
    }

    fn found(&mut self) -> String {
        std::mem::take(&mut self.found).into_json(&self.step.index)
    }
}

/// Notes what becomes of a contaminated text; says whether it goes as a whole.
fn act(step: &Decontamination, text: &str, verdict: &Verdict, marks: &mut Marks) -> bool {
    let reason = match step.cutter {
        None => CONTAMINATED,
        Some(cutter) => match cutter.cut(text, &verdict.spans) {
            Cut::Without(gone) => {
                for (range, new) in gone {
                    marks.edit(range, new);
                }
                return false;
            }
            Cut::TooManyPieces(_) => CUT_TOO_OFTEN,
            Cut::NothingLeft => NOTHING_LEFT,
        },
    };
    marks.remove(reason, detail(&step.index, verdict));
    true
}

/// The text of all turns of a row, a line each.
fn turns_of(
    format: &Format,
    row: &str,
    turns: &mut String,
) -> std::result::Result<(), thresher_chat::RowError> {
    turns.clear();
    let conversation = format.read(Json::checked(row))?;
    for message in conversation.all_messages() {
        let texts = [message.reasoning.as_ref(), message.input.as_ref()];
        let content = match &message.content {
            Content::Text(text) => vec![text.reborrow()],
            Content::Parts(parts) => {
                let parts = Json::checked(parts).items();
                parts.filter_map(|part| part.get("text")?.as_str()).collect()
            }
            Content::Absent | Content::Null => Vec::new(),
        };
        for text in content.iter().chain(texts.into_iter().flatten()) {
            if let Ok(text) = text.decode() {
                turns.push_str(&text);
                turns.push('\n');
            }
        }
    }
    Ok(())
}
