//! Reads answers that deny something from the words in which tcpdump (`-v`) and lists of Wireshark print them.

use super::codes::said;
use super::{Code, Said};
use crate::attempts::Kind;
use crate::attempts::exchange::{Role, Says};

/// Words of a line and the code they stand for; the protocol is that of the port.
static WORDS: &[(Kind, &str, &str)] = &[
    (Kind::Ldap, "confidentialityRequired", "13"),
    (Kind::Ldap, "strongAuthRequired", "8"),
    (Kind::Ldap, "strongerAuthRequired", "8"),
    (Kind::Ldap, "inappropriateAuthentication", "48"),
    (Kind::Ldap, "invalidCredentials", "49"),
    (Kind::Ldap, "insufficientAccessRights", "50"),
    (Kind::Ldap, "unavailable ", "52"),
    (Kind::Ldap, "unwillingToPerform", "53"),
    (Kind::Ldap, "operationsError", "1"),
    (Kind::Smb, "STATUS_LOGON_FAILURE", "C000006D"),
    (Kind::Smb, "STATUS_WRONG_PASSWORD", "C000006A"),
    (Kind::Smb, "STATUS_PASSWORD_EXPIRED", "C0000071"),
    (Kind::Smb, "STATUS_ACCOUNT_DISABLED", "C0000072"),
    (Kind::Smb, "STATUS_ACCOUNT_LOCKED_OUT", "C0000234"),
    (Kind::Smb, "STATUS_NO_LOGON_SERVERS", "C000005E"),
    (Kind::Smb, "STATUS_BAD_NETWORK_NAME", "C00000CC"),
    (Kind::Smb, "STATUS_DISK_FULL", "C000007F"),
    (Kind::Smb, "STATUS_INSUFF_SERVER_RESOURCES", "C0000205"),
    (Kind::Smb, "Session Setup Response, Error: STATUS_ACCESS_DENIED", "C0000022"),
    (Kind::Smb, "Tree Connect Response, Error: STATUS_ACCESS_DENIED", "C0000022"),
    (Kind::Radius, "Access-Reject", "Reject"),
    (Kind::Snmp, "genErr", "5"),
    (Kind::Snmp, "authorizationError", "16"),
    (Kind::Snmp, "usmStatsUnsupportedSecLevels", "v3-1"),
    (Kind::Snmp, "usmStatsUnknownUserNames", "v3-3"),
    (Kind::Snmp, "usmStatsWrongDigests", "v3-5"),
    (Kind::Snmp, "usmStatsDecryptionErrors", "v3-6"),
    (Kind::Ike, "no_proposal_chosen", "14"),
    (Kind::Ike, "NO_PROPOSAL_CHOSEN", "14"),
    (Kind::Ike, "no-proposal-chosen", "14"),
    (Kind::Ike, "AUTHENTICATION_FAILED", "24"),
];

/// Words behind which a number is the code.
static NUMBERS: &[(Kind, &str)] = &[
    (Kind::Mysql, "Error "),
    (Kind::Ldap, "LDAP result "),
    (Kind::Sip, "SIP/2.0 "),
    (Kind::Sip, "Status: "),
];

/// Words by which a session is granted.
static GRANTS: &[(Kind, &str)] =
    &[(Kind::Ldap, "bindResponse("), (Kind::Mysql, "Response OK"), (Kind::Smb, "Tree Connect Response")];

fn number(text: &str) -> Option<Code> {
    let digits = text.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or_default();
    (!digits.is_empty()).then(|| Code::new(digits.as_bytes()))
}

/// The number in brackets that follows.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (_, inside) = text.split_once('(')?;
    inside.split_once(')')
}

/// Code and subcode of a NOTIFICATION: `Notification Message (3), length: 23, OPEN Message Error (2), subcode Bad Peer AS (2)`.
fn bgp(told: &str) -> Option<Code> {
    let (_, rest) = told.split_once("Notification Message (3)")?;
    let (code, rest) = bracketed(rest)?;
    let part = rest.split_once("subcode").and_then(|(_, rest)| bracketed(rest)).map_or("0", |(part, _)| part);
    Some(Code::new(format!("{code}/{part}").as_bytes()))
}

fn code(kind: Kind, told: &str) -> Option<Code> {
    let named = WORDS.iter().find(|(known, words, _)| *known == kind && told.contains(words));
    let numbered = || {
        let own = NUMBERS.iter().filter(|(known, _)| *known == kind);
        own.into_iter().find_map(|(_, words)| number(told.split_once(words)?.1))
    };
    match kind {
        Kind::Bgp => bgp(told),
        _ => named.map(|(.., code)| Code::new(code.as_bytes())).or_else(numbered),
    }
}

/// What a printed segment of a server says.
pub(super) fn segment(kind: Kind, told: &str) -> Said {
    if let Some(code) = code(kind, told) {
        return match said(kind, code, false) {
            // Of a session: another step may follow.
            Said::Breaks(denial) if told.contains("bindResponse") => Said::Denies(denial),
            own => own,
        };
    }
    let grants = GRANTS.iter().any(|(known, words)| *known == kind && told.contains(words));
    if grants && !told.contains("Error") && !told.contains("saslBindInProgress") {
        Said::Serves
    } else {
        Said::Nothing
    }
}

/// A server says in two ways that it has no time (RFC 5905 §7.3); `-v` prints both.
fn ntp(told: &str) -> Says {
    let stratum =
        told.split_once("Stratum ").and_then(|(_, rest)| rest.split([' ', ',']).next()?.parse::<u8>().ok());
    let is_unset = told.contains("clock unsynchronized") || told.contains("Leap indicator: unsync");
    if is_unset || stratum.is_some_and(|stratum| stratum >= 16) { Says::NoTime } else { Says::Served }
}

/// Methods of SIP that are answered (RFC 3261, 3262, 3265, 3311, 3428, 3515, 3903, 6086). An ACK is not.
const SIP_METHODS: [&str; 13] = [
    "INVITE",
    "REGISTER",
    "OPTIONS",
    "BYE",
    "CANCEL",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "MESSAGE",
    "REFER",
    "INFO",
    "UPDATE",
    "PRACK",
];
/// Numbers that tell requests of SIP apart where only methods are printed; 0 is an answer of which not even that is.
pub const SIP_IDS: std::ops::RangeInclusive<u64> = 1..=SIP_METHODS.len() as u64;

/// What a printed datagram is to its service, going to the service's port or coming from it.
pub fn role(kind: Kind, told: &str, to_server: bool) -> Role {
    if kind != Kind::Sip {
        return if to_server { Role::Asks(0) } else { Role::Answers(0, datagram(kind, told)) };
    }
    let number = |words: &str| {
        let method = SIP_METHODS.iter().position(|method| words.starts_with(method));
        method.map_or(0, |at| at as u64 + 1)
    };
    if let Some((_, status)) = told
        .split_once("Status: ")
        .or_else(|| told.split_once("SIP/2.0 "))
        .filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        // `200 OK (OPTIONS)`
        let method = status.split_once('(').map_or("", |(_, method)| method);
        return Role::Answers(number(method), datagram(kind, told));
    }
    let request =
        told.split_once("Request: ").or_else(|| told.split_once("SIP: ")).map_or(told, |(_, words)| words);
    match number(request) {
        0 if request.starts_with("ACK ") => Role::Neither,
        id => Role::Asks(id),
    }
}

/// What a printed datagram of a server says.
fn datagram(kind: Kind, told: &str) -> Says {
    if kind == Kind::Ntp {
        return ntp(told);
    }
    let code = code(kind, told);
    if let (Kind::Sip, Some(status)) = (kind, code.and_then(|code| code.as_str().parse::<u16>().ok())) {
        match status {
            100..200 => return Says::Waits,
            408 | 500..600 => return Says::Fails(status),
            // Whether a challenge follows credentials is not printed.
            401 | 407 => return Says::Served,
            _ => {}
        }
    }
    code.and_then(|code| super::codes::denial(kind, code)).map_or(Says::Served, Says::Denies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_words_stand_for_the_codes_of_their_protocols() {
        let one = |kind: Kind, told: &str| match segment(kind, told) {
            Said::Denies(denial) | Said::Breaks(denial) => denial.code.as_str().to_owned(),
            Said::Serves => "served".to_owned(),
            Said::Nothing | Said::Declines(_) => String::new(),
        };
        let told = "BGP, length: 23\n\tNotification Message (3), length: 23, OPEN Message Error (2), subcode Bad Peer AS (2)";
        assert_eq!(one(Kind::Bgp, told), "2/2");
        assert_eq!(one(Kind::Bgp, "BGP, length: 19\n\tKeepalive Message (4), length: 19"), "");
        assert_eq!(one(Kind::Ldap, "bindResponse(1) invalidCredentials (80090308: LdapErr)"), "49");
        assert_eq!(one(Kind::Ldap, "bindResponse(1) success"), "served");
        assert_eq!(one(Kind::Ldap, "bindResponse(1) saslBindInProgress"), "");
        assert_eq!(one(Kind::Ldap, "searchResDone(2) noSuchObject"), "");
        assert_eq!(one(Kind::Mysql, "Response  Error 1040"), "1040");
        assert_eq!(one(Kind::Smb, "Session Setup Response, Error: STATUS_LOGON_FAILURE"), "C000006D");
        assert_eq!(
            one(Kind::Smb, "Session Setup Response, Error: STATUS_MORE_PROCESSING_REQUIRED, NTLMSSP"),
            ""
        );
    }

    #[test]
    fn printed_datagrams_deny_as_captured_ones_do() {
        let code = |kind: Kind, told: &str| match datagram(kind, told) {
            Says::Denies(denial) => denial.code.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(code(Kind::Radius, "RADIUS, Access-Reject (3), id: 0x05 length: 20"), "Reject");
        assert_eq!(code(Kind::Sip, "SIP: SIP/2.0 403 Forbidden"), "403");
        assert_eq!(code(Kind::Sip, "SIP: SIP/2.0 503 Service Unavailable"), "Fails(503)");
        assert_eq!(code(Kind::Sip, "SIP: SIP/2.0 401 Unauthorized"), "Served");
        assert_eq!(
            code(
                Kind::Ike,
                "isakmp: parent_sa ikev2_init[R]:\n    (n: prot_id=#0 type=14(no_proposal_chosen))"
            ),
            "14"
        );
        let server = |leap: &str, stratum: &str| {
            let told = format!(
                "NTPv4, Server, length 48\n\tLeap indicator: {leap}, Stratum {stratum}, poll 6 (64s)"
            );
            code(Kind::Ntp, &told)
        };
        assert_eq!(server(" (0)", "2 (secondary reference)"), "Served");
        assert_eq!(server(" (0)", "16 (reserved)"), "NoTime");
        assert_eq!(server("clock unsynchronized (192)", "3 (secondary reference)"), "NoTime");
        assert_eq!(code(Kind::Ntp, "NTPv4, Server, length 48"), "Served");
        assert_eq!(code(Kind::Snmp, "GetResponse(28)  .1.3.6.1.2.1.1.1.0=a"), "Served");
    }
}
