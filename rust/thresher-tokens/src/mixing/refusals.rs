//! What a user reads of wishes that these sizes cannot meet: the wish, the figures, and what would do.

use super::wishes::{SourceWish, listed};

/// A source that has less than its weight asks for.
pub(super) struct Short<'s> {
    pub(super) source: &'s SourceWish,
    /// What is asked of it.
    pub(super) demand: f64,
    /// What it has.
    pub(super) size: f64,
}

/// A source with a weight and nothing in it.
pub(super) fn empty(source: &str, phase: &str) -> String {
    format!(
        "source `{source}` has a weight{} but is empty; look at its inputs, give it the weight 0, or fill what is missing from the others with `short: fill`",
        of_phase(phase)
    )
}

/// Sources whose weights ask for more than their caps allow; a mix of the size `fits` would do.
pub(super) fn short(sources: &[Short<'_>], fits: f64, unit: &str) -> String {
    let each = sources.iter().map(|short| {
        let most = short.size * short.source.most_epochs();
        let needed = short.demand / short.size / short.source.upsample;
        format!(
            "source `{}` is to give {} {unit} and has {} at its `max_epochs` of {} ({} would do)",
            short.source.name,
            whole(short.demand),
            whole(most),
            short.source.max_epochs,
            up(needed)
        )
    });
    format!(
        "{}; raise `max_epochs`, lower `target` to {}, or let the other sources fill the gap with `short: fill`",
        each.collect::<Vec<_>>().join("; "),
        whole(fits)
    )
}

/// All sources together have less than is asked for.
pub(super) fn target(total: f64, reached: f64, phase: &str, unit: &str) -> String {
    format!(
        "{} {unit} are asked for{}, and the sources that have a weight give at most {} at their `max_epochs`; lower `target`, raise `max_epochs` by a factor of {}, or add data",
        whole(total),
        of_phase(phase),
        whole(reached),
        if reached > 0.0 { up(total / reached) } else { "any".into() }
    )
}

/// A group that has less than its floor.
pub(super) fn floor(group: &str, floor: f64, total: f64, reached: f64, phase: &str, unit: &str) -> String {
    if reached == 0.0 {
        return format!(
            "{group} is to be at least {floor} of the mix{}, but no source that has a weight has anything of it; add such data, or leave the floor out",
            of_phase(phase)
        );
    }
    format!(
        "{group} is to be at least {floor} of the mix{}, which is {} {unit}, and there are at most {} at `max_epochs`; lower the floor to {}, raise `max_epochs`, or lower `target` to {}",
        of_phase(phase),
        whole(floor * total),
        whole(reached),
        down(reached / total),
        whole(reached / floor)
    )
}

/// A family whose ceilings leave a part of the mix to nobody.
pub(super) fn ceilings(of: &str, share: f64, phase: &str) -> String {
    format!(
        "with their ceilings, {of} give at most {} of the mix{}; raise a ceiling, raise `max_epochs`, or lower `target`",
        down(share),
        of_phase(phase)
    )
}

/// Families that can be met one by one, but not together; the group farthest from its bounds, with its share, floor and ceiling.
pub(super) fn joint(of: &[String], worst: Option<(String, f64, f64, f64)>, phase: &str) -> String {
    let names: Vec<&str> = of.iter().map(String::as_str).collect();
    let nearest = worst.map_or_else(String::new, |(group, share, floor, ceiling)| {
        let bound = if share < floor { format!("floor is {floor}") } else { format!("ceiling is {ceiling}") };
        format!(" (at the nearest mix {group} has {share:.4}, and its {bound})")
    });
    format!(
        "the floors, ceilings and `max_epochs` of {} cannot all be met together{}{nearest}; lower a floor, raise a ceiling or `max_epochs`, or lower `target`",
        names.join(", "),
        of_phase(phase)
    )
}

/// Where a message is about one of several phases.
fn of_phase(phase: &str) -> String {
    if phase == super::plan::ONLY_PHASE { String::new() } else { format!(" in phase {}", listed(&[phase])) }
}

/// A size with its digits in threes.
fn whole(size: f64) -> String {
    // A hair more, so that rounding does not take a whole one away.
    let digits = format!("{:.0}", (size * (1.0 + 1e-12)).floor());
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number that is enough, to two digits behind the point.
fn up(number: f64) -> String {
    format!("{}", (number * 100.0 - 1e-6).ceil() / 100.0)
}

/// A share that is not too much, to four digits behind the point.
fn down(share: f64) -> String {
    format!("{}", (share * 10_000.0 + 1e-6).floor() / 10_000.0)
}
