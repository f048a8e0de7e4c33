//! A bounded sample of inputs, spread over each of them as far as its format allows.

use std::fs::File;
use std::io::{Cursor, Read};
use std::time::Instant;

use thresher_core::hash::Keys;
use thresher_core::json::Fields;
use thresher_core::{DedupConfig, Observer, Signer};

use crate::codec::{Codec, decoder};
use crate::error::{Error, Result};
use crate::input::{Payload, Position, Scratch, Unit};
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::progress::Progress;
use crate::runs::source::Source;

/// Bytes of input that are looked at over all.
pub(crate) const MOST_BYTES: u64 = 64 << 20;
/// The least of one input.
const LEAST_BYTES: u64 = 1 << 20;
/// Inputs that are looked at; of more, so many at equal distances.
const MOST_INPUTS: usize = 64;
/// Places of one input.
const PLACES: u64 = 16;
/// Compressed bytes that tell how far a file is compressed.
const PROBE_BYTES: u64 = 2 << 20;

/// What was found in the inputs.
#[derive(Default)]
pub(crate) struct Sample {
    pub(crate) texts: Vec<String>,
    /// The unit that each was read from.
    pub(crate) units: Vec<u32>,
    num_units: u32,
    /// Bytes of the records that were read, in units that grow with an input.
    pub(crate) bytes: u64,
    /// Seconds that one thread took to read and sign them.
    pub(crate) seconds: f64,
    /// What all inputs have, extrapolated: documents, bytes of text, decoded bytes.
    pub(crate) documents: u64,
    pub(crate) text_bytes: u64,
    pub(crate) decoded_bytes: u64,
    pub(crate) notes: Vec<String>,
}

/// What was read of one input.
#[derive(Default)]
struct Part {
    docs: u64,
    /// Slots, bad ones included.
    slots: u64,
    text_bytes: u64,
    record_bytes: u64,
}

impl Sample {
    /// Reads and signs a sample.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(crate) fn take(
        sources: &[Source],
        fields: &Fields,
        search: &DedupConfig,
        progress: &Progress,
    ) -> Result<Self> {
        let mut sample = Self::default();
        let mut signer = Signer::with_keys(search.shingles, search.num_hashes, Keys::from_seed(search.seed));
        let total: u64 = sources.iter().map(|source| source.input().size_on_disk()).sum();
        let step = sources.len().div_ceil(MOST_INPUTS).max(1);
        let mut seen = 0;
        for source in sources.iter().step_by(step) {
            let size = source.input().size_on_disk();
            seen += size;
            let room =
                (u128::from(MOST_BYTES) * u128::from(size) * step as u128 / u128::from(total.max(1))) as u64;
            let room = room.max(LEAST_BYTES.min(MOST_BYTES * step as u64 / sources.len() as u64));
            sample.add(source, fields, room, &mut signer, progress)?;
        }
        if step > 1 {
            sample.notes.push(format!(
                "of {} inputs, {} were looked at",
                sources.len(),
                sources.len().div_ceil(step)
            ));
            let scale = |count: u64| (u128::from(count) * u128::from(total) / u128::from(seen.max(1))) as u64;
            sample.documents = scale(sample.documents);
            sample.text_bytes = scale(sample.text_bytes);
            sample.decoded_bytes = scale(sample.decoded_bytes);
        }
        Ok(sample)
    }

    fn add(
        &mut self,
        source: &Source,
        fields: &Fields,
        room: u64,
        signer: &mut Signer,
        progress: &Progress,
    ) -> Result<()> {
        let started = Instant::now();
        let mut part = Part::default();
        // The whole in the same unit as what was read of it, and its rows where the file says them.
        let (read, whole, rows) = match source {
            Source::Lines(input, Codec::Plain) if !input.is_array() => {
                let size = source.input().size_on_disk();
                let read = self.places_of_lines(source, fields, room, signer, &mut part, progress)?;
                (read, size, None)
            }
            Source::Lines(_, codec) => {
                let read = self.head_of(source, fields, room, signer, &mut part, progress)?;
                let is_whole = read.1;
                let whole = if is_whole { read.0 } else { decoded_size(source, *codec)?.max(read.0) };
                (read.0, whole, None)
            }
            Source::Parquet(_) | Source::Folder(_) => {
                let (read, rows) = self.places_of_units(source, fields, room, signer, &mut part, progress)?;
                (read, rows, Some(rows))
            }
            Source::Ipc(_) | Source::Seen(_) => {
                let (read, is_whole) = self.head_of(source, fields, room, signer, &mut part, progress)?;
                let whole = if is_whole { read } else { source.input().size_on_disk().max(read) };
                (read, whole, None)
            }
        };
        self.seconds += started.elapsed().as_secs_f64();
        self.bytes += part.record_bytes;
        let growth = if read == 0 { 0.0 } else { whole as f64 / read as f64 };
        let grown = |count: u64| (count as f64 * growth).round() as u64;
        self.documents += match rows {
            Some(rows) if part.slots > 0 => {
                (rows as f64 * part.docs as f64 / part.slots as f64).round() as u64
            }
            _ => grown(part.docs),
        };
        self.text_bytes += grown(part.text_bytes);
        self.decoded_bytes += grown(part.record_bytes);
        Ok(())
    }

    /// Plain lines, at equal distances; gives the bytes read.
    fn places_of_lines(
        &mut self,
        source: &Source,
        fields: &Fields,
        room: u64,
        signer: &mut Signer,
        part: &mut Part,
        progress: &Progress,
    ) -> Result<u64> {
        let size = source.input().size_on_disk();
        if size <= room {
            return self.head_of(source, fields, room, signer, part, progress).map(|read| read.0);
        }
        let (each, mut read) = (room / PLACES, 0);
        for place in 0..PLACES {
            let offset = (u128::from(size) * u128::from(place) / u128::from(PLACES)) as u64;
            // A place inside a line costs that line, which is no record then.
            let from = Position { units: place as usize, offset };
            let mut cutter = source.input().cut(from)?;
            let mut of_place = 0;
            while of_place < each
                && let Some(mut unit) = cutter.next(&|| progress.check())?
            {
                if let Payload::Range { start, end } = &mut unit.payload {
                    *end = (*end).min(line_end(source, *start + (each - of_place).max(1), *end)?);
                    of_place += *end - *start;
                }
                self.read(
                    source,
                    &unit,
                    fields,
                    signer,
                    part,
                    offset > 0 && unit.index == from.units,
                    progress,
                )?;
                if unit.extent().is_none() {
                    break;
                }
            }
            read += of_place;
        }
        Ok(read)
    }

    /// An input from its start; gives the bytes of records read, and whether that is all.
    fn head_of(
        &mut self,
        source: &Source,
        fields: &Fields,
        room: u64,
        signer: &mut Signer,
        part: &mut Part,
        progress: &Progress,
    ) -> Result<(u64, bool)> {
        let mut cutter = source.input().cut(Position::default())?;
        let mut read = 0;
        while let Some(unit) = cutter.next(&|| progress.check())? {
            if read >= room {
                return Ok((read, false));
            }
            let before = part.record_bytes;
            let extent = unit.extent();
            self.read(source, &unit, fields, signer, part, false, progress)?;
            read += extent.unwrap_or(part.record_bytes - before);
        }
        Ok((read, true))
    }

    /// Units at equal distances, where cutting costs nothing; gives the slots read, and those of all.
    fn places_of_units(
        &mut self,
        source: &Source,
        fields: &Fields,
        room: u64,
        signer: &mut Signer,
        part: &mut Part,
        progress: &Progress,
    ) -> Result<(u64, u64)> {
        let mut cutter = source.input().cut(Position::default())?;
        let (mut units, mut rows): (Vec<Unit>, u64) = (Vec::new(), 0);
        while let Some(unit) = cutter.next(&|| progress.check())? {
            rows += match &unit.payload {
                Payload::RowGroup { rows, .. } => *rows as u64,
                Payload::Files(files) => files.len() as u64,
                _ => 0,
            };
            units.push(unit);
        }
        let (n_units, mut next) = (units.len(), 0);
        // Every other of the remaining places, so that the sample is spread wherever it ends.
        let order = (0..n_units).map(|turn| turn * stride(n_units) % n_units);
        for place in order {
            if part.record_bytes >= room {
                break;
            }
            self.read(source, &units[place], fields, signer, part, false, progress)?;
            next += 1;
        }
        Ok((if next == n_units { rows } else { part.slots }, rows))
    }

    #[expect(clippy::too_many_arguments, reason = "one call for all formats")]
    fn read(
        &mut self,
        source: &Source,
        unit: &Unit,
        fields: &Fields,
        signer: &mut Signer,
        part: &mut Part,
        skips_first: bool,
        progress: &Progress,
    ) -> Result<()> {
        progress.check()?;
        let before = part.record_bytes;
        let mut visitor = Signing { texts: &mut self.texts, signer, part, skips_first };
        match source.input().read(unit, fields, None, &mut Scratch::default(), &mut visitor) {
            // What is damaged is set aside by the run.
            Err(Error::Damaged(_)) => {}
            read => read?,
        }
        self.num_units += 1;
        self.units.resize(self.texts.len(), self.num_units);
        progress.advance(0, part.record_bytes - before);
        Ok(())
    }
}

/// A step through `n` places that visits each once and leaves gaps of about one size: the odd number nearest to the golden ratio
/// of them that shares no factor.
fn stride(n: usize) -> usize {
    let coprime = |step: &usize| {
        let (mut a, mut b) = (*step, n);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a == 1
    };
    let golden = ((n as f64 * 0.618) as usize).max(1);
    (golden..golden + n.max(1)).find(coprime).unwrap_or(1)
}

/// The end of the line that `at` lies in, but not beyond `most`.
fn line_end(source: &Source, at: u64, most: u64) -> Result<u64> {
    use std::io::{Seek, SeekFrom};
    if at >= most {
        return Ok(most);
    }
    let path = source.input().path();
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut window = Vec::new();
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.take((most - at).min(LEAST_BYTES)).read_to_end(&mut window))
        .map_err(Error::io("read", path))?;
    Ok(memchr::memchr(b'\n', &window).map_or(most, |end| at + end as u64 + 1))
}

/// About how long a compressed file is when it is decoded.
fn decoded_size(source: &Source, codec: Codec) -> Result<u64> {
    let path = source.input().path();
    let size = source.input().size_on_disk();
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(PROBE_BYTES).read_to_end(&mut start))
        .map_err(Error::io("read", path))?;
    let read = start.len() as u64;
    let mut decoded = decoder(codec, Cursor::new(start)).map_err(Error::io("decode", path))?;
    let (mut block, mut bytes) = (vec![0; LEAST_BYTES as usize], 0_u64);
    // It breaks off where the start does.
    while let Ok(more @ 1..) = decoded.read(&mut block) {
        bytes += more as u64;
    }
    Ok((u128::from(bytes) * u128::from(size) / u128::from(read.max(1))) as u64)
}

struct Signing<'s> {
    texts: &'s mut Vec<String>,
    signer: &'s mut Signer,
    part: &'s mut Part,
    /// The first slot is the rest of a line.
    skips_first: bool,
}

impl Visitor for Signing<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        if std::mem::take(&mut self.skips_first) {
            return Ok(());
        }
        self.signer.sign(record.text);
        self.part.docs += 1;
        self.part.slots += 1;
        self.part.text_bytes += record.text.len() as u64;
        self.part.record_bytes += record.bytes;
        self.texts.push(record.text.to_owned());
        Ok(())
    }

    fn bad(&mut self, bad: BadRecord<'_>) -> Result<()> {
        if !std::mem::take(&mut self.skips_first) {
            self.part.slots += 1;
            self.part.record_bytes += bad.bytes;
        }
        Ok(())
    }
}
