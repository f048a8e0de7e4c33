//! Texts made against the public constants: what they decide rests on bytes and on the secret, and on nothing else.

use super::*;
use crate::hash::Keys;

/// A secret under which all words of up to 8 bytes hash alike, and all texts of one length.
fn worthless() -> Secret {
    Secret::new(&[0; Secret::LEN])
}

/// For each lane the word, of many, that lowers it most: who has them all has the same signature, whatever else is in it.
fn strongest_words(num_hashes: usize) -> Vec<String> {
    let mut strongest: Vec<(u32, String)> = vec![(u32::MAX, String::new()); num_hashes];
    let spec = ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap();
    let mut shingler = Shingler::with_keys(spec, Keys::PUBLIC);
    let mut shingle = Vec::new();
    for index in 0..200_000 {
        let word = format!("{index}");
        shingle.clear();
        shingler.shingles_into(&word, &mut shingle);
        let lane = (((shingle[0] >> 32) * num_hashes as u64) >> 32) as usize;
        if (shingle[0] as u32) < strongest[lane].0 {
            strongest[lane] = (shingle[0] as u32, word);
        }
    }
    strongest.into_iter().map(|(_, word)| word).collect()
}

#[test]
fn texts_of_one_signature_are_near_only_by_the_secret() {
    let strongest = strongest_words(128).join(" ");
    // No two have the same length.
    let texts: Vec<Option<String>> = (0..1_000usize)
        .map(|i| Some(format!("{strongest} {:.<1$}", words(i as u64, 100).join(" "), 1_000 + i)))
        .collect();
    let texts = borrowed(&texts);
    let shingles = ShingleSpec::try_new(ShingleUnit::Word, 1).unwrap();
    let config = DedupConfig { shingles, ..config(0.8) };
    let outcome = search(&texts, &[], &config);
    assert_eq!((outcome.summary.kept.docs, outcome.summary.candidates), (1_000, 1_000));
    // With a secret that tells no words apart they are all one: so it is the secret that decides.
    let outcome = dedup(&texts, &[], &config, &worthless(), &Unobserved).unwrap();
    assert_eq!((outcome.summary.kept.docs, outcome.summary.near.docs), (1, 999));
}

#[test]
fn texts_of_one_hash_are_equal_only_by_their_bytes() {
    let texts: Vec<Option<String>> =
        (0..2_000u64).map(|i| Some(format!("{:08}", splitmix64(i / 2) % 100_000_000))).collect();
    let texts = borrowed(&texts);
    let config = DedupConfig { exact_only: true, ..config(0.8) };
    for secret in [secret(), worthless()] {
        let outcome = dedup(&texts, &[], &config, &secret, &Unobserved).unwrap();
        assert_eq!((outcome.summary.kept.docs, outcome.summary.exact.docs), (1_000, 1_000));
        assert!(
            (0..1_000).all(|i| outcome.evidence[2 * i + 1].is_some_and(|e| e.duplicate_of == 2 * i as u32))
        );
    }
}
