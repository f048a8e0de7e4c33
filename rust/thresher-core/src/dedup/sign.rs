//! Hashes every text whole and, of equal ones, signs the one that comes first, in one look at each text.

use rayon::prelude::*;

use super::rows::{Layout, Rows};
use crate::content::TextHasher;
use crate::error::Result;
use crate::exact::SeenDocs;
use crate::hash::Keys;
use crate::minhash::{Signer, tasks};
use crate::observe::{Observer, check};
use crate::params::DedupConfig;
use crate::screen::Screen;
use crate::secret::Secret;

/// The rows of one document of each distinct text, and every other document with that one.
pub(super) fn sign(
    texts: &[Option<&str>],
    config: &DedupConfig,
    secret: &Secret,
    observer: &dyn Observer,
) -> Result<(Rows, Vec<(u32, u32)>)> {
    let layout = Layout { screen: Screen::new(config.threshold, config.num_hashes), banding: config.banding };
    let mut rows = Rows::new(layout, if config.exact_only { 0 } else { texts.len() });
    let hasher = TextHasher::new(secret);
    let seen = SeenDocs::new(texts.len());
    let (mut rest, signed) = rows.parts();
    let mut work = Vec::new();
    for task in tasks(texts) {
        let bytes = if config.exact_only { 0 } else { task.len() * layout.bytes() };
        let (part, more) = std::mem::take(&mut rest).split_at_mut(bytes);
        work.push((task, part));
        rest = more;
    }
    let parts = work.into_par_iter().map_init(
        || {
            let keys = Keys::from_seed(config.seed);
            let signer = Signer::with_keys(config.shingles, config.num_hashes, keys);
            (signer, Vec::new(), vec![0; config.banding.bands()])
        },
        |(signer, packed, keys), (task, part)| {
            check(observer)?;
            let mut copies = Vec::new();
            for doc in task.clone() {
                let Some(text) = texts[doc] else { continue };
                let is_equal = |other: u32| texts[other as usize] == Some(text);
                if let Some(first) = seen.find_or_insert(hasher.hash(text.as_bytes()), doc as u32, is_equal) {
                    copies.push((doc as u32, first));
                } else if !config.exact_only
                    && let Some(signature) = signer.sign(text)
                {
                    let row = &mut part[(doc - task.start) * layout.bytes()..][..layout.bytes()];
                    layout.write(signature, packed, keys, row);
                    signed.note(doc);
                }
            }
            observer.advance(task.len() as u64, texts[task].iter().flatten().map(|t| t.len() as u64).sum());
            Ok(copies)
        },
    );
    let copies = parts.collect::<Result<Vec<Vec<(u32, u32)>>>>()?.concat();
    Ok((rows, copies))
}
