//! `NAME.bin` and `NAME.idx`, as Megatron-LM reads them; each row is a document of one sequence.
//!
//! The index begins with how many sequences there are, and its sections follow one behind the other, so it is written at the
//! end. Until then lengths lie in a file beside the tokens, four bytes a row. Both outlive the process: to go on at a
//! checkpoint, each is cut to the rows that it counts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thresher_tokens::layout::Dtype;
use thresher_tokens::layout::megatron::{Head, Pointers, put_boundaries, put_lengths, take_lengths};

use super::{each_row, rows_of};
use crate::commit::{PendingFile, make_folders, parent_of};
use crate::error::{Error, Result};
use crate::input::{Checkpoint, GoOn, Output, Piece, Written};
use crate::tokens::at;

/// Rows of which an index is written at a time.
const BLOCK_ROWS: usize = 1 << 16;
/// Bytes of a length.
const LENGTH_BYTES: u64 = 4;

/// Tokens and their index under construction.
pub struct MegatronOutput {
    dtype: Dtype,
    bin: PendingFile,
    lengths: Lengths,
    rows: u64,
    stored: Vec<u8>,
}

/// The lengths of the rows so far, in a file.
struct Lengths {
    path: PathBuf,
    file: BufWriter<File>,
}

impl MegatronOutput {
    /// Begins the output whose tokens will appear at `path`, or goes on with it at a checkpoint.
    ///
    /// # Errors
    /// As [`PendingFile::create`] and [`PendingFile::resume`]; the error of `go_on`.
    pub fn open(path: &Path, dtype: Dtype, from: Option<(&Checkpoint, GoOn<'_>)>) -> Result<Self> {
        let (bin, lengths, rows) = match from {
            None => {
                make_folders(parent_of(path))?;
                let bin = PendingFile::create(path)?;
                let lengths = Lengths::open(&bin.part(), 0)?;
                (bin, lengths, 0)
            }
            Some((from, go_on)) => {
                let mut bin = PendingFile::resume(path, from.bytes)?;
                let lengths = Lengths::open(&bin.part(), from.rows)?;
                bin.replay(go_on)?;
                (bin, lengths, from.rows)
            }
        };
        Ok(Self { dtype, bin, lengths, rows, stored: Vec::new() })
    }

    fn write_index(&mut self, path: &Path) -> Result<Written> {
        let mut index = PendingFile::create(path)?;
        let mut put = |bytes: &mut Vec<u8>| {
            index.write_all(bytes).map_err(Error::io("write", path))?;
            bytes.clear();
            Ok::<_, Error>(())
        };
        let head = Head { dtype: self.dtype, sequences: self.rows, boundaries: self.rows + 1 };
        let mut out = head.to_bytes().map_err(at(path))?.to_vec();
        put(&mut out)?;
        self.lengths.each_block(self.rows, &mut |lengths| {
            put_lengths(lengths, &mut out).map_err(at(path))?;
            put(&mut out)
        })?;
        let mut pointers = Pointers::new(self.dtype);
        self.lengths.each_block(self.rows, &mut |lengths| {
            pointers.put(lengths, &mut out).map_err(at(path))?;
            put(&mut out)
        })?;
        let mut next = 0;
        while next <= self.rows {
            let end = (next + BLOCK_ROWS as u64).min(self.rows + 1);
            put_boundaries(next..end, 0, &mut out);
            put(&mut out)?;
            next = end;
        }
        Ok(Written::of(index.commit()?, self.rows))
    }
}

impl Output for MegatronOutput {
    fn write(&mut self, piece: Piece, rows: u64) -> Result<()> {
        let arrived = rows_of(&piece);
        if arrived as u64 != rows {
            return Err(Error::Internal(format!("{arrived} rows arrived where {rows} were kept")));
        }
        let Self { dtype, bin, lengths, stored, .. } = self;
        each_row(&piece, &mut |ids| {
            stored.clear();
            dtype.put(ids, stored).map_err(at(bin.path()))?;
            let path = bin.path().to_path_buf();
            bin.write_all(stored).map_err(Error::io("write", &path))?;
            stored.clear();
            put_lengths(&[u32::try_from(ids.len()).unwrap_or(u32::MAX)], stored).map_err(at(&path))?;
            lengths.file.write_all(stored).map_err(Error::io("write", &lengths.path))
        })?;
        self.rows += rows;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        self.lengths.sync()?;
        let bytes = self.bin.checkpoint()?;
        Ok(Some(Checkpoint { bytes, rows: self.rows, inside: 0 }))
    }

    fn finish(self: Box<Self>) -> Result<Written> {
        let lost = || Error::Internal("a token file has no file".into());
        self.finish_all()?.into_iter().next().ok_or_else(lost)
    }

    fn finish_all(mut self: Box<Self>) -> Result<Vec<Written>> {
        let path = self.bin.path().to_path_buf();
        let index = self.write_index(&path.with_extension("idx"))?;
        let Self { bin, lengths, rows, .. } = *self;
        let tokens = Written::of(bin.commit()?, rows);
        fs::remove_file(&lengths.path).map_err(Error::io("remove", &lengths.path))?;
        Ok(vec![tokens, index])
    }
}

impl Lengths {
    /// Opens those of the tokens under construction at `part`, cut to so many rows.
    fn open(part: &Path, rows: u64) -> Result<Self> {
        let mut name = part.as_os_str().to_owned();
        name.push(".lengths");
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(rows == 0).truncate(rows == 0);
        let mut file = options.open(&path).map_err(Error::io("open", &path))?;
        let (found, wanted) = (file.metadata().map_err(Error::io("read", &path))?.len(), rows * LENGTH_BYTES);
        if found < wanted {
            let message = format!("{found} bytes of an interrupted run are there, but {wanted} were noted");
            return Err(Error::data(&path, message));
        }
        let cut = file.set_len(wanted).and_then(|()| file.seek(SeekFrom::Start(wanted)));
        cut.map_err(Error::io("cut", &path))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(Error::io("sync", &self.path))
    }

    /// Reads all of so many lengths, some at a time.
    fn each_block(&mut self, rows: u64, see: &mut dyn FnMut(&[u32]) -> Result<()>) -> Result<()> {
        let failed = |error: io::Error| Error::io("read", &self.path)(error);
        self.file.flush().map_err(failed)?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let (mut stored, mut lengths, mut left) = (Vec::new(), Vec::new(), rows);
        while left > 0 {
            let some = left.min(BLOCK_ROWS as u64);
            stored.resize((some * LENGTH_BYTES) as usize, 0);
            file.read_exact(&mut stored).map_err(failed)?;
            lengths.clear();
            take_lengths(&stored, &mut lengths).map_err(at(&self.path))?;
            see(&lengths)?;
            left -= some;
        }
        Ok(())
    }
}
