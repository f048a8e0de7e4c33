//! What a mix is asked for, and the same as wishes of the plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thresher_core::json::FieldPath;
use thresher_tokens::mixing::{
    Arrangement, FieldWish, PhaseWish, Short, SourceWish, ValueWish, Weighting, Wishes,
};

use crate::error::{Error, Result};
use crate::runs::options::Config;
use crate::runs::parameters::{Kind, parameters};
use crate::suggest;

/// Shares by value, by field.
type Shares = BTreeMap<String, BTreeMap<String, f64>>;

parameters! {
    /// What a mix is asked for.
    pub struct MixStep is "mix" {
        /// The sources by name: for each its inputs, or a mapping of `inputs`, `weight`, `upsample`, `max_epochs`, `floor` and `ceiling`.
        sources: BTreeMap<String, MixSource> = BTreeMap::new() => Kind::Mapping, required;
        /// What sizes, weights and the target count: `tokens`, `bytes` of the texts, or `documents`.
        unit: String = "tokens".into() => Kind::Choice(|| vec!["tokens", "bytes", "documents"]);
        /// Field of the texts whose tokens or bytes are counted.
        text: String = "text".into() => Kind::Text("FIELD");
        /// Field with the number of tokens of a row, or with its tokens. Default: `length`, unless a tokenizer counts.
        length: Option<String> = None => Kind::Text("FIELD");
        /// A tokenizer.json, or a folder that holds one, that counts the tokens of the texts, which costs a pass of tokenisation.
        tokenizer: Option<String> = None => Kind::Path("FILE");
        /// Size of the mix, in the unit. Default: the largest mix in which the proportions hold and no source is read more often than
        /// it may; without weights that is everything once.
        target: Option<u64> = None => Kind::Whole { least: 1, most: 1 << 53 };
        /// What weights are made of: `given` those of the sources, or their sizes if they have none; `unimax` all alike, as far as
        /// `max_epochs` allows (`UniMax`, Chung et al. 2023).
        weighting: String = "given".into() => Kind::Choice(|| vec!["given", "unimax"]);
        /// Weights are sizes to the power of 1/temperature, as in T5: 1 keeps the proportions, more makes sources more alike; 3.33 is
        /// mT5's alpha of 0.3.
        temperature: Option<f64> = None => Kind::Number("T");
        /// How often a source is read at most, in all phases together, if it does not say otherwise. A fraction is a part of a pass.
        max_epochs: f64 = 1.0 => Kind::Number("EPOCHS");
        /// What happens if a source has less than its given weight asks for: `error` stops and says what would do, `fill` lets the other
        /// sources fill the gap.
        short: String = "error".into() => Kind::Choice(|| vec!["error", "fill"]);
        /// Least shares of the mix by field and value, as `{language: {de: 0.1}}`.
        floors: Shares = Shares::new() => Kind::Mapping;
        /// Greatest shares of the mix by field and value, as `{kind: {code: 0.3}}`.
        ceilings: Shares = Shares::new() => Kind::Mapping;
        /// Least share of rows that people have written: those whose `real_field` has one of `real_values`.
        real_share: f64 = 0.0 => Kind::Share;
        /// Field that says where a row comes from.
        real_field: String = "provenance".into() => Kind::Text("FIELD");
        /// Values of `real_field` that mean that people have written the row. Default: `human`.
        real_values: Vec<String> = Vec::new() => Kind::Texts("VALUE");
        /// A curriculum: stretches of the mix in order, each with `name`, `share` and, if it likes, `weights` by source.
        phases: Vec<MixPhase> = Vec::new() => Kind::Records("PHASE");
        /// The order within a phase: `shuffle` at random, or `interleave`, where each stretch has of each source what is due.
        order: String = "shuffle".into() => Kind::Choice(|| vec!["shuffle", "interleave"]);
        /// Names the rows that are taken and their order, 0 to 2^64 - 1.
        seed: u64 = 0 => Kind::Whole { least: 0, most: u64::MAX };
        /// Add the column `epoch`: how often the row was taken before.
        epochs: bool = false => Kind::Flag;
        /// Files in the output folder, whose rows differ by one at most. Default: as many as there are inputs.
        shards: Option<u64> = None => Kind::Whole { least: 1, most: 100_000 };
        /// Rows of a file in the output folder.
        rows_per_shard: Option<u64> = None => Kind::Whole { least: 1, most: u64::MAX };
    }
}

parameters! {
    /// A source of a mix.
    pub struct MixSource is "mix.source" {
        /// Files, patterns and folders to read.
        inputs: Vec<String> = Vec::new() => Kind::Texts("PATH"), required;
        /// Its weight, of which only the proportion to the others counts; 0 takes nothing. Given for all sources or none.
        weight: Option<f64> = None => Kind::Number("WEIGHT");
        /// How many copies of itself it counts as, in its weight and in `max_epochs`.
        upsample: f64 = 1.0 => Kind::Number("FACTOR");
        /// How often it is read at most. Default: as often as every source may be.
        max_epochs: Option<f64> = None => Kind::Number("EPOCHS");
        /// Its least share of each phase.
        floor: f64 = 0.0 => Kind::Share;
        /// Its greatest share of each phase.
        ceiling: f64 = 1.0 => Kind::Share;
    }
}

parameters! {
    /// A stretch of a mix.
    pub struct MixPhase is "mix.phase" {
        /// Its name.
        name: String = String::new() => Kind::Text("NAME"), required;
        /// Its share of the mix; those of all phases sum to 1.
        share: f64 = 0.0 => Kind::Share, required;
        /// Its weights by source; a source that is not named has 0. Default: those of the mix.
        weights: BTreeMap<String, f64> = BTreeMap::new() => Kind::Mapping;
    }
}

/// The parameters of a run.
pub type MixRun = Config<MixStep>;

/// A field whose values have floors or ceilings.
#[derive(Clone, Debug)]
pub(super) struct Divided {
    pub(super) path: FieldPath,
    /// Each value that counts, with the place of its wish.
    pub(super) values: BTreeMap<String, usize>,
}

/// What decides on the size of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Sized {
    Documents,
    Bytes(String),
    Length(String),
    Tokens { text: String, tokenizer: String },
}

impl MixStep {
    /// What decides on the size of a row.
    ///
    /// # Errors
    /// `Error::Parameter` for parameters that contradict each other.
    pub(super) fn sized(&self) -> Result<Sized> {
        let counts = |what: &str, value: &str| {
            Error::Parameter(format!(
                "{what} is `{value}`, but unit is `{}`, for which it counts nothing; leave it out, or count in `tokens`",
                self.unit
            ))
        };
        path(&self.text)?;
        match self.unit.as_str() {
            "tokens" => match (&self.tokenizer, &self.length) {
                (Some(_), Some(length)) => Err(Error::Parameter(format!(
                    "tokens are counted by a tokenizer or told by the field `{length}`; leave out tokenizer or length"
                ))),
                (Some(tokenizer), None) => {
                    Ok(Sized::Tokens { text: self.text.clone(), tokenizer: tokenizer.clone() })
                }
                (None, length) => Ok(Sized::Length(length.clone().unwrap_or_else(|| "length".into()))),
            },
            unit => match (&self.tokenizer, &self.length) {
                (Some(tokenizer), _) => Err(counts("tokenizer", tokenizer)),
                (None, Some(length)) => Err(counts("length", length)),
                (None, None) if unit == "bytes" => Ok(Sized::Bytes(self.text.clone())),
                (None, None) => Ok(Sized::Documents),
            },
        }
    }

    /// The wishes of the plan, and the fields by whose values rows are told apart.
    ///
    /// # Errors
    /// `Error::Parameter` for what makes no sense.
    pub(super) fn wishes(&self) -> Result<(Wishes, Vec<Divided>)> {
        let (fields, divided) = self.fields()?;
        let sources = self.sources.iter().map(|(name, source)| SourceWish {
            name: name.clone(),
            weight: source.weight,
            upsample: source.upsample,
            max_epochs: source.max_epochs.unwrap_or(self.max_epochs),
            floor: source.floor,
            ceiling: source.ceiling,
        });
        let weighting = match (self.weighting.as_str(), self.temperature) {
            ("unimax", Some(t)) => {
                return Err(Error::Parameter(format!(
                    "weighting is `unimax` and temperature is `{t}`, but each makes weights by itself; leave out one of them"
                )));
            }
            ("unimax", None) => Weighting::UniMax,
            (_, Some(t)) => Weighting::Temperature(t),
            (_, None) => Weighting::Given,
        };
        let wishes = Wishes {
            sources: sources.collect(),
            weighting,
            fields,
            target: self.target,
            unit: self.unit.clone(),
            short: if self.short == "fill" { Short::Fill } else { Short::Error },
            phases: self.phases.iter().map(|phase| self.phase(phase)).collect::<Result<_>>()?,
        };
        wishes.check().map_err(Error::from)?;
        Ok((wishes, divided))
    }

    fn phase(&self, phase: &MixPhase) -> Result<PhaseWish> {
        let names: Vec<String> = self.sources.keys().cloned().collect();
        if let Some(name) = phase.weights.keys().find(|name| !self.sources.contains_key(*name)) {
            return Err(Error::Parameter(format!(
                "phase `{}` has a weight of `{name}`, but there is no such source; {}{}",
                phase.name,
                suggest::nearest(name, &names),
                suggest::listing("the sources are", &names)
            )));
        }
        let weights = || names.iter().map(|name| phase.weights.get(name).copied().unwrap_or(0.0)).collect();
        let weights = (!phase.weights.is_empty()).then(weights);
        Ok(PhaseWish { name: phase.name.clone(), share: phase.share, weights })
    }

    /// Floors and ceilings by field, and what tells its values apart.
    fn fields(&self) -> Result<(Vec<FieldWish>, Vec<Divided>)> {
        let mut names: Vec<&String> = self.floors.keys().chain(self.ceilings.keys()).collect();
        names.sort();
        names.dedup();
        let (mut wishes, mut divided) = (Vec::new(), Vec::new());
        for field in names {
            let of = |shares: &Shares, value: &str| shares.get(field).and_then(|of| of.get(value)).copied();
            let mut values: Vec<&String> = [&self.floors, &self.ceilings]
                .into_iter()
                .filter_map(|s| s.get(field))
                .flat_map(BTreeMap::keys)
                .collect();
            values.sort();
            values.dedup();
            let wish = |value: &&String| ValueWish {
                value: (*value).clone(),
                floor: of(&self.floors, value).unwrap_or(0.0),
                ceiling: of(&self.ceilings, value).unwrap_or(1.0),
            };
            wishes.push(FieldWish { field: field.clone(), values: values.iter().map(wish).collect() });
            let places = values.iter().enumerate().map(|(place, value)| ((*value).clone(), place));
            divided.push(Divided { path: path(field)?, values: places.collect() });
        }
        let real_field = path(&self.real_field)?;
        if self.real_share > 0.0 {
            let human = ["human".to_owned()];
            let real = if self.real_values.is_empty() { &human[..] } else { &self.real_values };
            let wish = ValueWish { value: real.join("|"), floor: self.real_share, ceiling: 1.0 };
            wishes.push(FieldWish { field: self.real_field.clone(), values: vec![wish] });
            let values = real.iter().map(|value| (value.clone(), 0)).collect();
            divided.push(Divided { path: real_field, values });
        }
        Ok((wishes, divided))
    }

    /// The order within a phase.
    pub(super) fn arrangement(&self) -> Arrangement {
        if self.order == "interleave" { Arrangement::Interleaved } else { Arrangement::Shuffled }
    }
}

/// A field by its dotted path.
pub(super) fn path(field: &str) -> Result<FieldPath> {
    FieldPath::parse(field).map_err(|error| Error::Parameter(error.to_string()))
}
