//! Matrices of a model: rows of floats, or rows of codes that stand for parts of rows (product quantisation).
//!
//! A quantised row is cut into parts of `part` columns; a byte says which of the 256 centroids of its place stands for each. What
//! a row is multiplied with, its norm, may be quantised in the same way. Jégou, Douze, Schmid: Product quantization for nearest
//! neighbor search (2011); Joulin et al.: FastText.zip (2016).

use std::io::Result;

use super::input::{Input, damaged};

/// Centroids of a place.
const CENTROIDS: usize = 256;

/// The rows of one side of a model.
#[derive(Debug)]
pub(super) enum Matrix {
    Dense { rows: usize, columns: usize, values: Vec<f32> },
    Quantised { rows: usize, columns: usize, codes: Codes, norms: Option<(Vec<u8>, Vec<f32>)> },
}

/// The codes of rows.
#[derive(Debug)]
pub(super) struct Codes {
    of_rows: Vec<u8>,
    /// For each place 256 centroids of `part` floats; those of the last place may be shorter.
    centroids: Vec<f32>,
    columns: usize,
    part: usize,
    parts: usize,
}

impl Matrix {
    pub(super) fn dense(input: &mut Input<'_>, what: &str) -> Result<Self> {
        let (rows, columns) = shape(input, what)?;
        let count = rows as u64 * columns as u64;
        let count =
            input.count(i64::try_from(count).unwrap_or(i64::MAX), 4, &format!("the size of {what}"))?;
        Ok(Self::Dense { rows, columns, values: input.floats(count, what)? })
    }

    pub(super) fn quantised(input: &mut Input<'_>, what: &str) -> Result<Self> {
        let has_norms = input.flag("the mark of quantised norms")?;
        let (rows, columns) = shape(input, what)?;
        let size = input.i32("the number of codes")?;
        let size = input.count(size.into(), 1, "the number of codes")?;
        let bytes = input.bytes(size, what)?;
        let codes = Codes::read(input, bytes, columns, what)?;
        if codes.of_rows.len() as u64 != rows as u64 * codes.parts as u64 {
            return Err(damaged(format!(
                "{what} has `{size}` codes, but {rows} rows of {} codes; the file is damaged",
                codes.parts
            )));
        }
        let norms = if has_norms {
            let bytes = input.bytes(rows, "the codes of norms")?;
            let norms = Codes::read(input, bytes, 1, "the norms")?;
            Some((norms.of_rows, norms.centroids))
        } else {
            None
        };
        Ok(Self::Quantised { rows, columns, codes, norms })
    }

    pub(super) fn rows(&self) -> usize {
        let (Self::Dense { rows, .. } | Self::Quantised { rows, .. }) = self;
        *rows
    }

    pub(super) fn columns(&self) -> usize {
        let (Self::Dense { columns, .. } | Self::Quantised { columns, .. }) = self;
        *columns
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Dense { values, .. } => values.len() * 4,
            Self::Quantised { codes, norms, .. } => {
                let norms = norms.as_ref().map_or(0, |(codes, centroids)| codes.len() + centroids.len() * 4);
                codes.of_rows.len() + codes.centroids.len() * 4 + norms
            }
        }
    }

    /// Adds a row to `sum`, which has the length of one.
    #[inline]
    pub(super) fn add_row(&self, row: usize, sum: &mut [f32]) {
        match self {
            Self::Dense { columns, values, .. } => {
                let row = &values[row * columns..][..*columns];
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            Self::Quantised { codes, norms, .. } => codes.add_row(row, norm(norms.as_ref(), row), sum),
        }
    }

    /// The product of a row and a vector.
    pub(super) fn dot(&self, row: usize, with: &[f32]) -> f32 {
        match self {
            Self::Dense { columns, values, .. } => {
                values[row * columns..][..*columns].iter().zip(with).map(|(value, with)| value * with).sum()
            }
            Self::Quantised { codes, norms, .. } => codes.dot(row, with) * norm(norms.as_ref(), row),
        }
    }
}

#[inline]
fn norm(norms: Option<&(Vec<u8>, Vec<f32>)>, row: usize) -> f32 {
    norms.map_or(1.0, |(codes, centroids)| centroids[usize::from(codes[row])])
}

fn shape(input: &mut Input<'_>, what: &str) -> Result<(usize, usize)> {
    let mut side = |of: &str| {
        let side = input.i64(what)?;
        u32::try_from(side).map(|side| side as usize).map_err(|_| {
            damaged(format!("{what} has `{side}` {of}, which is out of range; the file is damaged"))
        })
    };
    Ok((side("rows")?, side("columns")?))
}

impl Codes {
    fn read(input: &mut Input<'_>, codes: Vec<u8>, columns: usize, what: &str) -> Result<Self> {
        let mut number = || {
            let number = input.i32("the head of a quantiser")?;
            usize::try_from(number).map_err(|_| {
                damaged(format!("the quantiser of {what} has the size `{number}`; the file is damaged"))
            })
        };
        let (dim, parts, part, last) = (number()?, number()?, number()?, number()?);
        let fits = dim == columns
            && part > 0
            && parts == dim.div_ceil(part)
            && parts > 0
            && last == dim - (parts - 1) * part;
        if !fits {
            return Err(damaged(format!(
                "the quantiser of {what} cuts rows of {columns} into {parts} parts of {part}, the last of {last}; they do not add up, so the file is damaged"
            )));
        }
        let count =
            input.count((dim as i64).saturating_mul(CENTROIDS as i64), 4, "the number of centroids")?;
        let centroids = input.floats(count, "the centroids")?;
        Ok(Self { of_rows: codes, centroids, columns, part, parts })
    }

    /// The codes of a row with the centroids of their places: where they begin in the row, and their floats.
    #[inline]
    fn centroids_of(&self, row: usize) -> impl Iterator<Item = (usize, &[f32])> {
        let codes = &self.of_rows[row * self.parts..][..self.parts];
        codes.iter().enumerate().map(|(place, &code)| {
            let first = place * self.part;
            let length = self.part.min(self.columns - first);
            (first, &self.centroids[first * CENTROIDS + usize::from(code) * length..][..length])
        })
    }

    #[inline]
    fn add_row(&self, row: usize, norm: f32, sum: &mut [f32]) {
        if self.part == 2 && self.columns.is_multiple_of(2) {
            return self.add_row_of_pairs(row, norm, sum);
        }
        for (first, centroid) in self.centroids_of(row) {
            let sum = sum[first..].iter_mut();
            sum.zip(centroid).for_each(|(sum, value)| *sum += norm * value);
        }
    }

    /// The same for parts of two, which every published model has.
    #[inline]
    fn add_row_of_pairs(&self, row: usize, norm: f32, sum: &mut [f32]) {
        let codes = &self.of_rows[row * self.parts..][..self.parts];
        let centroids = self.centroids.as_chunks::<{ 2 * CENTROIDS }>().0;
        for ((sum, &code), centroids) in sum.as_chunks_mut::<2>().0.iter_mut().zip(codes).zip(centroids) {
            let at = 2 * usize::from(code);
            sum[0] += norm * centroids[at];
            sum[1] += norm * centroids[at + 1];
        }
    }

    fn dot(&self, row: usize, with: &[f32]) -> f32 {
        let products =
            self.centroids_of(row).flat_map(|(first, centroid)| with[first..].iter().zip(centroid));
        products.map(|(with, value)| with * value).sum()
    }
}
