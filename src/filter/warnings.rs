//! Warns about filters that can match nothing, or that tcpdump would read another way.

use std::ops::Range;

use super::Context;
use super::evaluate;
use super::expression::{Check, Expression, Test};
use super::fields::{self, DnsField, Source, Values};
use super::lexer::{Symbol, Token, lex};

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
    found.extend(precedence(text));
    found
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
    if matches!(test.source, Source::Evidence(_)) && context.evidence.is_none() {
        return None;
    }
    let single = Expression::Test(Box::new(test.clone()));
    let mut any = false;
    let finished = evaluate::run_while(&single, context, &mut |step| {
        any |= !step.rows.is_empty();
        !any
    });
    if any || !finished {
        return None;
    }
    Some(match (test.source, &test.check) {
        (Source::Word(_), Check::Exists) if !test.quoted => format!("no packet has protocol {}", test.field),
        (_, Check::Exists) => format!("no packet has {}", test.field),
        _ => "no packet of this capture matches this part".to_owned(),
    })
}

/// `a or b and c` with tcpdump's words in it: tcpdump reads it from left to right.
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
            let message =
                "`and` binds tighter than `or` here; tcpdump reads from left to right: add parentheses";
            return Some((start..lexeme.span.end, message.to_owned()));
        }
    }
    None
}
