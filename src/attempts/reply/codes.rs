//! The codes by which services deny something, for each protocol: a row a code.

use super::{Code, Denial, Said, Why};
use crate::attempts::Kind;

/// One code; a star stands for whatever follows.
struct Row {
    code: &'static str,
    why: Why,
    /// It counts for whatever was asked, also after the client was let in, and whatever else is granted.
    is_grave: bool,
    words: &'static str,
}

/// What a protocol's codes mean; `other` tells who can mend what no row names, `None` where such a code decides nothing.
pub struct Table {
    rows: &'static [Row],
    other: Option<Why>,
}

const fn entry(code: &'static str, why: Why, words: &'static str) -> Row {
    Row { code, why, is_grave: false, words }
}

const fn grave(code: &'static str, why: Why, words: &'static str) -> Row {
    Row { code, why, is_grave: true, words }
}

use Why::{Fails, Forbids, Rejects};

/// SQLSTATE (PostgreSQL documentation, appendix A).
static POSTGRES: Table = Table {
    rows: &[
        grave("53300", Fails, "too many connections"),
        grave("53100", Fails, "disk full"),
        grave("53200", Fails, "out of memory"),
        grave("53*", Fails, "insufficient resources"),
        entry("57P03", Fails, "cannot connect now: starting or stopping"),
        entry("57P*", Fails, "stopped by an operator"),
        grave("58*", Fails, "system error"),
        grave("XX*", Fails, "internal error"),
        grave("25006", Forbids, "read-only"),
        entry("28P01", Rejects, "wrong password"),
        entry("28*", Forbids, "not authorised"),
        entry("3D000", Forbids, "no such database"),
        entry("42501", Forbids, "insufficient privilege"),
    ],
    other: Some(Forbids),
};

/// Error numbers of MySQL and MariaDB.
static MYSQL: Table = Table {
    rows: &[
        entry("1040", Fails, "too many connections"),
        entry("1203", Fails, "the user has too many connections"),
        entry("1226", Fails, "the user's limit is reached"),
        entry("1045", Rejects, "access denied"),
        entry("1044", Forbids, "no right to the database"),
        entry("1049", Forbids, "no such database"),
        entry("1129", Forbids, "the client's host is blocked after errors"),
        entry("1130", Forbids, "the client's host may not connect"),
        entry("1862", Forbids, "the password has expired"),
        entry("3118", Forbids, "the account is locked"),
        grave("1053", Fails, "the server stops"),
        grave("1021", Fails, "disk full"),
        grave("1037", Fails, "out of memory"),
        grave("1041", Fails, "out of memory"),
        grave("1114", Fails, "table full"),
        grave("1290", Forbids, "read-only"),
        grave("1836", Forbids, "read-only"),
    ],
    other: Some(Forbids),
};

/// Codes of the `code` field of MongoDB's replies.
static MONGO: Table = Table {
    rows: &[
        entry("18", Rejects, "authentication failed"),
        entry("13", Forbids, "not authorised"),
        grave("10107", Fails, "not the primary"),
        grave("13435", Fails, "not the primary"),
        grave("13436", Fails, "neither primary nor secondary"),
        grave("189", Fails, "the primary stepped down"),
        grave("91", Fails, "shutting down"),
        grave("11600", Fails, "shutting down"),
        grave("14031", Fails, "out of disk space"),
    ],
    other: None,
};

/// Words at the beginning of Redis' errors.
static REDIS: Table = Table {
    rows: &[
        entry("LOADING", Fails, "still loading its data"),
        entry("BUSY", Fails, "busy with a script"),
        entry("MASTERDOWN", Fails, "the link to the primary is down"),
        entry("CLUSTERDOWN", Fails, "the cluster is down"),
        grave("OOM", Fails, "out of memory"),
        grave("MISCONF", Fails, "its data cannot be saved"),
        grave("NOREPLICAS", Fails, "too few replicas"),
        grave("READONLY", Forbids, "a replica takes no writes"),
        grave("NOPERM", Forbids, "no permission"),
        entry("NOAUTH", Forbids, "a password is required"),
        entry("DENIED", Forbids, "protected mode"),
        entry("WRONGPASS", Rejects, "wrong user name or password"),
        entry("ERR-max", Fails, "too many clients"),
    ],
    other: None,
};

/// Result codes (RFC 4511 §4.1.9, appendix A).
static LDAP: Table = Table {
    rows: &[
        grave("1", Fails, "operations error"),
        entry("2", Forbids, "protocol error"),
        entry("7", Forbids, "method of authentication not supported"),
        grave("8", Forbids, "stronger authentication required"),
        grave("13", Forbids, "confidentiality required: TLS is demanded"),
        entry("48", Rejects, "inappropriate authentication"),
        entry("49", Rejects, "invalid credentials"),
        grave("50", Forbids, "insufficient access rights"),
        grave("51", Fails, "busy"),
        grave("52", Fails, "unavailable"),
        grave("53", Forbids, "unwilling to perform"),
        grave("80", Fails, "other error"),
    ],
    other: Some(Forbids),
};

/// NT status of session and share, and of what runs out ([MS-ERREF] §2.3).
static SMB: Table = Table {
    rows: &[
        entry("C000006D", Rejects, "logon failure"),
        entry("C000006A", Rejects, "wrong password"),
        entry("C0000064", Rejects, "no such user"),
        entry("C00000CC", Rejects, "no such share"),
        entry("C0000022", Forbids, "access denied"),
        entry("C0000071", Forbids, "the password has expired"),
        entry("C0000072", Forbids, "the account is disabled"),
        entry("C0000224", Forbids, "the password must be changed"),
        entry("C0000234", Forbids, "the account is locked"),
        entry("C0000133", Fails, "the clocks differ"),
        entry("C000005E", Fails, "no logon server"),
        grave("C000007F", Fails, "disk full"),
        grave("C000009A", Fails, "insufficient resources"),
        grave("C0000205", Fails, "insufficient server resources"),
        grave("C00000D0", Fails, "no more requests accepted"),
        grave("C0000185", Fails, "input/output error of the device"),
    ],
    other: Some(Forbids),
};

/// What an SSH server says in place of its version, and that it left before keys were agreed (RFC 4253 §7).
static SSH: Table = Table {
    rows: &[
        entry("MaxStartups", Fails, "too many sign-ins at a time"),
        entry("not-allowed", Forbids, "not allowed at this time"),
        entry(NO_KEYS, Rejects, "ended by the server before keys were agreed"),
    ],
    other: None,
};

/// The code of an SSH session that the server ended after both had said which ciphers they take, and before it answered.
pub const NO_KEYS: &str = "no-keys";

/// Reply codes (RFC 959 §4.2).
static FTP: Table = Table {
    rows: &[
        grave("421", Fails, "service not available"),
        grave("425", Fails, "no data connection"),
        grave("451", Fails, "local error"),
        grave("452", Fails, "insufficient storage"),
        grave("552", Fails, "storage exceeded"),
        entry("530", Rejects, "not logged in"),
        entry("534", Forbids, "refused by policy"),
        entry("522", Forbids, "encryption required"),
    ],
    other: None,
};

/// Reply codes (RFC 5321 §4.2, RFC 4954 §6).
static SMTP: Table = Table {
    rows: &[
        entry("530", Forbids, "authentication or TLS required"),
        entry("534", Rejects, "mechanism too weak"),
        entry("535", Rejects, "authentication failed"),
        entry("538", Forbids, "TLS required"),
        entry("550", Rejects, "mailbox unavailable, or refused"),
        entry("551", Rejects, "user not local"),
        entry("552", Rejects, "more than the mailbox or the server takes"),
        entry("553", Rejects, "mailbox name not allowed"),
        entry("554", Rejects, "transaction failed"),
        entry("556", Rejects, "the domain accepts no mail"),
        entry("4*", Fails, "temporary failure"),
    ],
    other: None,
};

/// Subject and detail of enhanced status codes, behind their class (RFC 3463 §3, RFC 4954 §6, RFC 7372).
static ENHANCED: Table = Table {
    rows: &[
        entry("1.1", Rejects, "no such mailbox"),
        entry("1.2", Rejects, "no such mail domain"),
        entry("1.8", Rejects, "the sender's mail domain is not accepted"),
        entry("1.*", Rejects, "address not accepted"),
        entry("2.1", Rejects, "the mailbox is disabled"),
        entry("2.2", Rejects, "the mailbox is full"),
        entry("2.3", Rejects, "message too big for the mailbox"),
        entry("2.*", Rejects, "a condition of the mailbox"),
        entry("3.1", Fails, "the mail system is full"),
        entry("3.3", Rejects, "a feature that the mail system does not have"),
        entry("3.4", Rejects, "message too big"),
        entry("3.*", Fails, "the mail system does not take mail now"),
        entry("4.*", Fails, "the way on, or what stands behind, fails"),
        entry("5.*", Rejects, "not expected in the protocol"),
        entry("6.*", Rejects, "content not accepted"),
        entry("7.3", Fails, "a security feature fails"),
        entry("7.8", Rejects, "authentication failed"),
        entry("7.9", Rejects, "mechanism too weak"),
        entry("7.*", Rejects, "refused by policy"),
    ],
    other: None,
};

/// Words of policy in replies of mail servers that give no further code.
const POLICY: [&[u8]; 8] =
    [b"relay", b"denied", b"not allowed", b"not permitted", b"policy", b"blocked", b"rejected", b"spam"];

/// Words of what the server itself lacks, in temporary refusals that are marked as policy: a filter that does not answer is told so.
const LACKS: [&[u8]; 4] = [b"unavailable", b"not available", b"temporary", b"local problem"];

/// What a reply of a mail server says: its code, the enhanced one behind it, else its words.
pub(super) fn mail(code: u16, line: &[u8]) -> Said {
    let text = line.get(4..).unwrap_or_default();
    let further = text.split(|byte| *byte == b' ').next().filter(|word| is_enhanced(word, code));
    let basic = said(Kind::Smtp, Code::number(u32::from(code)), false);
    match (basic, further) {
        (Said::Denies(denial), Some(further))
            if denial.why == Fails && further.starts_with(b"4.7.") && names(text, &LACKS) =>
        {
            Said::Denies(Denial { code: Code::with(code, further), ..denial })
        }
        (Said::Denies(_), Some(further)) => said(Kind::Smtp, Code::with(code, further), false),
        (Said::Denies(denial), None) if denial.why == Fails && names(text, &POLICY) => {
            Said::Denies(Denial { why: Rejects, ..denial })
        }
        (plain, _) => plain,
    }
}

/// Class, subject and detail, the class being the first digit of the code (RFC 2034 §4).
fn is_enhanced(word: &[u8], code: u16) -> bool {
    let digits = |part: &[u8]| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    let parts: Vec<&[u8]> = word.split(|byte| *byte == b'.').collect();
    matches!(parts.as_slice(), [[class], subject, detail]
        if u16::from(*class) == u16::from(b'0') + code / 100 && digits(subject) && digits(detail))
}

fn names(text: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// Response codes in brackets, else the word itself (RFC 9051 §7.1).
static IMAP: Table = Table {
    rows: &[
        entry("BYE", Fails, "the server says good-bye"),
        grave("UNAVAILABLE", Fails, "unavailable"),
        grave("INUSE", Fails, "in use"),
        grave("LIMIT", Fails, "a limit is reached"),
        grave("OVERQUOTA", Fails, "over quota"),
        grave("SERVERBUG", Fails, "an error of the server"),
        entry("CONTACTADMIN", Forbids, "contact the administrator"),
        entry("PRIVACYREQUIRED", Forbids, "encryption required"),
        entry("AUTHENTICATIONFAILED", Rejects, "authentication failed"),
        entry("AUTHORIZATIONFAILED", Forbids, "no right to act for that name"),
        entry("EXPIRED", Rejects, "the credentials have expired"),
        entry("NO", Rejects, "refused"),
        entry("BAD", Forbids, "not understood, or not allowed"),
    ],
    other: Some(Rejects),
};

/// Response codes in brackets (RFC 2449 §8, RFC 3206), else the word itself.
static POP3: Table = Table {
    rows: &[
        entry("IN-USE", Fails, "the mailbox is in use"),
        entry("LOGIN-DELAY", Fails, "asked too soon again"),
        entry("SYS/TEMP", Fails, "temporary failure"),
        entry("SYS/PERM", Fails, "lasting failure"),
        entry("AUTH", Rejects, "authentication failed"),
        entry("-ERR", Rejects, "refused"),
    ],
    other: Some(Rejects),
};

/// Code and subcode of NOTIFICATION (RFC 4271 §4.5, RFC 4486).
static BGP: Table = Table {
    rows: &[
        grave("1/*", Fails, "message header error"),
        grave("2/2", Forbids, "bad peer AS"),
        grave("2/3", Forbids, "bad BGP identifier"),
        grave("2/6", Forbids, "unacceptable hold time"),
        grave("2/*", Forbids, "OPEN message error"),
        grave("3/*", Fails, "UPDATE message error"),
        grave("4/*", Fails, "hold timer expired"),
        grave("5/*", Fails, "finite state machine error"),
        grave("6/1", Forbids, "too many prefixes"),
        grave("6/2", Forbids, "administrative shutdown"),
        grave("6/3", Forbids, "peer removed from the settings"),
        grave("6/4", Forbids, "administrative reset"),
        grave("6/5", Forbids, "connection rejected"),
        grave("6/8", Fails, "out of resources"),
        grave("6/*", Fails, "cease"),
    ],
    other: None,
};

/// Return and reason codes of CONNACK (MQTT 3.1.1 §3.2.2.3, MQTT 5 §3.2.2.2).
static MQTT: Table = Table {
    rows: &[
        entry("1", Forbids, "protocol version not accepted"),
        entry("2", Rejects, "client identifier refused"),
        entry("3", Fails, "server unavailable"),
        entry("4", Rejects, "bad user name or password"),
        entry("5", Forbids, "not authorised"),
        entry("132", Forbids, "protocol version not accepted"),
        entry("133", Rejects, "client identifier refused"),
        entry("134", Rejects, "bad user name or password"),
        entry("135", Forbids, "not authorised"),
        entry("136", Fails, "server unavailable"),
        entry("137", Fails, "server busy"),
        entry("138", Forbids, "banned"),
        entry("151", Fails, "quota exceeded"),
    ],
    other: Some(Forbids),
};

/// Reply codes of Connection.Close (AMQP 0-9-1 §1.2).
static AMQP: Table = Table {
    rows: &[
        entry("LIMIT", Fails, "a limit of connections is reached"),
        entry("402", Forbids, "no such virtual host"),
        entry("403", Rejects, "access refused"),
        entry("530", Forbids, "not allowed"),
        grave("320", Fails, "closed by an operator"),
        grave("506", Fails, "resource error"),
        grave("541", Fails, "internal error"),
    ],
    other: None,
};

/// Statuses (RFC 7826 §17).
static RTSP: Table = Table {
    rows: &[
        entry("401", Rejects, "not authorised"),
        entry("403", Forbids, "forbidden"),
        entry("404", Forbids, "not found"),
        entry("415", Forbids, "media type not supported"),
        entry("453", Fails, "not enough bandwidth"),
        entry("454", Fails, "session not found"),
        entry("461", Forbids, "transport not supported"),
        entry("501", Forbids, "not implemented"),
        entry("5*", Fails, "error of the server"),
    ],
    other: None,
};

/// Final answers that deny beside failures of the server (RFC 3261 §21).
static SIP: Table = Table {
    rows: &[
        entry("401", Rejects, "credentials not taken"),
        entry("407", Rejects, "credentials not taken"),
        entry("403", Forbids, "forbidden"),
        entry("406", Forbids, "not acceptable"),
        entry("488", Forbids, "not acceptable here"),
    ],
    other: None,
};

/// The same over TCP, with the failures of the server.
static SIP_TCP: Table = Table {
    rows: &[
        entry("401", Rejects, "credentials not taken"),
        entry("407", Rejects, "credentials not taken"),
        entry("403", Forbids, "forbidden"),
        entry("406", Forbids, "not acceptable"),
        entry("408", Fails, "timed out"),
        entry("488", Forbids, "not acceptable here"),
        entry("503", Fails, "service unavailable"),
        entry("5*", Fails, "error of the server"),
    ],
    other: None,
};

/// Error codes of KRB-ERROR (RFC 4120 §7.5.9); that pre-authentication is required, and that an answer is too big for UDP, are steps.
static KERBEROS: Table = Table {
    rows: &[
        entry("6", Rejects, "client unknown"),
        entry("7", Rejects, "service unknown"),
        entry("14", Forbids, "encryption type not supported"),
        entry("18", Forbids, "the client's account is disabled, locked or has expired"),
        entry("23", Forbids, "the password has expired"),
        entry("24", Rejects, "wrong password (pre-authentication failed)"),
        entry("31", Rejects, "integrity check failed: another key"),
        entry("37", Fails, "the clocks differ too much"),
        entry("60", Fails, "generic error"),
        entry("68", Forbids, "another realm"),
    ],
    other: None,
};

/// Failure codes of the negotiation ([MS-RDPBCGR] §2.2.1.2.2).
static RDP: Table = Table {
    rows: &[
        entry("1", Forbids, "TLS required by the server"),
        entry("2", Forbids, "TLS not allowed by the server"),
        entry("3", Fails, "the server has no certificate"),
        entry("4", Forbids, "inconsistent flags"),
        entry("5", Forbids, "sign-in at network level (NLA) required by the server"),
        entry("6", Forbids, "TLS with a certificate of the user required"),
    ],
    other: Some(Forbids),
};

/// Access-Reject (RFC 2865 §5.3).
static RADIUS: Table = Table { rows: &[entry("Reject", Rejects, "access denied")], other: None };

/// Error status (RFC 3416 §3) and reports of version 3 (RFC 3414 §5).
static SNMP: Table = Table {
    rows: &[
        entry("5", Fails, "general error"),
        entry("6", Forbids, "no access"),
        entry("13", Fails, "resource unavailable"),
        entry("16", Forbids, "authorisation error"),
        entry("v3-1", Forbids, "security level not supported"),
        entry("v3-3", Forbids, "unknown user"),
        entry("v3-5", Forbids, "wrong digest: another password or key"),
        entry("v3-6", Forbids, "decryption error: another key"),
    ],
    other: None,
};

/// Error codes (RFC 1350 §5, RFC 2347): most say that the server does not have, or does not give, what was asked for.
static TFTP: Table = Table {
    rows: &[
        entry("1", Rejects, "file not found"),
        entry("2", Rejects, "access violation"),
        entry("3", Fails, "disk full, or allocation exceeded"),
        entry("4", Rejects, "illegal operation"),
        entry("6", Rejects, "the file exists already"),
        entry("7", Rejects, "no such user"),
        entry("8", Rejects, "options not accepted"),
    ],
    other: Some(Fails),
};

/// Notifications that end the negotiation (RFC 7296 §3.10.1; RFC 2408 §3.14.1).
static IKE: Table = Table {
    rows: &[
        entry("5", Forbids, "invalid major version"),
        entry("7", Forbids, "invalid syntax"),
        entry("14", Forbids, "no proposal chosen"),
        entry("18", Forbids, "invalid identification"),
        entry("24", Rejects, "authentication failed"),
    ],
    other: None,
};

/// The table of a protocol; `None` where answers are read elsewhere or not at all.
fn all(kind: Kind) -> Option<&'static Table> {
    Some(match kind {
        Kind::Postgres => &POSTGRES,
        Kind::Mysql => &MYSQL,
        Kind::Mongo => &MONGO,
        Kind::Redis => &REDIS,
        Kind::Ldap => &LDAP,
        Kind::Smb => &SMB,
        Kind::Ssh => &SSH,
        Kind::Ftp => &FTP,
        Kind::Smtp => &SMTP,
        Kind::Imap => &IMAP,
        Kind::Pop3 => &POP3,
        Kind::Bgp => &BGP,
        Kind::Mqtt => &MQTT,
        Kind::Amqp => &AMQP,
        Kind::Rtsp => &RTSP,
        Kind::Sip => &SIP,
        Kind::SipTcp => &SIP_TCP,
        Kind::Kerberos | Kind::KerberosTcp => &KERBEROS,
        Kind::Rdp => &RDP,
        Kind::Radius => &RADIUS,
        Kind::Snmp => &SNMP,
        Kind::Ike => &IKE,
        Kind::Tftp => &TFTP,
        _ => return None,
    })
}

/// The table of a protocol over TCP.
pub fn table(kind: Kind) -> Option<&'static Table> {
    all(kind).filter(|_| kind.row().transport == 6)
}

fn find(table: &'static Table, code: Code) -> Option<&'static Row> {
    let code = code.as_str();
    if let Some((basic, further)) = code.split_once(' ') {
        let further = further.split_once('.').and_then(|(_, further)| row(&ENHANCED, further));
        return further.or_else(|| row(table, basic));
    }
    row(table, code)
}

fn row(table: &'static Table, code: &str) -> Option<&'static Row> {
    table.rows.iter().find(|row| match row.code.strip_suffix('*') {
        Some(start) => code.starts_with(start),
        None => code == row.code,
    })
}

/// The code of a declined offer to go on encrypted, where the protocol has none of its own.
pub(super) const NO_TLS: &str = "no-TLS";

/// What a code means, in words.
pub fn words(kind: Kind, code: Code) -> Option<&'static str> {
    if code.as_str() == NO_TLS {
        return Some("TLS was asked for and declined");
    }
    Some(find(all(kind)?, code)?.words)
}

/// What a code says of a session or request; where the client was let in before, only what is grave counts.
pub(super) fn said(kind: Kind, code: Code, is_in: bool) -> Said {
    let Some(table) = all(kind) else { return Said::Nothing };
    match find(table, code) {
        Some(row) if row.is_grave => Said::Breaks(Denial { code, why: row.why }),
        _ if is_in => Said::Nothing,
        Some(row) => Said::Denies(Denial { code, why: row.why }),
        None => table.other.map_or(Said::Nothing, |why| Said::Denies(Denial { code, why })),
    }
}

/// The same for a request that stands alone.
pub(super) fn denial(kind: Kind, code: Code) -> Option<Denial> {
    match said(kind, code, false) {
        Said::Denies(denial) | Said::Breaks(denial) => Some(denial),
        Said::Nothing | Said::Serves | Said::Declines(_) => None,
    }
}
