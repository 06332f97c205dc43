//! Warns about filters that can match nothing, or that tcpdump would read another way.

use std::ops::Range;
use std::sync::Arc;

use super::Context;
use super::evaluate;
use super::expression::{Check, Expression, Operand, Relation, Test};
use super::fields::{self, DnsField, Source, Values, Word};
use super::grammar::is_tcpdumps;
use super::lexer::{Symbol, Token, lex};
use crate::index::Segment;

/// Packets up to which tests that decode are tried for warnings.
const DEAR_PACKETS_MAX: u32 = 200_000;

/// Legal things that can match nothing, or mean something else to tcpdump.
pub fn warnings(text: &str, expression: &Expression, context: &Context<'_>) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    expression.tests(&mut |test| {
        if let Some(message) = impossible(test).or_else(|| absent(test, context)) {
            found.push((test.span.clone(), message));
        }
    });
    expression.relations(&mut |relation| {
        if let Some(message) = unrelated(relation, context) {
            found.push((relation.span.clone(), message));
        }
        found.extend(header_bytes(text, relation, context));
    });
    found.extend(precedence(text));
    found
}

/// A comparison of two operands no packet of this capture passes.
fn unrelated(relation: &Relation, context: &Context<'_>) -> Option<String> {
    if !context.index.complete || context.index.len() > DEAR_PACKETS_MAX || context.index.is_empty() {
        return None;
    }
    let single = Expression::Relation(Box::new(relation.clone()));
    finds_nothing(&single, context).then(|| "no packet of this capture matches this part".to_owned())
}

fn finds_nothing(single: &Expression, context: &Context<'_>) -> bool {
    let mut any = false;
    let finished = evaluate::run_while(single, context, &mut |step| {
        any |= !step.rows.is_empty();
        !any
    });
    !any && finished
}

/// Bytes of a header that a peer reads otherwise: Wireshark takes bare digits as hexadecimal, and tcpdump looks into
/// IPv4 only.
fn header_bytes(text: &str, relation: &Relation, context: &Context<'_>) -> Option<(Range<usize>, String)> {
    let Operand::Access { word, .. } = &relation.left else { return None };
    let part = text.get(relation.span.clone())?;
    let digits = part.rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let plain =
        digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain && !matches!(relation.right, Operand::Binary(..)) {
        let message = format!(
            "read as {digits} in decimal, as tcpdump does; Wireshark reads the byte 0x{digits}, which is written so"
        );
        return Some((relation.span.clone(), message));
    }
    let transport = match word {
        Word::Transport(number @ (6 | 17)) => *number,
        _ => return None,
    };
    let v6 = |segment: &Arc<Segment>| {
        let of = |at: &u32| segment.address(*at).is_v6();
        segment.source_address.iter().zip(&segment.transport).any(|(at, found)| *found == transport && of(at))
    };
    context.index.segments().iter().any(v6).then(|| {
        let message = "tcpdump looks into IPv4 here and so does this; packets over IPv6 are left out";
        (relation.span.clone(), message.to_owned())
    })
}

/// A comparison no packet of any capture can pass.
fn impossible(test: &Test) -> Option<String> {
    let Check::Compare { matcher, negate: false, .. } = &test.check else { return None };
    if test.slice.is_some() || test.transform != super::expression::Transform::None {
        return None;
    }
    let (first, last) = match (test.source, fields::find(test.field).map(|info| info.values)) {
        (_, Some(Values::Range(first, last))) => (first, last),
        (Source::Dns(DnsField::ResponseCode | DnsField::Opcode), _) => (0, 15),
        (Source::Icmp(..) | Source::IpProtocol(_), _) => (0, 255),
        (Source::Port(..) | Source::Dns(DnsField::Type | DnsField::Class), _) => (0, 65_535),
        _ => return None,
    };
    matcher.misses(first, last).then(|| {
        let value = match matcher {
            super::matcher::Matcher::Numbers(ranges) => match ranges.as_slice() {
                [(a, b)] if a == b => a.to_string(),
                _ => "such a value".to_owned(),
            },
            _ => "such a value".to_owned(),
        };
        format!("{} has no value {value}: it goes from {first} to {last}", test.field)
    })
}

/// A test no packet of this capture passes.
fn absent(test: &Test, context: &Context<'_>) -> Option<String> {
    if context.index.is_empty() || !context.index.complete {
        return None;
    }
    if super::scan::cost(test) >= super::scan::DEAR && context.index.len() > DEAR_PACKETS_MAX {
        return None;
    }
    if matches!(test.source, Source::Evidence(_) | Source::Attempt(_)) && context.evidence.is_none() {
        return None;
    }
    if !finds_nothing(&Expression::Test(Box::new(test.clone())), context) {
        return None;
    }
    Some(match (test.source, &test.check) {
        (Source::Word(_), Check::Exists) if !test.quoted => format!("no packet has protocol {}", test.field),
        (_, Check::Exists) => format!("no packet has {}", test.field),
        _ => "no packet of this capture matches this part".to_owned(),
    })
}

/// `a or b and c` with tcpdump's words in it: tcpdump reads it from left to right, and so does this where all of it
/// is in tcpdump's words.
fn precedence(text: &str) -> Option<(Range<usize>, String)> {
    let tokens = lex(text).ok()?;
    let word = |at: usize| {
        tokens
            .get(at)
            .filter(|lexeme| lexeme.token == Token::Word)
            .and_then(|lexeme| text.get(lexeme.span.clone()))
            .unwrap_or_default()
    };
    let habit =
        (0..tokens.len()).any(|at| matches!(word(at), "host" | "net" | "port" | "portrange" | "src" | "dst"));
    if !habit {
        return None;
    }
    // For each open parenthesis the place of an `or` that an `and` has not followed yet.
    let mut pending: Vec<Option<usize>> = vec![None];
    for (at, lexeme) in tokens.iter().enumerate() {
        match &lexeme.token {
            Token::Symbol(Symbol::OpenParenthesis) => pending.push(None),
            Token::Symbol(Symbol::CloseParenthesis) => {
                pending.pop();
            }
            _ => {}
        }
        let joined_ends =
            matches!(word(at.wrapping_sub(1)), "src" | "dst") && matches!(word(at + 1), "src" | "dst");
        let is_or = word(at) == "or" || lexeme.token == Token::Symbol(Symbol::Or);
        let is_and = word(at) == "and" || lexeme.token == Token::Symbol(Symbol::And);
        let slot = pending.last_mut()?;
        if is_or && !joined_ends {
            *slot = Some(lexeme.span.start);
        } else if is_and
            && !joined_ends
            && let Some(start) = *slot
        {
            let message = if is_tcpdumps(text, &tokens) {
                "read from left to right, as tcpdump does; Wireshark takes `and` first: add parentheses"
            } else {
                "`and` binds tighter than `or` here; tcpdump reads from left to right: add parentheses"
            };
            return Some((start..lexeme.span.end, message.to_owned()));
        }
    }
    None
}
