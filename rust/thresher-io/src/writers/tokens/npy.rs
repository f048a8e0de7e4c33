//! `NAME-00000.npy`, `NAME-00001.npy`, ...: tokens in shards that numpy maps, and `NAME.documents.npy`: where each row begins.
//!
//! Rows go on over the ends of shards, so every shard but the last one has the same number of tokens and its head can be written
//! first. The last one is copied once under a head with its own number. Places of rows are 64-bit numbers over all shards, one
//! more than there are rows. An output of shards begins anew after an interruption.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use thresher_tokens::layout::{Dtype, npy};

use super::{each_row, rows_of};
use crate::commit::{PendingFile, make_folders, parent_of};
use crate::error::{Error, Result};
use crate::input::{Output, Piece, Written};
use crate::tokens::at;

/// Bytes of tokens in a shard.
const SHARD_BYTES: u64 = if cfg!(test) { 64 } else { 256 << 20 };
/// What the table of places is called.
const DOCUMENTS: &str = ".documents.npy";
/// Bytes that are copied at a time.
const COPY_BYTES: u64 = 1 << 20;

/// Shards of tokens under construction.
pub struct NpyOutput {
    dtype: Dtype,
    /// The name of the table of places.
    path: PathBuf,
    written: Vec<Written>,
    shard: Option<Shard>,
    /// Where each row ends, as it is stored.
    ends: (PathBuf, BufWriter<File>),
    rows: u64,
    tokens: u64,
    stored: Vec<u8>,
}

/// The shard that is being filled, and how many tokens are in it.
struct Shard(PendingFile, u64);

impl NpyOutput {
    /// Begins the output whose table of places will appear at `path`, `NAME.documents.npy`.
    ///
    /// # Errors
    /// As [`PendingFile::create`].
    pub fn create(path: &Path, dtype: Dtype) -> Result<Self> {
        make_folders(parent_of(path))?;
        let mut name = path.as_os_str().to_owned();
        name.push(".part.lengths");
        let ends = PathBuf::from(name);
        let open = File::options().read(true).write(true).create(true).truncate(true).open(&ends);
        let file = BufWriter::new(open.map_err(Error::io("open", &ends))?);
        Ok(Self {
            dtype,
            path: path.to_path_buf(),
            written: Vec::new(),
            shard: None,
            ends: (ends, file),
            rows: 0,
            tokens: 0,
            stored: Vec::new(),
        })
    }

    fn shard_tokens(&self) -> u64 {
        SHARD_BYTES / self.dtype.bytes()
    }

    fn shard_path(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.strip_suffix(DOCUMENTS).unwrap_or(&name);
        self.path.with_file_name(format!("{stem}-{:05}.npy", self.written.len()))
    }

    /// Appends ids, and begins a shard where one is full.
    fn append(&mut self, mut ids: &[u32]) -> Result<()> {
        while !ids.is_empty() {
            let most = self.shard_tokens();
            let path = self.shard_path();
            let Shard(file, held) = match &mut self.shard {
                Some(shard) => shard,
                none => {
                    let mut file = PendingFile::create(&path)?;
                    let head = npy::head(self.dtype, most);
                    file.write_all(&head).map_err(Error::io("write", &path))?;
                    none.insert(Shard(file, 0))
                }
            };
            let (now, later) = ids.split_at(ids.len().min((most - *held) as usize));
            self.stored.clear();
            self.dtype.put(now, &mut self.stored).map_err(at(&path))?;
            file.write_all(&self.stored).map_err(Error::io("write", &path))?;
            *held += now.len() as u64;
            ids = later;
            if *held == most
                && let Some(Shard(file, held)) = self.shard.take()
            {
                self.written.push(Written::of(file.commit()?, held));
            }
        }
        Ok(())
    }

    /// Completes a shard that is not full, by copying it under a head with its own number of tokens.
    fn end_shard(&mut self) -> Result<()> {
        let Some(Shard(mut file, held)) = self.shard.take() else { return Ok(()) };
        let path = file.path().to_path_buf();
        let failed = |error: io::Error| Error::io("copy", &path)(error);
        file.checkpoint()?;
        let part = file.part();
        let mut from = File::open(&part).map_err(failed)?;
        let skipped = npy::head(self.dtype, self.shard_tokens()).len() as u64;
        from.seek(SeekFrom::Start(skipped)).map_err(failed)?;
        let mut whole = PendingFile::create(&path)?;
        whole.write_all(&npy::head(self.dtype, held)).map_err(failed)?;
        let mut left = held * self.dtype.bytes();
        while left > 0 {
            self.stored.resize(left.min(COPY_BYTES) as usize, 0);
            from.read_exact(&mut self.stored).map_err(failed)?;
            whole.write_all(&self.stored).map_err(failed)?;
            left -= self.stored.len() as u64;
        }
        self.written.push(Written::of(whole.commit()?, held));
        drop(file);
        fs::remove_file(&part).map_err(failed)
    }

    /// Writes the table of places.
    fn write_places(&mut self) -> Result<Written> {
        let path = self.path.clone();
        let failed = |error: io::Error| Error::io("write", &path)(error);
        self.ends.1.flush().map_err(failed)?;
        let file = self.ends.1.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut places = PendingFile::create(&path)?;
        places.write_all(&npy::head(Dtype::Int64, self.rows + 1)).map_err(failed)?;
        places.write_all(&0_u64.to_le_bytes()).map_err(failed)?;
        let mut left = self.rows * 8;
        while left > 0 {
            self.stored.resize(left.min(COPY_BYTES) as usize, 0);
            file.read_exact(&mut self.stored).map_err(failed)?;
            places.write_all(&self.stored).map_err(failed)?;
            left -= self.stored.len() as u64;
        }
        Ok(Written::of(places.commit()?, self.rows))
    }
}

impl Output for NpyOutput {
    fn write(&mut self, piece: Piece, rows: u64) -> Result<()> {
        let arrived = rows_of(&piece);
        if arrived as u64 != rows {
            return Err(Error::Internal(format!("{arrived} rows arrived where {rows} were kept")));
        }
        each_row(&piece, &mut |ids| {
            self.append(ids)?;
            self.tokens += ids.len() as u64;
            self.ends.1.write_all(&self.tokens.to_le_bytes()).map_err(Error::io("write", &self.ends.0))
        })?;
        self.rows += rows;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Written> {
        let lost = || Error::Internal("shards of tokens have no file".into());
        self.finish_all()?.pop().ok_or_else(lost)
    }

    fn finish_all(mut self: Box<Self>) -> Result<Vec<Written>> {
        self.end_shard()?;
        let places = self.write_places()?;
        let Self { ends, mut written, .. } = *self;
        written.push(places);
        fs::remove_file(&ends.0).map_err(Error::io("remove", &ends.0))?;
        Ok(written)
    }
}
