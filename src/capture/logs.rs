//! Names what other programs printed, so that the error says what to give instead.

/// Bytes of a text that are looked at.
const LOOK_BYTES: usize = 64 << 10;

/// What a text is that holds no packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// What it is, with its article: `the answer of dig`.
    pub what: &'static str,
    /// What to give instead.
    pub instead: &'static str,
}

/// Records what passes while the program is used again.
const CAPTURE: &str = "it says what one program saw; capture while it runs: tcpdump -ni any -s0 -w OUT.pcap 'port 53 or icmp or icmp6'";
const SERVER: &str = "a server logs what it read and wrote, not what passed; capture on its host: tcpdump -ni any -s0 -w OUT.pcap 'port 53 or icmp or icmp6'";
const FIREWALL: &str = "a firewall logs its decisions, not packets; capture on both sides of it: tcpdump -ni any -s0 -w OUT.pcap 'port 53 or icmp or icmp6'";
const RULES: &str = "rules and states say what may pass, not what passed; capture on both sides: tcpdump -ni any -s0 -w OUT.pcap 'port 53 or icmp or icmp6'";
const STATE: &str = "it says how a host stands, not what passed; capture while it fails: tcpdump -ni any -s0 -w OUT.pcap 'port 53 or icmp or icmp6'";
const WEB: &str = "a server logs requests, not what passed; capture on its host: tcpdump -ni any -s0 -w OUT.pcap 'port 80 or port 443 or icmp or icmp6'";
const RECORDED: &str = "give the capture it was made from";
const LIST: &str = "give the capture itself, or its list: tshark -n -r FILE";

/// A program's text: words that must all stand on one line, any of these rows.
struct Look {
    what: &'static str,
    instead: &'static str,
    lines: &'static [&'static [&'static str]],
}

const LOOKS: &[Look] = &[
    Look {
        what: "the answer of dig or a program like it",
        instead: CAPTURE,
        lines: &[
            &["; <<>> DiG"],
            &[";; ->>HEADER<<-"],
            &[";; connection timed out"],
            &[";; communications error"],
            &[";; QUESTION SECTION:"],
        ],
    },
    Look {
        what: "the answer of nslookup or host",
        instead: CAPTURE,
        lines: &[
            &["Non-authoritative answer:"],
            &["** server can't find "],
            &["*** Can't find "],
            &[" has address "],
            &[" not found: ", "(NXDOMAIN)"],
            &[" not found: ", "(SERVFAIL)"],
        ],
    },
    Look {
        what: "the output of ping or traceroute",
        instead: CAPTURE,
        lines: &[
            &["PING ", " bytes of data"],
            &["icmp_seq=", " time="],
            &["traceroute to ", " hops max"],
            &["Pinging ", " bytes of data:"],
            &["icmp_seq=", "Unreachable"],
        ],
    },
    Look {
        what: "a log of Zeek",
        instead: RECORDED,
        lines: &[&["#separator "], &["#fields\t", "id.orig_h"], &["\"id.orig_h\"", "\"uid\""]],
    },
    Look {
        what: "alerts or events of Suricata",
        instead: RECORDED,
        lines: &[&["\"event_type\"", "\"src_ip\""], &["[Classification: ", "[Priority: "]],
    },
    Look {
        what: "raw JSON of tshark (-T jsonraw), which has no times and no addresses by name",
        instead: "print it with -T json, or give the capture itself",
        lines: &[&["\"frame_raw\""], &["\"ip_raw\""]],
    },
    Look {
        what: "packet details printed by tshark or Wireshark",
        instead: LIST,
        lines: &[
            &["Frame ", " bytes on wire"],
            &["\"layers\"", "\"timestamp\""],
            &["\"_source\": {"],
            &["<pdml"],
            &["<psml"],
        ],
    },
    Look {
        what: "a log of CoreDNS",
        instead: SERVER,
        lines: &[&["[INFO] ", " IN ", "\" ", "qr"], &["[ERROR] plugin/errors:"], &["CoreDNS-1."]],
    },
    Look {
        what: "a log of dnsmasq",
        instead: SERVER,
        lines: &[
            &["dnsmasq", ": query["],
            &["dnsmasq", ": forwarded "],
            &["dnsmasq", ": reply "],
            &["dnsmasq", ": cached "],
            &["dnsmasq", ": config "],
        ],
    },
    Look {
        what: "a log of unbound",
        instead: SERVER,
        lines: &[
            &["unbound[", "] info: "],
            &["unbound[", "] error: "],
            &["unbound[", "] debug: "],
            &["unbound: [", "] info: "],
        ],
    },
    Look {
        what: "a log of BIND",
        instead: SERVER,
        lines: &[
            &["client ", "#", ": query: "],
            &["client ", "#", "query failed ("],
            &["named[", "]: "],
            &["query-errors: "],
            &["lame-servers: "],
        ],
    },
    Look { what: "a log of systemd-resolved", instead: SERVER, lines: &[&["systemd-resolved["]] },
    Look {
        what: "printed dnstap",
        instead: SERVER,
        lines: &[
            &["message_type: ", "_QUERY"],
            &["message_type: ", "_RESPONSE"],
            &[" CQ ", " IN "],
            &[" CR ", " IN "],
            &[" FR ", " IN "],
            &[" RR ", " IN "],
        ],
    },
    Look {
        what: "a log of a firewall",
        instead: FIREWALL,
        lines: &[
            &["IN=", "OUT=", "SRC=", "DST="],
            &["[UFW "],
            &["filterlog", ",match,"],
            &["%ASA-"],
            &["%FTD-"],
            &["Microsoft Windows Firewall"],
            &["type=\"traffic\"", "srcip="],
            &["type=traffic", "srcip="],
            &[" eni-", " ACCEPT OK"],
            &[" eni-", " REJECT OK"],
            &["TRAFFIC,", ",drop,"],
        ],
    },
    Look {
        what: "the rules of a packet filter",
        instead: RULES,
        lines: &[
            &["Chain ", " (policy "],
            &["Chain ", " references)"],
            &["pkts bytes target ", "prot opt "],
            &["-A ", " -j "],
            &[" type filter hook "],
            &[" counter packets ", " bytes "],
            &["pass in ", " keep state"],
            &["block drop ", " from ", " to "],
        ],
    },
    Look {
        what: "tracked connections of a firewall",
        instead: RULES,
        lines: &[&["src=", "dst=", "sport=", "dport="]],
    },
    Look {
        what: "system calls printed by strace",
        instead: CAPTURE,
        lines: &[
            &["execve(\"", ") = "],
            &["socket(AF_", ") = "],
            &["sa_family=AF_INET"],
            &["sendto(", ") = "],
            &["recvfrom(", ") = "],
            &["+++ exited with "],
            &["strace: Process "],
        ],
    },
    Look {
        what: "a log of a web server or proxy",
        instead: WEB,
        lines: &[
            &["] \"", " HTTP/", "\" "],
            &["[error] ", "#", ", client: "],
            &[" haproxy["],
            &["TCP_", "/", " HIER_"],
        ],
    },
    Look {
        what: "a list of processes",
        instead: STATE,
        lines: &[
            &["PID ", "%CPU "],
            &["PID ", "TTY ", "CMD"],
            &["UID ", " PPID "],
            &["top - ", "load average: "],
        ],
    },
    Look {
        what: "a list of sockets",
        instead: STATE,
        lines: &[
            &["Recv-Q", "Send-Q"],
            &["Active Internet connections"],
            &["Active Connections"],
            &["Local Address:Port"],
            &["COMMAND ", " FD ", " NODE NAME"],
            &["->", " (ESTABLISHED)"],
            &["->", " (SYN_SENT)"],
        ],
    },
    Look {
        what: "addresses, neighbours or routes of a host",
        instead: STATE,
        lines: &[
            &["Kernel IP routing table"],
            &["Destination ", "Gateway ", "Flags "],
            &["default via ", " dev "],
            &[" dev ", " lladdr "],
            &[" dev ", " proto kernel "],
            &["link/ether ", " brd "],
            &["inet ", " scope "],
            &["inet ", " netmask "],
            &["? (", ") at ", " on "],
            &["IPv4 Route Table"],
            &["IPv4 Address. . ."],
        ],
    },
    Look {
        what: "flow records",
        instead: "they count packets and do not hold them; capture where they were exported: tcpdump -ni any -s0 -w OUT.pcap 'port 53 or icmp or icmp6'",
        lines: &[&["Date first seen", "Duration"], &["Src IP Addr:Port"], &["sIP|", "dIP|"]],
    },
    Look {
        what: "what curl says of a transfer",
        instead: CAPTURE,
        lines: &[
            &["* Connected to ", ") port "],
            &["* connect to ", " failed: "],
            &["curl: ("],
            &["*   Trying "],
            &["* Trying "],
        ],
    },
];

/// Recognises the program by the lines of a text.
pub(super) fn recognise(text: &[u8]) -> Option<Other> {
    let text = String::from_utf8_lossy(text.get(..LOOK_BYTES).unwrap_or(text));
    let report = |line: &str| line.starts_with("Status: ") && line.contains(" · portmortem ");
    if text.lines().take(8).any(report) {
        return Some(Other {
            what: "a report of portmortem",
            instead: "open the capture or log it was made from",
        });
    }
    let has = |look: &&Look| {
        let fits = |words: &&[&str], line: &str| words.iter().all(|word| line.contains(word));
        text.lines().any(|line| look.lines.iter().any(|words| fits(words, line)))
    };
    let known = LOOKS.iter().find(has).map(|look| Other { what: look.what, instead: look.instead });
    known.or_else(|| has_nameless_columns(&text).then_some(NAMELESS))
}

/// Values of fields that nothing names.
const NAMELESS: Other = Other {
    what: "columns of values without the names of their fields, as tshark -T fields prints them",
    instead: "print them below their names (-E header=y), or give the capture itself",
};
/// Lines that must have the form of the first such line, and columns in each.
const ROWS_MIN: usize = 2;
const COLUMNS_MIN: usize = 3;

/// Whether several lines have columns alike, two addresses among them.
fn has_nameless_columns(text: &str) -> bool {
    let columns = |line: &str| {
        ['\t', ';', '|', ','].into_iter().find_map(|divider| {
            let words: Vec<&str> =
                line.split(divider).map(|word| word.trim_matches(['"', '\'', ' ', '\r'])).collect();
            let ends = words.iter().filter(|word| word.parse::<std::net::IpAddr>().is_ok()).count();
            (ends == 2 && words.len() >= COLUMNS_MIN).then_some((divider, words.len()))
        })
    };
    let mut rows = text.lines().filter_map(columns);
    let Some(first) = rows.next() else { return false };
    rows.filter(|row| *row == first).count() + 1 >= ROWS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_other_programs_are_named() {
        for (text, what) in [
            (";; ->>HEADER<<- opcode: QUERY, status: SERVFAIL, id: 4101\n", "dig"),
            ("Non-authoritative answer:\nName: www.example.com\n", "nslookup"),
            ("#separator \\x09\n#fields\tts\tuid\tid.orig_h\n", "Zeek"),
            ("{\"ts\":1.5,\"uid\":\"C1\",\"id.orig_h\":\"192.0.2.10\"}\n", "Zeek"),
            (
                "05-Mar-2024 client @0x7f 192.0.2.10#40001 (www.example.com): query: www.example.com IN A +E(0)K (198.51.100.53)\n",
                "BIND",
            ),
            ("Mar  5 14:00:01 dnsmasq[99]: query[A] www.example.com from 192.0.2.10\n", "dnsmasq"),
            (
                "[INFO] 192.0.2.10:40001 - 4101 \"A IN www.example.com. udp 33 false 512\" SERVFAIL qr,rd 33 0.002s\n",
                "CoreDNS",
            ),
            ("[1646962928] unbound[1:0] info: 192.0.2.10 www.example.com. A IN\n", "unbound"),
            (
                "kernel: [UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.10 DST=198.51.100.53 PROTO=UDP SPT=40001 DPT=53\n",
                "firewall",
            ),
            ("message_type: CLIENT_QUERY\n", "dnstap"),
            ("{\"layers\": {\n\"frame_raw\": [\"00\", 0, 1, 0, 1]\n", "jsonraw"),
            (
                "1700000000.1\t192.0.2.10\t40001\t198.51.100.53\t53\n1700000000.2\t198.51.100.53\t53\t192.0.2.10\t40001\n",
                "without the names",
            ),
            ("Frame 1: 75 bytes on wire (600 bits), 75 bytes captured (600 bits)\n", "details"),
            ("# A title\n\nStatus: draft · made 2024-01-01 · portmortem 0.1.0 · 3 claims\n", "report"),
        ] {
            let found = recognise(text.as_bytes());
            assert!(found.is_some_and(|found| found.what.contains(what)), "{text} {found:?}");
        }
        assert_eq!(recognise(b"Dear all,\nnothing works. Names do not resolve since Tuesday.\n"), None);
    }
}
