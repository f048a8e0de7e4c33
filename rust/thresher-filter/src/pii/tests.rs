//! All kinds together: what is found, what is not, laws, and texts that were made to take long. What a check of a standard
//! accepts, its file tests; how often the detector is right, `benches/pii.py` measures.

use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Vec<(Kind, &str)> {
    let detector = Detector::new(Kinds::ALL);
    detector.find(text).iter().map(|span| (span.kind, &text[span.range()])).collect()
}

/// Texts in which what stands between `[` and `]` is to be found, and nothing else.
const CASES: &[(Kind, &[&str])] = &[
    (
        Kind::Email,
        &[
            "Mail [ada.lovelace+notes@analytical-engine.co.uk].",
            "<[o'brien@mail.ie]>, mailto:[jo@x.de]?subject=hi",
            "email=[jo@mail.fr]&x=1",
            "'[jo@mail.fr]'",
            "联系[jo@qq.com]。",
            "Write to [jo@mail.net].When?",
            "[bounce-jo=mail.org@lists.mail.net]",
            "x@example.com, root@localhost, jo@host.test, icon@2x.png, a@b, @name.com, jo@mail.lit",
            "git clone git@github.com:rust-lang/rust.git",
            "https://jo@host.net/path and ssh://git@github.com/x",
            "a..b@, .@x.com, jo.@x.com, jo@-x.com, jo@x..com",
        ],
    ),
    (
        Kind::Phone,
        &[
            "Call [(415) 555-2671] or [415-555-2671] or [1-415-555-2671] or [415.555.2671].",
            "[+49 30 1234567], [+44 (0)20 7946 1958], [+14155552671], [+33 1 23 45 67 89]",
            "à Paris: [01 23 45 67 89].",
            "[0049 89 1234567]",
            "Tel. [030 / 1234567], Telefon: [(0171) 1234567], phone [4155552671], tel [912 345 678]",
            "[(11) 91234-5678]",
            "415 555 2671 and 4155552671 and 030 1234567 without a word",
            "(415) 555-0123, +44 7700 900123, tel 07700 900123",
            "order 415-555-2671, ISBN 978-3-16-148410-0, RFC 2616, 2024-01-15 10:20:30",
            "+1 2, +12345, x+14155552671, 123e4567-e89b-12d3-a456-426614174000",
            "123-456-7890, 911-555-2671, 415-911-2671, 415-555-26711",
        ],
    ),
    (
        Kind::Ip,
        &[
            "from [81.2.69.142]:8080 and http://[8.8.4.4]/x and root@[81.2.69.143]",
            "host [1.2.3.4], [2a00:1450:4009:80b::200e], [2a00:1450::1]/64, [81.2.69.142]/24",
            "10.0.0.1 127.0.0.1 192.168.1.1 192.0.2.1 203.0.113.7 224.0.0.1 2001:db8::1 fe80::1 ::1",
            "version 1.2.3.4, v81.2.69.142, Chrome 81.2.69.142, section 4.3.2.1, 1.2.3.4, 1.3.6.1.4.1",
            "81.2.69.0/24, 2a00:1450::/32, 256.1.1.300, 81.2.69.142.5, 081.2.69.142, std::fmt::Display, 10:20:30",
        ],
    ),
    (
        Kind::Card,
        &[
            "[4556737586899855], [4556 7375 8689 9855], [4556-7375-8689-9855] 12/27",
            "4556737586899856, 0.4556737586899855, order 4556737586899855",
            "4111 1111 1111 1111, 4242424242424242, 378282246310005, 1234567812345670",
        ],
    ),
    (
        Kind::Iban,
        &[
            "[DE89370400440532013000], [DE89 3704 0044 0532 0130 00], [GB29NWBK60161331926819].",
            "[MT84MALT011000012345MTLCAST001S]",
            "DE89370400440532013001, XX89370400440532013000, DE8937040044053201300, ADE89370400440532013000",
        ],
    ),
    (
        Kind::Ssn,
        &[
            "[536-90-4399], SSN [536904399], social security number: [536 90 4399]",
            "000-12-3456, 666-12-3456, 900-12-3456, 536-00-4399, 536-90-0000, 123-45-6789, 078-05-1120",
            "part 536-90-4399, 536904399, 536 90 4399, 1536-90-4399, 536-90-43991",
        ],
    ),
    (
        Kind::Wallet,
        &[
            "[1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa] [3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy]",
            "[bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4]",
            "[0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed], [0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed]",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD 0x0000000000000000000000000000000000000000 0xdeadbeef",
            "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        ],
    ),
    (
        Kind::Secret,
        &[
            "sk-proj-: [sk-proj-x7Qm2LkV9sTz4RbY1nWc8HdJ5fGp3AeU0oKi], AIza: [AIzaSyD3kQ9vX2mLz7RbT1nWc8HdJ5fGp4AeU0o]",
            "[eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U]",
            "monkey: banana, the key = value, sk-learn, task-force, eyJust.a.word",
        ],
    ),
    (
        Kind::Credentials,
        &[
            "postgres://[admin:s3cr3tPw]@db.host.net:5432/x and https://[jo:pa@ss1]@host.net/",
            "https://user:password@host.net, https://user:${PW}@host.net, http://host.net:8080/a@b, ftp://jo:pw1@example.com",
        ],
    ),
    (
        Kind::Mac,
        &[
            "[3c:22:fb:9a:07:e1], [3C-22-FB-9A-07-E1], MAC:[3c:22:fb:9a:07:e1]",
            "00:11:22:33:44:55 ff:ff:ff:ff:ff:ff 01:23:45:67:89:ab 00:00:5e:00:53:01 01:00:5e:12:34:56",
            "3c:22:fb:9a:07:e1:22:33 a1:3c:22:fb:9a:07:e1 3c:22:fb:9a:07 3c:22-fb:9a:07:e1 10:20:30:40:50:6g",
        ],
    ),
    (
        Kind::Birthdate,
        &[
            "born on [12 March 1980], born [March 12, 1980], DOB: [1980-03-12], D.O.B. [3/12/1980], geb. [12.03.1980]",
            "date of birth [12th of March 1980], birthday: [Mar. 3rd, 1980]",
            "on 12 March 1980, born in 1980, born 45/45/1980, born 12 Marchs 1980, released 1980-03-12",
        ],
    ),
];

#[test]
fn what_is_marked_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for (kind, texts) in CASES {
        for marked in *texts {
            let (mut text, mut wanted, mut open) = (String::new(), Vec::new(), 0);
            for c in marked.chars() {
                match c {
                    '[' => open = text.len(),
                    ']' => wanted.push((*kind, open, text.len())),
                    c => text.push(c),
                }
            }
            let detector = Detector::new(Kinds::ALL);
            let spans: Vec<_> =
                detector.find(&text).iter().map(|span| (span.kind, span.start, span.end)).collect();
            if spans != wanted {
                wrong.push(format!("{text}: {spans:?} are not {wanted:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_kind_alone_is_found_as_with_all_others() {
    for (kind, texts) in CASES {
        let alone = Detector::new(Kinds::of_names([kind.name()]).unwrap());
        let all = Detector::new(Kinds::ALL);
        for text in texts.iter().map(|text| text.replace(['[', ']'], "")) {
            let of_kind: Vec<Span> = all.find(&text).into_iter().filter(|span| span.kind == *kind).collect();
            assert_eq!(alone.find(&text), of_kind, "{text}");
        }
    }
}

#[test]
fn what_is_reserved_is_found_if_asked_for() {
    let text = "jo@example.com 192.0.2.1 2001:db8::1 (415) 555-0123 4111 1111 1111 1111 00:00:5e:00:53:01";
    assert_eq!(found(text), []);
    let detector = Detector::new(Kinds::ALL).with_reserved(true);
    let kinds: Vec<Kind> = detector.find(text).iter().map(|span| span.kind).collect();
    assert_eq!(kinds, [Kind::Email, Kind::Ip, Kind::Ip, Kind::Phone, Kind::Card, Kind::Mac]);
}

#[test]
fn a_name_of_a_kind_that_there_is_not_is_told() {
    let said = Kinds::of_names(["email", "mail"]).unwrap_err().to_string();
    assert!(said.contains("`mail`") && said.contains("`birthdate`"), "{said}");
    assert_eq!(Kinds::of_names([]).unwrap(), Kinds::ALL);
}

/// Texts of a few million bytes on which something slower than linear would not end.
fn hostile() -> Vec<(&'static str, String)> {
    let parts = [
        ("digits", "7"),
        ("at signs", "@"),
        ("letters and dots", "a.a."),
        ("hexadecimal digits", "3fA9c0"),
        ("colons", ":"),
        ("hyphens", "-"),
        ("pairs and colons", "ab:"),
        ("groups of IPv6", "2001:"),
        ("octets", "81.2.69."),
        ("single digits", "1 "),
        ("groups of four", "4111 "),
        ("pairs", "01 "),
        ("addresses without an end", "a@a."),
        ("plus signs", "+1"),
        ("calling codes", "+49 "),
        ("words for telephones", "tel 0123456 "),
        ("beginnings of tokens", "eyJ"),
        ("keys", "key="),
        ("passwords", "password:"),
        ("beginnings of private keys", "-----BEGIN PRIVATE KEY-----"),
        ("URLs", "a://a:"),
        ("countries", "DE11 "),
        ("long tokens", "ghp_"),
        ("wallets", "1aB2cD3eF4gH5jK6mN7pQ8rS9tU1vW2xY3 "),
        ("dates", "born 1.1.1980 "),
        ("Chinese", "电话"),
        ("NUL bytes", "\0"),
        ("Ethereum", "0xabc"),
    ];
    parts.map(|(name, part)| (name, part.repeat(1_000_000 / part.len()))).into()
}

#[test]
fn hostile_texts_take_linear_time_and_leave_spans_in_order() {
    for (name, text) in hostile() {
        check_order(&text, name);
    }
}

fn check_order(text: &str, name: &str) {
    let spans = Detector::new(Kinds::ALL).find(text);
    assert!(spans.iter().all(|span| span.start < span.end && text.get(span.range()).is_some()), "{name}");
    assert!(spans.windows(2).all(|two| two[0].end <= two[1].start), "{name}");
}

/// Texts of pieces that matter to some check.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(CASES.iter().flat_map(|(_, texts)| texts.iter()).map(|text| text.replace(['[', ']'], "")).collect::<Vec<_>>()),
        2 => "[0-9 .:()/+-]{1,20}",
        1 => "[a-zA-Z@._-]{1,12}",
        1 => "\\PC{0,6}",
        1 => prop::sample::select(vec!["tel ", "card ", "born ", "host ", "version ", "order ", "SSN ", "key=", "\n"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn spans_are_in_order_and_between_characters(text in texts()) {
        check_order(&text, &text);
    }

    #[test]
    fn a_line_in_front_changes_nothing(text in texts(), blanks in 1usize..150) {
        let detector = Detector::new(Kinds::ALL);
        let moved = format!("{}\n{text}", " ".repeat(blanks));
        let behind: Vec<(usize, usize, Kind)> =
            detector.find(&moved).iter().map(|span| (span.start - blanks - 1, span.end - blanks - 1, span.kind)).collect();
        let alone: Vec<(usize, usize, Kind)> =
            detector.find(&text).iter().map(|span| (span.start, span.end, span.kind)).collect();
        prop_assert_eq!(behind, alone);
    }

    #[test]
    fn no_value_is_left_in_a_redacted_text(text in texts()) {
        let detector = Detector::new(Kinds::ALL);
        let spans = detector.find(&text);
        let redacted = Redactor::Tag(Box::new(Tag::of_template(Tag::DEFAULT).unwrap())).redact(&text, &spans);
        let kept: usize = text.len() - spans.iter().map(|span| span.end - span.start).sum::<usize>();
        let tags: usize = spans.iter().map(|span| span.kind.tag().len() + 2).sum();
        prop_assert_eq!(redacted.len(), kept + tags);
    }
}

#[test]
fn pseudonyms_are_not_found_again() {
    let detector = Detector::new(Kinds::ALL);
    for secret in 0..40 {
        let redactor =
            Redactor::Pseudonym(Key::of_secret(format!("a secret of number {secret}").as_bytes()).unwrap());
        for (_, texts) in CASES {
            for text in texts.iter().map(|text| text.replace(['[', ']'], "")) {
                let redacted = redactor.redact(&text, &detector.find(&text));
                assert_eq!(detector.find(&redacted), [], "{text} became {redacted}");
            }
        }
    }
}
