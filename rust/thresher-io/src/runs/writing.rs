//! The last pass: what the steps have left of the inputs goes to the outputs, in order.

use crate::crew::Crew;
use crate::error::{Error, Result};
use crate::input::{Scratch, Written};
use crate::runs::memory::Memory;
use crate::runs::output::{DataFiles, RunOutput};
use crate::runs::pipeline::{Pass, for_each_unit};
use crate::runs::progress::Progress;
use crate::runs::source::Source;
use crate::writers::Means;

/// The step of the progress.
const WRITE: usize = 3;

/// Writes all rows that are seen in `sources`, which are seen through a lens or were exchanged, each in the format of its input.
///
/// # Errors
/// I/O failures, inputs that changed, and the wish to stop.
pub(crate) fn write_seen(
    sources: &[Source],
    to: &RunOutput,
    crew: &std::sync::Arc<Crew>,
    memory: Memory,
    progress: &Progress,
) -> Result<Vec<Written>> {
    progress.begin(WRITE, sources.iter().map(|source| source.input().size_on_disk()).sum());
    let means = Means { memory: memory.output(), ..Means::new(crew) };
    let mut outputs = DataFiles::going_on(to, sources, &means, &|| progress.check())?;
    let from = outputs.from();
    for_each_unit(
        Pass { from: &from, ..Pass::new(sources, crew, progress, memory) },
        Scratch::default,
        |scratch, input, unit| match &sources[input] {
            Source::Seen(seen) => {
                let after = unit.after();
                let (piece, rows, bytes) = seen.all(unit, scratch)?;
                thresher_core::Observer::advance(progress, rows, bytes);
                Ok((piece, rows, after))
            }
            Source::Placed(placed) => {
                let (piece, rows, bytes) = placed.all(&unit)?;
                thresher_core::Observer::advance(progress, rows, bytes);
                Ok((piece, rows, unit.after()))
            }
            _ => Err(Error::Internal("what no step has seen is not written".into())),
        },
        |input, (piece, rows, after)| outputs.write(input, piece, rows, after),
    )?;
    outputs.finish()
}
