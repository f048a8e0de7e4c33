//! How fast sequences are packed: `cargo bench -p thresher-tokens --bench pack --profile dist-dev -- [SEQUENCES]`.
//!
//! Log-normal lengths of 8 to 2,048 tokens into bins of 2,048, on one thread: the plan alone, and with tokens. A figure is the least
//! of several rounds. The bytes of a second are those of the tokens that were given.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and one that cannot start should stop"
)]

use std::{env, sync::Arc, time::Instant};

use arrow_array::{ArrayRef, Int32Array, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use thresher_core::observe::Unobserved;
use thresher_tokens::pack::{Form, Material, Overlong, Packer, Strategy, TokenLists, materialise, plan};

const ROUNDS: usize = 7;

/// Lengths of `exp(5.5 + z)`; `z` is a sum of twelve evenly spread numbers, which is nearly normal.
fn lengths(count: usize) -> Vec<u32> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut length = || ((5.5 + (0..12).map(|_| next()).sum::<f64>() - 6.0).exp() as u32).clamp(8, 2048);
    (0..count).map(|_| length()).collect()
}

/// The least seconds of `work`.
fn least<T>(mut work: impl FnMut() -> T) -> f64 {
    let time = |_| {
        let start = Instant::now();
        let made = work();
        let took = start.elapsed().as_secs_f64();
        drop(made);
        took
    };
    (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}

fn main() {
    let count = env::args().find_map(|argument| argument.parse().ok()).unwrap_or(400_000);
    let lengths = lengths(count);
    for strategy in [Strategy::BestFit, Strategy::FirstFit, Strategy::Wrapped] {
        let packer = Packer::try_new(2048, strategy, Overlong::Split).unwrap();
        let found = plan(&lengths[..], packer, &Unobserved).unwrap();
        assert_eq!(found.accounts.packed.sequences, count as u64);
        let took = least(|| plan(&lengths[..], packer, &Unobserved).unwrap());
        println!(
            "{strategy:?}: {:.1} million sequences/s, fill {:.6}",
            count as f64 / took / 1e6,
            found.fill(packer)
        );
    }
    let tokens: usize = lengths.iter().map(|&length| length as usize).sum();
    if tokens > i32::MAX as usize {
        return;
    }
    let values: Int32Array = (0..tokens as i32).map(|token| token % 50_000).collect::<Vec<i32>>().into();
    let item = Arc::new(Field::new_list_field(DataType::Int32, false));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|&length| length as usize));
    let lists: ArrayRef = Arc::new(ListArray::try_new(item, offsets, Arc::new(values), None).unwrap());
    let lists = TokenLists::try_new(&[lists], "input_ids").unwrap();
    let material = Material { tokens: &lists, masks: None, documents: None, end: None };
    let packer = Packer::try_new(2048, Strategy::BestFit, Overlong::Split).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for positions in [false, true] {
        let form = Form { positions, ..Form::default() };
        let took = pool.install(|| least(|| materialise(&material, packer, form, &Unobserved).unwrap()));
        println!(
            "with tokens, positions {positions}: {:.2} million sequences/s, {:.2} GB/s, {took:.3} s",
            count as f64 / took / 1e6,
            4.0 * tokens as f64 / took / 1e9
        );
    }
}
