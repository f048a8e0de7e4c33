//! ROUGE-L against `tests/golden/rouge.jsonl`, which rouge-score computed.

use std::path::Path;

use serde_json::Value;
use thresher_core::Unobserved;
use thresher_filter::{Pool, Similar, Tokens, rouge_l};

#[test]
fn pairs_are_scored_as_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/rouge.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    let mut near = 0;
    for line in lines.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let [target, prediction] = ["target", "prediction"].map(|side| row[side].as_str().unwrap());
        for (text, tokens) in [(target, &row["target_tokens"]), (prediction, &row["prediction_tokens"])] {
            let mut found = Vec::new();
            Tokens::Rouge.each(text, |token| found.push(token.to_owned()));
            assert_eq!(&Value::from(found), tokens, "{text}");
        }
        let f = rouge_l(target, prediction, Tokens::Rouge, &Unobserved).unwrap();
        assert_eq!(format!("{:016x}", f.to_bits()), row["f"].as_str().unwrap(), "{target} {prediction}");
        let mut pool = Pool::try_new(0.7, Tokens::Rouge).unwrap();
        pool.add(prediction).unwrap();
        let similar = pool.check(target, &Unobserved).unwrap();
        assert_eq!(similar, (f > 0.7).then_some(Similar { index: 0, f }));
        near += usize::from((f - 0.7).abs() < 1e-9);
    }
    assert!(near >= 20, "pairs at the threshold are in the file");
}
