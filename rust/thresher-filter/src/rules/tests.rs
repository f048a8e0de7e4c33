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
            assert!(rule.threshold.is_finite());
            let group = rule.signal.group();
            assert!(group == preset.group() || group == Group::Lengths, "{rule:?}");
        }
        assert_eq!(Rules::new(&[preset, preset]), Rules::new(&[preset]));
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
