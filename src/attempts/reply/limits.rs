//! Which answers mean that a limit is reached: connections, requests in a time, or one of several reasons to serve no more.

use crate::attempts::{Kind, Outcome};

/// What a service has no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Connections or sessions at a time.
    Connections,
    /// Requests in a time.
    Rate,
    /// It is busy or unavailable: a limit is one of the reasons.
    Perhaps,
}

/// Codes by protocol; those of HTTP, SMTP and SIP are statuses.
static LIMITS: &[(Kind, &str, Limit)] = &[
    (Kind::Postgres, "53300", Limit::Connections),
    (Kind::Mysql, "1040", Limit::Connections),
    (Kind::Mysql, "1203", Limit::Connections),
    (Kind::Mysql, "1226", Limit::Connections),
    (Kind::Redis, "ERR-max", Limit::Connections),
    (Kind::Ssh, "MaxStartups", Limit::Connections),
    (Kind::Smb, "C00000D0", Limit::Connections),
    (Kind::Imap, "LIMIT", Limit::Connections),
    (Kind::Amqp, "LIMIT", Limit::Connections),
    (Kind::Pop3, "LOGIN-DELAY", Limit::Rate),
    (Kind::Mqtt, "151", Limit::Rate),
    (Kind::Http, "429", Limit::Rate),
    (Kind::Http, "503", Limit::Perhaps),
    (Kind::Smtp, "421", Limit::Perhaps),
    (Kind::Ftp, "421", Limit::Perhaps),
    (Kind::Sip, "503", Limit::Perhaps),
    (Kind::SipTcp, "503", Limit::Perhaps),
    (Kind::Ldap, "51", Limit::Perhaps),
    (Kind::Ldap, "52", Limit::Perhaps),
    (Kind::Mqtt, "3", Limit::Perhaps),
    (Kind::Mqtt, "136", Limit::Perhaps),
    (Kind::Mqtt, "137", Limit::Perhaps),
    (Kind::Bgp, "6/8", Limit::Perhaps),
];

/// The limit that an outcome tells of.
pub fn limit(kind: Kind, outcome: Outcome) -> Option<Limit> {
    let number;
    let code = match &outcome {
        Outcome::Denied(denial) => denial.code.as_str(),
        Outcome::Fails(code) => {
            number = code.to_string();
            number.as_str()
        }
        _ => return None,
    };
    LIMITS.iter().find(|(known, word, _)| *known == kind && *word == code).map(|(.., limit)| *limit)
}
