//! Plans against naive twins, by laws, and with wishes that make no sense or cannot be met.

mod laws;
mod oracles;
mod refused;
mod rows;

use super::{Cell, FieldWish, Short, SourceWish, ValueWish, Weighting, Wishes};

/// Wishes over sources `a`, `b`, ... without any wish.
fn wishes(sources: usize) -> Wishes {
    let names = (0..sources).map(|place| char::from(b'a' + place as u8).to_string());
    Wishes {
        sources: names.map(SourceWish::new).collect(),
        weighting: Weighting::Given,
        fields: Vec::new(),
        target: None,
        unit: "tokens".into(),
        short: Short::Fill,
        phases: Vec::new(),
    }
}

/// One cell a source.
fn cells(sizes: &[u64]) -> Vec<Cell> {
    let cells = sizes.iter().enumerate();
    cells.map(|(source, &size)| Cell { source, values: Vec::new(), size, documents: size }).collect()
}

/// A field that has values `0`, `1`, ... with these floors and ceilings.
fn field(name: &str, bounds: &[(f64, f64)]) -> FieldWish {
    let values = bounds.iter().enumerate();
    let values =
        values.map(|(place, &(floor, ceiling))| ValueWish { value: place.to_string(), floor, ceiling });
    FieldWish { field: name.into(), values: values.collect() }
}

/// The amounts of a plan of one phase.
fn amounts(wishes: &Wishes, cells: &[Cell]) -> Vec<f64> {
    let plan = super::plan(wishes, cells).unwrap();
    assert_eq!(plan.phases.len(), 1);
    plan.phases.into_iter().next().unwrap().amounts
}

/// Equal but for rounding, beside sums of a size.
fn close(a: f64, b: f64, size: f64) -> bool {
    (a - b).abs() <= 1e-8 * size
}
