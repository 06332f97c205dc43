//! Reads packet details as plain text: `tshark -V` and `-O`, and what Wireshark exports with details expanded.

use super::table::{LABELS, SECTIONS};
use super::{Fields, Taker, number};

/// Hands on the packets of a text.
pub(super) fn read(text: &str, taker: &mut Taker<'_>) {
    let mut packet: Option<Reader> = None;
    // What stands before each line of all packets, as a log or a mail puts it there.
    let mut before = 0;
    for line in text.lines() {
        if let Some(at) = begins(line) {
            if let Some(packet) = packet.take() {
                taker.take(&packet.fields);
            }
            before = at;
            packet = Some(Reader::default());
        }
        if let Some(packet) = &mut packet {
            packet.line(line.get(before.min(line.len() - line.trim_start().len())..).unwrap_or(line));
        }
    }
    if let Some(packet) = packet {
        taker.take(&packet.fields);
    }
}

/// Where `Frame 1: 90 bytes on wire` begins.
pub(super) fn begins(line: &str) -> Option<usize> {
    let at = line.find("Frame ")?;
    let told = line.get(at + "Frame ".len()..)?;
    let digits = told.find(|c: char| !c.is_ascii_digit())?;
    let is_number = digits > 0 && told.get(digits..)?.starts_with([':', ' ']);
    (is_number && (told.contains(" bytes on wire") || told.contains(" byte on wire"))).then_some(at)
}

/// One packet.
#[derive(Default)]
struct Reader {
    fields: Fields,
    section: &'static str,
    /// Whether the lines are those of the questions.
    is_question: bool,
    is_answer: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let text = line.trim();
        if let Some((begin, section)) = SECTIONS.iter().find(|(begin, _)| text.starts_with(begin)) {
            self.section = section;
            (self.is_question, self.is_answer) = (false, false);
            self.head(section, text.get(begin.len()..).unwrap_or(""));
            return;
        }
        // Another protocol.
        if !text.is_empty() && !line.starts_with([' ', '\t', '[']) {
            self.section = "";
        }
        if self.section == "dns" && self.record(text) {
            return;
        }
        if self.section == "http" {
            self.http(text);
            return;
        }
        // `...0 .... = Don't fragment: Set`, `[TCP Segment Len: 0]`.
        let bare = text
            .split_once(" = ")
            .filter(|(bits, _)| bits.starts_with(['.', '0', '1']))
            .map_or(text, |(_, told)| told);
        let bare = bare.trim_matches(['[', ']']);
        let Some((label, value)) = bare.split_once(": ") else { return };
        let known = LABELS.iter().find(|(section, known, _)| *section == self.section && *known == label);
        let Some((_, _, name)) = known else { return };
        let is_there = self.fields.get(name).is_some();
        // What is quoted comes again; of the parts of one header only the first counts.
        let is_list = *name == "dhcp.option.domain_name_server";
        if is_there && !is_list && !matches!(self.section, "ip" | "ipv6" | "udp" | "tcp") {
            return;
        }
        self.aligned(name);
        self.fields.add(name, &valued(name, value));
    }

    /// Of several IP headers each has its own fields: those that an earlier one does not tell leave their place empty.
    fn aligned(&mut self, name: &'static str) {
        let ends = match self.section {
            "ip" => "ip.src",
            "ipv6" => "ipv6.src",
            _ => return,
        };
        let before = self.fields.all(ends).count().saturating_sub(1);
        for _ in self.fields.all(name).count()..before {
            self.fields.values.push((name, String::new()));
        }
    }

    /// What the line says that a protocol begins with.
    fn head(&mut self, section: &str, told: &str) {
        let end = |name: &str| {
            let at = told.find(name)? + name.len();
            let word = told.get(at..)?.split(", ").next()?.trim();
            // A name or its own number stands before the number.
            Some(word.rsplit_once('(').map_or(word, |(_, number)| number.trim_end_matches(')')).to_owned())
        };
        let pairs: &[(&str, &'static str)] = match section {
            "eth" => &[("Src: ", "eth.src"), ("Dst: ", "eth.dst")],
            "ip" => &[("Src: ", "ip.src"), ("Dst: ", "ip.dst")],
            "ipv6" => &[("Src: ", "ipv6.src"), ("Dst: ", "ipv6.dst")],
            "udp" => &[("Src Port: ", "udp.srcport"), ("Dst Port: ", "udp.dstport")],
            "tcp" => &[
                ("Src Port: ", "tcp.srcport"),
                ("Dst Port: ", "tcp.dstport"),
                ("Seq: ", "tcp.seq"),
                ("Ack: ", "tcp.ack"),
                ("Len: ", "tcp.len"),
            ],
            _ => &[],
        };
        for (word, name) in pairs {
            if let Some(value) = end(word) {
                self.fields.add(name, &value);
            }
        }
        match section {
            "frame" => {
                let number = told.split([':', ' ']).next().unwrap_or("");
                self.fields.add("frame.number", number);
                let length = told.split_once(": ").and_then(|(_, told)| told.split(' ').next());
                self.fields.add("frame.len", length.unwrap_or(""));
            }
            "arp" if told.contains("(reply") => self.fields.add("arp.opcode", "2"),
            "arp" => self.fields.add("arp.opcode", "1"),
            "dns" if told.contains("(response") => self.fields.add("dns.flags.response", "1"),
            "dns" if told.contains("(query") => self.fields.add("dns.flags.response", "0"),
            "ntp" => {
                let mode = [("client", "3"), ("server", "4"), ("symmetric active", "1"), ("broadcast", "5")];
                if let Some((_, mode)) = mode.iter().find(|(word, _)| told.contains(word)) {
                    self.fields.add("ntp.flags.mode", mode);
                }
            }
            _ => {}
        }
    }

    /// `www.example.com: type A, class IN, addr 203.0.113.80` below `Queries` or `Answers`.
    fn record(&mut self, text: &str) -> bool {
        match text {
            "Queries" => (self.is_question, self.is_answer) = (true, false),
            "Answers" => (self.is_question, self.is_answer) = (false, true),
            "Authoritative nameservers" | "Additional records" => {
                (self.is_question, self.is_answer) = (false, false);
            }
            _ => {
                let Some((name, told)) = text.split_once(": type ") else { return false };
                let kind = told.split([',', ' ']).next().unwrap_or("");
                if self.is_question {
                    self.fields.add("dns.qry.name", name);
                    self.fields.add("dns.qry.type", kind);
                } else if self.is_answer {
                    self.fields.add("dns.resp.type", kind);
                    if let Some((_, address)) = told.split_once("addr ") {
                        self.fields.add(if kind == "AAAA" { "dns.aaaa" } else { "dns.a" }, address);
                    } else if let Some((_, target)) = told.split_once("cname ") {
                        self.fields.add("dns.cname", target);
                    }
                }
            }
        }
        true
    }

    /// `GET /index.html HTTP/1.1\r\n`, `HTTP/1.1 503 Service Unavailable\r\n`.
    fn http(&mut self, text: &str) {
        let text = text.trim_end_matches("\\n").trim_end_matches("\\r");
        let is_known =
            self.fields.get("http.request.method").or(self.fields.get("http.response.code")).is_some();
        if is_known {
            return;
        }
        if let Some((_, told)) = text.strip_prefix("HTTP/").and_then(|told| told.split_once(' ')) {
            let (code, phrase) = told.split_once(' ').unwrap_or((told, ""));
            self.fields.add("http.response.code", code);
            self.fields.add("http.response.phrase", phrase);
        } else if text.contains(" HTTP/1") {
            let mut words = text.split(' ');
            self.fields.add("http.request.method", words.next().unwrap_or(""));
            self.fields.add("http.request.uri", words.next().unwrap_or(""));
        }
    }
}

/// The number in `UDP (17)`, `0x3a21 (14881)`, `76`, `3 (Port unreachable)`, `1756875981.610328000 seconds`; other values as they are.
fn valued(name: &str, value: &str) -> String {
    // A maker's name stands before a link address, which is in brackets.
    let ends_in_brackets = name.starts_with("arp.") && name != "arp.opcode" || name == "dhcp.hw.mac_addr";
    if matches!(
        name,
        "frame.time" | "sip.Request-Line" | "sip.Status-Line" | "tls.handshake.extensions_server_name"
    ) || ends_in_brackets
    {
        return value
            .trim()
            .rsplit_once(" (")
            .filter(|_| ends_in_brackets)
            .map_or(value.trim(), |(_, inner)| inner.trim_end_matches(')'))
            .to_owned();
    }
    let first = value.split_whitespace().next().unwrap_or("").trim_end_matches(',');
    let in_brackets = || value.split(['(', ')']).nth(1).filter(|inner| number(inner).is_some());
    if number(first).is_some() || first.contains('.') {
        return first.to_owned();
    }
    in_brackets().unwrap_or(value.trim()).to_owned()
}
