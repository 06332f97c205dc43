//! How the clocks of several captures stand to each other.

use super::super::words;
use super::Builder;
use crate::correlate::apart;
use crate::index::{Index, SourceId};
use crate::time;

/// By how much the times of files were corrected, and how they agree since then.
pub fn corrections(b: &Builder<'_>) -> Vec<String> {
    let index = b.input.index;
    let label = |source: SourceId| crate::index::source_label(source);
    if index.sources.len() < 2 {
        return Vec::new();
    }
    let measured = apart::measure(index);
    if index.sources.iter().all(|source| source.offset_ns == 0) {
        return unknown(index, &measured).into_iter().collect();
    }
    let corrected = index.sources.iter().enumerate().filter(|(_, source)| source.offset_ns != 0);
    let told = corrected.map(|(at, source)| {
        let own = SourceId::at(at);
        let agrees = measured.iter().find(|apart| apart.source == own && !apart.matters());
        let agrees = agrees.map_or_else(String::new, |apart| {
            let messages = words::count(apart.messages, "message", "messages");
            format!(
                ": with it {messages} that capture {} holds as well agree, but for the time they travel",
                label(apart.reference)
            )
        });
        let ahead = if source.offset_ns < 0 { "ahead" } else { "behind" };
        format!(
            "The clock of capture {} was {} {ahead}, and its times are corrected by that{agrees}.",
            label(own),
            time::span(source.offset_ns.abs())
        )
    });
    told.collect()
}

/// The files of one time whose clocks nothing compares.
fn unknown(index: &Index, measured: &[apart::Apart]) -> Option<String> {
    let span = |at: usize| {
        let own = index.segments().iter().filter(move |segment| segment.source.place() == at);
        own.map(|segment| segment.span_ns).reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    };
    let spans: Vec<_> = (0..index.sources.len()).map(span).collect();
    let alone = (1..spans.len()).filter(|at| {
        let own = spans.get(*at).copied().flatten();
        let meets = |other: &Option<(time::Nanos, time::Nanos)>| {
            own.zip(*other).is_some_and(|(own, other)| own.0 <= other.1 && other.0 <= own.1)
        };
        spans.iter().take(*at).any(meets) && !measured.iter().any(|apart| apart.source.place() == *at)
    });
    let labels: Vec<String> = alone.map(|at| crate::index::source_label(SourceId::at(at))).collect();
    (!labels.is_empty()).then(|| {
        format!(
            "How the clock of capture {} stands to those before it cannot be told: no three messages, handshakes, pings or datagrams of one direction stand in \
             both. Times of different captures are not compared by it; `--offset` states a difference that is known.",
            words::list(&labels, 4)
        )
    })
}
