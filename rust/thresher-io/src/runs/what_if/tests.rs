use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::runs::rows::filter::tests::{config, pages, write_pages};
use crate::runs::rows::filter::{self, FilterStep};

fn filtered(folder: &Path, preset: &[&str], set: &Value) -> filter::FilterReport {
    let preset = preset.iter().map(|name| (*name).to_owned()).collect();
    let set = set.as_object().cloned().unwrap_or_default();
    let step = FilterStep { preset, set, ..FilterStep::default() };
    filter::run(&config(&folder.join("in.jsonl"), &folder.join("out"), step), &Progress::default()).unwrap()
}

fn asked(folder: &Path, set: &Value, curve: Option<&str>) -> Result<WhatIf> {
    let config = WhatIfRun {
        output: folder.join("out").display().to_string(),
        step: None,
        set: set.as_object().cloned().unwrap_or_default(),
        curve: curve.map(str::to_owned),
    };
    run(&config, &Progress::default())
}

#[test]
fn what_would_be_is_what_a_filter_with_those_thresholds_does() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    write_pages(&folder.join("in.jsonl"), &pages(800));
    let presets = ["gopher", "c4", "fineweb"];
    let set = json!({"gopher.min_words": 15, "fineweb.newlines": null, "c4.sentences": 2, "fineweb.line_punct": 0.5});
    let changed = filtered(folder, &presets, &set);
    filtered(folder, &presets, &json!({}));
    let found = asked(folder, &set, Some("fineweb.line_punct")).unwrap();
    assert_eq!(found.kept_after, changed.rows.accounting.kept.docs);
    assert_eq!(found.kept_before + found.newly_kept, found.kept_after + found.newly_removed);
    assert!(found.newly_removed > 0);
    for rule in &found.rules {
        let did = changed.filtered.rules.iter().find(|did| did.rule == rule.rule);
        let did = did.map(|did| Tally { failing: did.failing, first: did.first, alone: did.alone });
        assert_eq!(did.is_none(), rule.rule == "fineweb.newlines" && rule.threshold_after.is_none());
        assert_eq!(rule.after, did.unwrap_or_default(), "{}", rule.rule);
    }
    let points = found.curve.unwrap().points;
    let own = points.iter().find(|point| point.threshold.total_cmp(&0.5).is_eq()).unwrap();
    assert_eq!(own.kept, found.kept_after);
    let other = &points[points.len() / 2];
    let set = json!({"gopher.min_words": 15, "fineweb.newlines": null, "c4.sentences": 2, "fineweb.line_punct": other.threshold});
    let found = asked(folder, &set, None).unwrap();
    assert_eq!(found.kept_after, other.kept);
}

#[test]
fn a_rule_that_the_run_did_not_have_can_be_added_if_its_signal_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    write_pages(&folder.join("in.jsonl"), &pages(100));
    filtered(folder, &["c4"], &json!({}));
    let found = asked(folder, &json!({"lengths.min_lines": 4}), None).unwrap();
    let rule = found.rules.last().unwrap();
    assert_eq!((rule.threshold_before, rule.threshold_after), (None, Some(4.0)));
    assert!(rule.after.failing > 0 && rule.before == Tally::default());
    let said = |set: &Value| asked(folder, set, None).unwrap_err().to_string();
    let wrong = said(&json!({"fineweb.newlines": 1}));
    assert!(
        wrong.contains("has not kept the signal `fineweb.newlines`") && wrong.contains("signals=fineweb"),
        "{wrong}"
    );
    assert!(said(&json!({"c4.sentence": 1})).contains("did you mean `c4.sentences`?"));
}

#[test]
fn a_result_without_signals_or_with_those_of_another_run_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    write_pages(&folder.join("in.jsonl"), &pages(200));
    filtered(folder, &["fineweb"], &json!({}));
    let table = folder.join("out/signals/filter.parquet");
    let other = fs::read(&table).unwrap();
    write_pages(&folder.join("in.jsonl"), &pages(300));
    filtered(folder, &["fineweb"], &json!({}));
    fs::write(&table, other).unwrap();
    let said = asked(folder, &json!({}), None).unwrap_err().to_string();
    assert!(said.contains("the signals are not those of the run"), "{said}");
    fs::write(&table, "PAR1 nothing").unwrap();
    let said = asked(folder, &json!({}), None).unwrap_err().to_string();
    assert!(said.contains("the signals cannot be read"), "{said}");
    fs::remove_file(&table).unwrap();
    let said = asked(folder, &json!({}), None).unwrap_err().to_string();
    assert!(said.contains("has no signals of step filter"), "{said}");
    fs::write(folder.join("out/run.json"), r#"{"tool": "thresher"}"#).unwrap();
    let said = asked(folder, &json!({}), None).unwrap_err().to_string();
    assert!(said.contains("is not of a run that has filtered"), "{said}");
}
