//! The plan of a mix: how much of each cell each phase takes.

use super::fill::Group;
use super::solve::{Solved, nearest};
use super::weights::{normalized, shares};
use super::wishes::{Short, Weighting, Wishes};
use super::{Cell, refusals};
use crate::error::{Error, Result};

/// The name of the phase if none were asked for.
pub(super) const ONLY_PHASE: &str = "mix";
/// Amounts closer than this, as a share of themselves, are equal.
pub(super) const EQUAL: f64 = 1e-9;

/// How much of each cell is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The size of the mix.
    pub size: f64,
    /// The phases, in order; one that has the name `mix` if none were asked for.
    pub phases: Vec<PhasePlan>,
}

/// How much of each cell one phase takes.
#[derive(Clone, Debug, PartialEq)]
pub struct PhasePlan {
    /// The name of the phase.
    pub name: String,
    /// Its size.
    pub size: f64,
    /// The share that the weights ask for of each source.
    pub asked: Vec<f64>,
    /// What is taken of each cell.
    pub amounts: Vec<f64>,
    /// What keeps each cell from its weight.
    pub bounds: Vec<Bound>,
}

/// What keeps a cell from more, or less, than its weight gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing of its own; it may have given way to others.
    Free,
    /// All that may be read of it is taken.
    Cap,
    /// It is in a group that would have less than its floor.
    Floor,
    /// It is in a group that would have more than its ceiling.
    Ceiling,
}

/// One phase to be solved.
struct Task {
    name: String,
    share: f64,
    asked: Vec<f64>,
    /// The weights are given and not made of sizes.
    is_given: bool,
    has_own: bool,
}

/// Plans a mix of cells.
///
/// Phases with weights of their own are served first, then the others, each in order: the caps of a source hold for all of
/// them together.
///
/// # Errors
/// [`Error::Parameter`] for wishes that make no sense, or that these sizes cannot meet; it says what could be changed.
pub fn plan(wishes: &Wishes, cells: &[Cell]) -> Result<Plan> {
    wishes.check()?;
    let corpus = Corpus::new(wishes, cells);
    let tasks = corpus.tasks()?;
    let size = match wishes.target {
        Some(target) => target as f64,
        None => corpus.most(&tasks)?,
    };
    if wishes.short == Short::Error {
        corpus.check_demand(&tasks, size)?;
    }
    let mut left: Vec<f64> = corpus.caps.clone();
    let mut phases: Vec<Option<PhasePlan>> = tasks.iter().map(|_| None).collect();
    let (own, others): (Vec<_>, Vec<_>) = (0..tasks.len()).partition(|place| tasks[*place].has_own);
    for place in own.into_iter().chain(others) {
        let task = &tasks[place];
        let total = size * task.share;
        let solved = corpus.solve(task, &left, total)?;
        for (left, amount) in left.iter_mut().zip(&solved.amounts) {
            *left = if *left - amount > *left * EQUAL { *left - amount } else { 0.0 };
        }
        phases[place] = Some(solved);
    }
    Ok(Plan { size, phases: phases.into_iter().flatten().collect() })
}

/// The cells, and what is known of them beforehand.
pub(super) struct Corpus<'c> {
    pub(super) wishes: &'c Wishes,
    cells: &'c [Cell],
    /// The sizes of the sources.
    sizes: Vec<f64>,
    /// The most that can be taken of each cell.
    caps: Vec<f64>,
    /// The families of groups that have floors or ceilings: which, and their groups with bounds as shares.
    pub(super) families: Vec<(Family, Vec<Group>)>,
}

/// What the groups of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Sources,
    Field(usize),
}

impl<'c> Corpus<'c> {
    fn new(wishes: &'c Wishes, cells: &'c [Cell]) -> Self {
        let mut sizes = vec![0.0; wishes.sources.len()];
        for cell in cells {
            sizes[cell.source] += cell.size as f64;
        }
        let caps =
            cells.iter().map(|cell| cell.size as f64 * wishes.sources[cell.source].most_epochs()).collect();
        let group = |of: &dyn Fn(&Cell) -> bool, floor: f64, ceiling: f64| {
            // A ceiling of 1 binds nobody.
            let ceiling = if ceiling < 1.0 { ceiling } else { f64::INFINITY };
            let parts = (0..cells.len()).filter(|part| of(&cells[*part])).collect();
            Group { parts, floor, ceiling }
        };
        let mut families = Vec::new();
        if wishes.sources.iter().any(|source| source.floor > 0.0 || source.ceiling < 1.0) {
            let groups = wishes.sources.iter().enumerate();
            let groups = groups.map(|(place, source)| {
                group(&|cell: &Cell| cell.source == place, source.floor, source.ceiling)
            });
            families.push((Family::Sources, groups.collect()));
        }
        for (field, wish) in wishes.fields.iter().enumerate() {
            let groups = wish.values.iter().enumerate();
            let mut groups: Vec<_> = groups
                .map(|(place, value)| {
                    group(&|cell: &Cell| cell.values[field] == Some(place), value.floor, value.ceiling)
                })
                .collect();
            groups.push(group(&|cell: &Cell| cell.values[field].is_none(), 0.0, 1.0));
            families.push((Family::Field(field), groups));
        }
        Self { wishes, cells, sizes, caps, families }
    }

    fn tasks(&self) -> Result<Vec<Task>> {
        let wishes = self.wishes;
        let base = shares(wishes, &self.sizes);
        if self.sizes.iter().all(|size| *size == 0.0) {
            return Err(Error::Parameter(
                "no source has anything in it; look at the inputs and the unit".into(),
            ));
        }
        let is_given =
            wishes.weighting == Weighting::Given && wishes.sources.iter().any(|s| s.weight.is_some());
        if wishes.phases.is_empty() {
            return Ok(vec![Task {
                name: ONLY_PHASE.into(),
                share: 1.0,
                asked: base,
                is_given,
                has_own: false,
            }]);
        }
        let tasks = wishes.phases.iter().map(|phase| Task {
            name: phase.name.clone(),
            share: phase.share,
            asked: phase.weights.clone().map_or_else(|| base.clone(), normalized),
            is_given: is_given || phase.weights.is_some(),
            has_own: phase.weights.is_some(),
        });
        Ok(tasks.collect())
    }

    /// What the weights ask for of each cell, as shares.
    fn wished(&self, asked: &[f64]) -> Vec<f64> {
        let share = |cell: &Cell| {
            let size = self.sizes[cell.source];
            if size > 0.0 { asked[cell.source] * (cell.size as f64 / size) } else { 0.0 }
        };
        self.cells.iter().map(share).collect()
    }

    /// The largest mix whose proportions hold for every source.
    fn most(&self, tasks: &[Task]) -> Result<f64> {
        let mut taken = vec![0.0; self.cells.len()];
        for task in tasks {
            self.check_empty(task)?;
            let solved = self.solve(task, &vec![f64::INFINITY; self.cells.len()], 1.0)?;
            for (taken, amount) in taken.iter_mut().zip(&solved.amounts) {
                *taken += amount * task.share;
            }
        }
        let each = self.caps.iter().zip(&taken).filter(|(_, taken)| **taken > 0.0);
        Ok(each.map(|(cap, taken)| cap / taken).fold(f64::INFINITY, f64::min))
    }

    /// A source that has a given weight has something in it.
    fn check_empty(&self, task: &Task) -> Result<()> {
        let empty = |place: &usize| task.is_given && task.asked[*place] > 0.0 && self.sizes[*place] == 0.0;
        match (0..self.sizes.len()).find(empty) {
            None => Ok(()),
            Some(place) => {
                Err(Error::Parameter(refusals::empty(&self.wishes.sources[place].name, &task.name)))
            }
        }
    }

    /// Sources have as much as their given weights ask for.
    fn check_demand(&self, tasks: &[Task], size: f64) -> Result<()> {
        for task in tasks {
            self.check_empty(task)?;
        }
        let mut demands = vec![0.0; self.sizes.len()];
        let mut is_given = vec![false; self.sizes.len()];
        for task in tasks.iter().filter(|task| task.is_given) {
            for (place, asked) in task.asked.iter().enumerate() {
                demands[place] += asked.min(self.wishes.sources[place].ceiling) * task.share;
                is_given[place] |= *asked > 0.0;
            }
        }
        let within = |place: usize| self.sizes[place] * self.wishes.sources[place].most_epochs();
        let short =
            |place: &usize| is_given[*place] && demands[*place] * size > within(*place) * (1.0 + EQUAL);
        let short: Vec<_> = (0..self.sizes.len()).filter(short).collect();
        if short.is_empty() {
            return Ok(());
        }
        let fits = short.iter().map(|place| within(*place) / demands[*place]).fold(size, f64::min);
        let lines = short.iter().take(8).map(|place| refusals::Short {
            source: &self.wishes.sources[*place],
            demand: demands[*place] * size,
            size: self.sizes[*place],
        });
        Err(Error::Parameter(refusals::short(&lines.collect::<Vec<_>>(), fits, &self.wishes.unit)))
    }

    /// One phase, of what is left of each cell.
    fn solve(&self, task: &Task, left: &[f64], total: f64) -> Result<PhasePlan> {
        let wished = self.wished(&task.asked);
        self.check_reach(task, &wished, left, total)?;
        let scaled = |group: &Group| Group {
            parts: group.parts.clone(),
            floor: group.floor * total,
            ceiling: group.ceiling * total,
        };
        let families: Vec<Vec<Group>> =
            self.families.iter().map(|(_, groups)| groups.iter().map(scaled).collect()).collect();
        let mut amounts = match nearest(&wished, left, &families, total) {
            Solved::Met(amounts) => amounts,
            Solved::Unmet { family, group, amount } => {
                return Err(Error::Parameter(self.joint(task, Some((family, group, amount / total)))));
            }
            Solved::Stuck => return Err(Error::Parameter(self.joint(task, None))),
        };
        for (amount, left) in amounts.iter_mut().zip(left) {
            if left.is_finite() && (*left - *amount).abs() <= left * EQUAL {
                *amount = *left;
            }
        }
        let bounds = bounds(&amounts, left, &families, total);
        Ok(PhasePlan { name: task.name.clone(), size: total, asked: task.asked.clone(), amounts, bounds })
    }

    /// Each family can be met by itself, as far as that is easily seen.
    fn check_reach(&self, task: &Task, wished: &[f64], left: &[f64], total: f64) -> Result<()> {
        let near = total * EQUAL;
        let reach = |parts: &[usize]| -> f64 {
            parts.iter().filter(|part| wished[**part] > 0.0).map(|part| left[*part]).sum()
        };
        let everything: Vec<usize> = (0..wished.len()).collect();
        let all = reach(&everything);
        if all < total - near {
            return Err(Error::Parameter(refusals::target(total, all, &task.name, &self.wishes.unit)));
        }
        for (family, groups) in &self.families {
            let mut most = 0.0;
            for (place, group) in groups.iter().enumerate() {
                let reached = reach(&group.parts);
                let floor = group.floor * total;
                if reached < floor - near {
                    let name = self.name(*family, place);
                    return Err(Error::Parameter(refusals::floor(
                        &name,
                        group.floor,
                        total,
                        reached,
                        &task.name,
                        &self.wishes.unit,
                    )));
                }
                most += reached.min(group.ceiling * total);
            }
            if most < total - near {
                let of = self.family_name(*family);
                return Err(Error::Parameter(refusals::ceilings(&of, most / total, &task.name)));
            }
        }
        Ok(())
    }

    fn family_name(&self, family: Family) -> String {
        match family {
            Family::Sources => "sources".into(),
            Family::Field(field) => format!("`{}`", self.wishes.fields[field].field),
        }
    }

    fn name(&self, family: Family, group: usize) -> String {
        match family {
            Family::Sources => format!("source `{}`", self.wishes.sources[group].name),
            Family::Field(field) => {
                let wish = &self.wishes.fields[field];
                let value = wish.values.get(group).map_or("any other value", |value| value.value.as_str());
                format!("`{}: {value}`", wish.field)
            }
        }
    }

    /// Why no mix obeys all families.
    fn joint(&self, task: &Task, worst: Option<(usize, usize, f64)>) -> String {
        let names: Vec<_> = self.families.iter().map(|(family, _)| self.family_name(*family)).collect();
        let worst = worst.and_then(|(family, group, share)| {
            let (family, groups) = self.families.get(family)?;
            let group_wish = groups.get(group)?;
            Some((self.name(*family, group), share, group_wish.floor, group_wish.ceiling))
        });
        refusals::joint(&names, worst, &task.name)
    }
}

/// What binds each cell.
fn bounds(amounts: &[f64], left: &[f64], families: &[Vec<Group>], total: f64) -> Vec<Bound> {
    let mut bounds = vec![Bound::Free; amounts.len()];
    for group in families.iter().flatten() {
        let sum: f64 = group.parts.iter().map(|part| amounts[*part]).sum();
        let bound = if group.floor > 0.0 && sum <= group.floor + total * EQUAL {
            Bound::Floor
        } else if group.ceiling.is_finite() && sum >= group.ceiling - total * EQUAL {
            Bound::Ceiling
        } else {
            continue;
        };
        for part in &group.parts {
            if bounds[*part] != Bound::Floor {
                bounds[*part] = bound;
            }
        }
    }
    for (part, bound) in bounds.iter_mut().enumerate() {
        if amounts[part] > 0.0 && amounts[part] >= left[part] {
            *bound = Bound::Cap;
        }
    }
    bounds
}
