//! What a newer version of the program wrote into a case and this one does not know: it is kept, and written again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Event;

/// Where an item of a list is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// By its identity.
    Id(u64),
    /// By its place.
    Place(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum Rest {
    Whole(Value),
    Keys(BTreeMap<String, Rest>),
    Items(BTreeMap<Key, Rest>),
}

/// The keys of a snapshot that are not known, in their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unknown(Option<Rest>);

impl Unknown {
    /// What `found` has and `known`, the same as this program writes it, has not.
    pub fn between(found: &Value, known: &Value) -> Self {
        Self(between(found, known))
    }

    /// Puts everything back where its surroundings are still there.
    pub fn put(&self, into: &mut Value) {
        if let Some(rest) = &self.0 {
            put(rest, into);
        }
    }

    /// Takes up what a line of the journal says beyond its event.
    pub fn learn(&mut self, found: &Value, event: &Event) {
        let (list, name, id) = match event {
            Event::Annotate { annotation } => ("annotations", "annotation", annotation.id),
            Event::PutRow { row } => ("manual_rows", "row", row.id),
            Event::PutLedger { change } => ("ledger", "change", change.id),
            _ => return,
        };
        let Ok(known) = serde_json::to_value(event) else { return };
        let part = |value: &Value| value.get(name).cloned().unwrap_or_default();
        let Some(rest) = between(&part(found), &part(&known)) else { return };
        let item = Rest::Items(BTreeMap::from([(Key::Id(id), rest)]));
        let keys = Rest::Keys(BTreeMap::from([(list.to_owned(), item)]));
        let whole = Rest::Keys(BTreeMap::from([("state".to_owned(), keys)]));
        match &mut self.0 {
            None => self.0 = Some(whole),
            Some(known) => join(known, whole),
        }
    }
}

/// The key of an item of a list.
fn key(at: usize, item: &Value) -> Key {
    item.get("id").and_then(Value::as_u64).map_or(Key::Place(at), Key::Id)
}

fn between(found: &Value, known: &Value) -> Option<Rest> {
    match (found, known) {
        (Value::Object(found), Value::Object(known)) => {
            let rest = found.iter().filter_map(|(name, value)| match known.get(name) {
                Some(known) => Some((name.clone(), between(value, known)?)),
                None => Some((name.clone(), Rest::Whole(value.clone()))),
            });
            let rest: BTreeMap<String, Rest> = rest.collect();
            (!rest.is_empty()).then_some(Rest::Keys(rest))
        }
        (Value::Array(found), Value::Array(known)) => {
            let pairs = found.iter().zip(known).enumerate();
            let rest =
                pairs.filter_map(|(at, (found, known))| Some((key(at, known), between(found, known)?)));
            let rest: BTreeMap<Key, Rest> = rest.collect();
            (!rest.is_empty()).then_some(Rest::Items(rest))
        }
        _ => None,
    }
}

fn put(rest: &Rest, into: &mut Value) {
    match (rest, into) {
        (Rest::Keys(keys), Value::Object(into)) => {
            for (name, rest) in keys {
                match (into.get_mut(name), rest) {
                    (Some(value), rest) => put(rest, value),
                    (None, Rest::Whole(value)) => {
                        into.insert(name.clone(), value.clone());
                    }
                    (None, _) => {}
                }
            }
        }
        (Rest::Items(items), Value::Array(into)) => {
            for (at, value) in into.iter_mut().enumerate() {
                if let Some(rest) = items.get(&key(at, value)) {
                    put(rest, value);
                }
            }
        }
        _ => {}
    }
}

fn join(known: &mut Rest, more: Rest) {
    match (known, more) {
        (Rest::Keys(known), Rest::Keys(more)) => join_maps(known, more),
        (Rest::Items(known), Rest::Items(more)) => join_maps(known, more),
        (known, more) => *known = more,
    }
}

fn join_maps<K: Ord>(known: &mut BTreeMap<K, Rest>, more: BTreeMap<K, Rest>) {
    for (name, rest) in more {
        match known.get_mut(&name) {
            Some(known) => join(known, rest),
            None => {
                known.insert(name, rest);
            }
        }
    }
}
