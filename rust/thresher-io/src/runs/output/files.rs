//! The outputs of a run, opened one after the other as the inputs come, and closed as soon as they are complete.

use crate::error::{Error, Result};
use crate::input::{Output, Piece, Written};

/// Makes the output of an input; none for one of which nothing can be written.
type Create<'a> = Box<dyn FnMut(usize) -> Result<Option<Box<dyn Output>>> + Send + 'a>;

/// Outputs in the order of their inputs; one for each, or a single one for all.
pub(crate) struct DataFiles<'a> {
    inputs: usize,
    is_single: bool,
    create: Create<'a>,
    open: Option<(usize, Option<Box<dyn Output>>)>,
    finished: Vec<Written>,
}

impl<'a> DataFiles<'a> {
    /// Outputs of as many inputs; `create` makes one when its turn has come.
    pub(crate) fn new(
        inputs: usize,
        is_single: bool,
        create: impl FnMut(usize) -> Result<Option<Box<dyn Output>>> + Send + 'a,
    ) -> Self {
        Self { inputs, is_single, create: Box::new(create), open: None, finished: Vec::new() }
    }

    /// Appends a piece of `rows` rows of an input. Inputs come in order.
    ///
    /// # Errors
    /// I/O failures, and rows of an input that has no output.
    pub(crate) fn write(&mut self, input: usize, piece: Piece, rows: u64) -> Result<()> {
        self.advance_to(input)?;
        match &mut self.open {
            Some((_, Some(output))) => output.write(piece, rows),
            _ if rows == 0 => Ok(()),
            _ => Err(Error::Internal("there are rows to write, but no output is open".into())),
        }
    }

    /// Completes all of them; inputs without a single unit have outputs too.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn finish(mut self) -> Result<Vec<Written>> {
        if let Some(last) = self.inputs.checked_sub(1) {
            self.advance_to(last)?;
        }
        if let Some((_, Some(output))) = self.open {
            self.finished.push(output.finish()?);
        }
        Ok(self.finished)
    }

    /// Finishes the outputs before that of `input` and opens it.
    fn advance_to(&mut self, input: usize) -> Result<()> {
        let mut next = self.open.as_ref().map_or(0, |(current, _)| current + 1);
        while next <= input {
            match &mut self.open {
                Some((current, _)) if self.is_single => *current = next,
                open => {
                    if let Some((_, Some(output))) = open.take() {
                        self.finished.push(output.finish()?);
                    }
                    *open = Some((next, (self.create)(next)?));
                }
            }
            next += 1;
        }
        Ok(())
    }
}
