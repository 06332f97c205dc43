//! What a filter means: tests joined by and, or, xor, not, and functions over linked packets.

use std::ops::Range;

use super::fields::{Source, Word};
use super::matcher::Matcher;

/// A parsed filter.
#[derive(Clone, Debug)]
pub enum Expression {
    /// Every packet.
    Everything,
    /// All of them.
    And(Vec<Expression>),
    /// Any of them.
    Or(Vec<Expression>),
    /// One of two, but not both.
    Xor(Box<[Expression; 2]>),
    /// The packets that do not match.
    Not(Box<Expression>),
    /// One test.
    Test(Box<Test>),
    /// A comparison of two things that are read from the packet, or calculated.
    Relation(Box<Relation>),
    /// Packets that stand in a relation to those that match.
    Function(Function, Box<Expression>),
}

/// Relations between packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Packets linked to one that matches.
    Partner,
    /// Every packet of a transaction in which one matches, ICMP errors about it included.
    Transaction,
    /// The other packets of a transaction in which one matches.
    Sibling,
    /// The first query of a transaction in which a packet matches.
    First,
}

/// The functions with their words and help.
pub const FUNCTIONS: &[(&str, Function, &str)] = &[
    ("partner", Function::Partner, "packets linked to one that matches"),
    (
        "transaction",
        Function::Transaction,
        "tries, answers and errors of a request (to DNS or any service) in which one matches",
    ),
    (
        "sibling",
        Function::Sibling,
        "packets of a lookup (other types, servers, search suffixes) in which another one matches",
    ),
    ("first", Function::First, "the first try of each request in which a packet matches"),
];

/// A part of a byte string, by offset; negative offsets count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlicePart {
    /// First byte.
    pub start: i32,
    /// Bytes; `None` up to the end.
    pub length: Option<u32>,
    /// The last byte instead of a length.
    pub last: Option<i32>,
}

/// What is done with a field's value before it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transform {
    /// Nothing.
    #[default]
    None,
    /// Its length in bytes.
    Length,
    /// How often the field occurs in the packet.
    Count,
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
    /// As text: numbers in decimal, addresses as they are written.
    Text,
}

/// One test of one field.
#[derive(Clone, Debug)]
pub struct Test {
    /// Where it stands in the text.
    pub span: Range<usize>,
    /// The field's name.
    pub field: &'static str,
    /// Where the values come from.
    pub source: Source,
    /// The field of the datagram inside an ICMP error is meant.
    pub quoted: bool,
    /// Only this frame's own headers count, as for tcpdump: a fragment is not read together with the others.
    pub own: bool,
    /// Parts of the value, end to end.
    pub slice: Option<Vec<SlicePart>>,
    /// What is done with the value first.
    pub transform: Transform,
    /// What is asked of the values.
    pub check: Check,
    /// The conversations, once a field has asked for them.
    pub streams: super::streams::Cache,
}

/// What is asked of a field's values.
#[derive(Clone, Debug)]
pub enum Check {
    /// That there is one.
    Exists,
    /// That one is accepted, or all.
    Compare {
        /// What is accepted.
        matcher: Matcher,
        /// Accepts what the matcher refuses.
        negate: bool,
        /// Every value must be accepted, and there must be one.
        all: bool,
    },
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operators' own")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A comparison of two operands.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Where it stands in the text.
    pub span: Range<usize>,
    /// What stands left of the sign.
    pub left: Operand,
    /// The sign.
    pub comparison: Comparison,
    /// What stands right of it.
    pub right: Operand,
    /// Every pair of values must pass, and there must be one.
    pub all: bool,
}

/// A number as written, and what it means beside other things than numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its value.
    pub value: i64,
    /// Beside a duration.
    pub as_duration_ns: Option<i64>,
    /// Beside bytes, where digits without `0x` are hexadecimal, as in Wireshark.
    pub as_bytes: Option<i64>,
}

/// What can be calculated with.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A number.
    Number(Written),
    /// The values of a field; what the test asks of them is not looked at.
    Values(Box<Test>),
    /// Bytes of a header as a big-endian number, as tcpdump's `proto[offset:size]`.
    Access {
        /// The header.
        word: Word,
        /// Where the bytes begin in it.
        offset: Box<Operand>,
        /// 1, 2 or 4 bytes.
        size: u8,
    },
    /// Two operands, calculated with.
    Binary(Arithmetic, Box<Operand>, Box<Operand>),
    /// The opposite number.
    Negative(Box<Operand>),
    /// The largest, the smallest, or the distance from 0.
    Function(NumberFunction, Vec<Operand>),
}

/// Arithmetic signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the signs' own")]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
}

/// Functions of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the functions' own")]
pub enum NumberFunction {
    Max,
    Min,
    Abs,
}

/// Functions of numbers by name.
pub const NUMBER_FUNCTIONS: &[(&str, NumberFunction)] =
    &[("max", NumberFunction::Max), ("min", NumberFunction::Min), ("abs", NumberFunction::Abs)];

/// What is done with a field's value, by name.
pub const TRANSFORMS: &[(&str, Transform)] = &[
    ("len", Transform::Length),
    ("count", Transform::Count),
    ("lower", Transform::Lower),
    ("upper", Transform::Upper),
    ("string", Transform::Text),
];

impl Operand {
    /// Calls `visit` with every field in it.
    pub fn fields(&self, visit: &mut dyn FnMut(&Test)) {
        match self {
            Self::Number(_) => {}
            Self::Values(test) => visit(test),
            Self::Access { offset, .. } => offset.fields(visit),
            Self::Negative(inner) => inner.fields(visit),
            Self::Binary(_, left, right) => {
                left.fields(visit);
                right.fields(visit);
            }
            Self::Function(_, all) => all.iter().for_each(|operand| operand.fields(visit)),
        }
    }
}

impl Expression {
    /// Joins two with and.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut parts) => {
                parts.push(other);
                Self::And(parts)
            }
            first => Self::And(vec![first, other]),
        }
    }

    /// Joins two with or.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut parts) => {
                parts.push(other);
                Self::Or(parts)
            }
            first => Self::Or(vec![first, other]),
        }
    }

    /// Calls `visit` with every comparison of two operands.
    pub fn relations(&self, visit: &mut dyn FnMut(&Relation)) {
        match self {
            Self::Everything | Self::Test(_) => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.relations(visit)),
            Self::Xor(parts) => parts.iter().for_each(|part| part.relations(visit)),
            Self::Not(inner) | Self::Function(_, inner) => inner.relations(visit),
            Self::Relation(relation) => visit(relation),
        }
    }

    /// Calls `visit` with every function over linked packets.
    pub fn functions(&self, visit: &mut dyn FnMut(Function)) {
        match self {
            Self::Everything | Self::Test(_) | Self::Relation(_) => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.functions(visit)),
            Self::Xor(parts) => parts.iter().for_each(|part| part.functions(visit)),
            Self::Not(inner) => inner.functions(visit),
            Self::Function(function, inner) => {
                visit(*function);
                inner.functions(visit);
            }
        }
    }

    /// Calls `visit` with every field asked for, wherever it stands.
    pub fn fields(&self, visit: &mut dyn FnMut(&Test)) {
        match self {
            Self::Everything => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.fields(visit)),
            Self::Xor(parts) => parts.iter().for_each(|part| part.fields(visit)),
            Self::Not(inner) | Self::Function(_, inner) => inner.fields(visit),
            Self::Test(test) => visit(test),
            Self::Relation(relation) => {
                relation.left.fields(visit);
                relation.right.fields(visit);
            }
        }
    }

    /// Calls `visit` with every test, those inside functions too; comparisons of two operands are none.
    pub fn tests(&self, visit: &mut dyn FnMut(&Test)) {
        match self {
            Self::Everything | Self::Relation(_) => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.tests(visit)),
            Self::Xor(parts) => parts.iter().for_each(|part| part.tests(visit)),
            Self::Not(inner) | Self::Function(_, inner) => inner.tests(visit),
            Self::Test(test) => visit(test),
        }
    }
}
