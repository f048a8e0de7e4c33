//! Names of hosts: which top-level domains there are, and which names stand for nobody.

/// Every top-level domain of the root zone, one a line, in lower case and sorted; see `top_level.txt` for its source.
const TOP_LEVEL: &str = include_str!("top_level.txt");

/// Top-level domains that will never be: RFC 2606, RFC 6761, RFC 6762, RFC 7686, ICANN's `internal`, and the `localdomain`
/// of Unix.
const RESERVED_TOP: [&[u8]; 8] =
    [b"example", b"invalid", b"localhost", b"test", b"local", b"internal", b"localdomain", b"onion"];
/// Second-level domains for documentation: RFC 2606, and those of the companies that Microsoft has made up for its own.
const RESERVED: [&[u8]; 15] = [
    b"example.com",
    b"example.net",
    b"example.org",
    b"contoso.com",
    b"fabrikam.com",
    b"adatum.com",
    b"northwindtraders.com",
    b"adventure-works.com",
    b"litwareinc.com",
    b"proseware.com",
    b"tailspintoys.com",
    b"treyresearch.net",
    b"woodgrovebank.com",
    b"wingtiptoys.com",
    b"cohovineyard.com",
];

/// The top-level domains.
#[derive(Debug)]
pub(super) struct Domains {
    top_level: Vec<&'static str>,
}

impl Domains {
    pub(super) fn new() -> Self {
        Self { top_level: TOP_LEVEL.lines().filter(|line| !line.starts_with('#')).collect() }
    }

    /// Whether there is a top-level domain of that name, in any case.
    pub(super) fn is_top_level(&self, name: &[u8]) -> bool {
        let mut lower = [0; 63];
        let Some(lower) = lower.get_mut(..name.len()) else { return false };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.top_level.binary_search_by(|known| known.as_bytes().cmp(lower)).is_ok()
    }
}

/// Whether a host name is reserved for documentation, or for networks that nobody else sees.
pub(super) fn is_reserved(domain: &[u8]) -> bool {
    let ends = |end: &[u8]| {
        let Some(start) = domain.len().checked_sub(end.len()) else { return false };
        domain[start..].eq_ignore_ascii_case(end) && (start == 0 || domain[start - 1] == b'.')
    };
    RESERVED_TOP.iter().chain(&RESERVED).any(|end| ends(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_what_there_is_and_no_file_ending() {
        let domains = Domains::new();
        assert!(domains.top_level.len() > 1_200 && domains.top_level.is_sorted());
        for name in ["com", "DE", "museum", "xn--p1ai"] {
            assert!(domains.is_top_level(name.as_bytes()), "{name}");
        }
        for name in ["png", "lit", "example", "html", "", "jpeg"] {
            assert!(!domains.is_top_level(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn reserved_names_are_whole_labels() {
        for name in ["example.com", "mail.Example.ORG", "host.test", "a.invalid", "localhost"] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        for name in ["myexample.com", "example.de", "contest", "latest.com"] {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }
}
