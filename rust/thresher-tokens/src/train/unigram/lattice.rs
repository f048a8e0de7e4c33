//! All ways to cut a stretch into pieces: how often each piece is expected, and the most likely cut.
//!
//! Expectations are taken in plain probabilities, not in logarithms: a stretch is short, and every probability is multiplied by a
//! constant for each of its characters ([`LIFT`]), which all cuts of a stretch have in common. So no product leaves the range of doubles.

use super::trie::{NONE, Trie};

/// Logarithm of the factor of a character.
pub(super) const LIFT: f64 = 8.0;
/// The least logarithm of a piece's probability: with it, 32 characters stay far above the smallest double.
pub(super) const LEAST: f64 = -28.0;

/// Pieces with their scores, ready to be looked up.
pub(super) struct Model<'p> {
    trie: Trie,
    /// Logarithms of probabilities.
    scores: &'p [f64],
    /// Lifted probabilities.
    weights: Vec<f64>,
}

impl<'p> Model<'p> {
    /// Of pieces and their scores; a piece is known by its place.
    pub(super) fn new(pieces: &'p [String], scores: &'p [f64]) -> Self {
        let mut sorted: Vec<(&str, u32)> = pieces.iter().map(String::as_str).zip(0..).collect();
        sorted.sort_unstable();
        let lifted =
            |(piece, score): (&String, &f64)| (score.max(LEAST) + LIFT * piece.chars().count() as f64).exp();
        Self { trie: Trie::new(&sorted), scores, weights: pieces.iter().zip(scores).map(lifted).collect() }
    }
}

/// Room for the lattice of one stretch.
#[derive(Default)]
pub(super) struct Room {
    forward: Vec<f64>,
    backward: Vec<f64>,
    /// Start, end and piece.
    edges: Vec<(u32, u32, u32)>,
    /// The best score up to a place, and the edge that leads there.
    best: Vec<(f64, u32)>,
}

impl Room {
    fn open(&mut self, model: &Model<'_>, text: &str) {
        self.edges.clear();
        for (start, _) in text.char_indices() {
            let edges = &mut self.edges;
            model.trie.each_from(text.as_bytes(), start, |end, piece| {
                edges.push((start as u32, end as u32, piece));
            });
        }
    }

    /// Calls `take` with every piece of a stretch and the share of all cuts that have it there.
    pub(super) fn expected(&mut self, model: &Model<'_>, text: &str, mut take: impl FnMut(u32, f64)) {
        self.open(model, text);
        self.forward.clear();
        self.forward.resize(text.len() + 1, 0.0);
        self.backward.clear();
        self.backward.resize(text.len() + 1, 0.0);
        self.forward[0] = 1.0;
        for &(start, end, piece) in &self.edges {
            self.forward[end as usize] += self.forward[start as usize] * model.weights[piece as usize];
        }
        self.backward[text.len()] = 1.0;
        for &(start, end, piece) in self.edges.iter().rev() {
            self.backward[start as usize] += self.backward[end as usize] * model.weights[piece as usize];
        }
        let all = self.forward[text.len()];
        if all <= 0.0 {
            return;
        }
        for &(start, end, piece) in &self.edges {
            let share =
                self.forward[start as usize] * model.weights[piece as usize] * self.backward[end as usize]
                    / all;
            take(piece, share);
        }
    }

    /// Calls `take` with the pieces of the most likely cut, the last one first; without the piece `but`, if one is
    /// given. Of equally likely cuts the one with the longer last piece.
    pub(super) fn best(
        &mut self,
        model: &Model<'_>,
        text: &str,
        but: Option<u32>,
        mut take: impl FnMut(u32),
    ) {
        self.open(model, text);
        self.best.clear();
        self.best.resize(text.len() + 1, (f64::NEG_INFINITY, NONE));
        self.best[0].0 = 0.0;
        for (at, &(start, end, piece)) in self.edges.iter().enumerate() {
            let score = self.best[start as usize].0 + model.scores[piece as usize];
            if Some(piece) != but && score > self.best[end as usize].0 {
                self.best[end as usize] = (score, at as u32);
            }
        }
        let mut end = text.len();
        while let Some(&(start, _, piece)) = self.edges.get(self.best[end].1 as usize) {
            take(piece);
            end = start as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All cuts of a text, each with its probability.
    fn cuts(pieces: &[String], scores: &[f64], text: &str) -> Vec<(Vec<u32>, f64)> {
        if text.is_empty() {
            return vec![(Vec::new(), 0.0)];
        }
        let mut all = Vec::new();
        for (at, piece) in pieces.iter().enumerate().filter(|(_, piece)| text.starts_with(piece.as_str())) {
            for (mut rest, score) in cuts(pieces, scores, &text[piece.len()..]) {
                rest.insert(0, at as u32);
                all.push((rest, score + scores[at]));
            }
        }
        all
    }

    proptest! {
        #[test]
        fn expectations_and_the_best_cut_are_those_of_all_cuts(
            text in "[aébc]{1,8}",
            more in prop::collection::btree_set("[aébc]{2,4}", 0..12),
            scores in prop::collection::vec(-20.0..-0.1f64, 20),
        ) {
            let pieces: Vec<String> = ["a", "é", "b", "c"].map(str::to_owned).into_iter().chain(more).collect();
            let scores = &scores[..pieces.len()];
            let model = Model::new(&pieces, scores);
            let all = cuts(&pieces, scores, &text);
            let total: f64 = all.iter().map(|(_, score)| score.exp()).sum();
            let mut expected = vec![0.0; pieces.len()];
            for (cut, score) in &all {
                for &piece in cut {
                    expected[piece as usize] += score.exp() / total;
                }
            }
            let mut room = Room::default();
            let mut found = vec![0.0; pieces.len()];
            room.expected(&model, &text, |piece, share| found[piece as usize] += share);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
            let score_of = |cut: &[u32]| cut.iter().map(|&piece| scores[piece as usize]).sum::<f64>();
            let mut best = Vec::new();
            room.best(&model, &text, None, |piece| best.push(piece));
            let most = all.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((score_of(&best) - most).abs() < 1e-9);
        }
    }
}
