//! Merging of token files: the tokens one behind the other, under one index.
//!
//! ```text
//! a.bin + b.bin ──> c.bin         lengths of a, of b │ pointers, counted anew │ documents of a, of b moved by a's sequences
//! ```
//! That is what `IndexedDatasetBuilder.add_index` of Megatron-LM gives. It holds all lengths and documents in memory; here each
//! section of the index is streamed in a pass of its own over the indexes of the inputs.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thresher_core::Observer;
use thresher_tokens::layout::Dtype;
use thresher_tokens::layout::megatron::{Head, Pointers, put_boundaries, put_lengths, stored_numbers};

use super::{TokenFile, at, blocks, names};
use crate::commit::PendingFile;
use crate::error::{Error, Result};
use crate::input::{GoOn, Written};
use crate::runs::Progress;

/// Tokens that are copied at a time.
const TOKENS: u64 = 1 << 19;
/// The step of the progress.
const WRITE: usize = 3;

/// What to merge.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeRun {
    /// The files, each by the name of its tokens or of its index, or by what these have in common.
    pub inputs: Vec<String>,
    /// The same of what they become.
    pub output: String,
    /// Files of that name are replaced.
    pub overwrite: bool,
}

/// What was merged.
#[derive(Clone, Debug, Serialize)]
pub struct MergeReport {
    /// Tokens and index.
    pub files: Vec<Written>,
    /// Stretches of tokens that have a length.
    pub sequences: u64,
    /// Documents.
    pub documents: u64,
    /// Tokens.
    pub tokens: u64,
    /// What tokens are stored as: the type of the inputs, or the widest of them.
    pub dtype: &'static str,
}

/// Merges token files in the order in which they are named. Each input is checked first.
///
/// # Errors
/// `Error::Parameter` for no input, or an output that is there or is an input; `Error::Data` for an input that is not what its
/// index says; I/O failures; `Error::Cancelled`.
pub fn merge(run: &MergeRun, progress: &Progress) -> Result<MergeReport> {
    if run.inputs.is_empty() {
        return Err(Error::Parameter("no input is given; name at least one `.bin`".into()));
    }
    let inputs: Vec<TokenFile> =
        run.inputs.iter().map(|path| TokenFile::open(Path::new(path))).collect::<Result<_>>()?;
    let [bin, index] = names(Path::new(&run.output));
    check_output(run, &inputs, [&bin, &index])?;
    let go_on = || progress.check();
    progress.begin(WRITE, inputs.iter().map(|input| input.bin.1.len() + input.index.1.len()).sum());
    for input in &inputs {
        input.check(&go_on)?;
        progress.advance(0, input.index.1.len());
    }
    let merged = Merged::of(&inputs)?;
    let bin = merged.write_tokens(&bin, progress)?;
    let index = merged.write_index(&index, &go_on)?;
    let Head { sequences, boundaries, dtype } = merged.head;
    Ok(MergeReport {
        files: vec![bin, index],
        sequences,
        documents: boundaries - 1,
        tokens: inputs.iter().map(TokenFile::tokens).sum(),
        dtype: dtype.name(),
    })
}

/// Makes sure that nothing is lost by writing the output.
fn check_output(run: &MergeRun, inputs: &[TokenFile], outputs: [&PathBuf; 2]) -> Result<()> {
    for output in outputs {
        let real = std::fs::canonicalize(output).ok();
        let is_input = |path: &Path| real.is_some() && std::fs::canonicalize(path).ok() == real;
        if inputs.iter().any(|input| is_input(input.bin_path()) || is_input(input.index_path())) {
            return Err(Error::Parameter(format!(
                "output `{}` is an input too; choose another output",
                output.display()
            )));
        }
        if real.is_some() && !run.overwrite {
            return Err(Error::Parameter(format!(
                "output `{}` is there already; use overwrite to replace it, or choose another output",
                output.display()
            )));
        }
    }
    Ok(())
}

/// Files as one.
struct Merged<'m> {
    inputs: &'m [TokenFile],
    head: Head,
    has_modes: bool,
}

impl<'m> Merged<'m> {
    fn of(inputs: &'m [TokenFile]) -> Result<Self> {
        let mut head = Head { dtype: inputs[0].head.dtype, sequences: 0, boundaries: 1 };
        for input in inputs {
            head.sequences += input.head.sequences;
            head.boundaries += input.documents();
            head.dtype = wider(head.dtype, input)?;
        }
        Ok(Self { inputs, head, has_modes: inputs.iter().any(|input| input.has_modes) })
    }

    fn write_tokens(&self, path: &Path, progress: &Progress) -> Result<Written> {
        let mut file = PendingFile::create(path)?;
        let mut converted = Vec::new();
        for input in self.inputs {
            let (tokens, bytes) = (input.tokens(), input.head.dtype.bytes());
            let mut from = 0;
            while from < tokens {
                progress.check()?;
                let to = tokens.min(from + TOKENS);
                let block = if input.head.dtype == self.head.dtype {
                    super::read(&input.bin, from * bytes..to * bytes)?
                } else {
                    converted.clear();
                    self.head
                        .dtype
                        .put(&input.ids(from..to)?, &mut converted)
                        .map_err(at(input.bin_path()))?;
                    std::mem::take(&mut converted)
                };
                file.write_all(&block).map_err(Error::io("write", path))?;
                progress.advance(0, (to - from) * bytes);
                from = to;
            }
        }
        Ok(Written::of(file.commit()?, self.head.sequences))
    }

    fn write_index(&self, path: &Path, go_on: GoOn<'_>) -> Result<Written> {
        let mut file = PendingFile::create(path)?;
        let mut put = |bytes: &mut Vec<u8>| {
            go_on()?;
            file.write_all(bytes).map_err(Error::io("write", path))?;
            bytes.clear();
            Ok::<_, Error>(())
        };
        let mut out = self.head.to_bytes().map_err(at(path))?.to_vec();
        put(&mut out)?;
        for (input, sequences) in self.each_block() {
            put_lengths(&input.lengths(sequences)?, &mut out).map_err(at(path))?;
            put(&mut out)?;
        }
        let mut pointers = Pointers::new(self.head.dtype);
        for (input, sequences) in self.each_block() {
            pointers.put(&input.lengths(sequences)?, &mut out).map_err(at(path))?;
            put(&mut out)?;
        }
        let mut moved = 0;
        put_boundaries([0], moved, &mut out);
        for input in self.inputs {
            // The boundary at the beginning is the one at the end of what is before.
            for some in blocks(input.documents()) {
                let stored = input.of_index(input.head.boundaries_at(), 8, some.start + 1..some.end + 1)?;
                put_boundaries(stored_numbers(&stored), moved, &mut out);
                put(&mut out)?;
            }
            moved += input.head.sequences;
        }
        put(&mut out)?;
        for (input, sequences) in self.each_block().filter(|_| self.has_modes) {
            if input.has_modes {
                out = input.of_index(input.head.modes_at(), 1, sequences)?;
            } else {
                out.resize((sequences.end - sequences.start) as usize, 0);
            }
            put(&mut out)?;
        }
        Ok(Written::of(file.commit()?, self.head.sequences))
    }

    /// Blocks of sequences of all inputs, in order.
    fn each_block(&self) -> impl Iterator<Item = (&TokenFile, std::ops::Range<u64>)> {
        self.inputs.iter().flat_map(|input| blocks(input.head.sequences).map(move |block| (input, block)))
    }
}

/// The type that holds all that either does.
fn wider(dtype: Dtype, input: &TokenFile) -> Result<Dtype> {
    let other = input.head.dtype;
    if other == dtype {
        return Ok(dtype);
    }
    match (dtype.greatest(), other.greatest()) {
        (Some(a), Some(b)) => Ok(if b > a { other } else { dtype }),
        _ => Err(Error::data(
            input.bin_path(),
            format!(
                "it holds `{}`, but a file before it `{}`; only ids are converted",
                other.name(),
                dtype.name()
            ),
        )),
    }
}
