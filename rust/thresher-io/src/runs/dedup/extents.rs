//! Which stretches of a row of units are free: what is given back is given out again.
//!
//! Stretches have sizes of a few classes, each with a list of its free ones; where the list is empty, units from the end of
//! the row are taken. A class is at most a sixteenth larger than what was asked for.

/// Classes between one power of two and the next, as a power of two.
const FINE: u32 = 4;

/// A row of units.
#[derive(Debug)]
pub(crate) struct Extents {
    /// The first unit that was never given out.
    next: u32,
    end: u32,
    /// Free stretches by class.
    free: Vec<Vec<u32>>,
}

/// How many units one gets who asks for `units` of them, and the class of this size.
fn class(units: u32) -> (u32, usize) {
    let shift = (u32::BITS - units.leading_zeros()).saturating_sub(FINE + 1);
    let steps = units.div_ceil(1 << shift);
    (steps << shift, ((shift << (FINE + 1)) + steps) as usize)
}

/// How many units one gets who asks for `units` of them.
pub(crate) fn size(units: u32) -> u32 {
    class(units).0
}

impl Extents {
    /// The units from `next` up to `end`, all free.
    pub(crate) fn new(next: u32, end: u32) -> Self {
        Self { next, end, free: Vec::new() }
    }

    /// Gives the first of `units` units that follow each other, if there are so many.
    pub(crate) fn take(&mut self, units: u32) -> Option<u32> {
        let (size, class) = class(units);
        if let Some(start) = self.free.get_mut(class).and_then(Vec::pop) {
            return Some(start);
        }
        let start = self.next;
        self.next = start.checked_add(size).filter(|&next| next <= self.end)?;
        Some(start)
    }

    /// Takes back what was given to someone who asked for `units`.
    pub(crate) fn give_back(&mut self, start: u32, units: u32) {
        let (_, class) = class(units);
        if class >= self.free.len() {
            self.free.resize(class + 1, Vec::new());
        }
        self.free[class].push(start);
    }

    /// The unit behind all that were ever given out.
    pub(crate) fn used(&self) -> u32 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_given_out_is_nobody_elses(first in 0..9u32, steps in prop::collection::vec((1..2000u32, any::<bool>()), 0..300)) {
            let mut extents = Extents::new(first, 200_000);
            let mut given: BTreeMap<u32, u32> = BTreeMap::new();
            for (units, gives_back) in steps {
                if gives_back && let Some((start, units)) = given.pop_first() {
                    extents.give_back(start, units);
                } else if let Some(start) = extents.take(units) {
                    prop_assert!(start >= first && start + units <= extents.used() && extents.used() <= 200_000);
                    if let Some((before, size)) = given.range(..=start).next_back() {
                        prop_assert!(before + size <= start);
                    }
                    prop_assert!(given.range(start..).next().is_none_or(|(&after, _)| start + units <= after));
                    given.insert(start, units);
                }
            }
        }

        #[test]
        fn a_class_is_little_larger_than_what_was_asked_for(units in 1..u32::MAX / 2) {
            let (size, of_units) = class(units);
            prop_assert!(size >= units && u64::from(size - units) * 16 <= u64::from(units));
            prop_assert_eq!(class(size).0, size);
            prop_assert!(units < 2 || class(units - 1).0 <= size);
            prop_assert!(of_units < 1024);
        }
    }

    #[test]
    fn units_that_come_back_are_used_again() {
        let mut extents = Extents::new(0, 100);
        let (a, b) = (extents.take(60).unwrap(), extents.take(30).unwrap());
        assert_eq!(extents.take(30), None);
        extents.give_back(a, 60);
        assert_eq!((extents.take(59), extents.take(60)), (Some(a), None), "60 and 59 are of one class");
        extents.give_back(b, 30);
        assert_eq!(extents.take(30), Some(b));
    }
}
