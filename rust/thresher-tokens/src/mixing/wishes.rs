//! What a mix is asked for, and whether that makes sense before anything is known of the sources.

use crate::error::{Error, Result};

/// How far shares may be from a sum of 1.
const ROUNDING: f64 = 1e-9;

/// What a mix is asked for.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The sources, each under a name of its own.
    pub sources: Vec<SourceWish>,
    /// What their weights are made of.
    pub weighting: Weighting,
    /// Floors and ceilings by fields of the rows. A row has one value of each field.
    pub fields: Vec<FieldWish>,
    /// The size of the mix; without it, all that the proportions and caps allow.
    pub target: Option<u64>,
    /// What sizes count, as `tokens`; for messages.
    pub unit: String,
    /// What happens if a source has less than its weight asks for.
    pub short: Short,
    /// The phases of a curriculum, in order; none is one phase of everything.
    pub phases: Vec<PhaseWish>,
}

/// What is wished of one source.
#[derive(Clone, Debug)]
pub struct SourceWish {
    /// Its name.
    pub name: String,
    /// Its weight; only their proportions count. Given for all sources or none.
    pub weight: Option<f64>,
    /// How many copies of itself it counts as, in its size and its cap.
    pub upsample: f64,
    /// How often it is read at most, before `upsample`.
    pub max_epochs: f64,
    /// Its least share of each phase.
    pub floor: f64,
    /// Its greatest share of each phase.
    pub ceiling: f64,
}

/// What the weights of sources are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weighting {
    /// The weights that are given, or sizes if there are none.
    Given,
    /// Size to the power of one over a temperature (T5; mT5 writes the exponent as alpha, 0.3 for a temperature of 3.3).
    Temperature(f64),
    /// All alike, as far as the caps allow: `UniMax` (Chung et al. 2023, arXiv 2304.09151).
    UniMax,
}

/// Floors and ceilings by the values of one field.
#[derive(Clone, Debug)]
pub struct FieldWish {
    /// Its name.
    pub field: String,
    /// The values that have any.
    pub values: Vec<ValueWish>,
}

/// What is wished of the rows that have one value of a field.
#[derive(Clone, Debug)]
pub struct ValueWish {
    /// The value, as messages name it.
    pub value: String,
    /// Their least share of each phase.
    pub floor: f64,
    /// Their greatest share of each phase.
    pub ceiling: f64,
}

/// A stretch of the mix with weights of its own.
#[derive(Clone, Debug)]
pub struct PhaseWish {
    /// Its name.
    pub name: String,
    /// Its share of the mix.
    pub share: f64,
    /// Its weights, one a source; those of the mix if there are none.
    pub weights: Option<Vec<f64>>,
}

/// What happens if a source has less than its given weight asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// The plan fails, and says what would do.
    Error,
    /// The other sources fill the gap, by their weights.
    Fill,
}

impl SourceWish {
    /// A source without wishes: read once at most.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: None, upsample: 1.0, max_epochs: 1.0, floor: 0.0, ceiling: 1.0 }
    }

    /// How often each of its rows is taken at most.
    #[must_use]
    pub fn most_epochs(&self) -> f64 {
        self.upsample * self.max_epochs
    }
}

impl Wishes {
    /// Says what is wrong with the wishes themselves.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first of them that is outside its range or contradicts another.
    pub fn check(&self) -> Result<()> {
        if self.sources.is_empty() {
            return refused("a mix needs at least one source");
        }
        let mut names: Vec<&str> = self.sources.iter().map(|source| source.name.as_str()).collect();
        unique(&mut names, "sources")?;
        for source in &self.sources {
            let of = format!("source `{}`", source.name);
            if let Some(weight) = source.weight {
                weight_of(weight, &of)?;
            }
            positive(source.upsample, "upsample", &of)?;
            positive(source.max_epochs, "max_epochs", &of)?;
            bounds(source.floor, source.ceiling, &of)?;
        }
        sums("sources", self.sources.iter().map(|source| (source.name.as_str(), source.floor)))?;
        self.check_weights()?;
        for field in &self.fields {
            let mut values: Vec<&str> = field.values.iter().map(|value| value.value.as_str()).collect();
            unique(&mut values, &format!("values of `{}`", field.field))?;
            for value in &field.values {
                bounds(value.floor, value.ceiling, &format!("`{}: {}`", field.field, value.value))?;
            }
            let floors = field.values.iter().map(|value| (value.value.as_str(), value.floor));
            sums(&format!("`{}`", field.field), floors)?;
        }
        if self.target == Some(0) {
            return refused("`target` is 0; give the size of the mix, or leave it out to take all");
        }
        self.check_phases()
    }

    fn check_weights(&self) -> Result<()> {
        let without: Vec<_> =
            self.sources.iter().filter(|s| s.weight.is_none()).map(|s| s.name.as_str()).collect();
        let given = self.sources.len() - without.len();
        match self.weighting {
            Weighting::Given if given > 0 && !without.is_empty() => refused(format!(
                "some sources have a `weight`, but not {}; give each source one (0 takes nothing of it), or none",
                listed(&without)
            )),
            Weighting::Given if given > 0 => {
                all_zero(self.sources.iter().filter_map(|source| source.weight), "the sources")
            }
            Weighting::Temperature(_) | Weighting::UniMax if given > 0 => refused(
                "sources have a `weight`, which a temperature or `unimax` would replace; leave out one of the two",
            ),
            Weighting::Temperature(t) if !(t.is_finite() && t > 0.0) => refused(format!(
                "`temperature` is {t}; it is a number above 0: 1 keeps the proportions of sizes, more makes them more alike"
            )),
            Weighting::UniMax if self.target.is_none() => {
                refused("`unimax` shares out a budget, and there is none; give `target`")
            }
            Weighting::Given | Weighting::Temperature(_) | Weighting::UniMax => Ok(()),
        }
    }

    fn check_phases(&self) -> Result<()> {
        let mut names: Vec<&str> = self.phases.iter().map(|phase| phase.name.as_str()).collect();
        unique(&mut names, "phases")?;
        for phase in &self.phases {
            let of = format!("phase `{}`", phase.name);
            if !(phase.share > 0.0 && phase.share <= 1.0) {
                return refused(format!("{of}: `share` is {}; it is above 0 and at most 1", phase.share));
            }
            let Some(weights) = &phase.weights else { continue };
            if weights.len() != self.sources.len() {
                return refused(format!(
                    "{of} has {} weights for {} sources; give one each",
                    weights.len(),
                    self.sources.len()
                ));
            }
            for (weight, source) in weights.iter().zip(&self.sources) {
                weight_of(*weight, &format!("{of}, source `{}`", source.name))?;
            }
            all_zero(weights.iter().copied(), &of)?;
        }
        let sum: f64 = self.phases.iter().map(|phase| phase.share).sum();
        if !self.phases.is_empty() && (sum - 1.0).abs() > ROUNDING {
            return refused(format!("the shares of the phases sum to {sum}; they have to sum to 1"));
        }
        Ok(())
    }
}

fn refused<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Parameter(message.into()))
}

fn weight_of(weight: f64, of: &str) -> Result<()> {
    if weight.is_finite() && weight >= 0.0 {
        return Ok(());
    }
    refused(format!("{of}: its weight is {weight}; it is a number from 0, which takes nothing"))
}

fn all_zero(mut weights: impl Iterator<Item = f64>, of: &str) -> Result<()> {
    if weights.all(|weight| weight == 0.0) {
        return refused(format!("all weights of {of} are 0, which takes nothing; give one that is above 0"));
    }
    Ok(())
}

/// The greatest number of epochs or copies that can be asked for: more is a slip, and a mix that does not end.
const MOST_COPIES: f64 = 1e6;

fn positive(value: f64, name: &str, of: &str) -> Result<()> {
    if value > 0.0 && value <= MOST_COPIES {
        return Ok(());
    }
    refused(format!("{of}: `{name}` is {value}; it is a number above 0 and at most {MOST_COPIES}"))
}

fn bounds(floor: f64, ceiling: f64, of: &str) -> Result<()> {
    for (name, value) in [("floor", floor), ("ceiling", ceiling)] {
        if !(0.0..=1.0).contains(&value) {
            return refused(format!("{of}: its {name} is {value}; it is a share from 0 to 1"));
        }
    }
    if floor > ceiling {
        return refused(format!(
            "{of}: its floor {floor} is above its ceiling {ceiling}; swap or change them"
        ));
    }
    Ok(())
}

/// Floors of one field, or of the sources, are of different rows: they sum to at most 1.
fn sums<'a>(of: &str, floors: impl Iterator<Item = (&'a str, f64)>) -> Result<()> {
    let floors: Vec<_> = floors.filter(|(_, floor)| *floor > 0.0).collect();
    let sum: f64 = floors.iter().map(|(_, floor)| floor).sum();
    if sum <= 1.0 + ROUNDING {
        return Ok(());
    }
    let each: Vec<_> = floors.iter().take(8).map(|(name, floor)| format!("`{name}` {floor}")).collect();
    refused(format!(
        "the floors of {of} sum to {sum}, which is more than all of the mix ({}); lower one of them",
        each.join(", ")
    ))
}

fn unique(names: &mut [&str], of: &str) -> Result<()> {
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => refused(format!("two {of} have the name `{}`; each needs its own", pair[0])),
        None => Ok(()),
    }
}

/// Names for a message, cut short.
pub(super) fn listed(names: &[&str]) -> String {
    let shown: Vec<_> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > 8 { format!(" and {} more", names.len() - 8) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
