//! Which worker does what next: the inputs that are open, what is in flight of each, and what has been received.
//!
//! The board is looked at and written on under one lock and does no work itself.

use std::collections::{BTreeMap, VecDeque};

use super::{Order, Pass};
use crate::error::{Error, Result};
use crate::input::{Cutter, Position, Unit};

/// What a unit counts for at least, since its result takes memory too.
const LEAST_WEIGHT: u64 = 64 << 10;

type BoxedCutter<'p> = Box<dyn Cutter + 'p>;

/// What a worker does next.
pub(super) enum Task<'p, T> {
    /// Receive the result of an input.
    Receive(usize, Result<T>),
    /// Cut the next unit of an input, which has to be opened if there is no cutter, and work on it.
    Cut(usize, Option<BoxedCutter<'p>>),
    /// There is nothing to do before something changes.
    Wait,
    /// The pass is over.
    End,
}

/// The state of a pass.
pub(super) struct Board<'p, T> {
    order: Order,
    threads: usize,
    most_in_flight: u64,
    inputs: usize,
    from: &'p [Position],
    /// Inputs that are open or not received to their end, in order.
    lanes: VecDeque<Lane<'p, T>>,
    /// The input that is opened next.
    next_input: usize,
    /// The weight of all that is in flight.
    in_flight: u64,
    /// The heaviest unit so far, which the next one is taken for until it is cut.
    heaviest: u64,
    /// A worker receives.
    is_receiving: bool,
    ended: Option<Result<()>>,
}

/// One input.
struct Lane<'p, T> {
    input: usize,
    cutter: Place<'p>,
    /// Units that were cut, and results that were received.
    cut: usize,
    received: usize,
    /// The weight of those in between.
    in_flight: u64,
    /// Weights of units that were cut and not received.
    weights: VecDeque<u64>,
    /// Results that wait for their turn.
    waiting: BTreeMap<usize, Result<T>>,
}

/// Where the cutter of an input is.
enum Place<'p> {
    Here(BoxedCutter<'p>),
    /// A worker has it, who was given leave for a unit of this weight.
    Away(u64),
    Ended,
}

impl<'p, T> Board<'p, T> {
    /// The board of a pass that begins.
    pub(super) fn new<I>(pass: &Pass<'p, I>) -> Self {
        Self {
            order: pass.order,
            threads: pass.crew.threads(),
            most_in_flight: pass.bytes_in_flight,
            inputs: pass.sources.len(),
            from: pass.from,
            lanes: VecDeque::new(),
            next_input: 0,
            in_flight: 0,
            heaviest: LEAST_WEIGHT,
            is_receiving: false,
            ended: None,
        }
    }

    /// What there is to do.
    pub(super) fn next(&mut self) -> Task<'p, T> {
        if self.ended.is_some() {
            return Task::End;
        }
        if !self.is_receiving
            && let Some((input, result)) = self.take_ready()
        {
            self.is_receiving = true;
            return Task::Receive(input, result);
        }
        let free = |lane: &Lane<'_, T>| matches!(lane.cutter, Place::Here(_));
        if let Some(at) = (0..self.lanes.len()).find(|&at| free(&self.lanes[at]) && self.has_room(at)) {
            let leave = self.heaviest;
            let lane = &mut self.lanes[at];
            if let Place::Here(cutter) = std::mem::replace(&mut lane.cutter, Place::Away(leave)) {
                lane.in_flight += leave;
                self.in_flight += leave;
                return Task::Cut(lane.input, Some(cutter));
            }
        }
        self.open_next()
    }

    /// Opens one more input, if that may be.
    fn open_next(&mut self) -> Task<'p, T> {
        while self.next_input < self.inputs && self.from.get(self.next_input) == Some(&Position::END) {
            self.next_input += 1;
        }
        if self.next_input == self.inputs {
            if self.lanes.is_empty() {
                self.ended = Some(Ok(()));
                return Task::End;
            }
            return Task::Wait;
        }
        let is_open = |lane: &&Lane<'_, T>| !matches!(lane.cutter, Place::Ended);
        let at = self.lanes.len();
        if self.lanes.iter().filter(is_open).count() >= self.threads || !self.has_room(at) {
            return Task::Wait;
        }
        let (input, leave) = (self.next_input, self.heaviest);
        self.next_input += 1;
        self.in_flight += leave;
        self.lanes.push_back(Lane {
            input,
            cutter: Place::Away(leave),
            cut: 0,
            received: 0,
            in_flight: leave,
            weights: VecDeque::new(),
            waiting: BTreeMap::new(),
        });
        Task::Cut(input, None)
    }

    /// Whether one more unit of the lane at that place may be cut.
    fn has_room(&self, at: usize) -> bool {
        let most = self.most_in_flight;
        let fits = self.in_flight + self.heaviest <= most;
        // Something has to move: whatever is in flight of the lane whose turn it is, or of any where all have it.
        let moving = match self.order {
            Order::Free => self.in_flight,
            Order::Inputs => self.lanes.front().map_or(0, |front| front.in_flight),
        };
        match (self.order, at) {
            (Order::Free, _) | (Order::Inputs, 0) => fits || moving == 0,
            (Order::Inputs, _) => fits && self.in_flight - moving + self.heaviest <= most / 2,
        }
    }

    /// A result whose turn it is.
    fn take_ready(&mut self) -> Option<(usize, Result<T>)> {
        let lanes = match self.order {
            Order::Free => self.lanes.len(),
            Order::Inputs => self.lanes.len().min(1),
        };
        self.lanes.iter_mut().take(lanes).find_map(|lane| {
            let result = lane.waiting.remove(&lane.received)?;
            Some((lane.input, result))
        })
    }

    fn place_of(&self, input: usize) -> Option<usize> {
        self.lanes.binary_search_by_key(&input, |lane| lane.input).ok()
    }

    /// Takes note that a result was received.
    pub(super) fn received(&mut self, input: usize, received: Result<()>) {
        self.is_receiving = false;
        if received.is_err() {
            return self.end(received);
        }
        let Some(at) = self.place_of(input) else { return };
        let lane = &mut self.lanes[at];
        lane.received += 1;
        let weight = lane.weights.pop_front().unwrap_or_default();
        lane.in_flight -= weight;
        self.in_flight -= weight;
        self.close_done();
    }

    /// Takes the cutter back with the unit that it cut, and gives that its place.
    pub(super) fn cut(
        &mut self,
        input: usize,
        cutter: Option<BoxedCutter<'p>>,
        unit: Option<Unit>,
    ) -> Option<(usize, Unit)> {
        let at = self.place_of(input)?;
        let lane = &mut self.lanes[at];
        let place = cutter.map_or(Place::Ended, Place::Here);
        let leave = match std::mem::replace(&mut lane.cutter, place) {
            Place::Away(leave) => leave,
            _ => 0,
        };
        let weight = unit.as_ref().map_or(0, |unit| unit.weight.max(LEAST_WEIGHT));
        lane.in_flight = lane.in_flight - leave + weight;
        self.in_flight = self.in_flight - leave + weight;
        self.heaviest = self.heaviest.max(weight);
        let cut = unit.map(|unit| {
            lane.weights.push_back(weight);
            lane.cut += 1;
            (lane.cut - 1, unit)
        });
        self.close_done();
        cut
    }

    /// Takes note that an input cannot be cut on: an error in the place of its next unit.
    pub(super) fn broke(&mut self, input: usize, error: Error) {
        if let Some(at) = self.place_of(input) {
            let lane = &mut self.lanes[at];
            let place = lane.cut;
            lane.cut += 1;
            lane.weights.push_back(0);
            self.cut(input, None, None);
            self.worked(input, place, Err(error));
        }
    }

    /// Takes the result of a unit.
    pub(super) fn worked(&mut self, input: usize, place: usize, result: Result<T>) {
        if let Err(Error::Cancelled) = result {
            return self.end(Err(Error::Cancelled));
        }
        if let Some(at) = self.place_of(input) {
            self.lanes[at].waiting.insert(place, result);
        }
    }

    /// Ends the pass; what ended it first stays.
    pub(super) fn end(&mut self, how: Result<()>) {
        self.ended.get_or_insert(how);
    }

    /// How the pass ended.
    pub(super) fn ended(&mut self) -> Option<Result<()>> {
        self.ended.take()
    }

    /// Forgets inputs that were received to their end.
    fn close_done(&mut self) {
        let is_done = |lane: &Lane<'_, T>| matches!(lane.cutter, Place::Ended) && lane.cut == lane.received;
        match self.order {
            Order::Free => self.lanes.retain(|lane| !is_done(lane)),
            Order::Inputs => while self.lanes.pop_front_if(|lane| is_done(lane)).is_some() {},
        }
    }
}
