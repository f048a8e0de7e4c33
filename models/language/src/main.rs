//! Makes the model of the language detector from the n-gram tables of lingua.
//!
//! `language-model FOLDER OUT`: FOLDER holds the crates `lingua-*-language-model`, as `cargo vendor` leaves them; OUT is the file
//! that `thresher-filter/src/language/model.rs` describes.
//!
//! A table says of each n-gram of up to five letters, for one language, the logarithm of the share that its last letter has behind
//! the others. Here those of up to four letters count. Behind an n-gram that a language does not have, the letter costs what it
//! costs behind one letter less, and [`BACK_OFF`] more. The n-grams of a group of languages compete for their places: kept are those
//! that say most beyond what their end says, in the mean over texts of each language.

mod group;
mod tables;

use std::fs;
use std::path::PathBuf;

use group::Group;

/// What an n-gram that was not seen costs beside its end, in units of -ln P: each order of n-grams is trusted to about 0.7.
pub(crate) const BACK_OFF: f32 = 1.2;

/// What a letter costs at most.
pub(crate) const MOST: f32 = 12.0;

/// The languages of each group, by the names of their crates, and how many n-grams are kept.
const GROUPS: [(&[(&str, &str)], usize); 4] = [
    (
        &[
            ("af", "afrikaans"),
            ("az", "azerbaijani"),
            ("bs", "bosnian"),
            ("ca", "catalan"),
            ("cs", "czech"),
            ("cy", "welsh"),
            ("da", "danish"),
            ("de", "german"),
            ("en", "english"),
            ("eo", "esperanto"),
            ("es", "spanish"),
            ("et", "estonian"),
            ("eu", "basque"),
            ("fi", "finnish"),
            ("fr", "french"),
            ("ga", "irish"),
            ("hr", "croatian"),
            ("hu", "hungarian"),
            ("id", "indonesian"),
            ("is", "icelandic"),
            ("it", "italian"),
            ("la", "latin"),
            ("lg", "ganda"),
            ("lt", "lithuanian"),
            ("lv", "latvian"),
            ("mi", "maori"),
            ("ms", "malay"),
            ("nb", "bokmal"),
            ("nl", "dutch"),
            ("nn", "nynorsk"),
            ("pl", "polish"),
            ("pt", "portuguese"),
            ("ro", "romanian"),
            ("sk", "slovak"),
            ("sl", "slovene"),
            ("sn", "shona"),
            ("so", "somali"),
            ("sq", "albanian"),
            ("st", "sotho"),
            ("sv", "swedish"),
            ("sw", "swahili"),
            ("tl", "tagalog"),
            ("tn", "tswana"),
            ("tr", "turkish"),
            ("ts", "tsonga"),
            ("vi", "vietnamese"),
            ("xh", "xhosa"),
            ("yo", "yoruba"),
            ("zu", "zulu"),
        ],
        40_000,
    ),
    (
        &[
            ("be", "belarusian"),
            ("bg", "bulgarian"),
            ("kk", "kazakh"),
            ("mk", "macedonian"),
            ("mn", "mongolian"),
            ("ru", "russian"),
            ("sr", "serbian"),
            ("uk", "ukrainian"),
        ],
        20_000,
    ),
    (&[("ar", "arabic"), ("fa", "persian"), ("ur", "urdu")], 10_000),
    (&[("hi", "hindi"), ("mr", "marathi")], 10_000),
];

fn main() {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(folder), Some(out)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: language-model FOLDER OUT");
        std::process::exit(2);
    };
    let mut bytes = Vec::new();
    for (languages, most) in GROUPS {
        let tables = languages.iter().map(|(_, name)| tables::read(&folder, name)).collect::<Vec<_>>();
        let group = Group::new(&tables);
        let kept = group.kept(most);
        println!(
            "{} languages, {} letters, {} of {} n-grams",
            languages.len(),
            group.alphabet.len(),
            kept.len(),
            group.grams()
        );
        group.write(languages.iter().map(|(code, _)| *code), &kept, &mut bytes);
    }
    println!("{} bytes", bytes.len());
    fs::write(out, bytes).expect("the output can be written");
}
