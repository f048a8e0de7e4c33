//! Models that fastText trained and saved, with all losses, whole and quantised: what it says of texts, and what is said here.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use thresher_filter::fasttext::Model;

/// fastText prints probabilities of labels from about this one on.
const LEAST: f64 = 2e-5;

#[test]
fn probabilities_are_those_of_fasttext() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/fasttext");
    let rows = fs::read_to_string(folder.join("predictions.jsonl")).unwrap();
    let mut models = BTreeMap::new();
    let mut worst = 0f64;
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let (name, text) = (row["model"].as_str().unwrap(), row["text"].as_str().unwrap());
        let model = models.entry(name.to_owned()).or_insert_with(|| {
            let bytes = fs::read(folder.join(name)).unwrap();
            Model::read(&mut &*bytes, bytes.len() as u64).unwrap()
        });
        let found: BTreeMap<String, f64> = model
            .predictor()
            .predict(text, 10)
            .map(|one| (one.label.to_owned(), one.probability.into()))
            .collect();
        let wanted = row["labels"].as_object().unwrap();
        assert!(found.len() >= wanted.len() && found.len() - wanted.len() <= 4, "{name} {text:?} {found:?}");
        assert_eq!(found.is_empty(), wanted.is_empty(), "{name} {text:?}");
        for (label, probability) in &found {
            let wanted = wanted.get(label).and_then(Value::as_f64).unwrap_or(0.0);
            assert!(
                (probability - wanted).abs() < 1e-5 || *probability < LEAST,
                "{name} {text:?} {label} {probability} {wanted}"
            );
            worst = worst.max((probability - wanted).abs());
        }
    }
    assert!(models.len() == 6 && worst < 3e-5, "{worst}");
}
