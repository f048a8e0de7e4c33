use proptest::prelude::*;

use super::*;

const SENTENCES: [(&str, &str); 24] = [
    ("en", "The weather was fine, so we walked to the station together."),
    ("de", "Das Wetter war schön, also gingen wir zusammen zum Bahnhof."),
    ("fr", "Il faisait beau, alors nous sommes allés ensemble à la gare."),
    ("es", "Hacía buen tiempo, así que fuimos juntos a la estación."),
    ("it", "Il tempo era bello, quindi siamo andati insieme alla stazione."),
    ("pl", "Pogoda była ładna, więc poszliśmy razem na dworzec."),
    ("fi", "Sää oli kaunis, joten kävelimme yhdessä asemalle."),
    ("tr", "Hava güzeldi, bu yüzden istasyona birlikte yürüdük."),
    ("vi", "Thời tiết đẹp nên chúng tôi cùng nhau đi bộ đến nhà ga."),
    ("ru", "Погода была хорошая, поэтому мы вместе пошли на вокзал."),
    ("uk", "Погода була гарна, тому ми разом пішли на вокзал."),
    ("ar", "كان الطقس جميلا فذهبنا معا إلى المحطة"),
    ("fa", "هوا خوب بود، برای همین با هم به ایستگاه رفتیم"),
    ("hi", "मौसम अच्छा था, इसलिए हम साथ में स्टेशन गए।"),
    ("el", "Ο καιρός ήταν καλός και πήγαμε μαζί στον σταθμό."),
    ("he", "מזג האוויר היה יפה, אז הלכנו יחד לתחנה."),
    ("ka", "კარგი ამინდი იყო და სადგურზე ერთად წავედით."),
    ("th", "อากาศดี เราจึงเดินไปสถานีด้วยกัน"),
    ("zh", "天气很好，所以我们一起走到了车站。"),
    ("ja", "天気がよかったので、私たちは一緒に駅まで歩きました。"),
    ("ko", "날씨가 좋아서 우리는 함께 역까지 걸어갔다."),
    ("km", "អាកាសធាតុល្អ ដូច្នេះយើងដើរទៅស្ថានីយ៍ជាមួយគ្នា។"),
    ("am", "አየሩ ጥሩ ስለነበር አብረን ወደ ጣቢያው ሄድን።"),
    ("my", "ရာသီဥတုကောင်းသောကြောင့် ဘူတာသို့ အတူသွားခဲ့ကြသည်။"),
];

/// What is found of a text, with the language as a text of its own.
fn detected(text: &str) -> (String, f32) {
    let detector = Detector::built_in(SAMPLE_BYTES);
    let found = detector.worker().detect(text);
    (found.language.unwrap_or_default().to_owned(), found.score)
}

#[test]
fn sentences_are_told() {
    for (language, sentence) in SENTENCES {
        let found = detected(sentence);
        assert_eq!(found.0, language, "{sentence} {found:?}");
        assert!(found.1 > 0.6, "{sentence} {found:?}");
        assert_eq!(detected(&sentence.to_uppercase()).0, language, "{sentence}");
    }
}

#[test]
fn a_text_without_letters_has_no_language() {
    for text in ["", " \n\t", "12 + 30 = 42", "🌾🌾", "\u{0}\u{1}", "ᚠᚢᚦ"] {
        assert_eq!(detected(text), (String::new(), 0.0), "{text}");
    }
}

#[test]
fn there_are_many_languages_each_once() {
    let detector = Detector::built_in(0);
    let mut languages = detector.languages();
    let count = languages.len();
    languages.sort_unstable();
    languages.dedup();
    assert_eq!(languages.len(), count);
    assert!(count >= 80, "{count}");
}

#[test]
fn the_score_falls_with_letters_of_other_scripts() {
    let pure = detected("Погода была хорошая, поэтому мы вместе пошли на вокзал.");
    let mixed = detected("Погода была хорошая, поэтому мы пошли. The weather was fine.");
    assert_eq!(mixed.0, "ru");
    assert!(mixed.1 < pure.1);
}

#[test]
fn a_long_text_is_told_by_all_of_its_parts() {
    let menu = "Home About Contact Privacy Terms ".repeat(40);
    let body = "Das Wetter war schön, also gingen wir zusammen zum Bahnhof. ".repeat(2000);
    assert_eq!(detected(&format!("{menu}{body}")).0, "de");
}

#[test]
fn a_worker_remembers_nothing_of_the_text_before() {
    let detector = Detector::built_in(SAMPLE_BYTES);
    let mut worker = detector.worker();
    for (language, sentence) in SENTENCES {
        let found = worker.detect(sentence);
        assert_eq!(
            (found.language.unwrap_or_default().to_owned(), found.score),
            detected(sentence),
            "{language}"
        );
    }
}

#[test]
fn many_texts_are_told_as_one_by_one() {
    use thresher_core::Unobserved;
    use thresher_core::parallel::Pool;
    let detector = Detector::built_in(SAMPLE_BYTES);
    let texts: Vec<Option<&str>> =
        (0..500).map(|place| (place % 7 != 3).then(|| SENTENCES[place % SENTENCES.len()].1)).collect();
    let found = detect_all(&detector, &texts, &Pool, &Unobserved).unwrap();
    let mut worker = detector.worker();
    for (text, found) in texts.iter().zip(found) {
        assert_eq!(text.map(|text| worker.detect(text)), found);
    }
}

proptest! {
    #[test]
    fn any_text_is_told_with_a_score_from_0_to_1(text in "\\PC{0,200}", sample_bytes in 0usize..300) {
        let detector = Detector::built_in(sample_bytes);
        let found = detector.worker().detect(&text);
        prop_assert!((0.0..=1.0).contains(&found.score));
        prop_assert_eq!(found.language.is_none(), found.score == 0.0);
    }
}
