//! DHCP: who is given which address and which name servers.

use std::fmt::Write as _;
use std::ops::Range;

use super::{Claim, Frame, Protocol, Tree, Value, big};
use crate::decode::Address;

/// Options of one message that are passed.
const OPTIONS_MAX: usize = 128;
/// Name servers of one message that are shown.
const SERVERS_MAX: usize = 16;
const OPTIONS_AT: usize = 240;

fields! {
    TYPE "dhcp.option.dhcp" Number "message type: 1 discover … 8 inform";
    TRANSACTION "dhcp.id" Number "transaction id";
    CLIENT "dhcp.ip.client" Address "client's present address";
    YOUR "dhcp.ip.your" Address "address given to the client";
    HARDWARE "dhcp.hw.mac_addr" Address "client's hardware address";
    NAME_SERVER "dhcp.option.domain_name_server" Address "name server (option 6)";
    HOST_NAME "dhcp.option.hostname" Text "client's host name (option 12)";
    DOMAIN_NAME "dhcp.option.domain_name" Name "domain name (option 15)";
}

/// Dynamic Host Configuration Protocol (RFC 2131).
pub static DHCP: Protocol = Protocol {
    name: "dhcp",
    label: "DHCP",
    title: "Dynamic Host Configuration Protocol",
    claims: &[Claim::UdpPort(67), Claim::UdpPort(68)],
    fields: FIELDS,
    dissect,
    summary,
};

/// Options: code and the range of its data in the payload (RFC 2132 §2).
pub fn options(payload: &[u8]) -> impl Iterator<Item = (u8, Range<usize>)> + '_ {
    let mut at = OPTIONS_AT;
    let next = move || {
        while payload.get(at) == Some(&0) {
            at += 1;
        }
        let code = *payload.get(at).filter(|code| **code != 255)?;
        let start = at + 2;
        let end = start + usize::from(*payload.get(at + 1)?);
        at = end;
        (end <= payload.len()).then_some((code, start..end))
    };
    std::iter::from_fn(next).take(OPTIONS_MAX)
}

/// The IPv4 address at a place of the payload.
pub fn four(payload: &[u8], at: usize) -> Option<Address> {
    payload.get(at..)?.first_chunk::<4>().map(|b| Address::V4((*b).into()))
}

/// The message type (option 53) and where it stands (RFC 2132 §9.6).
pub fn message_type(payload: &[u8]) -> Option<(u8, Range<usize>)> {
    let (_, range) = options(payload).find(|(code, _)| *code == 53)?;
    Some((*payload.get(range.start)?, range))
}

fn type_name(kind: u8) -> &'static str {
    match kind {
        1 => "discover",
        2 => "offer",
        3 => "request",
        4 => "decline",
        5 => "ack",
        6 => "nak",
        7 => "release",
        8 => "inform",
        _ => "message",
    }
}

fn servers(payload: &[u8]) -> impl Iterator<Item = (usize, Address)> + '_ {
    addresses(payload, 6)
}

/// The addresses an option lists.
fn addresses(payload: &[u8], option: u8) -> impl Iterator<Item = (usize, Address)> + '_ {
    let found = options(payload).find(|(code, _)| *code == option).map_or(0..0, |(_, range)| range);
    found.step_by(4).take(SERVERS_MAX).filter_map(|at| Some((at, four(payload, at)?)))
}

/// The name servers an offer or an acknowledgment gives (option 6); empty for other messages.
pub fn name_servers(payload: &[u8]) -> Vec<Address> {
    match message_type(payload) {
        Some((2 | 5, _)) => servers(payload).map(|(_, server)| server).collect(),
        _ => Vec::new(),
    }
}

/// What an acknowledgment gives its client (RFC 2132 §3.5, §3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The client's address.
    pub client: Address,
    /// Name servers (option 6).
    pub servers: Vec<Address>,
    /// Routers (option 3).
    pub routers: Vec<Address>,
}

/// What an acknowledgment gives; `None` for other messages.
pub fn given(payload: &[u8]) -> Option<Given> {
    message_type(payload).filter(|(kind, _)| *kind == 5)?;
    // Who only asks for parameters has its address already.
    let unset = Address::V4([0, 0, 0, 0].into());
    let client = [16, 12].into_iter().filter_map(|at| four(payload, at)).find(|client| *client != unset)?;
    let all = |option: u8| addresses(payload, option).map(|(_, address)| address).collect();
    Some(Given { client, servers: all(6), routers: all(3) })
}

fn dissect(frame: &Frame<'_, '_>, tree: &mut Tree) {
    let payload = frame.decoded.payload();
    let start = frame.decoded.payload_start as usize;
    let Some(id) = big(payload, 4, 4) else { return };
    tree.enter("DHCP".to_owned(), start, frame.decoded.payload_end as usize);
    if let Some((kind, range)) = message_type(payload) {
        let text = format!("Message: {} ({kind})", type_name(kind));
        tree.push(Some(&TYPE), text, Value::Number(i64::from(kind)), start + range.start..start + range.end);
    }
    let text = format!("Transaction id: {id:#010x}");
    tree.push(Some(&TRANSACTION), text, Value::Number(id as i64), start + 4..start + 8);
    if let (Some(client), Some(yours)) = (four(payload, 12), four(payload, 16)) {
        tree.address(&CLIENT, "Client address", client, start + 12..start + 16);
        tree.address(&YOUR, "Address given", yours, start + 16..start + 20);
    }
    if let Some(hardware) = payload.get(28..).and_then(|rest| rest.first_chunk::<6>()) {
        tree.address(&HARDWARE, "Client hardware address", Address::Ether(*hardware), start + 28..start + 34);
    }
    for (at, server) in servers(payload) {
        tree.address(&NAME_SERVER, "Name server", server, start + at..start + at + 4);
    }
    for (code, range) in options(payload) {
        let place = start + range.start..start + range.end;
        let text = || String::from_utf8_lossy(payload.get(range.clone()).unwrap_or_default()).into_owned();
        match code {
            12 => tree.text(&HOST_NAME, "Host name", text(), place),
            15 => tree.text(&DOMAIN_NAME, "Domain name", text(), place),
            _ => {}
        }
    }
    tree.leave();
}

fn summary(frame: &Frame<'_, '_>, out: &mut String) {
    let payload = frame.decoded.payload();
    let kind = message_type(payload).map_or("message, type not readable", |(kind, _)| type_name(kind));
    out.push_str(kind);
    if let Some(yours) = four(payload, 16).filter(|yours| *yours != Address::V4([0, 0, 0, 0].into())) {
        let _ = write!(out, " {yours}");
    }
    for (position, (_, server)) in servers(payload).enumerate() {
        let _ = write!(out, "{} {server}", if position == 0 { ", name servers" } else { "," });
    }
}
