//! What tables say of a failure beyond its name: they print it, and columns keep it.

use super::episodes::signature;
use super::{Episode, Evidence, Outcome, Signature, Transaction};
use crate::protocols::dns as names;
use crate::time::Nanos;

impl Signature {
    /// The signature in a few words.
    pub fn words(&self) -> String {
        match self {
            Self::Icmp { v6, kind, code } => format!("icmp{} {kind}/{code}", if *v6 { "v6" } else { "" }),
            Self::NoAnswer => "no answer".to_owned(),
            Self::ResponseCode(code) => names::failure_name(*code),
            Self::TcpReset => "tcp reset".to_owned(),
            Self::ResetMidway => "tcp reset midway".to_owned(),
            Self::Closed => "tcp closed".to_owned(),
            Self::Mute => "tcp mute".to_owned(),
            Self::Truncated => "truncated".to_owned(),
            Self::NotReceived => "answer not received".to_owned(),
            Self::Late => "late answer".to_owned(),
        }
    }
}

impl Transaction {
    /// Whether it failed as episodes count it: a response code that serves nobody is a failure, a name that does not exist is an
    /// answer. `None` where the capture cannot tell.
    pub fn failed(&self) -> Option<bool> {
        let known = self.outcome != Outcome::Undetermined;
        known.then(|| signature(false, self).is_some())
    }
}

impl Evidence {
    /// How long an episode lasted, from its first frame to the last; nothing where the clock was set back in between.
    pub fn lasted_ns(&self, episode: &Episode) -> Option<Nanos> {
        let (first, last) = (episode.frames.first()?, episode.frames.last()?);
        self.between_ns(*first, *last).map(|_| episode.last_ns - episode.first_ns)
    }

    /// The response code of a transaction, the ICMP type and code, or why its end cannot be told.
    pub fn detail(&self, transaction: &Transaction) -> String {
        if let Some(because) = self.undetermined_because(self.index(), transaction) {
            return because;
        }
        if transaction.answer.is_some() {
            let code = names::response_code_name(transaction.response_code);
            return match transaction.extended_error {
                Some(error) => format!("{code} ({})", names::extended_error_name(error)),
                None => code,
            };
        }
        match transaction.outcome {
            Outcome::Refused | Outcome::CoveredByRateLimit => {
                format!("icmp {}/{}", transaction.icmp.0, transaction.icmp.1)
            }
            _ => String::new(),
        }
    }
}
