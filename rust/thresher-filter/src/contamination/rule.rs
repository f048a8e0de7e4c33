//! The rules by which a document counts as contaminated, each as its paper states it, and what is read into it here.
//!
//! | name | source | a field of an item is in a document if |
//! |---|---|---|
//! | `gpt3-13` | Brown et al. 2020, appendix C | any 13-gram of it is |
//! | `palm-70` | Chowdhery et al. 2022, section 8 | at least 70 % of its 8-grams are |
//! | `llama3-8` | Grattafiori et al. 2024, section 5.1.4, after Singh et al. 2024 | at least 80 % of its words lie in an 8-gram that is |
//! | `ngram:N` | the plain rule of many pipelines | any N-gram of it is |
//!
//! Words are those of this crate, lower-cased letters, digits and marks, where the papers cut at blanks and drop punctuation
//! (GPT-3) or count tokens of a tokenizer (Llama 3). PaLM and Llama 3 sort items of a benchmark by what the whole training set
//! holds; a filter has to say it of one document, so an n-gram counts if that document holds it. Llama 3 chooses its
//! threshold for each benchmark; 80 % is from where on Llama 2 called an item dirty (Touvron et al. 2023, appendix A.6).

use thresher_core::{Error, Result};

/// Names of the rules, for messages and help texts.
pub const RULES: [&str; 4] = ["gpt3-13", "palm-70", "llama3-8", "ngram:N"];

/// What of a field has to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measure {
    /// One n-gram.
    Any,
    /// This share of the n-grams.
    Grams(f64),
    /// This share of the words, by n-grams that hold them.
    Words(f64),
}

/// A rule: the length of n-grams, and how many are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub(crate) ngram: usize,
    pub(crate) measure: Measure,
}

impl Rule {
    /// Words that an n-gram may have. Fewer than 5 are in any text.
    pub const NGRAMS: std::ops::RangeInclusive<usize> = 5..=64;

    /// The rule of a name; `threshold` takes the place of its share, from above 0 to 1.
    ///
    /// ```
    /// use thresher_filter::contamination::Rule;
    /// assert_eq!(Rule::named("gpt3-13", None)?.ngram(), 13);
    /// assert_eq!(Rule::named("palm-70", Some(0.5))?.threshold(), Some(0.5));
    /// assert!(Rule::named("ngram:3", None).is_err());
    /// # Ok::<(), thresher_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Parameter` for a name that no rule has, n-grams of another length, or a threshold where there is none.
    pub fn named(name: &str, threshold: Option<f64>) -> Result<Self> {
        let (ngram, measure) = match name {
            "gpt3-13" => (13, Measure::Any),
            "palm-70" => (8, Measure::Grams(threshold.unwrap_or(0.7))),
            "llama3-8" => (8, Measure::Words(threshold.unwrap_or(0.8))),
            _ => (length_of(name)?, Measure::Any),
        };
        if let Some(share) = threshold {
            if measure == Measure::Any {
                return Err(Error::Parameter(format!(
                    "threshold is `{share}`, but by the rule `{name}` one n-gram is enough; palm-70 and llama3-8 have a threshold"
                )));
            }
            if !(share > 0.0 && share <= 1.0) {
                return Err(Error::Parameter(format!(
                    "threshold is `{share}`, but a share to ask for lies above 0 and up to 1"
                )));
            }
        }
        Ok(Self { ngram, measure })
    }

    /// Words in an n-gram.
    #[must_use]
    pub fn ngram(&self) -> usize {
        self.ngram
    }

    /// The share from which on a field counts; none if one n-gram is enough.
    #[must_use]
    pub fn threshold(&self) -> Option<f64> {
        match self.measure {
            Measure::Any => None,
            Measure::Grams(share) | Measure::Words(share) => Some(share),
        }
    }
}

fn length_of(name: &str) -> Result<usize> {
    let length = name.strip_prefix("ngram:").and_then(|length| length.parse().ok());
    length.filter(|length| Rule::NGRAMS.contains(length)).ok_or_else(|| {
        Error::Parameter(format!(
            "rule is `{name}`, but the rules are gpt3-13, palm-70, llama3-8, and ngram:N with N from {} to {}",
            Rule::NGRAMS.start(),
            Rule::NGRAMS.end()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_there_is_not_is_named_with_those_that_there_are() {
        for wrong in ["", "gpt3", "ngram:", "ngram:4", "ngram:65", "ngram:-5", "ngram:x", "palm"] {
            let said = Rule::named(wrong, None).unwrap_err().to_string();
            assert!(said.contains(&format!("`{wrong}`")) && said.contains("ngram:N"), "{said}");
        }
        assert_eq!(Rule::named("ngram:5", None).unwrap().ngram(), 5);
    }

    #[test]
    fn a_threshold_belongs_to_a_rule_that_has_one() {
        assert!(Rule::named("gpt3-13", Some(0.5)).unwrap_err().to_string().contains("one n-gram is enough"));
        for wrong in [0.0, -1.0, 1.01, f64::NAN] {
            assert!(Rule::named("palm-70", Some(wrong)).is_err());
        }
        assert_eq!(Rule::named("llama3-8", None).unwrap().threshold(), Some(0.8));
    }
}
