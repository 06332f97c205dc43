//! Works out operands for one packet and compares them.

use std::cmp::Ordering;

use super::Context;
use super::expression::{Arithmetic, Comparison, NumberFunction, Operand, Relation};
use super::fields::{Family, Word};
use super::matcher::Scalar;
use super::values;
use crate::decode::{Address, Decoded, LayerKind};
use crate::index::Packet;

/// Values of one operand that are looked at; a packet with more is no ordinary one.
const VALUES_MAX: usize = 256;

/// A value that outlives its packet's rows.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Number(i64),
    Address(Address),
    Bytes(Vec<u8>),
    Text(String),
}

impl Owned {
    fn of(value: &Scalar<'_>) -> Self {
        match value {
            Scalar::Number(number) => Self::Number(*number),
            Scalar::Bool(flag) => Self::Number(i64::from(*flag)),
            Scalar::Text(text) | Scalar::Name(text) => Self::Text((*text).to_owned()),
            Scalar::Address(address) => Self::Address(*address),
            Scalar::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bytes(bytes) if bytes.len() <= 7 => {
                Some(bytes.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
            }
            _ => None,
        }
    }

    /// How two values stand to each other; `None` where they cannot be compared.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Address(a), Self::Address(b)) => a.same_kind(b).then(|| a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            _ => Some(self.number()?.cmp(&other.number()?)),
        }
    }
}

/// Whether a packet passes a comparison.
pub fn passes(relation: &Relation, packet: &Packet<'_>, context: &Context<'_>) -> bool {
    let left = work_out(&relation.left, packet, context);
    if left.is_empty() {
        return false;
    }
    let right = work_out(&relation.right, packet, context);
    let pass = |order: Option<Ordering>| match relation.comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
    };
    let mut pairs = left.iter().flat_map(|a| right.iter().map(|b| pass(a.compare(b))));
    if relation.all { !right.is_empty() && pairs.all(|passed| passed) } else { pairs.any(|passed| passed) }
}

fn work_out(operand: &Operand, packet: &Packet<'_>, context: &Context<'_>) -> Vec<Owned> {
    match operand {
        Operand::Number(written) => vec![Owned::Number(written.value)],
        Operand::Values(test) => {
            let mut found = Vec::new();
            values::each(test, packet, context, &mut |value| {
                found.push(Owned::of(&value));
                found.len() >= VALUES_MAX
            });
            found
        }
        Operand::Access { word, offset, size } => {
            let decoded = packet.decode();
            let offsets = work_out(offset, packet, context);
            let read = |offset: &Owned| {
                let start = access_start(*word, &decoded)?;
                let from = start.checked_add(usize::try_from(offset.number()?).ok()?)?;
                let bytes = decoded.bytes.get(from..from.checked_add(usize::from(*size))?)?;
                Some(Owned::Number(bytes.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte))))
            };
            offsets.first().and_then(read).into_iter().collect()
        }
        Operand::Negative(inner) => {
            let numbers = work_out(inner, packet, context);
            numbers.iter().filter_map(|value| Some(Owned::Number(value.number()?.checked_neg()?))).collect()
        }
        Operand::Binary(sign, left, right) => {
            let (left, right) = (work_out(left, packet, context), work_out(right, packet, context));
            let pairs = left.iter().flat_map(|a| right.iter().map(move |b| (a, b)));
            let results = pairs.filter_map(|(a, b)| arithmetic(*sign, a.number()?, b.number()?));
            results.map(Owned::Number).take(VALUES_MAX).collect()
        }
        Operand::Function(function, all) => {
            let numbers = all.iter().flat_map(|operand| work_out(operand, packet, context));
            let numbers = numbers.filter_map(|value| value.number());
            match function {
                NumberFunction::Max => numbers.max().map(Owned::Number).into_iter().collect(),
                NumberFunction::Min => numbers.min().map(Owned::Number).into_iter().collect(),
                NumberFunction::Abs => {
                    numbers.filter_map(i64::checked_abs).map(Owned::Number).take(VALUES_MAX).collect()
                }
            }
        }
    }
}

/// The result, where there is one.
pub fn arithmetic(sign: Arithmetic, a: i64, b: i64) -> Option<i64> {
    let shift = || u32::try_from(b).ok();
    match sign {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Remainder => a.checked_rem(b),
        Arithmetic::BitAnd => Some(a & b),
        Arithmetic::BitOr => Some(a | b),
        Arithmetic::BitXor => Some(a ^ b),
        Arithmetic::ShiftLeft => a.checked_shl(shift()?),
        Arithmetic::ShiftRight => a.checked_shr(shift()?),
    }
}

/// Where tcpdump counts the bytes of a header from. Its `tcp[…]`, `udp[…]`, `icmp[…]` look at IPv4 only, and at
/// no fragment but the first.
fn access_start(word: Word, decoded: &Decoded<'_>) -> Option<usize> {
    let first = |kind: LayerKind| decoded.layers().iter().find(|layer| layer.kind == kind);
    let outermost = |kind: LayerKind| {
        let ip =
            decoded.layers().iter().find(|layer| matches!(layer.kind, LayerKind::Ipv4 | LayerKind::Ipv6))?;
        (ip.kind == kind).then_some(ip)
    };
    let above = |version: LayerKind, kind: LayerKind, number: u8| {
        outermost(version)?;
        let layer = first(kind).map(|layer| layer.start as usize);
        let cut = || {
            let whole = decoded.fragment.is_none_or(|fragment| fragment.offset_bytes == 0);
            let own = decoded.outer.is_none() && decoded.ip_protocol == number && whole;
            own.then_some(decoded.transport_start as usize).filter(|start| *start > 0)
        };
        layer.or_else(cut)
    };
    match word {
        Word::Ip(Family::V6) => outermost(LayerKind::Ipv6).map(|layer| layer.start as usize),
        Word::Ip(_) => outermost(LayerKind::Ipv4).map(|layer| layer.start as usize),
        // The link header begins the frame, whatever it is.
        Word::Layer([LayerKind::Ethernet]) => Some(0),
        Word::Layer([kind]) => first(*kind).map(|layer| layer.start as usize),
        Word::Transport(1) => above(LayerKind::Ipv4, LayerKind::Icmp, 1),
        Word::Transport(2) => above(LayerKind::Ipv4, LayerKind::Igmp, 2),
        Word::Transport(6) => above(LayerKind::Ipv4, LayerKind::Tcp, 6),
        Word::Transport(17) => above(LayerKind::Ipv4, LayerKind::Udp, 17),
        Word::Transport(58) => above(LayerKind::Ipv6, LayerKind::Icmpv6, 58),
        Word::Transport(132) => above(LayerKind::Ipv4, LayerKind::Sctp, 132),
        _ => None,
    }
}
