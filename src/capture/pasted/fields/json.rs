//! Reads `tshark -T json` and `-T ek`: one object of layers a packet, whatever stands around it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Fields, Taker, table};

const LAYERS: &[u8] = b"\"layers\"";

/// Hands on the packets of a text.
pub(super) fn read(text: &str, taker: &mut Taker<'_>) {
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(text.as_bytes().get(at..).unwrap_or_default(), LAYERS) {
        at += found;
        let milliseconds = stamp_before(text, at);
        at += LAYERS.len();
        let rest = text.get(at..).unwrap_or("");
        let Some(object) = rest.trim_start().strip_prefix(':').map(str::trim_start) else { continue };
        let mut packets = serde_json::Deserializer::from_str(object).into_iter::<Layers>();
        let Some(packet) = packets.next() else { continue };
        let Ok(Layers(mut fields)) = packet else {
            taker.cut += 1;
            continue;
        };
        at = text.len() - object.len() + packets.byte_offset();
        if let Some(milliseconds) = milliseconds {
            fields.add("timestamp", milliseconds);
        }
        taker.take(&fields);
    }
}

/// `{"timestamp":"1753101002801",` before the layers.
fn stamp_before(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?.trim_end().strip_suffix(',')?.trim_end().strip_suffix('"')?;
    let (rest, digits) = before.rsplit_once('"')?;
    rest.trim_end().strip_suffix(':')?.trim_end().ends_with("\"timestamp\"").then_some(digits)
}

/// The known fields of an object, in their order; names may stand in it several times.
struct Layers(Fields);

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::default();
        deserializer.deserialize_map(Object(&mut fields))?;
        Ok(Self(fields))
    }
}

struct Object<'f>(&'f mut Fields);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("layers of a packet")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Key(key)) = map.next_key()? {
            let known = table::known(&key).or_else(|| table::known_underscored(&key));
            map.next_value_seed(Value { fields: &mut *self.0, known, is_raw: key == "frame_raw" })?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// What stands behind a name: text, several of it, or fields within.
struct Value<'f> {
    fields: &'f mut Fields,
    known: Option<&'static str>,
    /// Only the first of several is the frame; its place and length follow.
    is_raw: bool,
}

impl Value<'_> {
    fn add(self, text: &str) {
        if let Some(known) = self.known.filter(|_| !text.is_empty()) {
            self.fields.values.push((known, text.to_owned()));
        }
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.add(text);
        Ok(())
    }

    fn visit_bool<E>(self, is: bool) -> Result<(), E> {
        self.add(if is { "1" } else { "0" });
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.add(&number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.add(&number.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.add(&number.to_string());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut several: S) -> Result<(), S::Error> {
        loop {
            let one = Value { fields: &mut *self.fields, known: self.known, is_raw: false };
            if several.next_element_seed(one)?.is_none() {
                return Ok(());
            }
            if self.is_raw {
                while several.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(());
            }
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<(), M::Error> {
        Object(self.fields).visit_map(map)
    }
}
