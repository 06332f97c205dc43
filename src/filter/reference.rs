//! The reference of the language, written from its tables: for the help command.

use std::fmt::Write as _;

use super::expression::FUNCTIONS;
use super::fields::{self, FieldInfo, Values};
use super::named;
use crate::protocols::Kind;

/// The word for a type.
pub fn kind_name(info: &FieldInfo) -> &'static str {
    if info.is_word() {
        return "protocol";
    }
    match info.kind {
        Kind::Address => "address",
        Kind::Number if matches!(info.source, fields::Source::Port(..)) => "port",
        Kind::Number if matches!(info.values, Values::Numbers(_)) => "enum",
        Kind::Number => "number",
        Kind::Name => "name",
        Kind::Text if matches!(info.values, Values::Words(_)) => "enum",
        Kind::Text => "text",
        Kind::Bool => "bool",
        Kind::Bytes => "bytes",
        Kind::Duration => "duration",
        Kind::Time => "time",
    }
}

/// An example of a field's use; made from its type where the table has none of its own.
pub fn example(info: &FieldInfo) -> String {
    if info.example != info.name || info.is_word() {
        return info.example.to_owned();
    }
    match info.kind {
        Kind::Address => format!("{} == 192.0.2.1", info.name),
        Kind::Number => format!("{} == 1", info.name),
        Kind::Name => format!("{} == \"www.example.com\"", info.name),
        Kind::Text => format!("{} contains \"example\"", info.name),
        Kind::Bool => format!("{} == 1", info.name),
        Kind::Bytes => format!("{}[0:2] == 01:00", info.name),
        Kind::Duration => format!("{} > 1s", info.name),
        Kind::Time => format!("{} >= 13:26", info.name),
    }
}

/// The language in plain text, for a terminal.
pub fn text() -> String {
    let mut out = String::from(GRAMMAR);
    out.push_str("\nFUNCTIONS OVER LINKED PACKETS\n");
    for (word, _, help) in FUNCTIONS {
        let _ = writeln!(out, "  {:<22} {help}", format!("{word}(FILTER)"));
    }
    out.push_str("\nNAMED FILTERS\n");
    for filter in named::ONLY_SHIPPED.all() {
        let _ = writeln!(out, "  {:<22} {}", format!("${}", filter.name), filter.title);
    }
    out.push_str(OWN);
    out.push_str("\nEvery field with its type and an example: portmortem fields\n");
    out
}

/// All fields as a table in plain text.
pub fn fields_text() -> String {
    let mut out = String::new();
    for info in fields::all() {
        let _ =
            writeln!(out, "{:<30} {:<9} {:<48} {}", info.name, kind_name(info), example(info), help(info));
    }
    out
}

fn help(info: &FieldInfo) -> String {
    let mut text = info.help.to_owned();
    if !info.aliases.is_empty() {
        let _ = write!(text, " (also {})", info.aliases.join(", "));
    }
    text
}

/// All fields as a Markdown table.
pub fn fields_markdown() -> String {
    let mut out = String::from("| Field | Type | Example | Meaning |\n|---|---|---|---|\n");
    for info in fields::all() {
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| `{}` | {} | `{}` | {} |",
            info.name,
            kind_name(info),
            cell(&example(info)),
            cell(&help(info))
        );
    }
    out
}

const GRAMMAR: &str = r#"FILTERS
One language takes the habits of Wireshark's display filters and of tcpdump, also mixed.

WIRESHARK'S WAY
  dns                            packets that carry DNS
  ip.addr == 203.0.113.2         also != < <= > >= and eq ne lt le gt ge
  ip.src == 203.0.113.0/24       an address inside a prefix
  dns.qry.name contains "yummy"  text inside; names are compared without case and final dot
  dns.qry.name matches r"^www\." a regular expression, without case; r"…" takes backslashes as they are
  ip.src contains ".113."        contains and matches read addresses as they are written
  tcp.port in {80, 443, 8000..8080}
  udp.payload[0:2] == 01:00      bytes by offset and length; also [4], [2-5], [:4], [-2:]
  tcp.flags & 0x12 == 0x02       bits of a number
  len(dns.qry.name) > 50         also count(), lower(), upper(), string(), max(), min(), abs()
  ip.src == ip.dst               a field against a field
  udp.length == ip.len - 20      + - * / % & | ^ << >>
  tcp.stream == 3                connections and conversations, numbered from 0
  time >= 13:26                  UTC; time in 13:24..13:27; 2024-05-14T13:26:05; the date may be left out
  dns.waited > 2s                ns, us, ms, s, min, h, d; seconds without a unit
  attempt.failed                 what a client wanted of any service, and what became of it; every packet of it has the
                                 attempt's fields, and the connection's (transport.repeats > 0)

TCPDUMP'S WAY
  host 203.0.113.2               also net 203.0.113.0/24, port 53, portrange 1024-2047
  src host 10.0.0.1 and dst port 53
  host resolver1                 a host that a text prints by name; ip.src == "<client>" in quotation marks
  udp port 53 or icmp            also ip proto 17, ether host 02:00:00:00:00:01, less 64, greater 1000
  port 53 or 5353                the words before the value hold on
  tcp[tcpflags] & (tcp-syn|tcp-rst) != 0
  ip[8] < 64                     bytes of a header as a number; ip[2:2], udp[10:2], tcp[((tcp[12] & 0xf0) >> 2):4]

JOINING
  and or xor not, && || ^^ !, ( )
                                 not binds tightest, then and, xor, or, as in Wireshark;
                                 a filter in tcpdump's words alone is read from left to right, as tcpdump does:
                                 a warning says so where it matters

WHERE THE PEERS DISAGREE
  ip[9] == 11                    after ip tcp udp icmp … numbers are decimal, as in tcpdump; 0x11 is hexadecimal in both.
                                 After other fields digits are hexadecimal, as in Wireshark: udp.payload[0:2] == 0100
  tcp[…] udp[…] icmp[…]          IPv4 only and the first fragment only, as in tcpdump
  udp, tcp, icmp, port, host     count every fragment that shows them, as in tcpdump; udp.port and other fields of a
                                 fragmented packet belong to the fragment that completes it, as in Wireshark
  host, net, port, udp           also look inside VLAN tags and tunnels; tcpdump does not
  dns.qry.name contains "WWW"    names are compared without case; Wireshark's are not
  http, tls                      every segment with data on their ports; Wireshark: the one that completes a message

WHAT A FIELD MEANS
  A field that occurs several times matches when one of its values does (ip.addr, udp.port).
  != matches when the field is there and every value differs, as in Wireshark 4; not (a == b) also
  matches packets that lack the field. === wants every value equal, !== any value different.
  A field never looks into the datagram an ICMP error quotes: quoted.udp.port, quoted.dns.qry.name do.
  (Wireshark's fields look there too, so that `dns` counts an ICMP error as a DNS message.)
  == with a time means the whole minute or second written; all other comparisons mean the moment.
"#;

const OWN: &str = r#"
YOUR OWN
  F gives the filter on screen a name in the case; it is then $name on the screen and on the command line.
  filters.toml and colours.toml in portmortem's configuration directory (~/.config/portmortem) hold named filters and
  colour rules for all cases. Yours go before the shipped ones; a filter named problem-marks decides where ] stops.
    [[filter]]                           [[rule]]
    name = "office"                      name = "office"
    title = "our own network"            filter = "$office"
    filter = "net 192.0.2.0/24"          role = "warning"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_parses() {
        for info in fields::all() {
            let text = example(info);
            crate::filter::Filter::parse(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        }
    }
}
