//! Numbers DNS messages that were printed without their ids, so that what was asked again after an answer is another question.

use std::collections::HashMap;

use crate::decode::Address;

/// Questions followed at a time.
const QUESTIONS_MAX: usize = 65_536;

/// The questions that are open.
#[derive(Default)]
pub(super) struct Unnumbered {
    open: HashMap<(Address, Address, u64), Option<u16>>,
    last: u16,
}

impl Unnumbered {
    /// The number of a query: that of the same question while it is open.
    pub fn query(&mut self, client: Address, server: Address, question: u64) -> u16 {
        if self.open.len() >= QUESTIONS_MAX {
            self.open.clear();
        }
        let slot = self.open.entry((client, server, question)).or_default();
        *slot.get_or_insert_with(|| {
            self.last = self.last.wrapping_add(1).max(1);
            self.last
        })
    }

    /// The number of a response: that of the question it closes.
    pub fn response(&mut self, client: Address, server: Address, question: u64) -> u16 {
        let exact = self.open.get_mut(&(client, server, question)).and_then(Option::take);
        // Of an error the question is not printed.
        let newest = || {
            let own = self
                .open
                .iter_mut()
                .filter(|((from, to, _), slot)| (*from, *to) == (client, server) && slot.is_some());
            own.max_by_key(|(_, slot)| **slot).and_then(|(_, slot)| slot.take())
        };
        exact.or_else(newest).unwrap_or(0)
    }

    /// What was asked of a server that refused is asked anew when it is asked again.
    pub fn refused(&mut self, client: Address, server: Address) {
        if self.open.is_empty() {
            return;
        }
        for (_, slot) in self.open.iter_mut().filter(|((from, to, _), _)| (*from, *to) == (client, server)) {
            *slot = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_the_same_until_it_is_answered_or_refused() {
        let address = |last: u8| Address::from(std::net::IpAddr::from([192, 0, 2, last]));
        let (client, server, other) = (address(1), address(53), address(54));
        let mut all = Unnumbered::default();
        let first = all.query(client, server, 7);
        assert_eq!(all.query(client, server, 7), first);
        assert_ne!(all.query(client, other, 7), first);
        assert_eq!(all.response(client, server, 7), first);
        let second = all.query(client, server, 7);
        assert_ne!(second, first);
        all.refused(client, server);
        let third = all.query(client, server, 7);
        assert!(third != second && all.response(client, server, 0) == third);
        assert_eq!(all.response(client, server, 7), 0);
    }
}
