//! A bounded sample of inputs, spread over each of them as far as its format allows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Cursor, Read};

use thresher_core::content::TextHasher;
use thresher_core::hash::Keys;
use thresher_core::json::Fields;
use thresher_core::{DedupConfig, Observer, Screen, Secret, Signer};

use super::clock::Work;

use crate::codec::{Codec, decoder};
use crate::error::{Error, Result};
use crate::input::{Payload, Position, Scratch, Unit};
use crate::record::{BadRecord, Record, Visitor};
use crate::runs::progress::Progress;
use crate::runs::source::Source;

/// Bytes of input that are looked at over all.
pub(crate) const MOST_BYTES: u64 = 256 << 20;
/// The least of one input.
const LEAST_BYTES: u64 = 1 << 20;
/// Inputs that are looked at; of more, so many at equal distances.
const MOST_INPUTS: usize = 64;
/// Places of one input.
const PLACES: u64 = 16;
/// Copies of a text that each later one is paired with.
const PAIRED_COPIES: usize = 16;
/// Compressed bytes that tell how far a file is compressed.
const PROBE_BYTES: u64 = 2 << 20;

/// What was found in the inputs.
pub(crate) struct Sample {
    pub(crate) texts: Vec<String>,
    /// The stretch of an input that each was read from, and where it lies there, in bytes of text.
    places: Vec<(u32, u64)>,
    stretch: u32,
    signs: Signs,
    /// Bytes of the records that were read, in units that grow with an input.
    bytes: u64,
    /// The work of reading and signing them, and the part of it that is not a run's.
    work: Work,
    copying: Work,
    /// What all inputs have, extrapolated: documents, bytes of text, decoded bytes.
    pub(crate) documents: u64,
    pub(crate) text_bytes: u64,
    pub(crate) decoded_bytes: u64,
    pub(crate) notes: Vec<String>,
}

/// What pass 1 finds out about texts.
struct Signs {
    search: DedupConfig,
    screen: Screen,
    hasher: TextHasher,
    signer: Signer,
    of_document: Vec<u64>,
    /// Documents of one text.
    equal: HashMap<u128, Vec<u32>>,
    keys: Vec<Vec<u64>>,
    signed: Vec<u32>,
    packed: Vec<u8>,
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

impl Signs {
    fn new(search: &DedupConfig, secret: &Secret) -> Self {
        let bands = search.banding.bands();
        let signer = Signer::with_keys(search.shingles, search.num_hashes, Keys::from_seed(search.seed));
        Self {
            search: *search,
            screen: Screen::new(search.threshold, search.num_hashes),
            hasher: TextHasher::new(secret),
            signer,
            of_document: vec![0; bands],
            equal: HashMap::new(),
            keys: vec![Vec::new(); bands],
            signed: Vec::new(),
            packed: Vec::new(),
        }
    }

    fn take(&mut self, doc: u32, text: &str) {
        let equal = self.equal.entry(self.hasher.hash(text.as_bytes())).or_default();
        equal.push(doc);
        if equal.len() > 1 || self.search.exact_only {
            return;
        }
        if let Some(signature) = self.signer.sign(text) {
            self.search.banding.keys_into(signature, &mut self.of_document);
            for (column, &key) in self.keys.iter_mut().zip(&self.of_document) {
                column.push(key);
            }
            self.screen.pack(signature, &mut self.packed);
            self.signed.push(doc);
        }
    }
}

impl Sample {
    /// Reads and signs a sample of up to `most` bytes.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(crate) fn take(
        sources: &[Source],
        fields: &Fields,
        search: &DedupConfig,
        secret: &Secret,
        most: u64,
        progress: &Progress,
    ) -> Result<Self> {
        let mut sample = Self {
            texts: Vec::new(),
            places: Vec::new(),
            stretch: 0,
            signs: Signs::new(search, secret),
            bytes: 0,
            work: Work::default(),
            copying: Work::default(),
            documents: 0,
            text_bytes: 0,
            decoded_bytes: 0,
            notes: Vec::new(),
        };
        let total: u64 = sources.iter().map(|source| source.input().size_on_disk()).sum();
        let step = sources.len().div_ceil(MOST_INPUTS).max(1);
        let mut seen = 0;
        for source in sources.iter().step_by(step) {
            let size = source.input().size_on_disk();
            seen += size;
            let room = (u128::from(most) * u128::from(size) * step as u128 / u128::from(total.max(1))) as u64;
            let room = room.max(LEAST_BYTES.min(most * step as u64 / sources.len() as u64));
            let mut work = std::mem::take(&mut sample.work);
            work.of(|| sample.add(source, fields, room, progress))?;
            sample.work = work;
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

    /// Seconds that one thread took to read and sign a byte of the records.
    pub(crate) fn sign_seconds(&self) -> f64 {
        (self.work.seconds() - self.copying.seconds()).max(0.0) / self.bytes.max(1) as f64
    }

    /// The signed documents, and their keys in each band.
    pub(crate) fn keys(&self) -> (&[u32], &[Vec<u64>]) {
        (&self.signs.signed, &self.signs.keys)
    }

    /// What the screen looks at of a signed document.
    pub(crate) fn packed(&self, doc: u32) -> &[u8] {
        let (place, size) =
            (self.signs.signed.partition_point(|&signed| signed < doc), self.signs.screen.bytes());
        &self.signs.packed[place * size..(place + 1) * size]
    }

    /// Documents whose text an earlier one has.
    pub(crate) fn copies(&self) -> usize {
        self.texts.len() - self.signs.equal.len()
    }

    /// Pairs of documents of one text, the earlier first: of a text of many documents, not all.
    pub(crate) fn equal_pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        let of_text = |docs: &Vec<u32>| {
            let pairs =
                (1..docs.len()).flat_map(|at| (at.saturating_sub(PAIRED_COPIES)..at).map(move |to| (to, at)));
            pairs.map(|(to, at)| (docs[to], docs[at])).collect::<Vec<_>>()
        };
        self.signs.equal.values().filter(|docs| docs.len() > 1).flat_map(of_text)
    }

    /// Bytes of text between two documents of one stretch.
    pub(crate) fn distance(&self, a: usize, b: usize) -> Option<u64> {
        let ((a_stretch, a), (b_stretch, b)) = (self.places[a], self.places[b]);
        (a_stretch == b_stretch).then(|| a.abs_diff(b))
    }

    fn add(&mut self, source: &Source, fields: &Fields, room: u64, progress: &Progress) -> Result<()> {
        self.stretch += 1;
        let mut part = Part::default();
        // The whole in the same unit as what was read of it, and its rows where the file says them.
        let (read, whole, rows) = match source {
            Source::Lines(input, Codec::Plain) if !input.is_array() => {
                let size = source.input().size_on_disk();
                let read = self.places_of_lines(source, fields, room, &mut part, progress)?;
                (read, size, None)
            }
            Source::Lines(_, codec) => {
                let read = self.head_of(source, fields, room, &mut part, progress)?;
                let is_whole = read.1;
                let whole = if is_whole { read.0 } else { decoded_size(source, *codec)?.max(read.0) };
                (read.0, whole, None)
            }
            Source::Parquet(_) | Source::Folder(_) => {
                let (read, rows) = self.places_of_units(source, fields, room, &mut part, progress)?;
                (read, rows, Some(rows))
            }
            Source::Ipc(_) | Source::Seen(_) | Source::Placed(_) => {
                let (read, is_whole) = self.head_of(source, fields, room, &mut part, progress)?;
                let whole = if is_whole { read } else { source.input().size_on_disk().max(read) };
                (read, whole, None)
            }
        };
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
        part: &mut Part,
        progress: &Progress,
    ) -> Result<u64> {
        let size = source.input().size_on_disk();
        if size <= room {
            return self.head_of(source, fields, room, part, progress).map(|read| read.0);
        }
        let places = (room / LEAST_BYTES).clamp(1, PLACES);
        let (each, mut read) = (room / places, 0);
        for place in 0..places {
            self.stretch += 1;
            let offset = (u128::from(size) * u128::from(place) / u128::from(places)) as u64;
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
                self.read(source, &unit, fields, part, offset > 0 && unit.index == from.units, progress)?;
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
            self.read(source, &unit, fields, part, false, progress)?;
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
            self.stretch += 1;
            self.read(source, &units[place], fields, part, false, progress)?;
            next += 1;
        }
        Ok((if next == n_units { rows } else { part.slots }, rows))
    }

    fn read(
        &mut self,
        source: &Source,
        unit: &Unit,
        fields: &Fields,
        part: &mut Part,
        skips_first: bool,
        progress: &Progress,
    ) -> Result<()> {
        progress.check()?;
        let before = part.record_bytes;
        let mut visitor = Signing {
            texts: &mut self.texts,
            copying: &mut self.copying,
            places: &mut self.places,
            stretch: self.stretch,
            signs: &mut self.signs,
            part,
            skips_first,
        };
        match source.input().read(unit, fields, None, &mut Scratch::default(), &mut visitor) {
            // What is damaged is set aside by the run.
            Err(Error::Damaged(_)) => {}
            read => read?,
        }
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
    copying: &'s mut Work,
    places: &'s mut Vec<(u32, u64)>,
    stretch: u32,
    signs: &'s mut Signs,
    part: &'s mut Part,
    /// The first slot is the rest of a line.
    skips_first: bool,
}

impl Visitor for Signing<'_> {
    fn record(&mut self, record: Record<'_>) -> Result<()> {
        if std::mem::take(&mut self.skips_first) {
            return Ok(());
        }
        self.signs.take(self.texts.len() as u32, record.text);
        self.places.push((self.stretch, self.part.text_bytes));
        self.part.docs += 1;
        self.part.slots += 1;
        self.part.text_bytes += record.text.len() as u64;
        self.part.record_bytes += record.bytes;
        let copied = self.copying.of(|| record.text.to_owned());
        self.texts.push(copied);
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
