//! Makes filter texts from what is selected on screen, and joins them.

use std::fmt::Write as _;

use super::{Context, evidence, values};
use crate::decode::{Address, dns};
use crate::index::Packet;
use crate::protocols::{Kind, Node, Value};
pub use crate::text::quoted as quote;
use crate::time;

/// Bytes of a tree field a filter compares; longer fields are compared by their beginning.
const BYTES_MAX: usize = 16;

/// What of a packet the filter is to be about.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'s> {
    /// Its protocol.
    Protocol,
    /// The port of the service: the lower of the two.
    Port,
    /// Either of its addresses.
    Host,
    /// The sender.
    Source,
    /// The receiver.
    Destination,
    /// Both addresses, and both ports where it has them.
    Conversation,
    /// The name asked for.
    Name,
    /// How its DNS transaction ended.
    Outcome,
    /// Its DNS transaction.
    Transaction,
    /// A row of its detail tree.
    Field(&'s Node),
}

/// How a new part is joined to the filter there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Instead of it.
    Replace,
    /// Instead of it, negated.
    ReplaceNot,
    /// Both must match.
    And,
    /// Either may match.
    Or,
    /// The new part must not match.
    AndNot,
    /// Either the old one matches or the new one does not.
    OrNot,
}

/// The filter for a selection; `None` where the packet has nothing of the kind.
pub fn for_packet(selection: Selection<'_>, packet: &Packet<'_>, context: &Context<'_>) -> Option<String> {
    match selection {
        Selection::Protocol => Some(packet.protocol().protocol().name.to_owned()),
        Selection::Port => {
            let (transport, from, to) = ports(packet)?;
            Some(format!("{transport}.port == {}", from.min(to)))
        }
        Selection::Host => {
            host("addr", packet.destination_address()).or_else(|| host("addr", packet.source_address()))
        }
        Selection::Source => host("src", packet.source_address()),
        Selection::Destination => host("dst", packet.destination_address()),
        Selection::Conversation => conversation(packet),
        Selection::Name => {
            let row = packet.dns()?;
            let name = dns::presentation(packet.segment.names.get(row.name)?);
            Some(format!("dns.qry.name == {}", quote(&super::literal::normal_name(&name))))
        }
        Selection::Outcome => {
            let id = evidence::transaction_id(packet.id, context.evidence?)?;
            let transaction = context.evidence?.transaction(id)?;
            Some(format!("dns.outcome == {}", transaction.outcome.name()))
        }
        Selection::Transaction => {
            evidence::transaction_id(packet.id, context.evidence?)?;
            let mut text = format!("frame.number == {}", packet.frame().0);
            if context.index.sources.len() > 1 {
                let letter = crate::index::source_label(packet.segment.source);
                text = format!("file == {letter} and {text}");
            }
            Some(format!("transaction({text})"))
        }
        Selection::Field(node) => for_node(node),
    }
}

/// The filter for an address in any role.
pub fn for_host(address: Address) -> Option<String> {
    host("addr", address)
}

/// The filter for a stretch of time, both ends included.
pub fn for_times(from_ns: time::Nanos, to_ns: time::Nanos) -> String {
    format!("frame.time >= {} and frame.time <= {}", time::rfc3339(from_ns), time::rfc3339(to_ns))
}

/// The filter for a name in a DNS question.
pub fn for_name(name: &str) -> String {
    format!("dns.qry.name == {}", quote(&super::literal::normal_name(name)))
}

fn host(end: &str, address: Address) -> Option<String> {
    let family = match address {
        Address::None => return None,
        Address::Ether(_) => "eth",
        _ if address.is_v6() => "ipv6",
        _ => "ip",
    };
    Some(format!("{family}.{end} == {}{}", address.literal(), address.site_term()))
}

fn ports(packet: &Packet<'_>) -> Option<(&'static str, u16, u16)> {
    let (name, number) = match packet.transport() {
        6 => ("tcp", 6),
        17 => ("udp", 17),
        _ => return None,
    };
    let known = values::has_ports(number, packet.transport());
    let (from, to) = (packet.source_port(), packet.destination_port());
    (known && (from, to) != (0, 0)).then_some((name, from, to))
}

fn conversation(packet: &Packet<'_>) -> Option<String> {
    let (a, b) = (host("addr", packet.source_address())?, host("addr", packet.destination_address())?);
    let mut text = if a == b { a } else { format!("{a} and {b}") };
    if let Some((transport, from, to)) = ports(packet) {
        let _ = write!(text, " and {transport}.port == {from}");
        if from != to {
            let _ = write!(text, " and {transport}.port == {to}");
        }
    }
    Some(text)
}

/// The filter for a row of the detail tree; `None` for headings.
pub fn for_node(node: &Node) -> Option<String> {
    let field = node.field?;
    super::fields::find(field.name)?;
    let prefix = if node.quoted { "quoted." } else { "" };
    let name = field.name;
    let value = match &node.value {
        Value::None => return Some(format!("{prefix}{name}")),
        Value::Number(number) => match field.kind {
            Kind::Duration => format!("{number}ns"),
            Kind::Time => time::rfc3339(*number),
            _ => number.to_string(),
        },
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::Text(text) if field.kind == Kind::Name => quote(&super::literal::normal_name(text)),
        Value::Text(text) => quote(text),
        Value::Address(Address::None) => return None,
        Value::Address(address) => address.literal().to_string(),
        Value::Bytes(bytes) => return bytes_filter(&format!("{prefix}{name}"), bytes),
    };
    Some(format!("{prefix}{name} == {value}"))
}

fn bytes_filter(name: &str, bytes: &[u8]) -> Option<String> {
    let start = bytes.get(..bytes.len().min(BYTES_MAX)).filter(|start| !start.is_empty())?;
    let pairs: Vec<String> = start.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = if start.len() < bytes.len() { format!("[0:{BYTES_MAX}]") } else { String::new() };
    let text = match pairs.as_slice() {
        [single] => format!("0x{single}"),
        many => many.join(":"),
    };
    Some(format!("{name}{part} == {text}"))
}

/// Joins a new part to a filter; parentheses are added where the meaning would change without them.
pub fn join(current: &str, how: Join, part: &str) -> String {
    let current = current.trim();
    let negated = || {
        if is_single(part) { format!("not {part}") } else { format!("not ({part})") }
    };
    let wrapped = |text: &str, other: &str| {
        if mentions(text, other) || mentions(text, "xor") { format!("({text})") } else { text.to_owned() }
    };
    let (left, right) = (|other: &str| wrapped(current, other), |other: &str| wrapped(part, other));
    match how {
        Join::ReplaceNot => negated(),
        Join::AndNot if current.is_empty() => negated(),
        Join::OrNot if current.is_empty() => negated(),
        _ if current.is_empty() => part.to_owned(),
        Join::Replace => part.to_owned(),
        Join::And => format!("{} and {}", left("or"), right("or")),
        Join::AndNot => format!("{} and {}", left("or"), negated()),
        Join::Or => format!("{} or {}", left("and"), right("and")),
        Join::OrNot => format!("{} or {}", left("and"), negated()),
    }
}

/// Whether a filter has `and` or `or` outside strings; parentheses are not looked at, one pair more does no harm.
fn mentions(text: &str, word: &str) -> bool {
    use super::lexer::{Symbol, Token, lex};
    let sign = match word {
        "or" => Symbol::Or,
        "xor" => Symbol::Xor,
        _ => Symbol::And,
    };
    lex(text).is_ok_and(|tokens| {
        tokens.iter().any(|lexeme| match &lexeme.token {
            Token::Word => {
                text.get(lexeme.span.clone()).is_some_and(|found| found.eq_ignore_ascii_case(word))
            }
            Token::Symbol(symbol) => *symbol == sign,
            _ => false,
        })
    })
}

fn is_single(text: &str) -> bool {
    ["and", "or", "xor"].iter().all(|word| !mentions(text, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_filters_keep_their_meaning() {
        assert_eq!(join("", Join::And, "dns"), "dns");
        assert_eq!(join("dns or icmp", Join::And, "udp"), "(dns or icmp) and udp");
        assert_eq!(join("dns", Join::AndNot, "ip.addr == 192.0.2.1"), "dns and not ip.addr == 192.0.2.1");
        assert_eq!(join("a", Join::AndNot, "b and c"), "a and not (b and c)");
        assert_eq!(join("dns xor icmp", Join::And, "udp"), "(dns xor icmp) and udp");
        assert_eq!(join("", Join::AndNot, "dns ^^ icmp"), "not (dns ^^ icmp)");
        assert_eq!(
            join("x contains \"this or that\"", Join::And, "udp"),
            "x contains \"this or that\" and udp"
        );
    }

    #[test]
    fn hostile_names_become_filters_that_parse_to_themselves() {
        let name = "a\"b\\c\u{202e}\u{1}";
        let text = for_name(name);
        let filter = crate::filter::Filter::parse(&text).unwrap();
        let mut texts = Vec::new();
        filter.expression.tests(&mut |test| texts.push(format!("{:?}", test.check)));
        assert!(texts[0].contains(&format!("{name:?}")), "{texts:?}");
    }
}
