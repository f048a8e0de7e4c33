//! What a message about a name that is not there says besides: the nearest one that is, and a list of all.

/// How many names a message lists before it cuts the list short.
const LISTED: usize = 20;

/// `did you mean ..? ` if one of `names` is near `wanted`, else nothing.
pub(crate) fn nearest(wanted: &str, names: &[String]) -> String {
    let near = names.iter().map(|name| (distance(wanted, name), name)).min_by_key(|(distance, _)| *distance);
    match near {
        Some((distance, name)) if distance <= 1 + wanted.chars().count() / 3 => {
            format!("did you mean `{name}`? ")
        }
        _ => String::new(),
    }
}

/// `head` and the names, cut short.
pub(crate) fn listing(head: &str, names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more = match names.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!(" and {more} more"),
        _ => String::new(),
    };
    format!("{head} {}{more}", shown.join(", "))
}

/// A name as a part of a dotted path.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('\\', r"\\").replace('.', r"\.")
}

/// Levenshtein distance in characters, over at most 64 of them.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("text", "text"), 0);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_near_name_is_suggested_and_a_long_list_cut() {
        let names: Vec<String> = (0..30).map(|n| format!("c{n}")).chain(["text".into()]).collect();
        assert_eq!(nearest("txt", &names), "did you mean `text`? ");
        assert_eq!(nearest("elsewhere", &names), "");
        assert!(listing("the fields are", &names).ends_with("`c19` and 11 more"));
        assert_eq!(escaped(r"a.b\c"), r"a\.b\\c");
    }
}
