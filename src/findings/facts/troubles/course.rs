//! What became of each client on its own: where several are told together, only one that was itself served between two of its
//! failures shows that failures and successes alternate.

use std::collections::BTreeMap;

use crate::attempts::Attempt;
use crate::decode::Address;
use crate::time::Nanos;

/// Failures without a success after the first from which on a client has lost the service for good.
const LOST_MIN: usize = 2;

/// One client's way through the failures.
struct Course {
    /// When its first failure began, and its last one.
    failing_ns: (Nanos, Nanos),
    failed: usize,
    is_served_again: bool,
}

/// The ways of all clients that were hit.
pub struct Courses {
    all: BTreeMap<Address, Course>,
}

impl Courses {
    /// Follows each client that failed through its failures and successes.
    pub fn of<'a>(
        failed: impl Iterator<Item = &'a Attempt>,
        good: impl Iterator<Item = &'a Attempt>,
    ) -> Self {
        let mut all: BTreeMap<Address, Course> = BTreeMap::new();
        for own in failed {
            let at_ns = own.failing.time_ns;
            let none = Course { failing_ns: (at_ns, at_ns), failed: 0, is_served_again: false };
            let course = all.entry(own.client.0).or_insert(none);
            course.failing_ns = (course.failing_ns.0.min(at_ns), course.failing_ns.1.max(at_ns));
            course.failed += 1;
        }
        for own in good {
            if let Some(course) = all.get_mut(&own.client.0) {
                course.is_served_again |= own.ended_ns() > course.failing_ns.0;
            }
        }
        Self { all }
    }

    /// Whether a success lies between two failures of its own client.
    pub fn is_between(&self, own: &Attempt) -> bool {
        self.all.get(&own.client.0).is_some_and(|course| {
            let (first_ns, last_ns) = course.failing_ns;
            own.first.time_ns >= first_ns && own.ended_ns() <= last_ns
        })
    }

    /// Whether a success is of a time before its client lost the service for good.
    pub fn is_past(&self, own: &Attempt) -> bool {
        self.all.get(&own.client.0).is_some_and(|course| course.failed >= LOST_MIN && !course.is_served_again)
    }
}
