//! Words in front of a number that say what it is: `Tel.`, `born`, `ISBN`.
//!
//! Words are looked at only where something asks, and each once: a scan goes on where the last one stopped, so all
//! questions together take time linear in the text.

/// What a word says of the number behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Cue {
    /// A telephone.
    Phone,
    /// A payment card.
    Card,
    /// A social security number.
    Ssn,
    /// A birth.
    Birth,
    /// A host on the net.
    Host,
    /// A version of software, or a section of a text.
    Version,
    /// A name for a thing: an order, a book, a part.
    Reference,
}

const CUES: usize = 7;
/// Bytes in front of a number within which a word counts.
const WINDOW: usize = 40;
/// The same, if a line ends in between.
const WINDOW_OF_LINE: usize = 12;
/// Words that are longer are no cue.
const LONGEST: usize = 18;

/// The cues of a text as far as it was asked for.
pub(super) struct Context<'t> {
    bytes: &'t [u8],
    scanned: usize,
    /// Behind the last word of each cue; 0 if there was none.
    last: [usize; CUES],
    /// Behind the last end of a line.
    line: usize,
}

impl<'t> Context<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        Self { bytes, scanned: 0, last: [0; CUES], line: 0 }
    }

    /// Whether a word of this cue stands in front of `at`. Places come in ascending order, or a little before the last one.
    pub(super) fn says(&mut self, cue: Cue, at: usize) -> bool {
        self.scan(at);
        let last = self.last[cue as usize];
        let window = if last < self.line { WINDOW_OF_LINE } else { WINDOW };
        last != 0 && last <= at && at - last <= window
    }

    /// Whether a word of this cue is nearer to `at` than one of `other`.
    pub(super) fn says_rather(&mut self, cue: Cue, other: Cue, at: usize) -> bool {
        self.says(cue, at) && !(self.says(other, at) && self.last[other as usize] > self.last[cue as usize])
    }

    fn scan(&mut self, at: usize) {
        let mut place = self.scanned.max(at.saturating_sub(WINDOW + LONGEST));
        if place >= at {
            return;
        }
        if place > self.scanned && place > 0 && is_letter(self.bytes[place - 1]) {
            // In the middle of a word, whose end may look like another one.
            place += self.bytes[place..at].iter().take_while(|&&byte| is_letter(byte)).count();
        }
        while place < at {
            let length = self.bytes[place..at].iter().take_while(|&&byte| is_letter(byte)).count();
            if (1..=LONGEST).contains(&length)
                && let Some(cue) = self.cue(place, length)
            {
                self.last[cue as usize] = place + length;
            }
            place += length;
            if place < at && self.bytes[place] == b'\n' {
                self.line = place + 1;
            }
            place += 1;
        }
        self.scanned = at;
    }

    fn cue(&self, start: usize, length: usize) -> Option<Cue> {
        let mut lower = [0; LONGEST];
        for (to, from) in lower.iter_mut().zip(&self.bytes[start..start + length]) {
            *to = from.to_ascii_lowercase();
        }
        match cue_of(&lower[..length]) {
            // D.O.B.
            None if &lower[..length] == b"b" => {
                let before = self.bytes[..start].last_chunk::<4>()?;
                before.eq_ignore_ascii_case(b"d.o.").then_some(Cue::Birth)
            }
            cue => cue,
        }
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// The cue of a word in lower case; words of English, and the commonest of German, French, Spanish, Portuguese and Italian.
fn cue_of(word: &[u8]) -> Option<Cue> {
    Some(match word {
        b"tel"
        | b"tels"
        | b"phone"
        | b"phones"
        | b"telephone"
        | b"telefon"
        | b"telefono"
        | b"telefone"
        | b"telefonnummer"
        | b"rufnummer"
        | b"tlf"
        | b"fon"
        | b"fax"
        | b"telefax"
        | b"mobile"
        | b"mobil"
        | b"movil"
        | b"cell"
        | b"cellphone"
        | b"cellular"
        | b"celular"
        | b"whatsapp"
        | b"call"
        | b"dial"
        | b"ring"
        | b"hotline"
        | b"sms"
        | b"contact"
        | b"ph"
        | b"voicemail"
        | b"pager"
        | b"phonenumber"
        | b"mobilephone"
        | b"homephone"
        | b"workphone"
        | b"t\xc3\xa9l"
        | b"t\xc3\xa9l\xc3\xa9phone"
        | b"tel\xc3\xa9fono"
        | b"m\xc3\xb3vil" => Cue::Phone,
        b"card" | b"cards" | b"visa" | b"mastercard" | b"amex" | b"credit" | b"debit" | b"cc"
        | b"maestro" | b"unionpay" | b"jcb" | b"payment" | b"paid" | b"creditcard" | b"cardnumber"
        | b"kreditkarte" | b"tarjeta" => Cue::Card,
        b"ssn" | b"ssns" | b"social" | b"socialsecurity" => Cue::Ssn,
        b"born" | b"dob" | b"birth" | b"birthdate" | b"birthday" | b"dateofbirth" | b"geboren" | b"geb"
        | b"geburtsdatum" | b"naissance" | b"nacimiento" | b"nacido" | b"nacida" | b"nascimento"
        | b"nascita" | b"n\xc3\xa9" | b"n\xc3\xa9e" => Cue::Birth,
        b"ip" | b"ips" | b"ipv" | b"ipaddress" | b"address" | b"addresses" | b"addr" | b"host" | b"hosts"
        | b"server" | b"servers" | b"client" | b"dns" | b"nameserver" | b"gateway" | b"proxy" | b"ping"
        | b"inet" | b"peer" | b"connect" | b"connection" | b"connected" | b"login" | b"remote" | b"src"
        | b"dst" | b"firewall" | b"traceroute" => Cue::Host,
        b"version" | b"versions" | b"ver" | b"v" | b"release" | b"releases" | b"released" | b"build"
        | b"firmware" | b"section" | b"sections" | b"sec" | b"chapter" | b"clause" | b"appendix"
        | b"annex" | b"oid" | b"update" | b"updated" | b"upgrade" | b"upgraded" | b"upgrading"
        | b"downgrade" | b"patch" | b"driver" | b"kernel" | b"package" | b"software" | b"dll"
        | b"assembly" | b"sdk" | b"plugin" | b"chrome" | b"firefox" | b"safari" | b"edge" | b"opera"
        | b"figure" | b"table" | b"paragraph" | b"requirement" => Cue::Version,
        b"order" | b"orders" | b"invoice" | b"isbn" | b"arxiv" | b"issn" | b"serial" | b"sku" | b"ref"
        | b"reference" | b"doi" | b"tracking" | b"ticket" | b"part" | b"item" | b"product" | b"catalog"
        | b"case" | b"issue" | b"pmid" | b"bug" | b"lot" | b"batch" | b"upc" | b"ean" | b"gtin" | b"asin"
        | b"barcode" | b"id" | b"ids" | b"patent" | b"policy" | b"timestamp" | b"hash" | b"checksum"
        | b"rfc" | b"uuid" | b"guid" | b"commit" | b"revision" | b"docket" | b"permit" | b"transaction"
        | b"confirmation" | b"booking" | b"receipt" | b"shipment" | b"parcel" | b"meter" | b"grant"
        | b"contract" | b"purchase" | b"po" | b"model" => Cue::Reference,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str, cue: Cue) -> bool {
        Context::new(text.as_bytes()).says(cue, text.len())
    }

    #[test]
    fn a_word_counts_if_it_is_near_and_whole() {
        assert!(says("Tel.: ", Cue::Phone) && says("mobilePhone=\"", Cue::Phone));
        assert!(!says("The hotel ", Cue::Phone) && !says("telling ", Cue::Phone));
        assert!(says("D.O.B. ", Cue::Birth) && says("née le ", Cue::Birth) && !says("plan B. ", Cue::Birth));
        let far = format!("phone {}", " ".repeat(WINDOW));
        assert!(!says(&far, Cue::Phone));
        // The window begins within a word.
        let within = format!("ho{}tel{}", "x".repeat(30), " ".repeat(WINDOW - 1));
        assert!(!says(&within, Cue::Phone));
    }

    #[test]
    fn the_nearer_word_counts() {
        let text = b"call us about order ";
        let mut context = Context::new(text);
        assert!(!context.says_rather(Cue::Phone, Cue::Reference, text.len()));
        assert!(context.says_rather(Cue::Reference, Cue::Phone, text.len()));
    }

    #[test]
    fn asking_often_is_as_good_as_asking_once() {
        let text = "phone 12 order 34 version 56 and born in a hotel 78";
        let mut asked = Context::new(text.as_bytes());
        for at in text.bytes().enumerate().filter(|(_, byte)| *byte == b' ').map(|(at, _)| at + 1) {
            for cue in [Cue::Phone, Cue::Reference, Cue::Version, Cue::Birth] {
                let once = Context::new(&text.as_bytes()[..at]).says(cue, at);
                assert_eq!(asked.says(cue, at), once, "{cue:?} at {at}");
            }
        }
    }
}
