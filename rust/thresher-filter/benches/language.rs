//! How often languages are told right, by the length of the text, and how fast: ours, whatlang, and models of fastText.
//!
//! `cargo bench -p thresher-filter --bench language -- FOLDER [MODEL.ftz]...`: FOLDER holds the crates
//! `lingua-*-language-model` as `cargo vendor` leaves them, each with about 1,000 sentences of its language that took no part in the
//! n-gram tables our model is made of. Texts of 20, 50 and 200 characters are cut from them, so many a language.
//! No constant was fitted to them. A tool is also judged by the languages alone
//! that it knows, and by those that all know. Speed is that of one thread, over documents of 3 KB in all of the languages, the best of several runs.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and stops where it is wrong")]

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use thresher_filter::fasttext::Model;
use thresher_filter::language::{Detector, SAMPLE_BYTES};

/// Names of languages in the crates of lingua, ISO 639-1, and ISO 639-3 as whatlang has it.
#[rustfmt::skip]
const LANGUAGES: [(&str, &str, &str); 75] = [
    ("afrikaans", "af", "afr"), ("albanian", "sq", ""), ("arabic", "ar", "ara"), ("armenian", "hy", "hye"),
    ("azerbaijani", "az", "aze"), ("basque", "eu", ""), ("belarusian", "be", "bel"), ("bengali", "bn", "ben"),
    ("bokmal", "nb", "nob"), ("bosnian", "bs", ""), ("bulgarian", "bg", "bul"), ("catalan", "ca", "cat"),
    ("chinese", "zh", "cmn"), ("croatian", "hr", "hrv"), ("czech", "cs", "ces"), ("danish", "da", "dan"),
    ("dutch", "nl", "nld"), ("english", "en", "eng"), ("esperanto", "eo", "epo"), ("estonian", "et", "est"),
    ("finnish", "fi", "fin"), ("french", "fr", "fra"), ("ganda", "lg", ""), ("georgian", "ka", "kat"),
    ("german", "de", "deu"), ("greek", "el", "ell"), ("gujarati", "gu", "guj"), ("hebrew", "he", "heb"),
    ("hindi", "hi", "hin"), ("hungarian", "hu", "hun"), ("icelandic", "is", ""), ("indonesian", "id", "ind"),
    ("irish", "ga", ""), ("italian", "it", "ita"), ("japanese", "ja", "jpn"), ("kazakh", "kk", ""),
    ("korean", "ko", "kor"), ("latin", "la", "lat"), ("latvian", "lv", "lav"), ("lithuanian", "lt", "lit"),
    ("macedonian", "mk", "mkd"), ("malay", "ms", ""), ("maori", "mi", ""), ("marathi", "mr", "mar"),
    ("mongolian", "mn", ""), ("nynorsk", "nn", ""), ("persian", "fa", "pes"), ("polish", "pl", "pol"),
    ("portuguese", "pt", "por"), ("punjabi", "pa", "pan"), ("romanian", "ro", "ron"), ("russian", "ru", "rus"),
    ("serbian", "sr", "srp"), ("shona", "sn", "sna"), ("slovak", "sk", "slk"), ("slovene", "sl", "slv"),
    ("somali", "so", ""), ("sotho", "st", ""), ("spanish", "es", "spa"), ("swahili", "sw", ""),
    ("swedish", "sv", "swe"), ("tagalog", "tl", "tgl"), ("tamil", "ta", "tam"), ("telugu", "te", "tel"),
    ("thai", "th", "tha"), ("tsonga", "ts", ""), ("tswana", "tn", ""), ("turkish", "tr", "tur"),
    ("ukrainian", "uk", "ukr"), ("urdu", "ur", "urd"), ("vietnamese", "vi", "vie"), ("welsh", "cy", "cym"),
    ("xhosa", "xh", ""), ("yoruba", "yo", ""), ("zulu", "zu", "zul"),
];

/// Characters of a text.
const LENGTHS: [usize; 3] = [20, 50, 200];

/// Bytes of a document whose speed is measured.
const DOCUMENT_BYTES: usize = 3_000;

/// Runs of which the best counts, and how long each takes at least.
const RUNS: usize = 3;
const LEAST_SECONDS: f64 = 0.2;

/// Sentences of a language.
struct Sentences {
    code: &'static str,
    texts: Vec<String>,
}

/// What a tool says of a text: a language and a score.
type Tell<'t> = Box<dyn FnMut(&str) -> Option<(String, f32)> + 't>;

/// A tool: its name, the codes it knows, and what it says of a text.
struct Tool<'t> {
    name: String,
    knows: Vec<String>,
    tell: Tell<'t>,
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [folder, models @ ..] = arguments.as_slice() else {
        println!("give a folder of the crates lingua-*-language-model: `make bench-language`");
        return;
    };
    let sentences: Vec<Sentences> =
        LANGUAGES.iter().map(|(name, code, _)| read(folder, name, code)).collect();
    let ours = Detector::built_in(SAMPLE_BYTES);
    let whole = Detector::built_in(0);
    let loaded: Vec<(String, Detector)> = models.iter().map(|path| (path.clone(), load(path))).collect();
    let mut tools =
        vec![of_detector("thresher", &ours), of_detector("thresher, all of a text", &whole), whatlang()];
    tools.extend(loaded.iter().map(|(path, detector)| {
        of_detector(Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path), detector)
    }));
    let common: Vec<&str> = LANGUAGES.iter().map(|(_, code, _)| *code).collect();
    let is_known = |code: &&str| tools.iter().all(|tool| tool.knows.iter().any(|known| known == code));
    let common: Vec<&str> = common.into_iter().filter(is_known).collect();
    for tool in &mut tools {
        println!("{}: {} languages", tool.name, tool.knows.len());
        for length in LENGTHS {
            accuracy(tool, &sentences, &common, length);
        }
        speed(tool, &sentences);
    }
}

fn accuracy(tool: &mut Tool<'_>, sentences: &[Sentences], common: &[&str], length: usize) {
    let (mut all, mut known, mut of_common) = (Vec::new(), Vec::new(), Vec::new());
    let mut worst = Vec::new();
    // How good scores are: the mean of -ln of what the right answer has, if the rest is spread over 75 languages.
    let (mut loss, mut sure, mut count) = (0.0, 0.0, 0.0);
    for Sentences { code, texts } in sentences {
        let texts = cut(texts, length);
        let mut right = 0;
        for text in &texts {
            let found = (tool.tell)(text);
            let is_right = found.as_ref().is_some_and(|(found, _)| found == code);
            right += usize::from(is_right);
            let score = found.map_or(0.0, |(_, score)| f64::from(score));
            let of_right = if is_right { score } else { (1.0 - score) / 74.0 };
            (loss, sure, count) = (loss - of_right.max(1e-6).ln(), sure + score, count + 1.0);
        }
        let share = right as f64 / texts.len() as f64;
        all.push(share);
        if common.contains(code) {
            of_common.push(share);
        }
        if tool.knows.iter().any(|known| known == code) {
            known.push(share);
            worst.push((share, *code));
        }
    }
    worst.sort_by(|a, b| a.0.total_cmp(&b.0));
    let worst: Vec<String> =
        worst.iter().take(8).map(|(share, code)| format!("{code} {:.0}", share * 100.0)).collect();
    println!(
        "{length:>6} characters: {:.2} % of {} languages, {:.2} % of the {} it knows, {:.2} % of the {} that all know, mean score {:.3}, loss {:.3}; worst {}",
        mean(&all) * 100.0,
        all.len(),
        mean(&known) * 100.0,
        known.len(),
        mean(&of_common) * 100.0,
        of_common.len(),
        sure / count,
        loss / count,
        worst.join(", ")
    );
}

fn mean(shares: &[f64]) -> f64 {
    shares.iter().sum::<f64>() / shares.len() as f64
}

/// Texts of at most so many characters, cut between words where there are blanks.
fn cut(sentences: &[String], length: usize) -> Vec<String> {
    let mut texts = Vec::new();
    let mut joined = String::new();
    for sentence in sentences {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(sentence);
        if joined.chars().count() < length {
            continue;
        }
        let end = joined.char_indices().nth(length).map_or(joined.len(), |(place, _)| place);
        let head = &joined[..end];
        let word = if end < joined.len() { head.rfind(' ').filter(|word| *word > end / 2) } else { None };
        texts.push(head[..word.unwrap_or(end)].to_owned());
        joined.clear();
    }
    texts
}

fn speed(tool: &mut Tool<'_>, sentences: &[Sentences]) {
    let latin = ["en", "de", "pl", "vi", "zu"];
    for (name, of) in [
        ("Latin", &latin[..]),
        ("ru uk", &["ru", "uk"]),
        ("ar fa", &["ar", "fa"]),
        ("hi", &["hi"]),
        ("zh ja ko", &["zh", "ja", "ko"]),
    ] {
        let documents: Vec<String> =
            sentences.iter().filter(|one| of.contains(&one.code)).flat_map(documents).collect();
        let bytes: usize = documents.iter().map(String::len).sum();
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            // The time of a thread is told in steps of milliseconds.
            let (start, mut rounds) = (seconds(), 0.0);
            while seconds() - start < LEAST_SECONDS {
                for document in &documents {
                    (tool.tell)(document);
                }
                rounds += 1.0;
            }
            best = best.min((seconds() - start) / rounds);
        }
        print!("  {name} {:.1} MB/s", bytes as f64 / 1e6 / best);
    }
    println!();
}

fn documents(sentences: &Sentences) -> Vec<String> {
    let mut documents = vec![String::new()];
    for text in &sentences.texts {
        if documents.last().is_some_and(|last| last.len() > DOCUMENT_BYTES) {
            documents.push(String::new());
        }
        if let Some(last) = documents.last_mut() {
            last.push_str(text);
            last.push('\n');
        }
    }
    documents
}

fn of_detector<'d>(name: &str, detector: &'d Detector) -> Tool<'d> {
    let mut worker = detector.worker();
    // lid.176 calls Bokmål by the code of both kinds of Norwegian.
    let code = |code: &str| if code == "no" { "nb".to_owned() } else { code.to_owned() };
    Tool {
        name: name.to_owned(),
        knows: detector.languages().into_iter().map(code).collect(),
        tell: Box::new(move |text| {
            let found = worker.detect(text);
            found.language.map(|language| (code(language), found.score))
        }),
    }
}

fn whatlang() -> Tool<'static> {
    let code = |three: &str| {
        LANGUAGES
            .iter()
            .find(|(_, _, known)| *known == three)
            .map_or_else(|| three.to_owned(), |(_, code, _)| (*code).to_owned())
    };
    Tool {
        name: "whatlang".to_owned(),
        knows: whatlang::Lang::all().iter().map(|language| code(language.code())).collect(),
        tell: Box::new(move |text| {
            whatlang::detect(text).map(|found| (code(found.lang().code()), found.confidence() as f32))
        }),
    }
}

fn load(path: &str) -> Detector {
    let file = File::open(path).expect("a model");
    let length = file.metadata().expect("a file").len();
    let model = Model::read(&mut BufReader::new(file), length).expect("a model of fastText");
    Detector::fasttext(model, SAMPLE_BYTES)
}

/// The sentences of a language.
fn read(folder: &str, name: &str, code: &'static str) -> Sentences {
    let begins = format!("lingua-{name}-language-model");
    let found = fs::read_dir(folder)
        .expect("a folder")
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&begins)));
    let path = found.expect("a crate of each language").path().join("testdata/sentences.txt");
    let text = fs::read_to_string(path).expect("sentences");
    let texts = text.lines().map(str::to_owned).collect();
    Sentences { code, texts }
}

/// Seconds that this thread ran, or since the first call where Linux does not say.
fn seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let ran = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = ran.as_deref().and_then(|ran| ran.split(' ').next()?.parse::<f64>().ok());
    ran.map_or_else(
        || START.get_or_init(Instant::now).elapsed().as_secs_f64(),
        |nanoseconds| nanoseconds / 1e9,
    )
}
