//! Elastic Common Schema 8: one JSON document a line for each cited packet and for each finding.
//!
//! ICMP types and codes have no field in the core schema and are written under a custom `icmp`.

use serde_json::{Map, Value, json};

use crate::decode::{Quote, dns};
use crate::findings::{Finding, Severity};
use crate::index::{Index, Packet, PacketId};
use crate::protocols::ProtocolId;
use crate::protocols::dns::type_name;
use crate::time;

/// What is written.
pub struct Input<'i> {
    /// The packets.
    pub index: &'i Index,
    /// The packets to write, in order.
    pub packets: &'i [PacketId],
    /// The findings to write as alerts.
    pub findings: &'i [Finding],
    /// SHA-256 of each source in hexadecimal, where known.
    pub sha256: &'i [String],
    /// The case's title.
    pub case: &'i str,
}

/// The documents, packets first; each becomes one line.
pub fn documents<'i>(input: &'i Input<'_>) -> impl Iterator<Item = Value> + use<'i> {
    let packets = input.packets.iter().filter_map(|id| input.index.packet(*id));
    let packets = packets.map(|packet| packet_document(input, &packet));
    packets.chain(input.findings.iter().map(|finding| finding_document(input, finding)))
}

fn common(input: &Input<'_>, packet: Option<&Packet<'_>>) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("ecs".into(), json!({"version": "8.11.0"}));
    document
        .insert("observer".into(), json!({"product": "portmortem", "version": env!("CARGO_PKG_VERSION")}));
    if let Some(packet) = packet {
        let has_date = packet.source.metadata.has_date;
        if has_date && !packet.source.metadata.is_local {
            document.insert("@timestamp".into(), json!(time::rfc3339(packet.time_ns())));
        } else {
            // Without a date there is no time stamp to state; the time of day is kept beside it.
            document.insert("@timestamp".into(), Value::Null);
            let kept = match &packet.source.metadata {
                metadata if metadata.counts_from_start => json!({"seconds": time::seconds(packet.time_ns())}),
                metadata if metadata.has_date => json!({"local_time": time::date_and_time(packet.time_ns())}),
                _ => json!({"time_of_day": time::time_of_day(packet.time_ns())}),
            };
            document.insert("portmortem".into(), kept);
        }
        let number = usize::from(packet.segment.source.0);
        let mut file = json!({"name": packet.source.name, "size": packet.source.size});
        if let (Some(hash), Some(object)) = (input.sha256.get(number), file.as_object_mut()) {
            object.insert("hash".into(), json!({"sha256": hash}));
        }
        document.insert("file".into(), file);
    }
    document.insert("labels".into(), json!({"case": input.case}));
    document
}

fn packet_document(input: &Input<'_>, packet: &Packet<'_>) -> Value {
    let mut document = common(input, Some(packet));
    let label = input.index.label(packet.id);
    document.insert(
        "event".into(),
        json!({"kind": "event", "category": ["network"], "dataset": "portmortem.packet", "id": label}),
    );
    document.insert("message".into(), json!(packet.summary()));
    let ports = packet.decode().ports();
    let end = |address: crate::decode::Address, port: Option<u16>| {
        let mut end = Map::new();
        if let Some(name) = address.name() {
            end.insert("domain".into(), json!(name.to_string()));
        } else if let Some(ip) = address.ip() {
            end.insert("ip".into(), json!(ip.to_string()));
        }
        if let Some(port) = port {
            end.insert("port".into(), json!(port));
        }
        end
    };
    document.insert("source".into(), end(packet.source_address(), ports.map(|p| p.0)).into());
    document.insert("destination".into(), end(packet.destination_address(), ports.map(|p| p.1)).into());
    let transport = match packet.transport() {
        6 => "tcp",
        17 => "udp",
        1 => "icmp",
        58 => "ipv6-icmp",
        _ => "",
    };
    let mut network = json!({"protocol": packet.protocol().protocol().name});
    if let Some(network) = network.as_object_mut() {
        if !transport.is_empty() {
            network.insert("transport".into(), json!(transport));
        }
        if !packet.is_text() {
            network.insert("bytes".into(), json!(packet.original()));
        }
    }
    document.insert("network".into(), network);
    if let Some(row) = packet.dns() {
        let name = packet.segment.names.get(row.name).map(dns::presentation);
        document.insert(
            "dns".into(),
            dns_object(row.header, name, row.asked_type().map(|qtype| (qtype, row.qclass))),
        );
    }
    if let Some(icmp) = icmp_object(packet) {
        document.insert("icmp".into(), icmp);
    }
    document.into()
}

fn dns_object(header: dns::Header, name: Option<String>, asked: Option<(u16, u16)>) -> Value {
    let flags =
        [(0x0400, "AA"), (0x0200, "TC"), (0x0100, "RD"), (0x0080, "RA"), (0x0020, "AD"), (0x0010, "CD")];
    let set: Vec<&str> =
        flags.iter().filter(|(bit, _)| header.flags & bit != 0).map(|(_, name)| *name).collect();
    let mut object = json!({
        "id": header.id.to_string(),
        "type": if header.is_response() { "answer" } else { "query" },
        "op_code": header.opcode().to_string(),
        "header_flags": set,
    });
    if let Some(fields) = object.as_object_mut() {
        if header.is_response() {
            fields.insert("response_code".into(), json!(header.response_code().to_string()));
        }
        if let Some(name) = name {
            let class = asked.map(|(_, qclass)| match qclass {
                1 => "IN".to_owned(),
                3 => "CH".to_owned(),
                255 => "ANY".to_owned(),
                other => format!("CLASS{other}"),
            });
            let kind = asked.map(|(qtype, _)| type_name(qtype));
            fields.insert("question".into(), json!({"name": name, "type": kind, "class": class}));
        }
    }
    object
}

fn icmp_object(packet: &Packet<'_>) -> Option<Value> {
    if !matches!(packet.protocol(), ProtocolId::ICMP | ProtocolId::ICMPV6) {
        return None;
    }
    let decoded = packet.decode();
    let (kind, code) = decoded.icmp()?;
    let mut icmp = json!({"type": kind, "code": code});
    if let (Some(quote), Some(object)) = (Quote::read(&decoded), icmp.as_object_mut()) {
        let end = |address: crate::decode::Address, port: Option<u16>| json!({"ip": address.ip().map(|ip| ip.to_string()), "port": port});
        let ports = quote.inner.ports();
        object.insert(
            "quoted".into(),
            json!({
                "source": end(quote.inner.source, ports.map(|p| p.0)),
                "destination": end(quote.inner.destination, ports.map(|p| p.1)),
            }),
        );
    }
    Some(icmp)
}

fn finding_document(input: &Input<'_>, finding: &Finding) -> Value {
    let first = finding.frames.first().and_then(|id| input.index.packet(*id));
    let mut document = common(input, first.as_ref());
    let severity = match finding.severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
    };
    document.insert(
        "event".into(),
        json!({"kind": "alert", "category": ["network"], "dataset": "portmortem.finding", "severity": severity}),
    );
    document.insert("rule".into(), json!({"id": finding.id, "name": finding.id}));
    document.insert("message".into(), json!(finding.statement));
    let labels: Vec<String> = finding.frames.iter().take(100).map(|id| input.index.label(*id)).collect();
    document.insert(
        "portmortem".into(),
        json!({"frames": labels, "frame_count": finding.frames.len(), "filter": finding.filter}),
    );
    document.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Input as Capture, Progress, build};

    #[test]
    fn packets_and_errors_carry_schema_names() {
        let path = std::path::Path::new("tests/captures/lab/00_seed_reenacted.pcap");
        let (source, walk) = crate::capture::open(path).unwrap();
        let index = build(vec![Capture { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {});
        let input = Input {
            index: &index,
            packets: &[PacketId(0), PacketId(1)],
            findings: &[],
            sha256: &["ab".to_owned()],
            case: "t",
        };
        let lines: Vec<Value> = documents(&input).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["dns"]["question"]["name"], "yummyrecipesforme.com.");
        assert_eq!(lines[0]["@timestamp"], "2000-01-01T13:24:32.192571Z");
        assert_eq!(lines[1]["icmp"]["quoted"]["destination"]["port"], 53);
        assert_eq!(lines[1]["file"]["hash"]["sha256"], "ab");
    }
}
