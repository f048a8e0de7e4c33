//! Grouping of band keys against a map: the same buckets, whatever the keys.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use thresher_core::lsh::group;

/// Enough records for the grouping to work in several parts.
const MANY: usize = 20_000;

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    // Keys of one byte collide often; keys of eight reach every bit.
    let mut keys: Vec<u64> = match kind % 16 {
        0..8 => rest.iter().map(|&byte| u64::from(byte) << (kind / 16 * 4)).collect(),
        _ => rest
            .chunks(8)
            .map(|bytes| bytes.iter().fold(0, |key, &byte| key << 8 | u64::from(byte)))
            .collect(),
    };
    // Large partitions take a thousand times as long, so one input in so many makes one.
    let rare = data.iter().fold(0u16, |sum, &byte| sum.rotate_left(5) ^ u16::from(byte)) % 1024 == 0;
    if rare && !keys.is_empty() {
        keys = (0..MANY)
            .map(|at| keys[at % keys.len()].wrapping_mul((at / keys.len() % 3) as u64 + 1))
            .collect();
    }
    let docs: Vec<u32> = (0..keys.len() as u32).map(|doc| doc.wrapping_mul(2_654_435_761)).collect();

    let mut naive: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (&key, &doc) in keys.iter().zip(&docs) {
        naive.entry(key).or_default().push(doc);
    }
    let mut naive: Vec<Vec<u32>> = naive.into_values().filter(|bucket| bucket.len() > 1).collect();
    naive.iter_mut().for_each(|bucket| bucket.sort_unstable());
    naive.sort();
    let mut found: Vec<Vec<u32>> = group(&keys, &docs).iter().map(<[u32]>::to_vec).collect();
    found.sort();
    assert_eq!(found, naive);
});
