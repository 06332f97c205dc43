//! Reads `tshark -T pdml`, tags of fields with their names and values, and `-T psml`, the columns of the list as tags.

use std::borrow::Cow;

use super::{Fields, Taker, columns};

const BEGIN: &str = "<packet>";
const END: &str = "</packet>";
/// Entities that XML has of its own.
const ENTITIES: [(&str, &str); 5] =
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];

/// Hands on the packets of a text.
pub(super) fn read(text: &str, taker: &mut Taker<'_>) {
    let structure = text.split_once("<structure>").and_then(|(_, text)| text.split_once("</structure>"));
    let titles: Vec<_> = structure
        .map_or_else(Vec::new, |(titles, _)| sections(titles).map(|title| columns::title(&title)).collect());
    let mut rest = text;
    while let Some((_, packet)) = rest.split_once(BEGIN) {
        let Some((packet, after)) = packet.split_once(END) else {
            taker.cut += 1;
            return;
        };
        rest = after;
        let mut fields = Fields::default();
        for tag in packet.split("<field ").skip(1) {
            let Some(name) = attribute(tag, "name") else { continue };
            if let Some(value) = attribute(tag, "show") {
                fields.add(name, &plain(value));
            }
        }
        for (title, value) in titles.iter().zip(sections(packet)) {
            if let Some(title) = title {
                fields.add(title, &value);
            }
        }
        taker.take(&fields);
    }
}

/// What stands in the tags of a row's columns.
fn sections(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split("<section>").skip(1).map(|section| plain(section.split("</section>").next().unwrap_or("")))
}

/// What stands behind `NAME=` in a tag. Quotation marks within a value are entities.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    loop {
        let (own, behind) = rest.split_once("=\"")?;
        let (value, after) = behind.split_once('"')?;
        if own.trim_start() == name {
            return Some(value);
        }
        rest = after;
        if rest.trim_start().starts_with(['>', '/']) {
            return None;
        }
    }
}

fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(ENTITIES.iter().fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign)))
}
