//! Dialogues of each protocol, as servers of that kind send them, and what becomes of the client's wish.

use super::*;
use crate::index::PacketId;

/// Sends each part in turn, `C` from the client and `S` from the server, and tells the code that denies, or `served`, or nothing.
fn outcome(port: u16, parts: &[(char, &[u8])]) -> String {
    let mut dialog = Dialog::default();
    for (at, (side, bytes)) in parts.iter().enumerate() {
        dialog.take(port, bytes, *side == 'C', Seen { packet: PacketId(at as u32), time_ns: at as i64 });
    }
    let kind = Kind::at(6, port);
    match (dialog.denial(kind, true), dialog.granted(kind)) {
        (Some((denial, seen)), _) => {
            format!("{:?} {} at {}", denial.why, denial.code.as_str(), seen.packet.0)
        }
        (None, Some(seen)) => format!("served at {}", seen.packet.0),
        (None, None) => String::new(),
    }
}

/// An error of PostgreSQL.
fn postgres(code: &str) -> Vec<u8> {
    let body = format!("SFATAL\0C{code}\0Mno\0\0");
    let mut out = vec![b'E'];
    out.extend((body.len() as u32 + 4).to_be_bytes());
    out.extend(body.as_bytes());
    out
}

const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const STARTUP: &[u8] = b"\0\0\0\x10\0\x03\0\0user\0a\0\0";

#[test]
fn postgresql_is_decided_behind_an_offer_of_tls_that_is_declined() {
    let full = postgres("53300");
    let refused = [('C', &[0, 0, 0, 8, 4, 210, 22, 47][..]), ('S', b"N"), ('C', STARTUP), ('S', &full)];
    assert_eq!(outcome(5432, &refused), "Fails 53300 at 3");
    assert_eq!(outcome(5432, &refused[2..]), "Fails 53300 at 1");
    let role = postgres("28000");
    assert_eq!(outcome(5432, &[('C', STARTUP), ('S', &role)]), "Forbids 28000 at 1");
    let password = postgres("28P01");
    let asks = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    let wrong = [('C', STARTUP), ('S', &asks[..]), ('C', b"p\0\0\0\x04"), ('S', &password)];
    assert_eq!(outcome(5432, &wrong), "Rejects 28P01 at 3");
    let syntax = postgres("42601");
    let (query, full) = (b"Q\0\0\0\x05\0", postgres("53100"));
    let served = [('C', STARTUP), ('S', READY), ('C', &query[..]), ('S', &syntax)];
    assert_eq!(outcome(5432, &served), "served at 1", "an error of a query is an answer");
    let disk = [('C', STARTUP), ('S', READY), ('C', &query[..]), ('S', &full)];
    assert_eq!(outcome(5432, &disk), "Fails 53100 at 3");
    let stopped = postgres("57P01");
    assert_eq!(outcome(5432, &[('C', STARTUP), ('S', READY), ('S', &stopped)]), "served at 1");
    let mut granted = b"R\0\0\0\x08\0\0\0\0".to_vec();
    granted.extend(postgres("53300"));
    assert_eq!(outcome(5432, &[('C', STARTUP), ('S', &granted)]), "Fails 53300 at 1");
}

#[test]
fn mysql_is_decided_in_its_greeting_or_after_the_sign_in() {
    let greeting = b"\x05\0\0\0\x0a8.0\0";
    let error = |code: u16| {
        let mut out = vec![9, 0, 0, 2, 0xff];
        out.extend(code.to_le_bytes());
        out.extend(b"#HY000no");
        out
    };
    assert_eq!(outcome(3306, &[('S', &error(1040))]), "Fails 1040 at 0");
    let wrong = [('S', &greeting[..]), ('C', b"\x01\0\0\x01\x85"), ('S', &error(1045))];
    assert_eq!(outcome(3306, &wrong), "Rejects 1045 at 2");
    let steps = [
        ('S', &greeting[..]),
        ('C', b"x\0\0\x01x"),
        ('S', b"\x02\0\0\x02\xfea"),
        ('C', b"y"),
        ('S', b"\x07\0\0\x04\0\0\0"),
    ];
    assert_eq!(outcome(3306, &steps), "served at 4");
    let mut later = steps.to_vec();
    let (missing, full) = (error(1146), error(1114));
    later.extend([('C', &b"q"[..]), ('S', &missing[..])]);
    assert_eq!(outcome(3306, &later), "served at 4", "a missing table is an answer");
    later.extend([('C', &b"q"[..]), ('S', &full[..])]);
    assert_eq!(outcome(3306, &later), "Fails 1114 at 8");
}

#[test]
fn redis_errors_that_keep_clients_out_are_told_from_those_about_commands() {
    let one = |answer: &'static str| outcome(6379, &[('C', b"*1\r\n"), ('S', answer.as_bytes())]);
    assert_eq!(one("-READONLY You can't write against a read only replica.\r\n"), "Forbids READONLY at 1");
    assert_eq!(one("-LOADING Redis is loading\r\n"), "Fails LOADING at 1");
    assert_eq!(one("-ERR max number of clients reached\r\n"), "Fails ERR-max at 1");
    assert_eq!(one("-ERR unknown command\r\n"), "");
    assert_eq!(one("-MOVED 3999 192.0.2.1:6381\r\n"), "");
    let entered = [('C', &b"HELLO 3"[..]), ('S', b"-NOAUTH HELLO\r\n"), ('C', b"AUTH x"), ('S', b"+OK\r\n")];
    assert_eq!(outcome(6379, &entered), "served at 3");
    assert_eq!(outcome(6379, &entered[..2]), "Forbids NOAUTH at 1");
    let write = [
        ('C', &b"GET"[..]),
        ('S', b"$1\r\na\r\n"),
        ('C', b"SET"),
        ('S', b"-OOM no\r\n"),
        ('C', b"GET"),
        ('S', b"$1\r\na\r\n"),
    ];
    assert_eq!(outcome(6379, &write), "Fails OOM at 3", "reads go on");
}

/// A message of LDAP with one result.
fn ldap(operation: u8, code: u8) -> Vec<u8> {
    vec![0x30, 0x0c, 2, 1, 1, operation, 7, 0x0a, 1, code, 4, 0, 4, 0]
}

#[test]
fn ldap_is_decided_by_the_result_of_the_bind() {
    let bind = |code: u8| outcome(389, &[('C', b"0"), ('S', &ldap(0x61, code))]);
    assert_eq!(bind(0), "served at 1");
    assert_eq!(bind(14), "", "a step of a sign-in");
    assert_eq!(bind(13), "Forbids 13 at 1");
    assert_eq!(bind(49), "Rejects 49 at 1");
    let typed = [('C', &b"0"[..]), ('S', &ldap(0x61, 49)), ('C', b"0"), ('S', &ldap(0x61, 0))];
    assert_eq!(outcome(389, &typed), "served at 3");
    assert_eq!(outcome(389, &[('C', b"0"), ('S', &ldap(0x65, 32))]), "served at 1", "nothing found");
    assert_eq!(outcome(389, &[('C', b"0"), ('S', &ldap(0x65, 51))]), "Fails 51 at 1");
    let tls = [
        ('C', &b"0"[..]),
        ('S', &ldap(0x61, 13)),
        ('C', b"0"),
        ('S', &ldap(0x78, 0)),
        ('C', b"\x16\x03\x01\0\x05"),
    ];
    assert_eq!(outcome(389, &tls), "", "it goes on encrypted");
}

#[test]
fn text_protocols_are_decided_by_their_codes_in_turn() {
    let ftp = [
        ('S', &b"220 ready\r\n"[..]),
        ('C', b"USER a\r\n"),
        ('S', b"331 password\r\n"),
        ('C', b"PASS b\r\n"),
        ('S', b"530 no\r\n"),
    ];
    assert_eq!(outcome(21, &ftp), "Rejects 530 at 4");
    assert_eq!(outcome(21, &[('S', b"421 too many\r\n")]), "Fails 421 at 0");
    let tls = [
        ('S', &b"220 a\r\n"[..]),
        ('C', b"AUTH TLS\r\n"),
        ('S', b"530 log in\r\n"),
        ('C', b"PASS b\r\n"),
        ('S', b"230 in\r\n"),
        ('C', b"RETR x\r\n"),
        ('S', b"550 no file\r\n"),
    ];
    assert_eq!(outcome(21, &tls), "served at 4");
    let mail = |more: &[(char, &'static [u8])]| {
        let mut all: Vec<(char, &[u8])> =
            vec![('S', b"220 a\r\n"), ('C', b"EHLO b\r\n"), ('S', b"250 a\r\n")];
        all.extend(more);
        outcome(25, &all)
    };
    assert_eq!(
        mail(&[
            ('C', b"MAIL"),
            ('S', b"530 5.7.0 TLS\r\n"),
            ('C', b"AUTH"),
            ('S', b"334 \r\n"),
            ('C', b"eA=="),
            ('S', b"235 in\r\n")
        ]),
        "served at 8"
    );
    assert_eq!(mail(&[('C', b"AUTH"), ('S', b"535 no\r\n")]), "Rejects 535 at 4");
    assert_eq!(mail(&[('C', b"MAIL"), ('S', b"250 ok\r\n451 later\r\n")]), "Fails 451 at 4");
    assert_eq!(
        mail(&[
            ('C', b"RCPT"),
            ('S', b"550 no\r\n"),
            ('C', b"DATA"),
            ('S', b"354 go\r\n"),
            ('C', b"x"),
            ('C', b"."),
            ('S', b"250 taken\r\n")
        ]),
        "served at 9"
    );
    assert_eq!(outcome(25, &[('S', b"554 no service\r\n")]), "Fails 554 at 0");
    let imap = |answer: &'static [u8]| {
        outcome(143, &[('S', b"* OK\r\n"), ('C', b"a1 LOGIN u p\r\n"), ('S', answer)])
    };
    assert_eq!(imap(b"a1 NO [AUTHENTICATIONFAILED] no\r\n").split(' ').next(), Some("Rejects"));
    assert_eq!(imap(b"* CAPABILITY IMAP4\r\na1 NO [UNAVAILABLE] later\r\n"), "Fails UNAVAILABLE at 2");
    assert_eq!(imap(b"a1 OK in\r\n"), "served at 2");
    assert_eq!(outcome(143, &[('S', b"* BYE full\r\n")]), "Fails BYE at 0");
    let folder = [
        ('S', &b"* OK\r\n"[..]),
        ('C', b"a1 LOGIN u p\r\n"),
        ('S', b"a1 OK\r\n"),
        ('C', b"a2 SELECT x\r\n"),
        ('S', b"a2 NO none\r\n"),
    ];
    assert_eq!(outcome(143, &folder), "served at 2");
    let pop = |answer: &'static [u8]| {
        outcome(
            110,
            &[
                ('S', b"+OK\r\n"),
                ('C', b"USER u\r\n"),
                ('S', b"+OK\r\n"),
                ('C', b"PASS p\r\n"),
                ('S', answer),
            ],
        )
    };
    assert_eq!(pop(b"-ERR no\r\n"), "Rejects -ERR at 4");
    assert_eq!(pop(b"-ERR [IN-USE] locked\r\n"), "Fails IN-USE at 4");
    let rtsp = [
        ('C', &b"DESCRIBE"[..]),
        ('S', b"RTSP/1.0 401 Unauthorized\r\n"),
        ('C', b"DESCRIBE"),
        ('S', b"RTSP/1.0 200 OK\r\n"),
    ];
    assert_eq!(outcome(554, &rtsp), "served at 3");
    assert_eq!(outcome(554, &rtsp[..2]), "Rejects 401 at 1");
}

#[test]
fn binary_protocols_are_decided_by_their_codes() {
    let smb = |command: u8, status: u32| {
        let mut out = vec![0, 0, 0, 64, 0xfe, b'S', b'M', b'B', 64, 0, 1, 0];
        out.extend(status.to_le_bytes());
        out.extend([command, 0, 1, 0, 1, 0, 0, 0]);
        out
    };
    let entry = |status: u32| {
        outcome(445, &[('C', b"n"), ('S', &smb(1, 0xc000_0016)), ('C', b"a"), ('S', &smb(1, status))])
    };
    assert_eq!(entry(0), "served at 3");
    assert_eq!(entry(0xc000_006d), "Rejects C000006D at 3");
    assert_eq!(entry(0xc000_0234), "Forbids C0000234 at 3");
    assert_eq!(outcome(445, &[('C', b"n"), ('S', &smb(5, 0xc000_0034))]), "", "no such file");
    assert_eq!(outcome(445, &[('C', b"n"), ('S', &smb(9, 0xc000_007f))]), "Fails C000007F at 1");
    let bgp = |body: &[u8]| {
        let mut out = vec![0xff; 16];
        out.extend((18 + body.len() as u16).to_be_bytes());
        out.extend(body);
        out
    };
    let mut said = bgp(&[4]);
    said.extend(bgp(&[3, 2, 2]));
    assert_eq!(outcome(179, &[('C', &bgp(&[1])), ('S', &said)]), "Forbids 2/2 at 1");
    assert_eq!(outcome(179, &[('C', &bgp(&[3, 4, 0]))]), "Fails 4/0 at 0", "either side ends it");
    assert_eq!(outcome(179, &[('C', &bgp(&[3, 6, 7]))]), "", "two connections crossed");
    assert_eq!(outcome(1883, &[('C', b"\x10"), ('S', &[0x20, 2, 0, 5])]), "Forbids 5 at 1");
    assert_eq!(outcome(1883, &[('C', b"\x10"), ('S', &[0x20, 2, 0, 0])]), "served at 1");
    let mongo = |ok: f64, code: i32| {
        let mut out = vec![0; 12];
        out.extend(2013u32.to_le_bytes());
        out.extend(b"\0\0\0\0\0\x30\0\0\0\x01ok\0");
        out.extend(ok.to_le_bytes());
        out.extend(b"\x10code\0");
        out.extend(code.to_le_bytes());
        out
    };
    assert_eq!(outcome(27017, &[('C', b"q"), ('S', &mongo(0.0, 10_107))]), "Fails 10107 at 1");
    assert_eq!(outcome(27017, &[('C', b"q"), ('S', &mongo(0.0, 26))]), "", "no such collection");
    assert_eq!(outcome(27017, &[('C', b"q"), ('S', &mongo(1.0, 0))]), "served at 1");
}

#[test]
fn silence_behind_an_answer_that_decides_nothing_leaves_the_client_waiting() {
    let waits = |parts: &[(char, &[u8])]| {
        let mut dialog = Dialog::default();
        for (side, bytes) in parts {
            dialog.take(5432, bytes, *side == 'C', Seen { packet: PacketId(0), time_ns: 0 });
        }
        dialog.is_undecided()
    };
    assert!(waits(&[('C', &[0, 0, 0, 8]), ('S', b"N"), ('C', STARTUP)]));
    assert!(!waits(&[('C', STARTUP), ('S', READY), ('C', b"Q")]));
    assert!(!waits(&[('C', &[0, 0, 0, 8]), ('S', b"S"), ('C', b"\x16\x03\x01\0\x05")]));
}

#[test]
fn codes_hold_nothing_that_a_screen_could_take_for_more_than_text() {
    assert_eq!(Code::new(b"\x1b[31m5330\0").as_str(), "31m5330");
}
