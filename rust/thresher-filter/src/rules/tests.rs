use std::collections::HashSet;

use super::*;

#[test]
fn names_are_those_of_their_preset_and_no_rule_is_there_twice() {
    let mut names = HashSet::new();
    for preset in Preset::ALL {
        for rule in preset.rules() {
            assert!(
                rule.name.strip_prefix(preset.name()).is_some_and(|rest| rest.starts_with('.')),
                "{rule:?}"
            );
            assert!(names.insert(rule.name));
            assert!(rule.threshold.is_finite() != (preset == Preset::Lengths));
            assert_eq!(Rule::named(rule.name).map(|found| found.name), Some(rule.name));
            let group = rule.signal.group();
            assert!(group == preset.group() || group == Group::Lengths, "{rule:?}");
        }
        let names = |presets: &[Preset]| -> Vec<_> {
            Rules::new(presets).as_slice().iter().map(|rule| rule.name).collect()
        };
        assert_eq!(names(&[preset, preset]), names(&[preset]));
        assert_eq!(Preset::named(preset.name()), Some(preset));
    }
    for group in Group::ALL {
        assert_eq!(Group::named(group.name()), Some(*group));
        assert!(group.signals().count() > 0);
    }
    let signals: HashSet<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
    assert_eq!(signals.len(), Signal::COUNT);
    for signal in Signal::ALL {
        assert_eq!(Signal::named(signal.name()), Some(*signal));
        assert!(!signal.description().trim().is_empty());
    }
}

#[test]
fn a_threshold_itself_is_allowed_and_every_failing_rule_is_named() {
    let mut rules = Rules::new(&[Preset::FineWeb]);
    let mut signals = Signals::default();
    assert_eq!(rules.failing(&signals).count(), 0, "what is not defined fails nothing");
    for rule in Preset::FineWeb.rules() {
        signals.set(rule.signal, rule.threshold);
    }
    assert_eq!(rules.failing(&signals).count(), 0);
    for rule in Preset::FineWeb.rules() {
        let beyond = match rule.bound {
            Bound::AtLeast => rule.threshold.next_down(),
            Bound::AtMost => rule.threshold.next_up(),
        };
        signals.set(rule.signal, beyond);
    }
    assert!(rules.failing(&signals).eq(Preset::FineWeb.rules()));
    rules.set("fineweb.line_punct", 0.1).unwrap();
    assert!(rules.failing(&signals).all(|rule| rule.name != "fineweb.line_punct"));
    assert!(rules.remove("fineweb.newlines") && !rules.remove("fineweb.newlines"));
    assert_eq!(rules.failing(&signals).count(), 3);
    assert_eq!(rules.groups(), [Group::FineWeb]);
}

#[test]
fn what_cannot_be_set_is_refused_with_what_can() {
    let mut rules = Rules::new(&[Preset::C4]);
    let error = rules.set("c4.sentence", 3.0).unwrap_err().to_string();
    assert_eq!(
        error,
        "no rule is called `c4.sentence`; there are `c4.lorem_ipsum`, `c4.curly_bracket`, `c4.sentences`"
    );
    let error = rules.set("c4.sentences", f64::NAN).unwrap_err().to_string();
    assert!(error.contains("`c4.sentences` is `NaN`"), "{error}");
}

#[test]
fn a_rule_without_a_threshold_allows_everything_until_it_has_one() {
    let mut rules = Rules::new(&[Preset::Lengths]);
    let mut signals = Signals::default();
    for signal in Group::Lengths.signals() {
        signals.set(signal, 1e9);
    }
    assert_eq!(rules.failing(&signals).count(), 0);
    rules.set("lengths.max_words", 5.0).unwrap();
    rules.drop_unset();
    assert!(rules.failing(&signals).map(|rule| rule.name).eq(["lengths.max_words"]));
    assert_eq!(rules.as_slice().len(), 1);
    let rule = Rule { threshold: 1e10, ..Rule::named("lengths.max_words").unwrap() };
    rules.put(rule);
    rules.put(Rule::named("c4.sentences").unwrap());
    assert_eq!((rules.as_slice().len(), rules.failing(&signals).count()), (2, 0));
}
