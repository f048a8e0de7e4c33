//! Corpora made to hurt: many alike, many almost alike, empty ones, huge ones. None may take long, so nothing
//! here may be quadratic; where that would hide in a fast machine, the number of comparisons is looked at.

use super::*;

#[test]
fn a_hundred_thousand_equal_documents_are_one_class() {
    let text = words(1, 50).join(" ");
    let texts = vec![Some(text.as_str()); 100_000];
    let outcome = search(&texts, &[], &config(0.8));
    assert_eq!((outcome.summary.kept.docs, outcome.summary.exact.docs), (1, 99_999));
    assert_eq!((outcome.summary.candidates, outcome.summary.checks), (0, 0));
    assert!(
        outcome.evidence[1..].iter().all(|e| e.is_some_and(|e| e.duplicate_of == 0 && e.similarity >= 1.0))
    );
}

#[test]
fn a_hundred_thousand_spellings_of_one_document_are_one_cluster() {
    // Equal shingles, different texts: every band has one bucket of them all.
    let text = words(1, 20).join(" ");
    let texts: Vec<Option<String>> = (0..100_000)
        .map(|i| Some(format!("{}{text}", " ".repeat(i % 1_000) + &".".repeat(i / 1_000))))
        .collect();
    let outcome = search(&borrowed(&texts), &[], &config(0.8));
    assert_eq!((outcome.summary.kept.docs, outcome.summary.near.docs), (1, 99_999));
    assert_eq!(outcome.summary.checks, 99_999);
}

#[test]
fn documents_of_one_template_cost_a_bounded_number_of_comparisons() {
    const DOCS: u64 = 20_000;
    for length in [12, 40, 60] {
        let template = words(length, length);
        let texts: Vec<Option<String>> = (0..DOCS)
            .map(|i| {
                let mut words = template.clone();
                words[length as usize / 2] = format!("name{i}");
                Some(words.join(" "))
            })
            .collect();
        let texts = borrowed(&texts);
        let outcome = search(&texts, &[], &config(0.8));
        // One word is in five shingles of each, so two of them share `length - 9` of `length + 1`.
        let alike = (length - 9) as f64 / (length + 1) as f64;
        assert!(outcome.summary.checks <= DOCS * MAX_CHECKS as u64, "{} checks", outcome.summary.checks);
        if alike < 0.8 {
            assert_eq!(outcome.summary.kept.docs, DOCS);
        } else {
            assert!(outcome.summary.near.docs >= DOCS * 98 / 100, "{} found", outcome.summary.near.docs);
            assert!(outcome.evidence.iter().flatten().all(|e| e.similarity.to_bits() == alike.to_bits()));
        }
    }
}

#[test]
fn a_duplicate_among_documents_of_one_template_is_still_found() {
    let template = words(7, 30);
    let mut texts: Vec<Option<String>> = (0..2_000)
        .map(|i| {
            Some(format!(
                "{} name{i} {} {}",
                template.join(" "),
                words(100_000 + i, 4).join(" "),
                template.join(" ")
            ))
        })
        .collect();
    texts.extend(
        (0..2_000).step_by(40).map(|i| texts[i].clone().map(|text| text + " indeed")).collect::<Vec<_>>(),
    );
    let texts = borrowed(&texts);
    let config = config(0.9);
    let outcome = search(&texts, &[], &config);
    assert_sound(&texts, &[], &config, &outcome);
    let found = outcome.evidence[2_000..]
        .iter()
        .enumerate()
        .filter(|(i, e)| e.is_some_and(|e| e.duplicate_of as usize == 40 * i));
    assert_eq!(found.count(), 50, "{:?}", outcome.summary);
}

#[test]
fn twins_among_pages_of_one_template_are_found_in_any_order() {
    // Pages share 0.785 of their shingles with each other, twins 0.85 with one of them, and copies in capitals all.
    let template = words(1, 500).join(" ");
    let tails: Vec<Vec<String>> = (0..1_000).map(|i| words(10_000 + i, 68)).collect();
    let page = |tail: &[String]| format!("{template} {}", tail.join(" "));
    let mut texts: Vec<String> = tails.iter().map(|tail| page(tail)).collect();
    for twin in 0..80 {
        let base = &tails[(twin * 619) % 1_000];
        texts.push(match twin % 2 {
            0 => page(&[&base[..26], &words(50_000 + twin as u64, 42)].concat()),
            _ => page(base).to_uppercase(),
        });
    }
    let forth: Vec<usize> = (0..texts.len()).collect();
    let back = forth.iter().rev().copied().collect();
    let mixed = forth.iter().map(|i| i * 769 % texts.len()).collect();
    for order in [forth, back, mixed] {
        let texts: Vec<Option<&str>> = order.iter().map(|&i| Some(texts[i].as_str())).collect();
        let outcome = search(&texts, &[], &config(0.8));
        assert_eq!(outcome.summary.near.docs, 80, "{:?}", outcome.summary);
        assert_eq!((outcome.summary.capped, outcome.summary.unchecked.pairs()), (0, 0));
    }
}

#[test]
fn empty_and_wordless_documents_are_duplicates_of_equal_ones_alone() {
    let texts = vec![Some(""); 1_000];
    let outcome = search(&texts, &[], &config(0.8));
    assert_sound(&texts, &[], &config(0.8), &outcome);
    assert_eq!((outcome.summary.kept.docs, outcome.summary.exact.docs), (1, 999));
    let texts: Vec<Option<String>> = (0..1_000).map(|i| Some(".".repeat(i))).collect();
    let outcome = search(&borrowed(&texts), &[], &config(0.8));
    assert_eq!((outcome.summary.kept.docs, outcome.summary.candidates), (1_000, 0));
}

#[test]
fn no_documents_and_nulls_alone_are_no_work() {
    assert_eq!(timeless(&search(&[], &[], &config(0.8))), Outcome::default());
    let outcome = search(&[None; 500], &[], &config(0.8));
    assert_eq!((outcome.summary.kept.docs, outcome.summary.null), (500, 500));
}

#[test]
fn a_document_of_50_megabytes_beside_small_ones() {
    let page = words(1, 20_000).join(" ") + " ";
    let huge = page.repeat(50_000_000 / page.len());
    let small = words(2, 100).join(" ");
    let other = format!("{small} more");
    let texts = [Some(small.as_str()), Some(&huge), Some(&other)];
    let outcome = search(&texts, &[], &config(0.8));
    assert_eq!(outcome.evidence.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(
        outcome.summary.documents.bytes,
        texts.iter().flatten().map(|text| text.len() as u64).sum::<u64>()
    );
}

#[test]
fn revisions_of_a_book_are_one_cluster_with_exact_similarities() {
    let book = words(5, 60_000);
    let texts: Vec<Option<String>> = (0..8)
        .map(|revision| {
            let mut words = book.clone();
            (0..revision * 50).for_each(|edit| words[edit * 700 % 60_000] = format!("r{revision}"));
            Some(words.join(" "))
        })
        .collect();
    let texts = borrowed(&texts);
    let outcomes = [1, 3].map(|threads| timeless(&on_threads(threads, || search(&texts, &[], &config(0.8)))));
    assert_sound(&texts, &[], &config(0.8), &outcomes[0]);
    assert_eq!(outcomes[0].summary.near.docs, 7);
    assert_eq!(outcomes[0], outcomes[1]);
}
