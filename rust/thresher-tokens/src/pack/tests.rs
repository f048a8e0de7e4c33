//! Plans against naive packers that look at every bin for every piece.

use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert_eq, prop_oneof, proptest};
use thresher_core::observe::Unobserved;

use super::*;

fn packer(context: u64, strategy: Strategy, overlong: Overlong) -> Packer {
    Packer::try_new(context, strategy, overlong).unwrap()
}

fn planned(lengths: &[u32], packer: Packer) -> Plan {
    plan(lengths, packer, &Unobserved).unwrap()
}

/// Pieces as (sequence, start, length), in order.
fn cut_naively(lengths: &[u32], context: u32, overlong: Overlong) -> Vec<(u32, u64, u32)> {
    let mut pieces = Vec::new();
    for (sequence, &length) in lengths.iter().enumerate() {
        let length = match overlong {
            Overlong::Drop if length > context => 0,
            Overlong::Truncate => length.min(context),
            _ => length,
        };
        let mut start = 0;
        while start < length {
            pieces.push((sequence as u32, u64::from(start), context.min(length - start)));
            start += context;
        }
    }
    pieces
}

/// A bin while it is being filled naively: since when it has its space, and its pieces.
struct Open {
    space: u32,
    since: usize,
    pieces: Vec<usize>,
}

/// The bin and offset of each piece, by the rules in the head of the module, one piece at a time.
fn pack_naively(
    pieces: &[(u32, u64, u32)],
    context: u32,
    strategy: Strategy,
    split: &[bool],
) -> Vec<(u32, u32)> {
    let mut order: Vec<usize> = (0..pieces.len()).filter(|&piece| !split[piece]).collect();
    order.sort_by_key(|&piece| std::cmp::Reverse(pieces[piece].2));
    let mut bins: Vec<Open> = Vec::new();
    for (turn, &piece) in order.iter().enumerate() {
        let length = pieces[piece].2;
        let fits = bins.iter().enumerate().filter(|(_, bin)| bin.space >= length);
        let found = match strategy {
            Strategy::BestFit => fits.min_by_key(|(_, bin)| (bin.space, bin.since)).map(|(at, _)| at),
            _ => fits.map(|(at, _)| at).next(),
        };
        let at = found.unwrap_or_else(|| {
            bins.push(Open { space: context, since: 0, pieces: Vec::new() });
            bins.len() - 1
        });
        let bin = &mut bins[at];
        (bin.space, bin.since) = (bin.space - length, turn);
        bin.pieces.push(piece);
    }
    let whole = (0..pieces.len()).filter(|&piece| split[piece]);
    bins.extend(whole.map(|piece| Open { space: 0, since: 0, pieces: vec![piece] }));
    bins.sort_by_key(|bin| bin.pieces.iter().min().copied());
    let mut places = vec![(0, 0); pieces.len()];
    for (number, bin) in bins.iter().enumerate() {
        let mut offset = 0;
        for &piece in &bin.pieces {
            places[piece] = (number as u32, offset);
            offset += pieces[piece].2;
        }
    }
    places
}

/// The pieces of a plan, as the naive cut has them.
fn pieces_of(plan: &Plan) -> Vec<(u32, u64, u32)> {
    let piece = |piece: usize| {
        let (sequence, start) = plan.origin(piece);
        (sequence, start, plan.length[piece])
    };
    (0..plan.bin.len()).map(piece).collect()
}

fn overlong() -> impl prop::strategy::Strategy<Value = Overlong> {
    prop_oneof![Just(Overlong::Split), Just(Overlong::Truncate), Just(Overlong::Drop)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_plan_is_that_of_the_naive_packer(
        lengths in prop::collection::vec(0u32..70, 0..200),
        context in 1u32..60,
        overlong in overlong(),
        first in any::<bool>(),
    ) {
        let strategy = if first { Strategy::FirstFit } else { Strategy::BestFit };
        let plan = planned(&lengths, packer(context.into(), strategy, overlong));
        let pieces = cut_naively(&lengths, context, overlong);
        prop_assert_eq!(pieces_of(&plan), pieces.clone());
        // A piece that fills a bin because its sequence is longer has the bin to itself from the start.
        let split: Vec<bool> = pieces
            .iter()
            .map(|&(sequence, start, length)| {
                overlong == Overlong::Split
                    && length == context
                    && lengths[sequence as usize] > context
                    && start + u64::from(length) <= u64::from(lengths[sequence as usize] / context * context)
            })
            .collect();
        let places = pack_naively(&pieces, context, strategy, &split);
        let found: Vec<(u32, u32)> = plan.bin.iter().copied().zip(plan.offset.iter().copied()).collect();
        prop_assert_eq!(found, places);
        books_balance(&lengths, &plan);
        members_lie_behind_each_other(&plan);
    }

    #[test]
    fn whole_sequences_in_blocks_are_placed_as_one_by_one(
        lengths in prop::collection::vec(1u32..30, 0..3000),
        odd in prop::option::of((any::<prop::sample::Index>(), prop_oneof![Just(0u32), Just(70)])),
        first in any::<bool>(),
        overlong in overlong(),
    ) {
        // One length that is none of a whole piece, and so some blocks with and some without.
        let mut lengths = lengths;
        if let Some((at, odd)) = odd.filter(|_| !lengths.is_empty()) {
            let at = at.index(lengths.len());
            lengths[at] = odd;
        }
        let strategy = if first { Strategy::FirstFit } else { Strategy::BestFit };
        let packer = packer(32, strategy, overlong);
        let (blocks, singly) = (planned(&lengths, packer), plan(&Singly(&lengths), packer, &Unobserved).unwrap());
        prop_assert_eq!(&blocks.bin, &singly.bin);
        prop_assert_eq!(&blocks.offset, &singly.offset);
        prop_assert_eq!(pieces_of(&blocks), pieces_of(&singly));
        prop_assert_eq!(blocks.accounts, singly.accounts);
        prop_assert_eq!(pieces_of(&blocks), cut_naively(&lengths, 32, overlong));
        members_lie_behind_each_other(&blocks);
    }

    #[test]
    fn wrapping_fills_every_bin_but_the_last(
        lengths in prop::collection::vec(0u32..70, 0..200),
        context in 1u32..60,
        overlong in overlong(),
    ) {
        let plan = planned(&lengths, packer(context.into(), Strategy::Wrapped, overlong));
        let kept = cut_naively(&lengths, context, overlong);
        let mut tokens = 0;
        for (piece, (_, _, length)) in pieces_of(&plan).into_iter().enumerate() {
            let at = (plan.bin[piece] * context + plan.offset[piece]) as u64;
            prop_assert_eq!(at, tokens, "pieces follow each other");
            tokens += u64::from(length);
        }
        prop_assert_eq!(tokens, kept.iter().map(|piece| u64::from(piece.2)).sum::<u64>());
        prop_assert_eq!(u64::from(plan.bins), tokens.div_ceil(context.into()));
        tiles(&lengths, &plan, overlong, context);
        books_balance(&lengths, &plan);
    }

    #[test]
    fn tables_of_all_lengths_and_of_those_that_come_say_the_same(
        lengths in prop::collection::vec(1u32..5_000_000, 0..80),
    ) {
        // The same lengths on both sides of the bound between the kinds of tables.
        let context = 5_000_000;
        let plan = planned(&lengths, packer(context, Strategy::BestFit, Overlong::Split));
        let pieces = cut_naively(&lengths, context as u32, Overlong::Split);
        let places = pack_naively(&pieces, context as u32, Strategy::BestFit, &vec![false; pieces.len()]);
        let found: Vec<(u32, u32)> = plan.bin.iter().copied().zip(plan.offset.iter().copied()).collect();
        prop_assert_eq!(found, places);
    }
}

/// Lengths that come one by one.
struct Singly<'a>(&'a [u32]);

impl Lengths for Singly<'_> {
    fn each(&self, visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        self.0.each(visit)
    }

    fn blocks(&self, mut visit: impl FnMut(Block<'_>) -> Result<()>) -> Result<()> {
        self.each(|length| visit(Block::Mixed(&[length])))
    }
}

/// The pieces of each sequence follow each other and are all that stays of it.
fn tiles(lengths: &[u32], plan: &Plan, overlong: Overlong, context: u32) {
    let mut covered = vec![0u64; lengths.len()];
    for (sequence, start, length) in pieces_of(plan) {
        assert_eq!(covered[sequence as usize], start);
        covered[sequence as usize] += u64::from(length);
    }
    for (&length, &covered) in lengths.iter().zip(&covered) {
        let stays = match overlong {
            Overlong::Truncate => length.min(context),
            Overlong::Drop if length > context => 0,
            _ => length,
        };
        assert_eq!(covered, u64::from(stays));
    }
}

/// The members of each bin are all its pieces, each where the one before it ends.
fn members_lie_behind_each_other(plan: &Plan) {
    let members = plan.members();
    assert_eq!((members.starts.len(), members.pieces.len()), (plan.bins as usize + 1, plan.bin.len()));
    for bin in 0..plan.bins {
        let mut end = 0;
        for &piece in members.of(bin as usize) {
            assert_eq!((plan.bin[piece as usize], plan.offset[piece as usize]), (bin, end));
            end += plan.length[piece as usize];
        }
        assert!(end > 0, "no bin is empty");
    }
}

fn books_balance(lengths: &[u32], plan: &Plan) {
    let accounts = plan.accounts;
    let tokens: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
    assert_eq!(accounts.given, Tally { sequences: lengths.len() as u64, tokens });
    assert_eq!(accounts.packed.tokens, plan.length.iter().map(|&length| u64::from(length)).sum::<u64>());
    assert_eq!(accounts.packed.tokens + accounts.truncated.tokens + accounts.dropped.tokens, tokens);
    let sequences =
        accounts.packed.sequences + accounts.dropped.sequences + accounts.empty + accounts.missing;
    assert_eq!(sequences, lengths.len() as u64);
}

#[test]
fn log_normal_lengths_leave_one_token_in_ten_thousand_free() {
    // Quantiles of exp(5.5 + z) for evenly spread probabilities stand for a sample; z by a rational approximation.
    let mut state = 1u64;
    let mut lengths: Vec<u32> = Vec::new();
    for _ in 0..100_000 {
        let mut z = -6.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            z += (state >> 11) as f64 / (1u64 << 53) as f64;
        }
        lengths.push(((5.5 + z).exp() as u32).clamp(8, 2048));
    }
    for strategy in [Strategy::BestFit, Strategy::FirstFit] {
        let plan = planned(&lengths, packer(2048, strategy, Overlong::Split));
        let fill = plan.accounts.packed.tokens as f64 / (f64::from(plan.bins) * 2048.0);
        assert!(fill >= 0.9999, "{strategy:?} fills {fill}");
    }
}

#[test]
fn nothing_is_packed_into_nothing() {
    for strategy in [Strategy::BestFit, Strategy::FirstFit, Strategy::Wrapped] {
        for lengths in [&[][..], &[0, 0]] {
            let plan = planned(lengths, packer(8, strategy, Overlong::Split));
            assert_eq!((plan.bins, plan.bin.len()), (0, 0));
            assert_eq!(plan.accounts.empty, lengths.len() as u64);
        }
    }
}

#[test]
fn a_context_out_of_range_is_named() {
    for context in [0, u64::from(MAX_CONTEXT) + 1, u64::MAX] {
        let error = Packer::try_new(context, Strategy::BestFit, Overlong::Split).unwrap_err().to_string();
        assert!(error.starts_with(&format!("context is `{context}`")), "{error}");
    }
}

#[test]
fn a_sequence_that_is_too_long_is_named_if_that_is_an_error() {
    let packer = packer(4, Strategy::BestFit, Overlong::Error);
    assert_eq!(planned(&[4, 1, 0], packer).bins, 2);
    let error = plan(&[4, 1, 0, 5, 6][..], packer, &Unobserved).unwrap_err().to_string();
    assert!(error.starts_with("sequence `3` has `5` tokens, but the context is 4"), "{error}");
}

struct Huge(Vec<Option<u64>>);

impl Lengths for Huge {
    fn each(&self, visit: impl FnMut(Option<u64>) -> Result<()>) -> Result<()> {
        self.0.iter().copied().try_for_each(visit)
    }
}

#[test]
fn a_length_beyond_32_bits_is_split_and_one_that_no_memory_holds_is_refused() {
    let long = Huge(vec![Some((1 << 33) + 5), None, Some(3)]);
    let found = plan(&long, packer(1 << 30, Strategy::BestFit, Overlong::Split), &Unobserved).unwrap();
    assert_eq!((found.bins, found.bin.len(), found.accounts.missing), (9, 10, 1));
    assert_eq!((found.start[8], found.length[8]), (1 << 33, 5));
    assert_eq!((found.bin[9], found.offset[9]), (found.bin[8], 5));
    for strategy in [Strategy::BestFit, Strategy::FirstFit, Strategy::Wrapped] {
        for lengths in [vec![Some(u64::MAX)], vec![Some(1 << 61); 5], vec![Some(1 << 40)]] {
            let packer = packer(1, strategy, Overlong::Split);
            assert!(matches!(plan(&Huge(lengths), packer, &Unobserved), Err(Error::Parameter(_))));
        }
    }
}

#[test]
fn lengths_that_change_between_the_passes_are_noticed() {
    let survey = |lengths: &[u64]| {
        let mut survey = Survey::new(packer(8, Strategy::BestFit, Overlong::Split));
        for &length in lengths {
            survey.add(Some(length)).unwrap();
        }
        Assigner::new(survey, &Unobserved).unwrap()
    };
    let mut assigner = survey(&[3, 3]);
    assigner.assign(Some(3), |_| Ok(())).unwrap();
    assert!(matches!(assigner.finish(), Err(Error::Conservation(_))));
    assert!(matches!(assigner.assign(Some(4), |_| Ok(())), Err(Error::Conservation(_))));
    let mut assigner = survey(&[3]);
    assigner.assign(Some(3), |_| Ok(())).unwrap();
    assert!(matches!(assigner.assign(Some(3), |_| Ok(())), Err(Error::Conservation(_))));
}

mod packed {
    use std::sync::Arc;

    use arrow_array::types::{Int32Type, UInt8Type};
    use arrow_array::{ArrayRef, ListArray};

    use super::*;

    fn lists(rows: &[Vec<i32>]) -> ArrayRef {
        let rows = rows.iter().map(|row| Some(row.iter().map(|&token| Some(token))));
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
    }

    #[test]
    fn a_plan_that_places_a_piece_twice_is_noticed() {
        let rows: Vec<Vec<i32>> = (0..20).map(|row| (row..=2 * row).collect()).collect();
        let tokens = TokenLists::try_new(&[lists(&rows)], "input_ids").unwrap();
        let material = Material { tokens: &tokens, masks: None, documents: None, end: None };
        let packer = packer(32, Strategy::BestFit, Overlong::Split);
        let form = Form::default();
        let right = plan(&material, packer, &Unobserved).unwrap();
        assert!(material.pack(&right, packer, form, &Unobserved).is_ok());
        let mut swapped = right.clone();
        swapped.sequence = (0..20).collect();
        swapped.start = vec![0; 20];
        assert!(material.pack(&swapped, packer, form, &Unobserved).is_ok(), "the same, written out");
        swapped.sequence[3] = 4;
        let error = material.pack(&swapped, packer, form, &Unobserved).unwrap_err();
        assert!(matches!(error, Error::Conservation(_)), "{error}");
        let mut shorter = right.clone();
        shorter.length[5] -= 1;
        assert!(matches!(material.pack(&shorter, packer, form, &Unobserved), Err(Error::Conservation(_))));
    }

    #[test]
    fn lists_that_lie_outside_of_their_column_are_an_error() {
        let whole = lists(&[vec![1, 2, 3], vec![4]]);
        let data = whole.to_data();
        let values = data.child_data()[0].slice(0, 2);
        // SAFETY: it is unsound to read, which is what has to be noticed.
        let broken = unsafe { data.into_builder().child_data(vec![values]).build_unchecked() };
        let error = TokenLists::try_new(&[arrow_array::make_array(broken)], "input_ids").unwrap_err();
        assert!(error.to_string().contains("row `0` of input_ids has bounds"), "{error}");
    }

    #[test]
    fn masks_of_other_lengths_and_numbers_are_refused() {
        let tokens = TokenLists::try_new(&[lists(&[vec![1, 2], vec![3]])], "input_ids").unwrap();
        for masks in [vec![vec![1u8, 0], vec![]], vec![vec![1, 0], vec![2]], vec![vec![1, 0]]] {
            let rows = masks.iter().map(|row| Some(row.iter().map(|&bit| Some(bit))));
            let masks: ArrayRef = Arc::new(ListArray::from_iter_primitive::<UInt8Type, _, _>(rows));
            let masks = TokenLists::try_new(&[masks], "the mask").unwrap();
            let material = Material { tokens: &tokens, masks: Some(&masks), documents: None, end: None };
            let packer = packer(8, Strategy::BestFit, Overlong::Split);
            let form = Form { masked: true, ..Form::default() };
            assert!(matches!(materialise(&material, packer, form, &Unobserved), Err(Error::Column(_))));
        }
    }
}
