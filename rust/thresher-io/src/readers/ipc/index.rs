//! Where the record batches of an Arrow IPC file or stream lie.
//!
//! Both formats are the same messages; the file format adds a footer that lists them. Here both become one list of
//! blocks, made from the messages' headers without reading their bodies, so that any thread can decode any batch. A
//! dictionary counts for the batches behind it; each block knows the dictionary messages it needs.
//!
//! Every length is checked against the file before anything is reserved or read.
//!
//! Format: <https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc>.

use std::{io, path::Path, sync::Arc};

use arrow_buffer::Buffer;
use arrow_ipc::{
    Block, CompressionType, Message, MessageHeader, MetadataVersion, RecordBatch as BatchHeader,
    convert::try_fb_to_schema, root_as_footer, root_as_message,
};
use arrow_schema::{Schema, SchemaRef};

use crate::{blob::Blob, readers::guard::guarded, record::Reason};

/// First and last bytes of the file format.
const MAGIC: &[u8; 6] = b"ARROW1";
/// First bytes of the format that was called Feather before Arrow had a file format.
const FEATHER_V1: &[u8; 4] = b"FEA1";
/// Opens a message since Arrow 0.15; before, the length came first.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Footer length and magic.
const TRAILER: u64 = 10;
/// A header message is a few hundred bytes for each column.
const LONGEST_HEADER: u64 = 256 << 20;
/// More rows than this for a byte of a batch is no data; see the same bound for Parquet.
const ROWS_PER_BYTE: u64 = 65_536;
/// Zstandard's run-length blocks hold 128 KiB in 4 bytes, and nothing compresses better.
const MOST_COMPRESSION: u64 = 1 << 16;

/// Why a file, or a block of it, cannot be read.
pub(super) type Damage = (Reason, String);

/// Which of the two formats a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpcKind {
    /// With a footer: `.arrow`, `.feather`.
    File,
    /// Without: `.arrows`.
    Stream,
}

impl IpcKind {
    /// The format that the name of a new file asks for.
    pub(crate) fn of_name(path: &Path) -> Self {
        if path.extension().is_some_and(|end| end == "arrows") { Self::Stream } else { Self::File }
    }
}

/// The messages of one file.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) kind: IpcKind,
    pub(super) schema: SchemaRef,
    pub(super) version: MetadataVersion,
    pub(super) compression: Option<CompressionType>,
    /// Key-value pairs of the footer.
    pub(super) metadata: Vec<(String, String)>,
    pub(super) batches: Vec<Batch>,
}

/// One record batch.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) at: Place,
    pub(super) rows: u32,
    /// The dictionary messages it needs, in order.
    pub(super) dictionaries: Arc<Vec<Place>>,
    /// Set if it can be told without decoding that it cannot be decoded.
    pub(super) damage: Option<Damage>,
}

/// Where a message lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    offset: u64,
    header: u64,
    body: u64,
}

impl Place {
    pub(super) fn bytes(self) -> u64 {
        self.header + self.body
    }

    /// The same in the words of the decoder.
    pub(super) fn block(self) -> Block {
        Block::new(self.offset as i64, self.header as i32, self.body as i64)
    }

    fn of(block: &Block, len: u64) -> Option<Self> {
        let offset = u64::try_from(block.offset()).ok()?;
        let header =
            u64::try_from(block.metaDataLength()).ok().filter(|h| (8..=LONGEST_HEADER).contains(h))?;
        let body = u64::try_from(block.bodyLength()).ok()?;
        let end = offset.checked_add(header)?.checked_add(body)?;
        (end <= len).then_some(Self { offset, header, body })
    }
}

/// Reads a whole message and checks that its buffers can be reserved.
pub(super) fn read_message(file: &dyn Blob, place: Place) -> io::Result<Result<Buffer, String>> {
    let bytes = file.bytes_at(place.offset, place.bytes())?;
    let (header, body) = bytes.split_at(place.header as usize);
    let checked = match parse(header) {
        Some(message) => check_buffers(message, body),
        None => Err("the header of the message is broken".to_owned()),
    };
    Ok(checked.map(|()| Buffer::from_vec(bytes)))
}

/// The header behind the length of an encapsulated message.
fn parse(header: &[u8]) -> Option<Message<'_>> {
    let skip = if header.starts_with(&CONTINUATION) { 8 } else { 4 };
    root_as_message(header.get(skip..)?).ok()
}

fn batch_of(message: Message<'_>) -> Option<BatchHeader<'_>> {
    match message.header_type() {
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch()?.data(),
        _ => message.header_as_record_batch(),
    }
}

/// A compressed buffer begins with its decompressed length, for which the decoder reserves memory.
fn check_buffers(message: Message<'_>, body: &[u8]) -> Result<(), String> {
    let Some(batch) = batch_of(message) else { return Err("the message has no batch".to_owned()) };
    let compressed = batch.compression().is_some();
    for buffer in batch.buffers().into_iter().flatten() {
        let bytes = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(start, n)| body.get(start..start.checked_add(n)?))
            .ok_or("a buffer lies outside of its message")?;
        let Some((claimed, rest)) = bytes.split_first_chunk::<8>().filter(|_| compressed) else { continue };
        let Ok(claimed) = u64::try_from(i64::from_le_bytes(*claimed)) else { continue };
        if claimed > (rest.len() as u64).saturating_mul(MOST_COMPRESSION)
            || Vec::<u8>::new().try_reserve_exact(claimed as usize).is_err()
        {
            return Err(format!("a buffer of {} bytes claims to hold {claimed}", rest.len()));
        }
    }
    Ok(())
}

/// Reads the index of `file`.
pub(super) fn load(file: &dyn Blob) -> io::Result<Result<Index, Damage>> {
    let len = file.len();
    let head = file.bytes_at(0, len.min(8))?;
    if head.starts_with(FEATHER_V1) {
        let message = "this is Feather version 1; write it again as Feather version 2 (`.arrow`)";
        return Ok(Err((Reason::Corrupt, message.to_owned())));
    }
    if head.starts_with(MAGIC) { from_footer(file, len) } else { from_stream(file, len) }
}

fn corrupt(message: impl Into<String>) -> Damage {
    (Reason::Corrupt, message.into())
}

fn from_footer(file: &dyn Blob, len: u64) -> io::Result<Result<Index, Damage>> {
    let truncated = || Err((Reason::Truncated, "the file ends without an Arrow footer".to_owned()));
    if len < 8 + TRAILER {
        return Ok(truncated());
    }
    let trailer = file.bytes_at(len - TRAILER, TRAILER)?;
    let Some((claimed, magic)) = trailer.split_first_chunk::<4>() else { return Ok(truncated()) };
    if magic != MAGIC {
        return Ok(truncated());
    }
    let claimed = i32::from_le_bytes(*claimed);
    let Some(footer_len) = u64::try_from(claimed).ok().filter(|n| *n <= len - TRAILER - 8) else {
        return Ok(Err(corrupt(format!("the footer claims {claimed} bytes in a file of {len}"))));
    };
    let bytes = file.bytes_at(len - TRAILER - footer_len, footer_len)?;
    let mut index = match guarded(|| read_footer(&bytes, len)) {
        Ok(index) => index,
        Err(message) => return Ok(Err(corrupt(format!("the footer cannot be decoded: {message}")))),
    };
    for batch in index.batches.iter_mut().filter(|b| b.damage.is_none()) {
        let header = file.bytes_at(batch.at.offset, batch.at.header)?;
        match rows_of(&header, batch.at.bytes()) {
            Ok((rows, compression)) => {
                batch.rows = rows;
                index.compression = index.compression.or(compression);
            }
            Err(damage) => batch.damage = Some(damage),
        }
    }
    Ok(Ok(index))
}

fn read_footer(bytes: &[u8], len: u64) -> Result<Index, String> {
    let footer = root_as_footer(bytes).map_err(|e| e.to_string())?;
    let schema = read_schema(footer.schema().ok_or("it has no schema")?)?;
    let outside = || "a message lies outside of the file".to_owned();
    let dictionaries: Option<Vec<Place>> =
        footer.dictionaries().into_iter().flatten().map(|b| Place::of(b, len)).collect();
    let dictionaries = Arc::new(dictionaries.ok_or_else(outside)?);
    let batches = footer.recordBatches().into_iter().flatten().map(|block| match Place::of(block, len) {
        Some(at) => Batch { at, rows: 1, dictionaries: dictionaries.clone(), damage: None },
        None => Batch {
            at: Place { offset: 0, header: 0, body: 0 },
            rows: 1,
            dictionaries: dictionaries.clone(),
            damage: Some(corrupt(outside())),
        },
    });
    let pair = |(key, value): (Option<&str>, Option<&str>)| Some((key?.to_owned(), value?.to_owned()));
    Ok(Index {
        kind: IpcKind::File,
        schema,
        version: footer.version(),
        compression: None,
        metadata: footer
            .custom_metadata()
            .into_iter()
            .flatten()
            .filter_map(|kv| pair((kv.key(), kv.value())))
            .collect(),
        batches: batches.collect(),
    })
}

fn read_schema(schema: arrow_ipc::Schema<'_>) -> Result<SchemaRef, String> {
    if !schema.endianness().equals_to_target_endianness() {
        return Err("its byte order is not the one of this machine".to_owned());
    }
    guarded(|| try_fb_to_schema(schema)).map(|s: Schema| Arc::new(s))
}

/// Number of rows and codec of a record batch, of which the file has `bytes`.
fn rows_of(header: &[u8], bytes: u64) -> Result<(u32, Option<CompressionType>), Damage> {
    let batch = parse(header)
        .and_then(|m| m.header_as_record_batch())
        .ok_or_else(|| corrupt("a message that should be a record batch is broken"))?;
    let rows = u64::try_from(batch.length()).ok().filter(|r| *r <= bytes.saturating_mul(ROWS_PER_BYTE));
    let rows = rows.and_then(|r| u32::try_from(r).ok());
    let rows = rows.ok_or_else(|| corrupt(format!("a record batch claims {} rows", batch.length())))?;
    Ok((rows, batch.compression().map(|c| c.codec())))
}

/// Walks over the messages of a stream. Behind the first that is broken nothing can be found any more.
fn from_stream(file: &dyn Blob, len: u64) -> io::Result<Result<Index, Damage>> {
    let first = match next_message(file, 0, len)? {
        Ok(Some((at, header))) => parse(&header).map(|m| (at, m.version(), schema_of(m))),
        Ok(None) => None,
        Err(damage) => return Ok(Err(damage)),
    };
    let (at, version, schema) = match first {
        Some((at, version, Ok(schema))) => (at, version, schema),
        Some((_, _, Err(message))) => return Ok(Err(corrupt(message))),
        None => return Ok(Err(corrupt("not an Arrow IPC file or stream: it does not begin with a schema"))),
    };
    let mut index = Index {
        kind: IpcKind::Stream,
        schema,
        version,
        compression: None,
        metadata: Vec::new(),
        batches: Vec::new(),
    };
    let mut dictionaries = Dictionaries::default();
    let mut pos = at.offset + at.bytes();
    loop {
        let step = match next_message(file, pos, len)? {
            Ok(None) => return Ok(Ok(index)),
            Ok(Some((at, header))) => {
                pos = at.offset + at.bytes();
                index.note(at, &header, &mut dictionaries, len)
            }
            Err(damage) => Err(damage),
        };
        if let Err(damage) = step {
            let at = Place { offset: pos.min(len), header: 0, body: 0 };
            index.batches.push(Batch {
                at,
                rows: 1,
                dictionaries: dictionaries.needed(),
                damage: Some(damage),
            });
            return Ok(Ok(index));
        }
    }
}

fn schema_of(message: Message<'_>) -> Result<SchemaRef, String> {
    read_schema(message.header_as_schema().ok_or("the stream does not begin with a schema")?)
}

impl Index {
    /// Takes in a message of a stream. An error ends the stream.
    fn note(
        &mut self,
        at: Place,
        header: &[u8],
        dictionaries: &mut Dictionaries,
        len: u64,
    ) -> Result<(), Damage> {
        let message = parse(header).ok_or_else(|| corrupt("the header of a message is broken"))?;
        let cut = at.offset + at.bytes() > len;
        let truncated = || (Reason::Truncated, "the stream ends inside a message".to_owned());
        if let Some(dictionary) = message.header_as_dictionary_batch() {
            if cut {
                return Err(truncated());
            }
            dictionaries.add(dictionary.id(), dictionary.isDelta(), at);
            return Ok(());
        }
        if message.header_type() != MessageHeader::RecordBatch {
            return Err(corrupt("a message of the stream is neither a record batch nor a dictionary"));
        }
        let (rows, compression) = rows_of(header, at.bytes().min(len - at.offset))?;
        self.compression = self.compression.or(compression);
        let damage = cut.then(truncated);
        self.batches.push(Batch { at, rows, dictionaries: dictionaries.needed(), damage });
        Ok(())
    }
}

type Next = Result<Option<(Place, Vec<u8>)>, Damage>;

/// The message at `pos`: its place and header. Its body may go beyond the end of the file.
fn next_message(file: &dyn Blob, pos: u64, len: u64) -> io::Result<Next> {
    let left = len.saturating_sub(pos);
    if left == 0 {
        // A stream may end without an end mark.
        return Ok(Ok(None));
    }
    let truncated = || Ok(Err((Reason::Truncated, "the stream ends inside a message".to_owned())));
    let prefix = file.bytes_at(pos, left.min(8))?;
    let size = match prefix.split_first_chunk::<4>() {
        None => return truncated(),
        Some((&CONTINUATION, rest)) => match rest.first_chunk::<4>() {
            Some(size) => (8, i32::from_le_bytes(*size)),
            None => return truncated(),
        },
        Some((size, _)) => (4, i32::from_le_bytes(*size)),
    };
    let Some(size) = u64::try_from(size.1).ok().map(|n| (size.0, n)).filter(|(_, n)| *n <= LONGEST_HEADER)
    else {
        return Ok(Err(corrupt("not an Arrow IPC message")));
    };
    if size.1 == 0 {
        return Ok(Ok(None));
    }
    let header = size.0 + size.1;
    if header > left {
        return truncated();
    }
    let bytes = file.bytes_at(pos, header)?;
    let Some(message) = parse(&bytes) else { return Ok(Err(corrupt("the header of a message is broken"))) };
    let Some(body) = u64::try_from(message.bodyLength()).ok().filter(|b| *b <= i64::MAX as u64 - len) else {
        return Ok(Err(corrupt("a message has an impossible length")));
    };
    Ok(Ok(Some((Place { offset: pos, header, body }, bytes))))
}

/// The dictionary messages that are in force: for each id the last whole one and the deltas behind it.
#[derive(Debug, Default)]
struct Dictionaries {
    messages: Vec<(i64, Place)>,
    needed: Option<Arc<Vec<Place>>>,
}

impl Dictionaries {
    fn add(&mut self, id: i64, delta: bool, at: Place) {
        if !delta {
            self.messages.retain(|(other, _)| *other != id);
        }
        self.messages.push((id, at));
        self.needed = None;
    }

    /// Shared by all batches up to the next dictionary.
    fn needed(&mut self) -> Arc<Vec<Place>> {
        let messages = &self.messages;
        self.needed.get_or_insert_with(|| Arc::new(messages.iter().map(|(_, at)| *at).collect())).clone()
    }
}
