//! The moment that a template takes for now, and `strftime`.

use super::error::{Failure, Outcome};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Moment {
    /// Reads `2024-07-26` or `2024-07-26T10:00:00`; a fraction of a second and a zone are not looked at.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
        let mut date = date.splitn(3, '-');
        let (year, month, day) = (date.next()?, date.next()?, date.next()?);
        let mut time = time.splitn(3, ':');
        let (hour, minute, second) = (time.next()?, time.next()?, time.next().unwrap_or("0"));
        let moment = Self {
            year: year.parse().ok()?,
            month: month.parse().ok()?,
            day: day.parse().ok()?,
            hour: hour.parse().ok()?,
            minute: minute.parse().ok()?,
            second: second.get(..2).unwrap_or(second).parse().ok()?,
        };
        let valid = (1..=9999).contains(&moment.year)
            && (1..=12).contains(&moment.month)
            && (1..=moment.days_in_month()).contains(&moment.day)
            && moment.hour < 24
            && moment.minute < 60
            && moment.second < 60;
        valid.then_some(moment)
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn days_in_month(self) -> u32 {
        match self.month {
            2 => 28 + u32::from(self.is_leap()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    fn day_of_year(self) -> u32 {
        (1..self.month).map(|month| Self { month, ..self }.days_in_month()).sum::<u32>() + self.day
    }

    /// Days since Sunday.
    fn weekday(self) -> usize {
        let before = self.year - 1;
        let days = before * 365 + before / 4 - before / 100 + before / 400 + self.day_of_year() as i32;
        days.rem_euclid(7) as usize
    }

    /// The moment in Python's `strftime` format.
    pub(super) fn format(self, format: &str) -> Outcome<String> {
        let mut out = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut letter = chars.next();
            let plain = letter == Some('-');
            if plain {
                letter = chars.next();
            }
            let two = |value: u32| if plain { value.to_string() } else { format!("{value:02}") };
            let hour = (self.hour + 11) % 12 + 1;
            let part = match letter {
                Some('d') => two(self.day),
                Some('e') => format!("{:2}", self.day),
                Some('m') => two(self.month),
                Some('y') => two((self.year % 100) as u32),
                Some('Y') => self.year.to_string(),
                Some('B') => MONTHS[self.month as usize - 1].to_owned(),
                Some('b' | 'h') => MONTHS[self.month as usize - 1][..3].to_owned(),
                Some('A') => DAYS[self.weekday()].to_owned(),
                Some('a') => DAYS[self.weekday()][..3].to_owned(),
                Some('w') => self.weekday().to_string(),
                Some('u') => ((self.weekday() + 6) % 7 + 1).to_string(),
                Some('j') if plain => self.day_of_year().to_string(),
                Some('j') => format!("{:03}", self.day_of_year()),
                Some('H') => two(self.hour),
                Some('I') => two(hour),
                Some('M') => two(self.minute),
                Some('S') => two(self.second),
                Some('f') => "000000".to_owned(),
                Some('p') => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
                Some('F') => self.format("%Y-%m-%d")?,
                Some('T') => self.format("%H:%M:%S")?,
                Some('D') => self.format("%m/%d/%y")?,
                Some('R') => self.format("%H:%M")?,
                Some('Z' | 'z') => String::new(),
                Some('n') => "\n".to_owned(),
                Some('t') => "\t".to_owned(),
                Some('%') => "%".to_owned(),
                other => {
                    let letter = other.map_or(String::new(), String::from);
                    return Err(Failure::error(format!("`%{letter}` of strftime_now is not supported")));
                }
            };
            out.push_str(&part);
        }
        Ok(out)
    }
}
