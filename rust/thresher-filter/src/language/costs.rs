//! What was read of a text: letters by script, and for scripts of several languages what they cost in each.

use super::model::{Group, LANES, Model};
use super::scripts::{Class, EAST_ASIAN_WEIGHT, SINGLE};
use super::{Detected, NOTHING};

/// Letters whose rows are found before the costs of any are added: so the memory of many arrives at the same time.
const BLOCK: usize = 256;

/// Of Chinese characters and kana, the share of kana from which a text is Japanese.
const KANA_SHARE: f32 = 0.04;

/// Steps of a cost in a unit of -ln P.
const STEPS: f32 = 20.0;

/// Neighbouring letters say the same again, so a difference counts for less the more letters there are: the logarithm of the odds
/// of two languages is their difference times `SCALE` n^`-POWER`. With these, the mean score of texts of 20, 50 and 200 characters is
/// about the share of them that is told right; `make bench-language` prints both.
const SCALE: f32 = 1.5;
const POWER: f32 = 0.4;

/// Letters by script, and their costs.
#[derive(Debug)]
pub(super) struct Costs {
    groups: Vec<GroupCosts>,
    single: [u32; SINGLE.len()],
    han: u32,
    kana: u32,
}

/// Costs of the languages of one script.
#[derive(Debug)]
struct GroupCosts {
    letters: u32,
    sums: Vec<u32>,
    rows: Vec<u32>,
}

/// What most letters of a text are.
#[derive(Clone, Copy)]
enum Most {
    Language(&'static str),
    Group(usize),
}

impl Costs {
    pub(super) fn new(model: &Model) -> Self {
        let group = |group: &Group| GroupCosts {
            letters: 0,
            sums: vec![0; group.parts * LANES],
            rows: Vec::with_capacity(BLOCK),
        };
        Self { groups: model.groups.iter().map(group).collect(), single: [0; SINGLE.len()], han: 0, kana: 0 }
    }

    pub(super) fn clear(&mut self) {
        for group in &mut self.groups {
            group.letters = 0;
            group.sums.fill(0);
        }
        (self.single, self.han, self.kana) = ([0; SINGLE.len()], 0, 0);
    }

    /// Reads a part of a text.
    pub(super) fn read(&mut self, model: &Model, text: &str) {
        let (mut letters, mut current) = (0u32, u8::MAX);
        for c in text.chars() {
            let letter = model.letter(c);
            let Class::Shared(number) = letter.class else {
                letters = 0;
                match letter.class {
                    Class::Single(number) => self.single[usize::from(number)] += 1,
                    Class::Han => self.han += 1,
                    Class::Kana => self.kana += 1,
                    Class::None | Class::Shared(_) => {}
                }
                continue;
            };
            if number != current {
                (letters, current) = (0, number);
            }
            letters = letters << 8 | u32::from(letter.code);
            let (group, costs) = (&model.groups[usize::from(number)], &mut self.groups[usize::from(number)]);
            costs.letters += 1;
            // A letter of code 0 is one that no language of the group has.
            match group.row_of(letters) {
                Some(row) if letter.code != 0 => costs.push(group, row),
                _ => letters = 0,
            }
        }
        for (costs, group) in self.groups.iter_mut().zip(&model.groups) {
            costs.flush(group);
        }
    }

    /// The language of most letters, by weight.
    pub(super) fn decide(&self, model: &'static Model) -> Detected<'static> {
        let east_asian = (self.han + self.kana) as f32;
        let language = if self.kana as f32 > KANA_SHARE * east_asian { "ja" } else { "zh" };
        let single = self.single.iter().zip(SINGLE);
        let single =
            single.map(|(&count, (_, language, weight))| ((count * weight) as f32, Most::Language(language)));
        let groups =
            self.groups.iter().enumerate().map(|(place, group)| (group.letters as f32, Most::Group(place)));
        let east_asian = (east_asian * EAST_ASIAN_WEIGHT as f32, Most::Language(language));
        let all = || groups.clone().chain(single.clone()).chain([east_asian]);
        let sum: f32 = all().map(|(weight, _)| weight).sum();
        let most = all().reduce(|most, next| if next.0 > most.0 { next } else { most });
        let Some((weight, most)) = most.filter(|_| sum > 0.0) else { return NOTHING };
        let (language, probability) = match most {
            Most::Language(language) => (Some(language), 1.0),
            Most::Group(place) => {
                let languages = &model.groups[place].languages;
                let (cheapest, probability) = self.groups[place].cheapest(languages.len());
                (languages.get(cheapest).map(String::as_str), probability)
            }
        };
        Detected { language, score: probability * weight / sum }
    }
}

impl GroupCosts {
    #[inline(always)]
    fn push(&mut self, group: &Group, row: u32) {
        self.rows.push(row);
        if self.rows.len() == BLOCK {
            self.flush(group);
        }
    }

    fn flush(&mut self, group: &Group) {
        group.add(&self.rows, &mut self.sums);
        self.rows.clear();
    }

    /// The language that the letters cost least in, the first of equal ones, and its probability among the first `languages`.
    fn cheapest(&self, languages: usize) -> (usize, f32) {
        let sums = &self.sums[..languages];
        let least = sums.iter().copied().min().unwrap_or(0);
        let cheapest = sums.iter().position(|&sum| sum == least).unwrap_or(0);
        let scale = (SCALE * (self.letters as f32).powf(-POWER)).min(1.0) / STEPS;
        let odds: f32 = sums.iter().map(|&sum| (-scale * (sum - least) as f32).exp()).sum();
        (cheapest, 1.0 / odds)
    }
}
