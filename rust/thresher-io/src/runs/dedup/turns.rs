//! Candidates in the order in which they are decided, and who may be a duplicate of whom in that order.
//!
//! A candidate's *turn* is its place in keep order, references first. Decisions know turns alone, so that the earlier of two is
//! the one with the smaller number.

use thresher_core::{Keep, Precedence};

use super::Run;
use super::corpus::Corpus;
use super::links::{Links, ask};
use super::spool::ALWAYS;
use crate::error::Result;
use crate::runs::spill::bits::{Bits, Marks};
use crate::runs::spill::sort::{Row, Sorted, Sorter};

/// The order of decisions.
pub(crate) struct Turns<'a> {
    links: &'a Links,
    /// The document of each turn, unless they are in the order of the corpus.
    docs: Option<Vec<u32>>,
    /// The same as in `links`, by turns.
    edges: Option<Sorted<2>>,
    large: Option<Sorted<2>>,
}

/// A set of turns that all are in.
fn all(turns: u32) -> Bits {
    let mut words = vec![u64::MAX; turns as usize / 64];
    words.push((1 << (turns % 64)) - 1);
    Bits::new(words)
}

/// What one turn may be a duplicate of.
#[derive(Default)]
pub(crate) struct Neighbours {
    pub(crate) earlier: Vec<u32>,
    pub(crate) buckets: Vec<u32>,
}

impl<'a> Turns<'a> {
    /// The order that the keep policy asks for.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn new(run: &Run<'_>, corpus: &Corpus, links: &'a Links) -> Result<Self> {
        let keep = run.checked.search.keep;
        if keep == Keep::First {
            return Ok(Self { links, docs: None, edges: None, large: None });
        }
        let mut docs: Vec<u32> = links.candidates.iter().collect();
        match keep {
            Keep::Max | Keep::Min => {
                let precedence = Precedence::new(keep, &[], &corpus.ranks);
                docs.sort_unstable_by(|&a, &b| {
                    corpus.is_reference(b).cmp(&corpus.is_reference(a)).then_with(|| precedence.compare(a, b))
                });
            }
            _ => {
                let mut lengths = Vec::with_capacity(docs.len());
                for unit in &corpus.units {
                    let column = corpus.column(corpus.layout.lengths(), unit.range())?;
                    let candidate = |&(doc, _): &(u32, u32)| links.candidates.get(doc);
                    let of_unit = unit.range().zip(column).filter(candidate);
                    let key = |(doc, length): (u32, u32)| {
                        (if keep == Keep::Longest { !length } else { length }, doc)
                    };
                    lengths.extend(of_unit.map(key));
                }
                lengths.sort_unstable_by_key(|&(key, doc)| (!corpus.is_reference(doc), key, doc));
                docs.clear();
                docs.extend(lengths.into_iter().map(|(_, doc)| doc));
            }
        }
        let mut turn_of = vec![0; docs.len()];
        for (turn, &doc) in docs.iter().enumerate() {
            turn_of[links.candidates.rank(doc) as usize] = turn as u32;
        }
        let turn = |doc| turn_of[links.candidates.rank(doc) as usize];
        let mut edges = Sorter::new(&run.work, run.memory.part(4));
        let mut large = Sorter::new(&run.work, run.memory.part(8));
        for (at, edge) in links.edges.iter().enumerate() {
            ask(run, at)?;
            let [a, b] = edge?.map(turn);
            edges.extend(&[[a.max(b), a.min(b)]])?;
        }
        for (at, member) in links.large.iter().enumerate() {
            ask(run, at)?;
            let [doc, bucket] = member?;
            large.extend(&[[turn(doc), bucket]])?;
        }
        Ok(Self { links, docs: Some(docs), edges: Some(edges.finish()?), large: Some(large.finish()?) })
    }

    /// Whether documents are decided in the order of the corpus.
    pub(crate) fn is_corpus_order(&self) -> bool {
        self.docs.is_none()
    }

    /// The turns whose sets are asked for by others, or by themselves when sets are collected first; and for each the last one
    /// that asks.
    ///
    /// # Errors
    /// I/O failures, and the wish to stop.
    pub(crate) fn asked(&self, run: &Run<'_>) -> Result<(Bits, Vec<u32>)> {
        if !self.is_corpus_order() {
            return Ok((all(self.len()), vec![ALWAYS; self.len() as usize]));
        }
        let rank = |doc| self.links.candidates.rank(doc);
        let asked = Marks::new(self.len() as usize);
        for (at, edge) in self.links.edges.iter().enumerate() {
            ask(run, at)?;
            asked.set(rank(edge?[1]));
        }
        self.links.crowded.iter().for_each(|doc| asked.set(rank(doc)));
        let asked = asked.finish();
        let mut last = vec![0; asked.len() as usize];
        for (at, edge) in self.links.edges.iter().enumerate() {
            ask(run, at)?;
            let [later, earlier] = edge?;
            last[asked.rank(rank(earlier)) as usize] = rank(later);
        }
        // Who is in a crowd may be compared with any that comes behind it.
        self.links.crowded.iter().for_each(|doc| last[asked.rank(rank(doc)) as usize] = ALWAYS);
        Ok((asked, last))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        self.links.candidates.len()
    }

    /// The document whose turn it is.
    pub(crate) fn doc(&self, turn: u32) -> u32 {
        match &self.docs {
            Some(docs) => docs[turn as usize],
            None => self.links.candidates.select(turn),
        }
    }

    /// The cluster of a member of a large bucket.
    pub(crate) fn cluster(&self, doc: u32) -> Option<u32> {
        let crowded = &self.links.crowded;
        (!crowded.is_empty() && crowded.get(doc)).then(|| self.links.clusters[crowded.rank(doc) as usize])
    }

    /// The neighbours of every turn, one turn after the other.
    pub(crate) fn neighbours(&self) -> NeighbourReader<'_> {
        let in_turns = |row: Result<Row<2>>, by_rank: bool| {
            let rank = |doc| self.links.candidates.rank(doc);
            row.map(|[a, b]| if by_rank { [rank(a), rank(b)] } else { [a, b] })
        };
        let edges: Rows<'_> = match &self.edges {
            Some(edges) => edges.iter(),
            None => Box::new(self.links.edges.iter().map(move |row| in_turns(row, true))),
        };
        let large: Rows<'_> = match &self.large {
            Some(large) => large.iter(),
            None => Box::new(
                self.links
                    .large
                    .iter()
                    .map(|row| row.map(|[doc, bucket]| [self.links.candidates.rank(doc), bucket])),
            ),
        };
        NeighbourReader { edges: edges.peekable(), large: large.peekable() }
    }
}

type Rows<'a> = Box<dyn Iterator<Item = Result<Row<2>>> + Send + 'a>;

/// Reads neighbours in the order of turns.
pub(crate) struct NeighbourReader<'a> {
    edges: std::iter::Peekable<Rows<'a>>,
    large: std::iter::Peekable<Rows<'a>>,
}

impl NeighbourReader<'_> {
    /// The neighbours of the next turn, which has this number.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn of(&mut self, turn: u32, to: &mut Neighbours) -> Result<()> {
        to.earlier.clear();
        to.buckets.clear();
        let is_of_turn = |row: &Result<Row<2>>| !matches!(row, Ok([of, _]) if *of != turn);
        while let Some(row) = self.edges.next_if(is_of_turn) {
            to.earlier.push(row?[1]);
        }
        while let Some(row) = self.large.next_if(is_of_turn) {
            to.buckets.push(row?[1]);
        }
        Ok(())
    }
}
