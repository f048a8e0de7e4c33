//! Orders against `tests/golden/permutations.jsonl`, which a slow twin in Python computed.

use std::path::Path;

use serde_json::Value;
use thresher_tokens::permute::Permutation;

#[test]
fn orders_are_those_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/permutations.jsonl");
    let mut cases = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| case[name].as_u64().unwrap();
        let order = Permutation::new(number("n"), number("seed"), number("epoch"));
        let pairs = case["rows"].as_array().unwrap().iter().zip(case["places"].as_array().unwrap());
        for (row, place) in pairs {
            let (row, place) = (row.as_u64().unwrap(), place.as_u64().unwrap());
            assert_eq!((order.place(row), order.row(place)), (Some(place), Some(row)), "{line}");
        }
        cases += 1;
    }
    assert!(cases > 50, "only {cases} orders are written down");
}
