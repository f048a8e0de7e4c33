//! The distinct numbers of a list, in the order of their first appearance.

/// Holds the table of one thread.
#[derive(Default)]
pub(super) struct Distinct {
    /// Numbers, 0 where free. A power of two long.
    table: Vec<u64>,
}

impl Distinct {
    /// Leaves each number once. They are hashes under a secret, so their bits place them.
    pub(super) fn keep(&mut self, numbers: &mut Vec<u64>) {
        let size = (2 * numbers.len()).next_power_of_two().max(2);
        self.table.clear();
        self.table.resize(size, 0);
        let (mask, mut has_zero) = (size - 1, false);
        let table = &mut self.table;
        numbers.retain(|&number| {
            if number == 0 {
                return !std::mem::replace(&mut has_zero, true);
            }
            let mut place = number as usize & mask;
            while table[place] != 0 {
                if table[place] == number {
                    return false;
                }
                place = (place + 1) & mask;
            }
            table[place] = number;
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stays_once_in_its_first_place() {
        let mut numbers = vec![3, 0, 3, 8, 0, 1 << 60, 8, 3];
        Distinct::default().keep(&mut numbers);
        assert_eq!(numbers, [3, 0, 8, 1 << 60]);
        numbers.clear();
        Distinct::default().keep(&mut numbers);
        assert!(numbers.is_empty());
    }
}
