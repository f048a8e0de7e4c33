//! What may begin with a run of digits: the first digits and what stands around them say what is worth a look.

use super::kinds::Kind;
use super::scan::Scan;

impl Scan<'_> {
    /// Looks at the first digit of a run.
    pub(super) fn number(&mut self, start: usize) {
        let before = self.before(start);
        if before.is_ascii_alphabetic() {
            if before.is_ascii_uppercase() && self.kinds.has(Kind::Iban) {
                self.iban(start);
            }
            if matches!(before, b'c' | b'C') && self.bytes[start] == b'1' && self.kinds.has(Kind::Wallet) {
                self.bech32(start);
            }
            return;
        }
        let length = self.run_of_digits(start);
        let behind = self.byte(start + length);
        if length <= 3 && behind == b'.' && self.ipv4(start) {
            return;
        }
        if before == b'+' {
            self.international(start);
            return;
        }
        if !self.opens(start) {
            return;
        }
        if behind.is_ascii_alphabetic() {
            if self.kinds.has(Kind::Wallet) {
                self.wallet(start, length, behind);
            }
            if !matches!(behind, b's' | b'n' | b'r' | b't') {
                return;
            }
        }
        if length <= 4 && self.kinds.has(Kind::Birthdate) && self.birthdate(start, length, behind) {
            return;
        }
        if matches!(length, 3 | 9) && self.kinds.has(Kind::Ssn) && self.ssn(start, length, behind) {
            return;
        }
        if matches!(length, 4 | 13..=19) && self.kinds.has(Kind::Card) && self.card(start, length, behind) {
            return;
        }
        if length <= 12 && self.kinds.has(Kind::Phone) {
            self.national(start, length, behind);
        }
    }
}
