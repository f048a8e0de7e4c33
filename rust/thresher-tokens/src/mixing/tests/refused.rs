//! Wishes that make no sense, or that the sources cannot meet: the message names the wish and the way out.

use super::super::{PhaseWish, Short, Weighting, Wishes, plan};
use super::{cells, field, wishes};
use crate::error::Error;
use crate::mixing::Cell;

fn refusal(wishes: &Wishes, cells: &[Cell]) -> String {
    match plan(wishes, cells) {
        Err(Error::Parameter(message)) => message,
        other => panic!("{other:?}"),
    }
}

/// Two sources of 1,000 tokens, with one wish changed.
fn with(change: impl FnOnce(&mut Wishes)) -> String {
    let mut wishes = wishes(2);
    wishes.target = Some(500);
    wishes.short = Short::Error;
    change(&mut wishes);
    let values = vec![None; wishes.fields.len()];
    let cells: Vec<_> =
        cells(&[1_000; 2]).into_iter().map(|c| Cell { values: values.clone(), ..c }).collect();
    refusal(&wishes, &cells)
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message}\nhas not: {part}");
    }
}

#[test]
fn weights_that_are_no_weights() {
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let message = with(|w| w.sources.iter_mut().for_each(|source| source.weight = Some(weight)));
        says(&message, &["source `a`", &weight.to_string()]);
    }
    says(
        &with(|w| w.sources.iter_mut().for_each(|s| s.weight = Some(0.0))),
        &["all weights of the sources are 0"],
    );
    says(&with(|w| w.sources[0].weight = Some(1.0)), &["`weight`", "not `b`"]);
}

#[test]
fn numbers_outside_of_their_range() {
    for bad in [0.0, -2.0, f64::NAN, f64::INFINITY] {
        says(&with(|w| w.sources[1].upsample = bad), &["source `b`", "`upsample`"]);
        says(&with(|w| w.sources[1].max_epochs = bad), &["source `b`", "`max_epochs`"]);
        says(&with(|w| w.weighting = Weighting::Temperature(bad)), &["`temperature`"]);
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        says(&with(|w| w.sources[1].floor = bad), &["source `b`", "floor"]);
        says(&with(|w| w.fields = vec![field("kind", &[(0.0, bad)])]), &["`kind: 0`", "ceiling"]);
    }
    says(&with(|w| (w.sources[0].floor, w.sources[0].ceiling) = (0.5, 0.4)), &["floor 0.5", "ceiling 0.4"]);
    says(&with(|w| w.target = Some(0)), &["`target` is 0"]);
}

#[test]
fn names_that_are_there_twice() {
    says(&with(|w| w.sources[1].name = "a".into()), &["two sources", "`a`"]);
}

#[test]
fn floors_that_sum_to_more_than_all() {
    says(&with(|w| w.sources.iter_mut().for_each(|s| s.floor = 0.6)), &["sum to 1.2", "`a` 0.6", "`b` 0.6"]);
    says(&with(|w| w.fields = vec![field("kind", &[(0.7, 1.0), (0.4, 1.0)])]), &["floors of `kind`"]);
}

#[test]
fn a_target_larger_than_the_caps() {
    let message = with(|w| w.target = Some(3_000));
    says(&message, &["3,000 tokens", "at most 2,000", "factor of 1.5"]);
}

#[test]
fn a_weight_that_asks_for_more_than_the_source_has() {
    let given = |w: &mut Wishes| {
        (w.sources[0].weight, w.sources[1].weight) = (Some(9.0), Some(1.0));
        w.target = Some(1_500);
    };
    says(
        &with(given),
        &["source `a`", "1,350 tokens", "has 1,000", "1.35 would do", "`target` to 1,111", "`short: fill`"],
    );
}

#[test]
fn a_floor_of_what_is_not_there() {
    let message = with(|w| w.fields = vec![field("language", &[(0.3, 1.0)])]);
    says(&message, &["`language: 0`", "no source that has a weight"]);
}

#[test]
fn a_floor_that_the_caps_do_not_allow() {
    let message = with(|w| {
        w.sources[0].floor = 0.9;
        w.target = Some(1_250);
    });
    says(&message, &["source `a`", "1,125 tokens", "at most 1,000", "floor to 0.8", "`target` to 1,111"]);
}

#[test]
fn ceilings_that_leave_a_part_to_nobody() {
    says(&with(|w| w.sources.iter_mut().for_each(|s| s.ceiling = 0.3)), &["at most 0.6 of the mix"]);
}

#[test]
fn bounds_that_only_contradict_each_other_together() {
    let mut wishes = wishes(2);
    wishes.fields = vec![field("language", &[(0.5, 1.0)])];
    wishes.sources[0].ceiling = 0.3;
    wishes.target = Some(100);
    let cell = |source, value| Cell { source, values: vec![value], size: 1_000, documents: 10 };
    // Language 0 is in source a alone.
    let message = refusal(&wishes, &[cell(0, Some(0)), cell(0, None), cell(1, None)]);
    says(&message, &["sources, `language`", "cannot all be met together"]);
}

#[test]
fn a_source_with_a_weight_and_nothing_in_it() {
    let mut wishes = wishes(2);
    for source in &mut wishes.sources {
        source.weight = Some(1.0);
    }
    wishes.short = Short::Error;
    says(&refusal(&wishes, &cells(&[10, 0])), &["source `b`", "is empty", "`short: fill`"]);
    says(&refusal(&wishes, &cells(&[0, 0])), &["no source has anything"]);
}

#[test]
fn phases_that_are_no_curriculum() {
    let phase = |name: &str, share| PhaseWish { name: name.into(), share, weights: None };
    says(&with(|w| w.phases = vec![phase("one", 0.5), phase("two", 0.4)]), &["sum to 0.9"]);
    says(&with(|w| w.phases = vec![phase("one", 0.5), phase("one", 0.5)]), &["two phases", "`one`"]);
    says(&with(|w| w.phases = vec![phase("one", f64::NAN)]), &["phase `one`", "`share`"]);
    let last = PhaseWish { name: "last".into(), share: 0.9, weights: Some(vec![0.0, 1.0]) };
    let message = with(|w| {
        w.phases = vec![phase("first", 0.1), last];
        w.target = Some(2_000);
    });
    says(&message, &["source `b`", "1.8 would do"]);
}

#[test]
fn unimax_without_a_budget() {
    says(&with(|w| (w.weighting, w.target) = (Weighting::UniMax, None)), &["`target`"]);
}
