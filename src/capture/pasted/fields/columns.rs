//! Reads `tshark -T fields -E header=y`, columns of chosen fields below a line with their names, and the columns of the packet list
//! below their titles where a spreadsheet divides them.

use super::{Fields, Taker, table};

/// What may stand between columns.
const DIVIDERS: [char; 5] = ['\t', ';', '|', ',', ' '];
/// What may stand around a value.
const QUOTES: [char; 2] = ['"', '\''];
/// Lines above the names.
const ABOVE_MAX: usize = 200;
/// Several values of one field in a column.
const WITHIN: char = ',';
/// Fields whose values have commas of their own.
const WHOLE: &[&str] =
    &["_ws.col.Info", "frame.time", "http.request.uri", "sip.Request-Line", "dns.qry.name"];

/// Titles of the list's columns in Wireshark's languages, and the field that each is.
const TITLES: &[(&str, &[&str])] = &[
    ("frame.number", &["No.", "Nr.", "N°", "Nº", "Num.", "No"]),
    ("_ws.col.Time", &["Time", "Zeit", "Temps", "Tiempo", "Tempo", "Tijd", "Tid"]),
    ("_ws.col.Source", &["Source", "Quelle", "Origen", "Fuente", "Sorgente", "Origem", "Bron", "Källa"]),
    ("_ws.col.Destination", &["Destination", "Ziel", "Destino", "Destinazione", "Bestemming", "Mål"]),
    ("_ws.col.Protocol", &["Protocol", "Protokoll", "Protocole", "Protocolo", "Protocollo"]),
    ("frame.len", &["Length", "Länge", "Longueur", "Longitud", "Lunghezza", "Comprimento", "Lengte"]),
    ("_ws.col.Info", &["Info", "Information"]),
    ("tcp.srcport", &["Source Port", "Src Port", "Quellport"]),
    ("tcp.dstport", &["Destination Port", "Dest Port", "Dst Port", "Zielport"]),
];

/// Which field a column of the list is, by its title.
pub(super) fn title(text: &str) -> Option<&'static str> {
    let text = text.trim().trim_matches(QUOTES).trim_start_matches('\u{feff}');
    let is_one = |titles: &[&str]| titles.iter().any(|title| title.eq_ignore_ascii_case(text));
    TITLES.iter().find(|(_, titles)| is_one(titles)).map(|(name, _)| *name)
}

/// A line of titles as a spreadsheet divides them. Rows divided by commas are read as they stand.
fn titles(line: &str) -> Option<Names> {
    // Rows have numbers, titles none.
    if line.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    [';', '\t'].into_iter().find_map(|divider| {
        let columns: Vec<_> = line.split(divider).map(title).collect();
        let has = |name: &str| columns.contains(&Some(name));
        let is_list = has("_ws.col.Source") && has("_ws.col.Destination") && has("_ws.col.Protocol");
        is_list.then_some(Names { columns, divider })
    })
}

/// The names of a header line: which field each column is, where it is one that is read.
struct Names {
    columns: Vec<Option<&'static str>>,
    divider: char,
}

/// A line of nothing but names of fields, with at least one end among them.
fn names(line: &str) -> Option<Names> {
    let is_name = |word: &str| {
        let word = word.trim_matches(QUOTES);
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        word.contains('.')
            && !word.ends_with('.')
            && word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.bytes().all(is_part)
    };
    let line = line.trim_matches(|c: char| c == '\r' || c == ' ' || c == '\u{feff}');
    if let Some(titles) = titles(line) {
        return Some(titles);
    }
    DIVIDERS.iter().find_map(|divider| {
        let words: Vec<&str> = line.split(*divider).map(str::trim).filter(|word| !word.is_empty()).collect();
        if words.len() < 2 || !words.iter().all(|word| is_name(word)) {
            return None;
        }
        let columns: Vec<_> = words.iter().map(|word| table::known(word.trim_matches(QUOTES))).collect();
        let is_end = |name: Option<&str>| {
            name.is_some_and(|name| {
                matches!(
                    name,
                    "ip.src" | "ipv6.src" | "ip.dst" | "ipv6.dst" | "_ws.col.Source" | "arp.src.proto_ipv4"
                )
            })
        };
        columns.iter().copied().any(is_end).then_some(Names { columns, divider: *divider })
    })
}

/// Whether names of fields stand above columns.
pub(super) fn are_named(text: &str) -> bool {
    text.lines().take(ABOVE_MAX).any(|line| names(line).is_some())
}

/// Hands on the packets of a text.
pub(super) fn read(text: &str, taker: &mut Taker<'_>) {
    let mut known: Option<Names> = None;
    for line in text.lines() {
        if let Some(names) = names(line) {
            known = Some(names);
            continue;
        }
        let Some(names) = &known else { continue };
        let values = divided(line.trim_end_matches('\r'), names.divider);
        // Behind the last column a line may end early; more of them are another text's.
        if values.len() > names.columns.len() || values.len() * 2 < names.columns.len() {
            continue;
        }
        let mut fields = Fields::default();
        for (name, value) in names.columns.iter().zip(&values) {
            let Some(name) = name else { continue };
            if *name == "_ws.col.Time" && names.divider != WITHIN {
                // A comma begins the fraction in many languages.
                fields.add(name, &value.replace(WITHIN, "."));
            } else if WHOLE.contains(name) || name.starts_with("_ws.col.") {
                fields.add(name, value.trim_end_matches([' ', '|']));
            } else {
                value.split(WITHIN).for_each(|value| fields.add(name, value.trim()));
            }
        }
        taker.take(&fields);
    }
}

/// The values of a line, without what stands around them.
fn divided(line: &str, divider: char) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut quote = None;
    let mut begins = true;
    for c in line.chars() {
        if quote.is_none() && c == divider {
            values.push(String::new());
            begins = true;
            continue;
        }
        if begins && QUOTES.contains(&c) {
            quote = Some(c);
        } else if quote == Some(c) {
            quote = None;
        } else if let Some(value) = values.last_mut() {
            value.push(c);
        }
        begins = false;
    }
    values
}
