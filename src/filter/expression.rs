//! What a filter means: tests joined by and, or, not, and functions over linked packets.

use std::ops::Range;

use super::fields::Source;
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
    /// The packets that do not match.
    Not(Box<Expression>),
    /// One test.
    Test(Box<Test>),
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
    ("transaction", Function::Transaction, "every packet of a DNS transaction in which one matches"),
    ("sibling", Function::Sibling, "packets of a DNS transaction in which another one matches"),
    ("first", Function::First, "the first query of each DNS transaction in which a packet matches"),
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
    /// Parts of the value, end to end.
    pub slice: Option<Vec<SlicePart>>,
    /// What is done with the value first.
    pub transform: Transform,
    /// What is asked of the values.
    pub check: Check,
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

    /// Calls `visit` with every test, those inside functions too.
    pub fn tests(&self, visit: &mut dyn FnMut(&Test)) {
        match self {
            Self::Everything => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.tests(visit)),
            Self::Not(inner) | Self::Function(_, inner) => inner.tests(visit),
            Self::Test(test) => visit(test),
        }
    }
}
