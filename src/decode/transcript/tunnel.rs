//! Finds the packet that is printed inside another: VXLAN, GRE, GENEVE, IP in IP, MPLS over IP.

use crate::capture::transcript::{Network, Words, header_group, is_arrow};

/// Words of a tunnel's own header before the packet inside.
const HEADER_MAX_WORDS: usize = 40;

/// First words of the texts of tunnels.
const TUNNELS: &[&str] = &[
    "OTV,",
    "VXLAN,",
    "VXLAN-GPE,",
    "Geneve,",
    "GENEVE,",
    "GREv0,",
    "GREv0",
    "GREv1,",
    "gre",
    "gre:",
    "IP",
    "IP6",
    "MPLS",
    "MPLS,",
    "LISP",
    "gtp-u",
    "ipip",
];

/// Where the hosts of the packet inside begin, behind its protocol; `words` follow the hosts of the outer one.
pub(super) fn inner(words: Words<'_>) -> Option<(Words<'_>, Network)> {
    let mut words = words;
    // What stands in brackets is the sum of the outer datagram: `[no cksum]`, `[bad udp cksum 0xd06d -> 0xfe83!]`.
    while words.peek()?.text.starts_with('[') {
        while !words.next()?.text.ends_with(']') {}
    }
    let first = words.peek()?.text;
    if !TUNNELS.contains(&first) && !first.starts_with("(gre") {
        return None;
    }
    for at in 0..HEADER_MAX_WORDS {
        let before = words;
        let word = words.next()?;
        let network = match word.text {
            "IP" | "IPv4" => Some(Network::Ip),
            "IP6" | "IPv6" => Some(Network::Ip6),
            "ARP," | "ARP" | "arp" => Some(Network::Arp),
            _ => None,
        };
        if network == Some(Network::Arp) {
            return Some((words, Network::Arp));
        }
        if let Some(network) = network
            && has_hosts(words)
        {
            return Some((words, network));
        }
        // With `-e` the packet inside is printed with its link header and without its protocol.
        if at > 0 && has_hosts(before) && !is_link(word.text) {
            let six = word.text.matches(':').count() > 1;
            return Some((before, if six { Network::Ip6 } else { Network::Ip }));
        }
    }
    None
}

fn is_link(word: &str) -> bool {
    word.split(':').count() == 6 && word.split(':').all(|pair| (1..=2).contains(&pair.len()))
}

fn has_hosts(mut words: Words<'_>) -> bool {
    header_group(&mut words);
    words.next().is_some()
        && words.arrow().is_some_and(|arrow| is_arrow(arrow.text))
        && words.next().is_some_and(|word| word.text.ends_with(':'))
}
