//! How keys and tokens of services begin, and what follows; from the documentation of each service.

/// Characters that a token is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Capitals and digits.
    Capital,
    /// Hexadecimal digits.
    Hex,
    /// Letters, digits, `-` and `_`.
    Base64Url,
    /// The same, and `.`.
    Dotted,
}

impl Alphabet {
    pub(super) fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Capital => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
        }
    }
}

/// What stands behind a beginning.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rest {
    /// So many characters of an alphabet, from the fewest to the most.
    Token(Alphabet, usize, usize),
    /// The rest of a JSON Web Token (RFC 7519).
    Jwt,
    /// The rest of a private key in PEM (RFC 7468).
    Pem,
    /// If it ends a name such as `api_key` or `password`: an assignment of a value without order.
    Value,
}

use Alphabet::{Alphanumeric, Base64Url, Capital, Dotted, Hex};
use Rest::{Jwt, Pem, Token, Value};

/// Beginnings; of two that fit, the earlier one here counts.
pub(super) const PREFIXES: &[(&str, Rest)] = &[
    ("-----BEGIN ", Pem),
    ("eyJ", Jwt),
    // GitHub, GitLab.
    ("ghp_", Token(Alphanumeric, 36, 255)),
    ("gho_", Token(Alphanumeric, 36, 255)),
    ("ghu_", Token(Alphanumeric, 36, 255)),
    ("ghs_", Token(Alphanumeric, 36, 255)),
    ("ghr_", Token(Alphanumeric, 36, 255)),
    ("github_pat_", Token(Base64Url, 60, 255)),
    ("glpat-", Token(Base64Url, 20, 64)),
    // Amazon Web Services: IAM identifiers.
    ("AKIA", Token(Capital, 16, 16)),
    ("ASIA", Token(Capital, 16, 16)),
    // Slack.
    ("xoxb-", Token(Base64Url, 24, 255)),
    ("xoxp-", Token(Base64Url, 24, 255)),
    ("xoxa-", Token(Base64Url, 24, 255)),
    ("xoxr-", Token(Base64Url, 24, 255)),
    ("xoxs-", Token(Base64Url, 24, 255)),
    ("xapp-", Token(Base64Url, 24, 255)),
    // Stripe.
    ("sk_live_", Token(Alphanumeric, 16, 255)),
    ("sk_test_", Token(Alphanumeric, 16, 255)),
    ("rk_live_", Token(Alphanumeric, 16, 255)),
    ("rk_test_", Token(Alphanumeric, 16, 255)),
    ("whsec_", Token(Alphanumeric, 24, 255)),
    // OpenAI, Anthropic and others that write `sk-`.
    ("sk-ant-", Token(Base64Url, 32, 255)),
    ("sk-proj-", Token(Base64Url, 32, 255)),
    ("sk-svcacct-", Token(Base64Url, 32, 255)),
    ("sk-admin-", Token(Base64Url, 32, 255)),
    ("sk-or-", Token(Base64Url, 32, 255)),
    ("sk-", Token(Alphanumeric, 32, 255)),
    ("gsk_", Token(Alphanumeric, 40, 64)),
    ("xai-", Token(Alphanumeric, 60, 100)),
    // Google: keys of APIs, OAuth.
    ("AIza", Token(Base64Url, 35, 35)),
    ("ya29.", Token(Base64Url, 32, 512)),
    ("GOCSPX-", Token(Base64Url, 28, 28)),
    // Registries and hosts.
    ("hf_", Token(Alphanumeric, 34, 40)),
    ("npm_", Token(Alphanumeric, 36, 36)),
    ("pypi-AgE", Token(Base64Url, 50, 512)),
    ("dckr_pat_", Token(Base64Url, 27, 64)),
    ("dop_v1_", Token(Hex, 64, 64)),
    ("shpat_", Token(Hex, 32, 32)),
    ("shpss_", Token(Hex, 32, 32)),
    ("SG.", Token(Dotted, 60, 80)),
    ("sq0atp-", Token(Base64Url, 22, 22)),
    ("sq0csp-", Token(Base64Url, 43, 43)),
    ("dapi", Token(Hex, 32, 32)),
    ("lin_api_", Token(Alphanumeric, 32, 64)),
    ("glsa_", Token(Base64Url, 32, 64)),
    // Names of what is assigned, in the cases in which code has them.
    ("key", Value),
    ("Key", Value),
    ("KEY", Value),
    ("secret", Value),
    ("Secret", Value),
    ("SECRET", Value),
    ("token", Value),
    ("Token", Value),
    ("TOKEN", Value),
    ("password", Value),
    ("Password", Value),
    ("PASSWORD", Value),
    ("passwd", Value),
    ("PASSWD", Value),
];
