//! A pass over made-up inputs that watch how they are used. What goes wrong here would leave threads waiting for ever, so
//! each pass gets a limit of time, which says that something hangs and measures nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;
use thresher_core::json::Fields;

use super::*;
use crate::input::{Cutter, GoOn, Payload, Piece, Scratch, SlotMask};
use crate::record::Visitor;

const HANGS: Duration = Duration::from_mins(1);

/// What happens, to which unit of which input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Panic(Part),
    Error(Part),
    /// The run is asked to stop.
    Cancel(Part),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Init,
    Cut(usize, usize),
    Work(usize, usize),
    Receive(usize, usize),
}

/// A pass that is to be made.
#[derive(Clone, Debug)]
struct Plan {
    /// The weight of each unit of each input.
    inputs: Vec<Vec<u64>>,
    from: Vec<Position>,
    order: Order,
    threads: usize,
    bytes_in_flight: u64,
    event: Option<Event>,
    /// Each result asks for a job, as outputs do.
    jobs: bool,
}

impl Plan {
    fn of(inputs: Vec<Vec<u64>>, order: Order, threads: usize) -> Self {
        Self { inputs, from: Vec::new(), order, threads, bytes_in_flight: 1 << 20, event: None, jobs: true }
    }
}

/// What all inputs of a pass know.
struct Watch {
    plan: Plan,
    progress: Progress,
    in_flight: AtomicI64,
    most_in_flight: AtomicI64,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Watch {
    fn meet(&self, part: Part) -> Result<()> {
        match self.plan.event {
            Some(Event::Panic(planned)) if planned == part => panic!("planned"),
            Some(Event::Error(planned)) if planned == part => Err(Error::data(Path::new("x"), "planned")),
            Some(Event::Cancel(planned)) if planned == part => {
                self.progress.cancel();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

struct Fake {
    at: usize,
    watch: Arc<Watch>,
    is_cut: AtomicBool,
}

struct FakeCutter<'f>(&'f Fake, usize);

impl Drop for FakeCutter<'_> {
    fn drop(&mut self) {
        self.0.watch.open.fetch_sub(1, SeqCst);
    }
}

impl Cutter for FakeCutter<'_> {
    fn next(&mut self, go_on: GoOn<'_>) -> Result<Option<Unit>> {
        let Self(Fake { at, watch, is_cut }, index) = self;
        assert!(!is_cut.swap(true, SeqCst), "two cut one input");
        go_on()?;
        let unit = watch.plan.inputs[*at].get(*index).map(|&weight| {
            let now = watch.in_flight.fetch_add(weight as i64, SeqCst) + weight as i64;
            watch.most_in_flight.fetch_max(now, SeqCst);
            Unit { index: *index, weight, payload: Payload::Files(0..0) }
        });
        watch.meet(Part::Cut(*at, *index))?;
        *index += 1;
        is_cut.store(false, SeqCst);
        Ok(unit)
    }
}

impl Read for Fake {
    fn input(&self) -> &dyn Input {
        self
    }
}

impl Input for Fake {
    fn path(&self) -> &Path {
        Path::new("fake")
    }

    fn name(&self) -> &'static str {
        "fake"
    }

    fn size_on_disk(&self) -> u64 {
        0
    }

    fn cut(&self, from: Position) -> Result<Box<dyn Cutter + '_>> {
        let open = self.watch.open.fetch_add(1, SeqCst) + 1;
        self.watch.most_open.fetch_max(open, SeqCst);
        Ok(Box::new(FakeCutter(self, from.units)))
    }

    fn read(
        &self,
        _: &Unit,
        _: &Fields,
        _: Option<&SlotMask>,
        _: &mut Scratch,
        _: &mut dyn Visitor,
    ) -> Result<()> {
        Ok(())
    }

    fn copy(&self, _: Unit, _: &SlotMask, _: &mut Scratch) -> Result<Piece> {
        Ok(Piece::Bytes(Vec::new()))
    }
}

/// Counts down when it is dropped, also by a panic.
struct Leaves<'c>(&'c AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// What came of a pass: its units as they were received, and the most that was in flight.
type Done = (Result<()>, Vec<(usize, usize)>, i64);

fn made(plan: Plan) -> Done {
    let (send, done) = mpsc::channel();
    let text = format!("{plan:?}");
    std::thread::spawn(move || send.send(make(&plan)));
    done.recv_timeout(HANGS).unwrap_or_else(|_| panic!("hangs: {text}"))
}

fn make(plan: &Plan) -> Done {
    let watch = Arc::new(Watch {
        plan: plan.clone(),
        progress: Progress::default(),
        in_flight: AtomicI64::new(0),
        most_in_flight: AtomicI64::new(0),
        open: AtomicUsize::new(0),
        most_open: AtomicUsize::new(0),
    });
    let fake = |at| Fake { at, watch: watch.clone(), is_cut: AtomicBool::new(false) };
    let sources: Vec<Fake> = (0..plan.inputs.len()).map(fake).collect();
    let crew = Crew::new(plan.threads);
    let (working, receiving) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut received = Vec::new();
    let mut jobs = std::collections::VecDeque::new();
    let pass = Pass {
        sources: &sources,
        order: plan.order,
        crew: &crew,
        progress: &watch.progress,
        from: &plan.from,
        bytes_in_flight: plan.bytes_in_flight,
    };
    let result = for_each_unit(
        pass,
        || assert!(watch.meet(Part::Init).is_ok()),
        |(), input, unit| {
            assert!(working.fetch_add(1, SeqCst) < plan.threads, "more threads than allowed");
            let _done = Leaves(&working);
            // Let the others overtake now and then.
            if (unit.index + input) % 3 == 0 {
                std::thread::yield_now();
            }
            watch.meet(Part::Work(input, unit.index))?;
            Ok((unit.index, unit.weight))
        },
        |input, (index, weight)| {
            assert!(!receiving.swap(true, SeqCst), "two receive");
            watch.meet(Part::Receive(input, index))?;
            if plan.jobs {
                jobs.push_back(crew.promise(move || Ok(index)));
                if jobs.len() > 3 {
                    jobs.pop_front().map(crate::crew::Promise::get).transpose()?;
                }
            }
            received.push((input, index));
            watch.in_flight.fetch_sub(weight as i64, SeqCst);
            receiving.store(false, SeqCst);
            Ok(())
        },
    );
    assert!(jobs.into_iter().all(|job| job.get().is_ok()));
    assert!(watch.most_open.load(SeqCst) <= plan.threads, "more inputs are open than there are threads");
    (result, received, watch.most_in_flight.load(SeqCst))
}

/// Every unit, in the order of the inputs.
fn all(plan: &Plan) -> Vec<(usize, usize)> {
    let from = |input: usize| plan.from.get(input).map_or(0, |from| from.units);
    let units = |(input, weights): (usize, &Vec<u64>)| {
        let (from, to) = (from(input), weights.len());
        (from..to).map(move |index| (input, index)).collect::<Vec<_>>()
    };
    plan.inputs.iter().enumerate().flat_map(units).collect()
}

fn plans() -> impl Strategy<Value = Plan> {
    let weights = prop::collection::vec(prop_oneof![Just(1_u64), 1_u64..300_000, Just(2_000_000)], 0..12);
    let inputs = prop::collection::vec(weights, 0..8);
    let order = prop_oneof![Just(Order::Inputs), Just(Order::Free)];
    let from = prop::collection::vec(prop_oneof![(0_usize..4), Just(usize::MAX)], 0..8);
    (inputs, order, 1_usize..5, from, 1_u64..1_000_000, any::<bool>()).prop_map(
        |(inputs, order, threads, from, bytes_in_flight, jobs)| {
            let position =
                |units| if units == usize::MAX { Position::END } else { Position { units, offset: 0 } };
            let from = from.into_iter().map(position).collect();
            Plan { from, bytes_in_flight, jobs, ..Plan::of(inputs, order, threads) }
        },
    )
}

proptest! {
    #[test]
    fn every_unit_is_received_once_in_order_and_memory_is_bounded(plan in plans()) {
        let (result, mut received, most) = made(plan.clone());
        result.unwrap();
        if plan.order == Order::Free {
            // Each input by itself.
            received.sort_by_key(|&(input, _)| input);
        }
        prop_assert_eq!(received, all(&plan));
        // The heaviest may be cut by each thread before it is known.
        let heaviest = plan.inputs.iter().flatten().copied().max().unwrap_or_default();
        prop_assert!(most as u64 <= plan.bytes_in_flight + plan.threads as u64 * heaviest);
    }
}

#[test]
fn equal_units_never_exceed_the_memory() {
    for (order, threads) in [(Order::Inputs, 4), (Order::Free, 4), (Order::Inputs, 2), (Order::Free, 2)] {
        // The first ones are light, so that their weight is known when it matters.
        let plan = Plan { bytes_in_flight: 800_000, ..Plan::of(vec![vec![100_000; 100]; 6], order, threads) };
        let (result, received, most) = made(plan);
        result.unwrap();
        assert_eq!(received.len(), 600);
        assert!(most <= 800_000, "{most}");
    }
}

#[test]
fn thousands_of_small_inputs_and_one_giant() {
    for (order, threads) in [(Order::Inputs, 1), (Order::Inputs, 3), (Order::Free, 3)] {
        let mut inputs = vec![vec![10]; 5000];
        inputs[1] = vec![4 << 20; 300];
        inputs[4000] = Vec::new();
        let plan = Plan { bytes_in_flight: 32 << 20, ..Plan::of(inputs, order, threads) };
        let (result, mut received, most) = made(plan.clone());
        result.unwrap();
        received.sort_unstable();
        assert_eq!(received, all(&plan));
        assert!(most <= (32 << 20) + (4 << 20), "{most}");
    }
}

fn parts(inputs: usize, units: usize) -> Vec<Part> {
    let places = [(0, 0), (0, 3), (0, units - 1), (inputs - 1, 0), (inputs - 1, units - 1)];
    let each = |(input, unit)| [Part::Cut(input, unit), Part::Work(input, unit), Part::Receive(input, unit)];
    places.into_iter().flat_map(each).collect()
}

#[test]
fn a_panic_in_any_part_ends_the_pass_with_an_internal_error() {
    for (order, threads) in [(Order::Inputs, 1), (Order::Inputs, 2), (Order::Inputs, 5), (Order::Free, 2)] {
        for part in [parts(3, 20), vec![Part::Init, Part::Cut(1, 20)]].concat() {
            let event = Some(Event::Panic(part));
            let (result, ..) = made(Plan { event, ..Plan::of(vec![vec![100_000; 20]; 3], order, threads) });
            let error = result.unwrap_err();
            let is_planned = matches!(&error, Error::Internal(message) if message.contains("planned"));
            assert!(is_planned, "{part:?}: {error}");
        }
    }
}

#[test]
fn an_error_in_any_part_ends_the_pass_with_what_came_before_it_received() {
    for (order, threads) in [(Order::Inputs, 1), (Order::Inputs, 2), (Order::Inputs, 4), (Order::Free, 3)] {
        for part in parts(3, 20) {
            let (Part::Cut(input, unit) | Part::Work(input, unit) | Part::Receive(input, unit)) = part else {
                continue;
            };
            let plan = Plan {
                event: Some(Event::Error(part)),
                ..Plan::of(vec![vec![100_000; 20]; 3], order, threads)
            };
            let (result, received, _) = made(plan.clone());
            assert!(matches!(result, Err(Error::Data { .. })), "{part:?}: {result:?}");
            let of_input: Vec<_> = received.iter().filter(|place| place.0 == input).collect();
            assert_eq!(of_input.len(), unit, "{part:?}");
            if order == Order::Inputs {
                assert_eq!(received, all(&plan)[..20 * input + unit], "{part:?} on {threads}");
            }
        }
    }
}

#[test]
fn the_wish_to_stop_is_heard_wherever_it_comes() {
    for (order, threads) in [(Order::Inputs, 1), (Order::Inputs, 2), (Order::Free, 4)] {
        for part in parts(3, 20) {
            if part == Part::Receive(2, 19) {
                // Nothing is left to stop.
                continue;
            }
            let event = Some(Event::Cancel(part));
            let plan = Plan { event, ..Plan::of(vec![vec![100_000; 20]; 3], order, threads) };
            let (result, received, _) = made(plan);
            // Others may be done before they look.
            let is_late = result.is_ok() && received.len() == 60;
            assert!(matches!(result, Err(Error::Cancelled)) || is_late, "{part:?}: {result:?}");
        }
    }
}
