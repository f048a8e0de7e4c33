//! Which rules and signals are asked for: names of presets, groups and rules, and thresholds, each known or told with what is near.

use serde_json::{Map, Value, json};
use thresher_filter::rules::{Bound, Preset, Rule, Rules};
use thresher_filter::signals::{Group, Signal};

use crate::error::{Error, Result};
use crate::suggest::nearest;

/// Names of all presets.
#[must_use]
pub fn preset_names() -> Vec<&'static str> {
    Preset::ALL.iter().map(|preset| preset.name()).collect()
}

/// Names of all groups of signals.
#[must_use]
pub fn group_names() -> Vec<&'static str> {
    Group::ALL.iter().map(|group| group.name()).collect()
}

/// The presets of these names.
///
/// # Errors
/// `Error::Parameter` for a name that there is not.
pub fn presets_of(names: &[String]) -> Result<Vec<Preset>> {
    names
        .iter()
        .map(|name| Preset::named(name).ok_or_else(|| unknown("preset", name, &preset_names())))
        .collect()
}

/// The groups of these names.
///
/// # Errors
/// `Error::Parameter` for a name that there is not.
pub fn groups_of(names: &[String]) -> Result<Vec<Group>> {
    names
        .iter()
        .map(|name| Group::named(name).ok_or_else(|| unknown("signals", name, &group_names())))
        .collect()
}

/// The rules of some presets with thresholds of the user: `set` has numbers by rule, or null, which leaves the rule out.
///
/// # Errors
/// `Error::Parameter` for a name that there is not, a threshold that is none, and a preset that has no threshold yet.
pub fn rules_of(presets: &[String], set: &Map<String, Value>) -> Result<Rules> {
    let presets = presets_of(presets)?;
    let mut rules = Rules::new(&presets);
    for (name, threshold) in set {
        let known = rule_named("set has", name)?;
        if rules.as_slice().iter().all(|rule| rule.name != known.name) {
            let preset = name.split('.').next().unwrap_or_default();
            return Err(Error::Parameter(format!(
                "set has `{name}`, a rule of preset `{preset}`, which is not among those asked for; add that preset"
            )));
        }
        match threshold_of(name, threshold)? {
            Some(threshold) => rules.put(Rule { threshold, ..known }),
            None => drop(rules.remove(name)),
        }
    }
    rules.drop_unset();
    for preset in presets {
        let is_bare = preset.rules().iter().all(|rule| rule.threshold.is_nan());
        let has = |rule: &Rule| preset.rules().iter().any(|known| known.name == rule.name);
        if is_bare && !rules.as_slice().iter().any(has) {
            let first = preset.rules().first().map_or("", |rule| rule.name);
            return Err(Error::Parameter(format!(
                "preset is `{}`, whose rules have no thresholds of their own; set one at least, as `{first}=100`",
                preset.name()
            )));
        }
    }
    Ok(rules)
}

/// The rule of a name, with its published threshold; `given` says where the name stands, as `set has`.
///
/// # Errors
/// `Error::Parameter` for a name that there is not.
pub(crate) fn rule_named(given: &str, name: &str) -> Result<Rule> {
    Rule::named(name).ok_or_else(|| {
        let rules: Vec<&str> = Preset::ALL.iter().flat_map(|preset| preset.rules()).map(|rule| rule.name).collect();
        let near = nearest(name, &rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>());
        Error::Parameter(format!(
            "{given} `{name}`, but there is no such rule; {near}the rules of a preset are listed by `thresher filter \
             --list-rules` and `thresher.filters.rules()`"
        ))
    })
}

/// A threshold that was set; none leaves the rule out.
///
/// # Errors
/// `Error::Parameter` for what is no number.
pub(crate) fn threshold_of(name: &str, value: &Value) -> Result<Option<f64>> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => Ok(number.as_f64()),
        other => Err(Error::Parameter(format!(
            "set has `{name}` at `{other}`, but a threshold is a number, or null to leave the rule out"
        ))),
    }
}

fn unknown(parameter: &str, name: &str, known: &[&str]) -> Error {
    let near = nearest(name, &known.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    Error::Parameter(format!(
        "{parameter} is `{name}`, but there is no such name; {near}there are {}",
        known.join(", ")
    ))
}

/// All presets with their rules, and all signals, for who lists them.
#[must_use]
pub fn catalogue() -> Value {
    let rule = |rule: &Rule| {
        json!({
            "rule": rule.name, "signal": rule.signal.name(), "bound": bound(rule.bound),
            "threshold": threshold(rule.threshold),
        })
    };
    let presets: Vec<Value> = Preset::ALL
        .iter()
        .map(|preset| {
            let rules: Vec<Value> = preset.rules().iter().map(rule).collect();
            json!({"preset": preset.name(), "semantics": preset.semantics(), "rules": rules})
        })
        .collect();
    let signals: Vec<Value> = Signal::ALL
        .iter()
        .map(|signal| {
            let about = signal.description().trim();
            json!({"signal": signal.name(), "group": signal.group().name(), "about": about})
        })
        .collect();
    json!({"presets": presets, "signals": signals})
}

/// The name of a bound in reports.
pub(crate) fn bound(bound: Bound) -> &'static str {
    match bound {
        Bound::AtLeast => "at_least",
        Bound::AtMost => "at_most",
    }
}

/// A threshold in reports: null where there is none.
fn threshold(threshold: f64) -> Option<f64> {
    Some(threshold).filter(|threshold| !threshold.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(presets: &[&str], set: &Value) -> std::result::Result<Rules, String> {
        let presets: Vec<String> = presets.iter().map(|name| (*name).to_owned()).collect();
        let set = set.as_object().cloned().unwrap_or_default();
        rules_of(&presets, &set).map_err(|error| error.to_string())
    }

    #[test]
    fn thresholds_are_set_and_rules_left_out() {
        let found = rules(
            &["c4", "lengths"],
            &json!({"c4.sentences": 3, "c4.curly_bracket": null, "lengths.min_words": 5}),
        );
        let found: Vec<(&str, f64)> =
            found.unwrap().as_slice().iter().map(|rule| (rule.name, rule.threshold)).collect();
        assert_eq!(found, [("c4.lorem_ipsum", 0.0), ("c4.sentences", 3.0), ("lengths.min_words", 5.0)]);
    }

    #[test]
    fn a_wrong_name_is_told_with_the_near_one() {
        let said = |presets: &[&str], set: Value| rules(presets, &set).unwrap_err();
        assert!(
            said(&["fine-web"], json!({}))
                .contains("preset is `fine-web`, but there is no such name; did you mean `fineweb`?")
        );
        let wrong = said(&["fineweb"], json!({"fineweb.line_punkt": 1}));
        assert!(wrong.contains("did you mean `fineweb.line_punct`?"), "{wrong}");
        assert!(
            said(&["c4"], json!({"fineweb.newlines": 1})).contains("of preset `fineweb`, which is not among")
        );
        assert!(said(&["c4"], json!({"c4.sentences": "3"})).contains("a threshold is a number, or null"));
        assert!(said(&["lengths"], json!({})).contains("set one at least, as `lengths.min_chars=100`"));
        let wrong = groups_of(&["redpyjama".into()]).unwrap_err().to_string();
        assert!(wrong.contains("did you mean `redpajama`?"), "{wrong}");
    }

    #[test]
    fn the_catalogue_has_every_rule_and_signal() {
        let all = catalogue();
        let rules: usize =
            all["presets"].as_array().unwrap().iter().map(|one| one["rules"].as_array().unwrap().len()).sum();
        assert_eq!(rules, Preset::ALL.iter().map(|preset| preset.rules().len()).sum::<usize>());
        assert_eq!(all["signals"].as_array().unwrap().len(), Signal::COUNT);
        assert_eq!(all["presets"][5]["rules"][0]["threshold"], Value::Null);
    }
}
