//! What is found: kinds of personal data and secrets, sets of them, and spans.

use std::ops::Range;

use thresher_core::{Error, Result};

/// A kind of personal data or secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An `IPv4` or `IPv6` address that is routed on the internet.
    Ip,
    /// The number of a payment card.
    Card,
    /// An international bank account number.
    Iban,
    /// A US social security number.
    Ssn,
    /// An address of Bitcoin or Ethereum.
    Wallet,
    /// A key of an API, a token, or a private key.
    Secret,
    /// User and password in a URL.
    Credentials,
    /// The hardware address of a device.
    Mac,
    /// A date that the text calls a date of birth.
    Birthdate,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Email,
        Self::Phone,
        Self::Ip,
        Self::Card,
        Self::Iban,
        Self::Ssn,
        Self::Wallet,
        Self::Secret,
        Self::Credentials,
        Self::Mac,
        Self::Birthdate,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Ip => "ip",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ssn => "ssn",
            Self::Wallet => "wallet",
            Self::Secret => "secret",
            Self::Credentials => "credentials",
            Self::Mac => "mac",
            Self::Birthdate => "birthdate",
        }
    }

    /// Its name in capitals, as a tag in a text shows it.
    #[must_use]
    pub fn tag(self) -> String {
        self.name().to_ascii_uppercase()
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// All kinds.
    pub const ALL: Self = Self((1 << Kind::ALL.len()) - 1);

    /// The kinds of these names; all of them if there is no name.
    ///
    /// # Errors
    /// `Error::Parameter` for a name that there is not.
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut bits = 0;
        for name in names {
            let kind = Kind::ALL.iter().find(|kind| kind.name() == name).ok_or_else(|| {
                let known: Vec<String> = Kind::ALL.iter().map(|kind| format!("`{}`", kind.name())).collect();
                Error::Parameter(format!(
                    "types has `{name}`, but personal data is of the types {}",
                    known.join(", ")
                ))
            })?;
            bits |= 1 << *kind as u16;
        }
        Ok(if bits == 0 { Self::ALL } else { Self(bits) })
    }

    /// Whether a kind is in it.
    #[inline]
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u16 != 0
    }
}

/// Where something was found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte behind its last one.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
}

impl Span {
    /// Its bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}
