//! A sparse matrix, row by row.

/// What a row says of a column.
pub(crate) type Cell = (u32, f32);

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    /// Where each row begins; one more than there are rows.
    starts: Vec<usize>,
    cells: Vec<Cell>,
}

impl Rows {
    pub(crate) fn of(rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        let mut made = Self { starts: vec![0], cells: Vec::new() };
        for row in rows {
            made.cells.extend(row);
            made.starts.push(made.cells.len());
        }
        made
    }

    /// Lists of columns, as a matrix of ones.
    pub(crate) fn ones(lists: &[Vec<u32>]) -> Self {
        Self::of(lists.iter().map(|list| list.iter().map(|column| (*column, 1.0)).collect()))
    }

    /// Reads what [`Rows::parts`] wrote; `None` when the parts do not fit together.
    pub(crate) fn from_parts(lengths: &[u32], columns: &[u32], values: &[f32]) -> Option<Self> {
        let mut starts = Vec::with_capacity(lengths.len() + 1);
        starts.push(0_usize);
        for length in lengths {
            starts.push(starts.last().copied().unwrap_or_default() + *length as usize);
        }
        let whole = starts.last() == Some(&columns.len()) && columns.len() == values.len();
        whole.then(|| Self { starts, cells: columns.iter().copied().zip(values.iter().copied()).collect() })
    }

    /// (length of each row, columns, values)
    pub(crate) fn parts(&self) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
        let lengths = self.starts.windows(2).map(|pair| (pair[1] - pair[0]) as u32).collect();
        let (columns, values) = self.cells.iter().copied().unzip();
        (lengths, columns, values)
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Empty for a row that does not exist.
    pub(crate) fn row(&self, row: u32) -> &[Cell] {
        let row = row as usize;
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(from), Some(to)) => &self.cells[*from..*to],
            _ => &[],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[Cell]> {
        self.starts.windows(2).map(|pair| &self.cells[pair[0]..pair[1]])
    }

    /// Columns become rows; within each, in order of what were rows.
    pub(crate) fn transposed(&self, columns: usize) -> Self {
        let mut starts = vec![0_usize; columns + 1];
        for (column, _) in &self.cells {
            starts[*column as usize + 1] += 1;
        }
        for column in 0..columns {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let mut cells = vec![(0, 0.0); self.cells.len()];
        for (row, of) in self.iter().enumerate() {
            for (column, value) in of {
                let place = &mut next[*column as usize];
                cells[*place] = (row as u32, *value);
                *place += 1;
            }
        }
        Self { starts, cells }
    }
}

/// The cells with the largest values, largest first.
pub(crate) fn largest(mut cells: Vec<Cell>, count: usize) -> Vec<Cell> {
    if cells.len() > count {
        if count > 0 {
            cells.select_nth_unstable_by(count - 1, larger);
        }
        cells.truncate(count);
    }
    cells.sort_unstable_by(larger);
    cells
}

/// Larger values first; equal ones in order of column, so that answers do not depend on how they were found.
fn larger(a: &Cell, b: &Cell) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Sums by column, for adding up many rows; as large as the matrix is wide, kept between uses.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    values: Vec<f32>,
    touched: Vec<u32>,
}

impl Sums {
    pub(crate) fn new(width: usize) -> Self {
        Self { values: vec![0.0; width], touched: Vec::new() }
    }

    pub(crate) fn add(&mut self, column: u32, value: f32) {
        let sum = &mut self.values[column as usize];
        if *sum == 0.0 {
            self.touched.push(column);
        }
        *sum += value;
    }

    pub(crate) fn add_row(&mut self, row: &[Cell], weight: f32) {
        for (column, value) in row {
            self.add(*column, value * weight);
        }
    }

    /// All sums but zeros, in no order; nothing is left.
    pub(crate) fn take(&mut self) -> Vec<Cell> {
        let mut found = Vec::with_capacity(self.touched.len());
        for column in self.touched.drain(..) {
            // A sum that came back to zero meanwhile was touched twice; the second time nothing is left of it.
            let sum = std::mem::take(&mut self.values[column as usize]);
            if sum != 0.0 {
                found.push((column, sum));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_twice_gives_the_same() {
        let rows = Rows::of([vec![(0, 1.0), (2, 2.0)], vec![], vec![(1, 3.0), (2, 4.0)]]);
        let columns = rows.transposed(3);
        assert_eq!(columns.row(2), [(0, 2.0), (2, 4.0)]);
        assert_eq!(columns.transposed(3), rows);
        assert!(rows.row(7).is_empty());
    }

    #[test]
    fn parts_that_do_not_fit_together_are_no_matrix() {
        let rows = Rows::of([vec![(0, 1.0)], vec![], vec![(1, 3.0), (2, 4.0)]]);
        let (lengths, columns, values) = rows.parts();
        assert_eq!(Rows::from_parts(&lengths, &columns, &values), Some(rows));
        assert_eq!(Rows::from_parts(&[2], &columns, &values), None);
    }

    #[test]
    fn the_largest_come_first_and_equal_ones_in_order() {
        let cells = vec![(5, 1.0), (1, 3.0), (4, 1.0), (2, 3.0)];
        assert_eq!(largest(cells.clone(), 3), [(1, 3.0), (2, 3.0), (4, 1.0)]);
        assert!(largest(cells, 0).is_empty());
    }
}
