//! The evidence matrix: every kind of observation with what it weighs for each cause and why. The only place with weights.

pub mod answers;
pub mod errors;
pub mod services;
pub mod surroundings;

use super::Group;
use super::catalogue::{CATALOGUE, Cause};
use super::thresholds;

/// A weight in decibans; `None` is logical incompatibility.
pub type Weight = Option<i32>;

/// One row of the matrix. Rows with one number are variants of one observation, which counts once.
#[derive(Debug)]
pub struct Row {
    /// Number of the observation; never changes, since changes of analysts name it.
    pub number: u8,
    /// Its evidence group.
    pub group: Group,
    /// Where the weights come from.
    pub source: &'static str,
    /// Why it speaks for a cause.
    pub fits: &'static str,
    /// Why it speaks against one.
    pub against: &'static str,
    /// What it weighs; 0 is printed too, for those who may think it says something.
    pub weights: &'static [(Cause, i32)],
    /// Causes that cannot hold together with it.
    pub excludes: &'static [Cause],
}

impl Row {
    /// The id in ledgers: `L2`.
    pub fn id(&self) -> String {
        format!("L{}", self.number)
    }

    /// All weights, those of logical incompatibility first.
    pub fn all(&self) -> impl Iterator<Item = (Cause, Weight)> {
        let excluded = self.excludes.iter().map(|cause| (*cause, None));
        excluded.chain(self.weights.iter().map(|(cause, db)| (*cause, Some(*db))))
    }
}

/// The columns by their ids, so that the table reads like the specification's.
mod columns {
    pub use super::Cause::{
        ApplicationError as H26, ContentReset as H43, DeadMember as H39, DeviceInFront as H3,
        DuplicateAddress as H32, ErrorLimit as H10, Failover as H18, FewHops as H44, ForgedError as H17,
        HostDown as H6, IdleClosed as H45, Interception as H23, LameAnswer as H16, LargePacketsLost as H11,
        LateAnswer as H19, LimitReached as H47, LossyPath as H29, Mute as H27, NameMissing as H15,
        NextHopGone as H33, NoLease as H34, NoRoute as H7, NotRunning as H1, OneTransport as H12,
        Overload as H9, PathFilter as H5, Policy as H14, Portal as H36, PropertyFilter as H40,
        QueueFull as H46, ReceiverStalled as H28, Record as H21, SecondDhcp as H35, SecondPacketLost as H42,
        ServerFilter as H2, SharedIdentity as H48, SilentDrop as H8, SiteDown as H20, SizeBlackHole as H24,
        SlowPath as H30, SlowService as H31, SplitDns as H37, StateLost as H41, TableFull as H22,
        TimeService as H38, TlsRefused as H25, Upstream as H13, WrongAddress as H4,
    };
}

/// Makes the rows of one file and the list of them.
macro_rules! matrix {
    ($($(#[$doc:meta])+ $name:ident: $number:literal $group:ident, $source:literal,
        $(for $fits:literal,)? $(against $against:literal,)?
        [$($cause:ident $db:literal),*] $(, excludes [$($out:ident),+])?;)+) => {
        $($(#[$doc])+
        pub static $name: super::Row = super::Row {
            number: $number,
            group: super::Group::$group,
            source: $source,
            fits: concat!($($fits)?),
            against: concat!($($against)?),
            weights: &[$((super::columns::$cause, $db)),*],
            excludes: &[$($(super::columns::$out),+)?],
        };)+

        /// All rows of this file with their names.
        pub static ROWS: &[(&str, &super::Row)] = &[$((stringify!($name), &$name)),+];
    };
}
use matrix;

/// All rows with their names.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    [errors::ROWS, answers::ROWS, surroundings::ROWS, services::ROWS].into_iter().flatten().copied()
}

/// Causes that need an observation of their own mechanism: who else was served makes no contender of them.
static MECHANISMS: &[(Cause, &[&Row])] = &[
    (Cause::ContentReset, &[&services::RESET_NEARER, &services::RESET_SEEN]),
    (
        Cause::Interception,
        &[
            &answers::OTHER_ANSWER,
            &answers::CONTRADICTED_BY_TRANSPORT,
            &answers::CONTRADICTED_BY_CLIENT,
            &surroundings::ANSWERED_SHORT,
            &surroundings::INTERCEPTED,
            &surroundings::CONTESTED,
        ],
    ),
    (
        Cause::DeadMember,
        &[
            &services::SERVED_BETWEEN,
            &services::SERVED_BETWEEN_WORDS,
            &answers::FLOWS_STICK,
            &surroundings::MEMBER_FAILS,
            &surroundings::SEVERAL_SYSTEMS,
            &surroundings::SEVERAL_DISTANCES,
            &surroundings::INTERLEAVED_SILENCE,
            &surroundings::INTERLEAVED_REFUSALS,
            &surroundings::REGULAR_ORDER,
            &surroundings::REGULAR_SILENCE,
        ],
    ),
];

/// Observations that only tell who or what was served, variants among them: by them alone no cause contends.
pub static CONTRASTS: &[&Row] = &[&services::OTHERS_SERVED, &services::SERVED_BESIDE, &services::HOST_LIVES];

/// The observations of which a cause needs one; empty where it needs none.
pub fn mechanism(cause: Cause) -> &'static [&'static Row] {
    MECHANISMS.iter().find(|(own, _)| *own == cause).map_or(&[], |(_, rows)| rows)
}

/// Everything here that can change a verdict, as text: catalogue, matrix with priors, thresholds.
pub fn fingerprint() -> String {
    let mut lines: Vec<String> = CATALOGUE
        .iter()
        .map(|entry| format!("{} {} {} {:?}", entry.cause, entry.title, entry.class.name(), entry.role))
        .collect();
    for (name, row) in rows() {
        let weights: Vec<String> = row
            .all()
            .map(|(cause, db)| db.map_or_else(|| format!("{cause} x"), |db| format!("{cause} {db:+}")))
            .collect();
        lines.push(format!("{} {name} {:?} {}", row.id(), row.group, weights.join(", ")));
    }
    for (cause, needed) in MECHANISMS {
        let ids: Vec<String> = needed.iter().map(|row| row.id()).collect();
        lines.push(format!("{cause} needs {}", ids.join(", ")));
    }
    let contrasts: Vec<String> = CONTRASTS.iter().map(|row| row.id()).collect();
    lines.push(format!("found nothing alone: {}", contrasts.join(", ")));
    lines.extend(thresholds::TABLE.iter().map(|(name, value, _)| format!("{name} {value}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Ledger, WEIGHTS_DB};
    use super::super::verdicts::{self, Classing};
    use super::*;
    use crate::case::hash::hash_text;

    /// The mark of all weights and thresholds. Whoever changes one looks at the rankings below before this number.
    const LOOKED_AT: &str = "9bc1e9c53fcf";

    /// What is seen, and which causes lead by the weights alone.
    fn expected() -> Vec<(Vec<&'static Row>, &'static str)> {
        use answers::*;
        use errors::*;
        use services::*;
        use surroundings::*;
        vec![
            (vec![&PORT_UNREACHABLE], "H1, H2, H3, H4"),
            (vec![&PORT_UNREACHABLE_PROBABLE, &DELAYED], "H1, H2, H3, H4"),
            (vec![&PORT_UNREACHABLE, &ANSWERED_BEFORE_REFUSING, &RECOVERED_FROM_REFUSING], "H1, H2, H3"),
            (vec![&PORT_UNREACHABLE, &TCP_WORKS], "H2"),
            (vec![&PORT_UNREACHABLE, &ANSWERED_AMID_ERRORS, &OTHER_CLIENT_SERVED], "H2"),
            (vec![&PORT_UNREACHABLE, &HOPS_DIFFER, &DELAY_SHORT], "H3"),
            (vec![&PORT_UNREACHABLE_ELSEWHERE, &SOURCE_DIFFERS], "H5"),
            (vec![&PROHIBITED_BY_SERVER], "H2"),
            (vec![&PROHIBITED_ELSEWHERE], "H5"),
            (vec![&HOST_UNREACHABLE_SLOW], "H6"),
            (vec![&HOST_UNREACHABLE_FAST], "H5, H6, H7"),
            (vec![&NET_UNREACHABLE], "H7"),
            (vec![&TIME_EXCEEDED], "H7"),
            (vec![&ARP_UNANSWERED], "H6"),
            (vec![&BLOCKED_BY_RULE], "H5"),
            (vec![&SILENCE], "H6, H8"),
            (vec![&SILENCE, &ECHO_WORKS, &SERVER_ALIVE], "H8"),
            (vec![&SERVER_FAILURE, &ONE_ZONE_FAILS], "H13"),
            (vec![&REFUSED, &REFUSED_AMID_SERVED], "H47"),
            (vec![&REFUSED, &REFUSED_WHILE_WAITING], "H47"),
            (vec![&SILENCE, &TYPES_SPLIT, &FLOWS_STICK], "H40"),
            (vec![&SERVER_FAILURE, &SIGNATURES_EXPIRED], "H13"),
            (vec![&SERVER_FAILURE, &SIGNATURES_EARLY], "H13"),
            (vec![&SERVER_FAILURE, &TRANSFER_FAILED], "H13"),
            (vec![&REFUSED], "H14"),
            (vec![&NAME_ERROR], "H15"),
            (vec![&NAME_ERROR, &ZONE_CHANGED], "H15"),
            (vec![&NAME_ERROR, &DENIED_AFTER_MOVE], "H37"),
            (vec![&NAME_ERROR, &DENIED_TO_OTHERS, &ONE_ZONE_UNKNOWN], "H37"),
            (vec![&NAME_ERROR, &DENIED_IN_ZONE], "H16, H37"),
            (vec![&NAME_ERROR, &SERVERS_DISAGREE], "H16"),
            (vec![&OUTDATED_BY_ANSWERS], "H16"),
            (vec![&FORMAT_ERROR, &EDNS_UNKNOWN], "H40"),
            (vec![&SERVER_FAILURE, &UPSTREAM_WITHOUT_TCP], "H13"),
            (vec![&TCP_SILENT_BESIDE_ANSWERS], "H8"),
            (vec![&SILENCE, &REFERRED], "H6, H8"),
            (vec![&SILENCE, &TYPES_SPLIT, &NOT_FORWARDED_BY_RULE], "H40"),
            (vec![&SILENCE, &OTHER_ADDRESS_ALL], "H16"),
            (vec![&LATE_ANSWER], "H19, H30, H31"),
            (vec![&SILENCE, &ANNOUNCED_BY_RIVAL], "H4"),
            (vec![&LATE_ANSWER, &SLOW_TRIPS, &CLIENT_REFUSED, &UPSTREAM_SLOW], "H13"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &FLOWS_STICK], "H39"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &FLOWS_RECOVER], "H29"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &NOT_SENT_ON], "H22"),
            (vec![&SILENCE, &TRANSLATED, &INTERLEAVED_SILENCE, &MEMBER_FAILS], "H39"),
            (vec![&SILENCE, &LARGE_UNACKNOWLEDGED], "H11"),
            (vec![&ANSWER_LOST_ALL, &LARGE_ONLY_LOST], "H11"),
            (vec![&TIME_EXCEEDED, &FEW_HOPS], "H44"),
            (vec![&ANSWER_IGNORED], "H19"),
            (vec![&NAME_ERROR, &CONTRADICTED_BY_TRANSPORT], "H23"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &REGULAR_SILENCE, &FLOWS_STICK, &UPSTREAM_FAILS], "H13"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &REGULAR_SILENCE, &FLOWS_STICK, &TRIES_SPLIT], "H40"),
            (vec![&SILENCE, &LATE_BESIDE], "H31"),
            (vec![&SILENCE, &LARGE_TYPES_FAIL], "H11"),
            (vec![&ANSWER_LOST_AMID], "H29"),
            (vec![&ANSWER_LOST_ALL], "H5, H8"),
            (vec![&PORT_UNREACHABLE_ELSEWHERE, &SOURCE_DIFFERS, &LOCAL_REJECTION], "H5"),
            (vec![&REASSEMBLY_EXPIRED], "H11"),
            (vec![&CLOSED_UNANSWERED], "H26"),
            (vec![&MUTE], "H27"),
            (vec![&OTHER_ADDRESS, &SILENCE], "H16"),
            (vec![&RARE_PRIOR, &RANDOM_LABELS], "H9"),
            (vec![&RARE_PRIOR, &CONTRADICTED, &ERROR_AND_ANSWER], "H17"),
            (vec![&SYN_RESET], "H1, H2, H3, H4"),
            (vec![&SYN_RESET, &SEVERAL_HOSTS_WITHOUT], "H1, H2, H3, H4"),
            (vec![&SYN_RESET_NAMED, &NAME_RESOLVED], "H1, H2, H3"),
            (vec![&SYN_RESET, &SERVED_BEFORE], "H1, H2, H3"),
            (vec![&RESET_NEARER, &OTHERS_SERVED], "H43"),
            (vec![&SYN_RESET_NAMED, &LED_ASTRAY], "H1, H2, H3, H4"),
            (vec![&SYN_RESET_NAMED, &LED_BY_DOMAIN], "H4"),
            (vec![&HOST_UNREACHABLE_SLOW, &LED_ASTRAY], "H4, H6"),
            (vec![&UNREACHED], "H6, H8"),
            (vec![&UNREACHED, &HOST_LIVES], "H8"),
            (vec![&UNREACHED_BY_DESIGN, &HOST_LIVES], "H8, H14"),
            (vec![&UNREACHED, &HOST_UNANSWERED], "H6"),
            (vec![&UNREACHED, &NEXT_HOP_UNANSWERED], "H33"),
            (vec![&UNREACHED, &SERVED_BETWEEN], "H39"),
            (vec![&UNREACHED, &SERVED_BESIDE], "H29, H40"),
            (vec![&UNREACHED, &SEVERAL_HOSTS], "H8"),
            (vec![&UNREACHED, &STOPPED_BETWEEN], "H8"),
            (vec![&UNREACHED, &OTHER_CLIENTS_SERVED], "H8"),
            (vec![&SYN_RESET, &OTHER_CLIENTS_SERVED], "H2"),
            (vec![&UNREACHED_BY_DESIGN, &OTHER_CLIENTS_SERVED], "H8, H14"),
            (vec![&REQUEST_MUTE], "H27"),
            (vec![&REQUEST_MUTE, &CONNECTIONS_LEFT], "H46"),
            (vec![&UNREACHED, &CONNECTIONS_LEFT, &SERVED_BETWEEN], "H46"),
            (vec![&CUT_EARLY, &SERVED_BETWEEN, &CLOSE_CROSSED], "H45"),
            (vec![&SAYS_FAILURE, &GATEWAY_FAILURE, &FAILED_BEHIND, &CLOSE_CROSSED], "H45"),
            (vec![&TIME_EXCEEDED, &WENT_ROUND], "H7"),
            (vec![&LARGE_MISSING], "H24"),
            (vec![&WENT_SILENT], "H6, H8, H33, H41"),
            (vec![&WENT_SILENT, &QUIET_BEFORE, &NEW_CONNECTION_WORKS], "H41"),
            (vec![&WENT_SILENT, &QUIET_BEFORE, &LOST_BETWEEN], "H41"),
            (vec![&UNREACHED, &PIECES_SERVED], "H11"),
            (vec![&FRAGMENTS_MISSED], "H11"),
            (vec![&CUT_EARLY], "H26"),
            (vec![&ALERT_OF_SERVER], "H25"),
            (vec![&ALERT_OF_CLIENT, &OTHERS_SERVED], "H25"),
            (vec![&SAYS_FAILURE, &GATEWAY_FAILURE], "H26"),
            (vec![&SAYS_FAILURE, &SERVED_BETWEEN_WORDS], "H26"),
            (vec![&ALL_REFUSED], "H14, H26"),
            (vec![&ALL_REFUSED, &FAILED_BEHIND], "H26"),
            (vec![&LIMIT_TOLD], "H47"),
            (vec![&LIMIT_TOLD, &SERVED_BETWEEN_WORDS], "H47"),
            (vec![&LIMIT_POSSIBLE], "H26"),
            (vec![&LIMIT_POSSIBLE, &CONNECTIONS_HELD], "H26, H47"),
            (vec![&DENIED], "H14"),
            (vec![&SESSIONS_TAKEN, &OTHER_CLIENTS_SERVED], "H48"),
            (vec![&WINDOW_CLOSED], "H28"),
            (vec![&LATE_BEHIND_HANDSHAKE], "H31"),
            (vec![&LATE_ALL], "H30"),
            (vec![&LATE_UNCOMPARED], "H30, H31"),
            (vec![&NO_OFFER], "H34"),
            (vec![&NO_OFFER, &OTHERS_OFFERED], "H14"),
            (vec![&TWO_SERVERS], "H35"),
            (vec![&NO_TIME_GIVEN], "H38"),
            (vec![&WRONG_TIME_GIVEN], "H38"),
            (vec![&SYN_RESET_NAMED, &TWO_OWNERS], "H32"),
            (vec![&SYN_RESET, &OWNERS_PARTED, &SERVED_BETWEEN], "H32"),
            (vec![&SERVED_INSTEAD], ""),
            (vec![&SILENCE, &NEW_FLOWS_FAIL, &INTERMITTENT_FLOWS], "H22"),
            (vec![&INTERCEPTED], "H23"),
            (vec![&CONTESTED], "H23"),
            (vec![&REFUSED, &LED_TO_ONE_ADDRESS], "H36"),
            (vec![&PORT_UNREACHABLE, &INTERLEAVED_REFUSALS, &REGULAR_ORDER], "H39"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE], "H29, H39"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &SEVERAL_SYSTEMS], "H39"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &SEVERAL_DISTANCES], "H39"),
            (vec![&SILENCE, &ARP_UNANSWERED], "H6"),
            (vec![&SILENCE, &NEXT_HOP_UNANSWERED], "H33"),
            (vec![&PORT_UNREACHABLE, &TWO_OWNERS], "H32"),
            (vec![&SILENCE, &PROPERTY_SPLITS], "H40"),
            (vec![&SILENCE, &PROPERTY_OR_ORDER_SPLITS, &REGULAR_ORDER], "H39, H40"),
            (vec![&SILENCE, &NAMES_SPLIT], "H13"),
            (vec![&LED_TO_NEXT_HOP], "H36"),
            (vec![&SERVED_LATE, &TRIES_SPLIT], "H40"),
            (vec![&SERVED_LATE, &PAIR_TORN, &REPEATED_FEW], "H42"),
            (vec![&SERVED_LATE, &REPEATED_MANY], "H29"),
            (vec![&SERVED_LATE, &SLOW_TRIPS], "H30, H31"),
            (vec![&SERVED_LATE, &SLOW_TRIPS, &HANDSHAKE_FAST], "H31"),
            (vec![&SERVED_LATE, &SLOW_TRIPS, &HANDSHAKE_SLOW], "H30"),
            (vec![&SILENCE, &INTERLEAVED_SILENCE, &RESPONSES_LIMITED], "H14"),
        ]
    }

    #[test]
    fn a_changed_weight_is_looked_at() {
        for (seen, leads) in expected() {
            let mut ledger = Ledger::default();
            for row in &seen {
                ledger.see(row, String::new(), Vec::new());
            }
            let judged = verdicts::judge(ledger, Classing::default(), &[]);
            let led: Vec<Cause> = verdicts::leaders(&judged).iter().map(|h| h.cause).collect();
            let rows: Vec<String> = seen.iter().map(|row| row.id()).collect();
            let mut led = led;
            led.sort_unstable();
            assert_eq!(super::super::catalogue::list(&led), leads, "{}", rows.join(" "));
        }
        let hash = hash_text(&fingerprint());
        assert!(hash.starts_with(LOOKED_AT), "the rankings stand; the mark is now {hash}");
    }

    #[test]
    fn no_cause_contends_without_its_own_mechanism() {
        let contends = |rows: &[&'static Row], cause: Cause| {
            let mut ledger = Ledger::default();
            for row in rows {
                ledger.see(row, String::new(), Vec::new());
            }
            let judged = verdicts::judge(ledger, Classing::default(), &[]);
            judged.iter().any(|h| h.cause == cause && h.score_db > Some(0))
        };
        let served = [&services::REQUEST_MUTE, &services::OTHERS_SERVED];
        assert!(!contends(&served, Cause::ContentReset), "nothing was reset");
        let reset = [&services::CUT_EARLY, &services::RESET_SEEN, &services::OTHERS_SERVED];
        assert!(contends(&reset, Cause::ContentReset));
        assert!(!contends(&[&surroundings::TWO_OWNERS], Cause::Interception), "no answer was in question");
        assert!(contends(&[&surroundings::CONTESTED, &surroundings::TWO_OWNERS], Cause::Interception));
        let late = [&services::LATE_BEHIND_HANDSHAKE, &services::OTHER_CLIENTS_SERVED];
        for cause in [Cause::Policy, Cause::PathFilter, Cause::DeadMember, Cause::Mute] {
            assert!(!contends(&late, cause), "{cause}: others were served, and nothing else speaks for it");
        }
        let fragments = [&services::FRAGMENTS_MISSED, &services::OTHER_CLIENTS_SERVED];
        assert!(
            !contends(&fragments, Cause::Policy),
            "what did not arrive whole meets no policy of the server"
        );
    }

    #[test]
    fn weights_are_allowed_ones_and_name_a_cause_once() {
        for (name, row) in rows() {
            let mut causes: Vec<Cause> = row.all().map(|(cause, _)| cause).collect();
            causes.sort_unstable();
            let many = causes.len();
            causes.dedup();
            assert_eq!(many, causes.len(), "{name}");
            assert!(row.all().all(|(_, db)| db.is_none_or(|db| WEIGHTS_DB.contains(&db))), "{name}");
            assert!(causes.iter().all(|cause| cause.entry().is_some()), "{name}");
        }
    }

    #[test]
    fn variants_of_one_observation_stand_in_one_group() {
        for (name, row) in rows() {
            let others = rows().filter(|(_, other)| other.number == row.number);
            assert!(others.into_iter().all(|(_, other)| other.group == row.group), "{name}");
        }
    }

    #[test]
    fn every_id_is_read_back() {
        for entry in &CATALOGUE {
            assert_eq!(Cause::parse(entry.cause.id()), Some(entry.cause));
            assert_eq!(entry.cause.id(), format!("H{}", entry.cause as u8));
        }
    }
}
