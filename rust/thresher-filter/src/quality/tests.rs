use thresher_core::Unobserved;

use super::*;
use crate::fasttext::Model;

/// Texts of two vocabularies that overlap.
fn examples(count: usize) -> (Examples, Vec<(String, bool)>) {
    let mut examples = Examples::default();
    let mut texts = Vec::new();
    for number in 0..count as u64 {
        let good = !drawn(number).is_multiple_of(3);
        let words: Vec<String> = (0..30u64)
            .map(|place| {
                let draw = drawn(number * 100 + place + 7);
                let base = if draw.is_multiple_of(5) { if good { 1000 } else { 2000 } } else { 0 };
                format!("w{}", base + (draw >> 8) % 50)
            })
            .collect();
        let text = words.join(" ");
        examples.add(&Hashed::new(&text), good);
        texts.push((text, good));
    }
    (examples, texts)
}

fn small() -> Options {
    Options { bucket: 5_000, ..Options::default() }
}

#[test]
fn the_model_tells_texts_apart_and_is_read_as_one_of_fasttext() {
    let (examples, texts) = examples(2_000);
    let trained = train(&examples, &small(), &Unobserved).unwrap();
    assert!(trained.auc > 0.99 && trained.accuracy > 0.95, "{} {}", trained.auc, trained.accuracy);
    assert!((150..250).contains(&trained.held_back));
    let model = Model::read(&mut &*trained.model, trained.model.len() as u64).unwrap();
    assert_eq!(model.labels(), LABELS);
    let mut predictor = model.predictor();
    let right = texts.iter().filter(|(text, good)| (predictor.probability(text, 0) > 0.5) == *good).count();
    assert!(right as f64 > 0.97 * texts.len() as f64, "{right}");
}

#[test]
fn the_model_scores_a_text_as_it_was_scored_while_learning() {
    let (examples, texts) = examples(600);
    let options = Options { word_ngrams: 3, ..small() };
    let vocabulary = vocabulary(&examples, &options);
    let learned = learn::learn(&examples, &vocabulary, &options, &Unobserved).unwrap();
    let trained = train(&examples, &options, &Unobserved).unwrap();
    let model = Model::read(&mut &*trained.model, trained.model.len() as u64).unwrap();
    let mut predictor = model.predictor();
    let held: Vec<_> =
        (0..texts.len()).filter(|number| drawn(*number as u64).is_multiple_of(HELD_BACK)).collect();
    assert_eq!(held.len(), learned.held_back.len());
    for (number, (score, good)) in held.into_iter().zip(learned.held_back) {
        assert_eq!(texts[number].1, good);
        assert!((predictor.probability(&texts[number].0, 0) - score).abs() < 3e-5);
    }
}

#[test]
fn the_same_texts_give_the_same_bytes() {
    let (first, second) = (examples(300).0, examples(300).0);
    let model = |examples| train(examples, &small(), &Unobserved).unwrap().model;
    assert_eq!(model(&first), model(&second));
}

#[test]
fn texts_of_one_label_and_odd_options_are_refused() {
    let mut one = Examples::default();
    one.add(&Hashed::new("a b"), true);
    let said = |examples: &Examples, options| train(examples, &options, &Unobserved).unwrap_err().to_string();
    assert!(said(&one, small()).contains("`1` good and `0` bad"));
    one.add(&Hashed::new(""), false);
    assert!(train(&one, &small(), &Unobserved).is_ok());
    assert!(said(&one, Options { epochs: 0, ..small() }).contains("epochs is `0`"));
    assert!(said(&one, Options { rate: f32::NAN, ..small() }).contains("rate is `NaN`"));
}

#[test]
fn a_text_of_a_million_words_is_learned_from_by_its_head() {
    let hashed = Hashed::new(&"word ".repeat(1_000_000));
    assert_eq!(hashed.hashes.len(), MAX_TEXT_WORDS);
}
