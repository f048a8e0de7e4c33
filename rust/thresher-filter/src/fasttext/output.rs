//! The output side of a model: probabilities of labels from the average of the rows of a text.
//!
//! fastText adds 1e-5 to a probability before it takes the logarithm, in a tree of labels at each branch, and so its probabilities
//! may exceed one by a little. So do ours: they are meant to be compared with its own.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io::Result;

use super::input::damaged;
use super::matrix::Matrix;

/// How probabilities come from products.
#[derive(Debug)]
pub(super) enum Loss {
    /// They add up to one.
    Softmax,
    /// Each label by itself: negative sampling, one against all.
    Independent,
    /// Those of a binary tree of the labels.
    Tree(Tree),
}

/// A Huffman tree of labels: those are nodes 0 to n - 1, node n + i decides by row i of the output.
#[derive(Debug)]
pub(super) struct Tree {
    labels: usize,
    /// The children of the inner nodes.
    children: Vec<[u32; 2]>,
}

/// A label with the logarithm of its probability. The greater one is the better, and of equal ones that with the lower number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) log: f32,
    pub(super) label: u32,
}

impl Eq for Scored {}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.log.total_cmp(&other.log).then(other.label.cmp(&self.label))
    }
}

/// Scratch space, and the best labels so far.
#[derive(Debug, Default)]
pub(super) struct Best {
    products: Vec<f32>,
    stack: Vec<(u32, f32)>,
    heap: BinaryHeap<Reverse<Scored>>,
    most: usize,
}

impl Best {
    /// The log that a label has to exceed to be among the best.
    fn bound(&self) -> f32 {
        let full = self.heap.len() == self.most;
        self.heap.peek().filter(|_| full).map_or(f32::NEG_INFINITY, |worst| worst.0.log)
    }

    fn offer(&mut self, scored: Scored) {
        self.heap.push(Reverse(scored));
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }

    /// The best labels, the best one first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Scored> {
        let mut found: Vec<Scored> = self.heap.drain().map(|Reverse(scored)| scored).collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.into_iter()
    }
}

impl Loss {
    /// Finds the `most` labels that fit the average of a text best.
    pub(super) fn best(&self, output: &Matrix, hidden: &[f32], most: usize, best: &mut Best) {
        best.heap.clear();
        best.most = most;
        if most == 0 {
            return;
        }
        match self {
            Self::Tree(tree) => tree.best(output, hidden, best),
            Self::Softmax | Self::Independent => {
                best.products.clear();
                best.products.extend((0..output.rows()).map(|row| output.dot(row, hidden)));
                let mut products = std::mem::take(&mut best.products);
                if matches!(self, Self::Softmax) {
                    softmax(&mut products);
                } else {
                    for product in &mut products {
                        *product = tabled_sigmoid(*product);
                    }
                }
                for (label, &probability) in products.iter().enumerate() {
                    best.offer(Scored { log: log(f64::from(probability)), label: label as u32 });
                }
                best.products = products;
            }
        }
    }
}

fn softmax(products: &mut [f32]) {
    let most = products.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for product in &mut *products {
        *product = (*product - most).exp();
    }
    let sum: f32 = products.iter().sum();
    for product in products {
        *product /= sum;
    }
}

fn log(probability: f64) -> f32 {
    (probability + 1e-5).ln() as f32
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// fastText looks it up at 512 places from -8 to 8.
fn tabled_sigmoid(x: f32) -> f32 {
    if x < -8.0 {
        0.0
    } else if x > 8.0 {
        1.0
    } else {
        sigmoid(((x + 8.0) * 32.0).floor() / 32.0 - 8.0)
    }
}

impl Tree {
    /// The tree that fastText makes of the counts of labels, which fall.
    pub(super) fn new(counts: &[u64]) -> Result<Self> {
        const NONE: u64 = 1_000_000_000_000_000;
        let labels = counts.len();
        let nodes = (2 * labels).saturating_sub(1);
        let total =
            counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count)).filter(|&sum| sum < NONE);
        if total.is_none() || labels > u32::MAX as usize / 2 {
            return Err(damaged("the counts of the labels make no tree; the file is damaged"));
        }
        if counts.windows(2).any(|pair| pair[0] < pair[1]) {
            return Err(damaged("the labels do not stand in the order of their counts; the file is damaged"));
        }
        // The tree takes the two rarest of the labels left and the nodes made, again and again.
        let mut weights = counts.to_vec();
        let (mut leaf, mut node) = (labels, labels);
        let mut children = Vec::with_capacity(nodes - labels.min(nodes));
        while weights.len() < nodes {
            let pair = [(); 2].map(|()| {
                let inner = weights.get(node).copied().unwrap_or(NONE);
                if leaf > 0 && weights[leaf - 1] < inner {
                    leaf -= 1;
                    leaf
                } else {
                    node += 1;
                    node - 1
                }
            });
            weights.push(pair.iter().map(|&child| weights.get(child).copied().unwrap_or(0)).sum());
            children.push(pair.map(|child| child as u32));
        }
        Ok(Self { labels, children })
    }

    /// Walks the tree, and leaves out branches that lead to nothing better than what was found. A stack holds what is left to do:
    /// a tree can be as deep as it has labels.
    fn best(&self, output: &Matrix, hidden: &[f32], best: &mut Best) {
        let mut stack = std::mem::take(&mut best.stack);
        stack.clear();
        let root = self.labels + self.children.len();
        if root > 0 {
            stack.push((root as u32 - 1, 0.0));
        }
        while let Some((node, so_far)) = stack.pop() {
            if so_far < best.bound() {
                continue;
            }
            let Some(inner) = (node as usize).checked_sub(self.labels) else {
                best.offer(Scored { log: so_far, label: node });
                continue;
            };
            let right = sigmoid(output.dot(inner, hidden));
            let [left_child, right_child] = self.children[inner];
            // The likelier one is looked at first, so that it rules out more.
            let pair = [
                (left_child, so_far + log(1.0 - f64::from(right))),
                (right_child, so_far + log(right.into())),
            ];
            let right_first = right >= 0.5;
            stack.push(pair[usize::from(!right_first)]);
            stack.push(pair[usize::from(right_first)]);
        }
        best.stack = stack;
    }

    pub(super) fn bytes(&self) -> usize {
        self.children.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_that_of_huffman() {
        let tree = Tree::new(&[50, 20, 15, 10, 5]).unwrap();
        // 5 and 10 first, then 15 and 15, then 20 and 30, then 50 and 50; of equal ones the node made comes first.
        assert_eq!(tree.children, [[4, 3], [5, 2], [1, 6], [7, 0]]);
        assert!(Tree::new(&[1]).unwrap().children.is_empty());
        assert!(Tree::new(&[]).unwrap().children.is_empty());
    }

    #[test]
    fn counts_that_lie_are_refused() {
        assert!(Tree::new(&[1, 2]).is_err());
        assert!(Tree::new(&[u64::MAX, 1]).is_err());
        assert!(Tree::new(&[1 << 60]).is_err());
    }

    #[test]
    fn the_sigmoid_of_the_table_stands_at_its_places() {
        assert!(tabled_sigmoid(8.5) >= 1.0 && tabled_sigmoid(-9.0) <= 0.0);
        assert!((tabled_sigmoid(0.0) - 0.5).abs() < 1e-7);
        assert!((tabled_sigmoid(0.02) - 0.5).abs() < 1e-7);
        assert!((tabled_sigmoid(1.0 / 32.0) - sigmoid(1.0 / 32.0)).abs() < 1e-7);
    }
}
