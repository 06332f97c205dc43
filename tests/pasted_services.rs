//! What clients wanted of services is judged from printed packets as far as their text tells it.

#![expect(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::sync::atomic::AtomicBool;

use portmortem::attempts::{Attempt, Attempts, Kind, Outcome, subject};
use portmortem::capture;
use portmortem::correlate::{Parameters, correlate};
use portmortem::index::{Index, Input, Progress, build};

fn index(text: &str) -> Index {
    let text: &'static [u8] = text.to_owned().into_bytes().leak();
    let (source, walk) = capture::open_bytes("text", text).unwrap();
    build(vec![Input { source, walk, offset_ns: 0 }], 1, &Progress::default(), |_| {})
}

fn attempts(text: &str) -> (Index, Vec<Attempt>) {
    let index = index(text);
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    let all = Attempts::follow(&index, &evidence).all;
    (index, all)
}

fn outcomes(text: &str) -> Vec<(Kind, Outcome)> {
    attempts(text).1.iter().map(|own| (own.kind, own.outcome)).collect()
}

/// Rows of a list: a connection to a port that is opened, carries the rows given, and is closed.
fn list(port: u16, carried: &str) -> String {
    let end = |number: u8, seconds: &str, told: &str| format!("{number} {seconds} {told}\n");
    let opens = [
        (
            1,
            "0.000000",
            format!("192.0.2.10 → 198.51.100.80 TCP 74 40302 → {port} [SYN] Seq=0 Win=64240 Len=0"),
        ),
        (
            2,
            "0.000100",
            format!(
                "198.51.100.80 → 192.0.2.10 TCP 74 {port} → 40302 [SYN, ACK] Seq=0 Ack=1 Win=65160 Len=0"
            ),
        ),
        (
            3,
            "0.000200",
            format!("192.0.2.10 → 198.51.100.80 TCP 66 40302 → {port} [ACK] Seq=1 Ack=1 Win=65536 Len=0"),
        ),
    ];
    let closes = [
        (
            8,
            "4.000000",
            format!(
                "192.0.2.10 → 198.51.100.80 TCP 66 40302 → {port} [FIN, ACK] Seq=228 Ack=901 Win=65536 Len=0"
            ),
        ),
        (
            9,
            "4.000100",
            format!(
                "198.51.100.80 → 192.0.2.10 TCP 66 {port} → 40302 [FIN, ACK] Seq=901 Ack=229 Win=65536 Len=0"
            ),
        ),
    ];
    let rows =
        |rows: &[(u8, &str, String)]| rows.iter().map(|(n, at, told)| end(*n, at, told)).collect::<String>();
    rows(&opens) + carried + &rows(&closes)
}

#[test]
fn a_fatal_alert_in_a_row_of_a_list_fails_its_connection() {
    let rows = list(
        4443,
        "4 0.010000 192.0.2.10 → 198.51.100.80 TLSv1 293 Client Hello (SNI=portal.example.com)\n\
         5 0.010100 198.51.100.80 → 192.0.2.10 TLSv1.2 73 Alert (Level: Fatal, Description: Protocol Version)\n",
    );
    let (index, all) = attempts(&rows);
    let told: Vec<_> = all.iter().map(|own| (own.kind, own.outcome)).collect();
    assert_eq!(told, [(Kind::Tls, Outcome::Alert { number: 70, by_client: false })]);
    let decided = all.first().unwrap();
    assert_eq!(decided.decided.map(|seen| seen.packet.0), Some(4));
    assert_eq!(subject::of(&index, decided).name.as_deref(), Some("portal.example.com"));
}

#[test]
fn a_handshake_whose_rows_go_on_is_answered() {
    let rows = list(
        443,
        "4 0.010000 192.0.2.10 → 198.51.100.80 TLSv1 293 Client Hello\n\
         5 0.010100 198.51.100.80 → 192.0.2.10 TLSv1.3 1417 Server Hello, Change Cipher Spec, Application Data\n\
         6 0.010200 192.0.2.10 → 198.51.100.80 TLSv1.3 146 Change Cipher Spec, Application Data\n\
         7 0.010300 192.0.2.10 → 198.51.100.80 TLSv1.3 165 Application Data\n",
    );
    assert_eq!(outcomes(&rows), [(Kind::Tls, Outcome::Answered)]);
}

#[test]
fn requests_and_statuses_in_rows_of_a_list_are_those_of_http() {
    let rows = |status: &str| {
        list(
            80,
            &format!(
                "4 0.010000 192.0.2.10 → 198.51.100.80 HTTP 143 GET /orders HTTP/1.1 \n\
                 5 0.010100 198.51.100.80 → 192.0.2.10 HTTP 251 HTTP/1.1 {status}  (text/html)\n"
            ),
        )
    };
    let (index, all) = attempts(&rows("503 Service Unavailable"));
    let own = all.first().unwrap();
    assert_eq!((all.len(), own.kind, own.outcome), (1, Kind::Http, Outcome::Fails(503)));
    assert_eq!(subject::of(&index, own).path.as_deref(), Some("/orders"));
    assert_eq!(outcomes(&rows("200 OK")), [(Kind::Http, Outcome::Answered)]);
    let silent = list(80, "4 0.010000 192.0.2.10 → 198.51.100.80 HTTP 143 GET /orders HTTP/1.1 \n");
    assert!(matches!(outcomes(&silent).as_slice(), [(Kind::Http, Outcome::Mute | Outcome::Closed)]));
}

#[test]
fn rows_that_may_belong_to_several_connections_fail_none() {
    let one = list(80, "4 0.010000 192.0.2.10 → 198.51.100.80 HTTP 143 GET /orders HTTP/1.1 \n");
    let other = one.replace("40302", "40303");
    let mut rows: Vec<&str> = one.lines().chain(other.lines()).collect();
    rows.sort_by_key(|row| row.split_whitespace().nth(1).unwrap());
    let told = outcomes(&(rows.join("\n") + "\n"));
    assert!(told.iter().all(|(_, outcome)| outcome.face().is_none()), "{told:?}");
}

/// A connection as tcpdump prints it: numbers count from its beginning, and only opening segments tell TCP's own.
fn segments(from: u32, carried: &str) -> String {
    let (client, server) =
        ("IP 192.0.2.10.40001 > 198.51.100.80.80:", "IP 198.51.100.80.80 > 192.0.2.10.40001:");
    format!(
        "10:00:01.000001 {client} Flags [S], seq {from}, win 64240, length 0\n\
         10:00:01.010001 {server} Flags [S.], seq 3000000000, ack {}, win 64240, length 0\n\
         10:00:01.010101 {client} Flags [.], ack 1, win 502, length 0\n{carried}\
         10:00:01.030301 {client} Flags [.], ack 901, win 502, length 0\n\
         10:00:01.030401 {client} Flags [F.], seq 78, ack 901, win 502, length 0\n\
         10:00:01.040401 {server} Flags [F.], seq 901, ack 79, win 502, length 0\n",
        from + 1
    )
}

#[test]
fn what_tcpdump_prints_of_http_is_read_with_and_without_lines() {
    let (client, server) =
        ("IP 192.0.2.10.40001 > 198.51.100.80.80:", "IP 198.51.100.80.80 > 192.0.2.10.40001:");
    for from in [1_000_000_000, 4_000_000_000] {
        let short = segments(
            from,
            &format!(
                "10:00:01.010201 {client} Flags [P.], seq 1:78, ack 1, win 502, length 77: HTTP: GET /a HTTP/1.1\n\
                 10:00:01.020201 {server} Flags [P.], seq 1:901, ack 78, win 502, length 900: HTTP: HTTP/1.1 503 Service Unavailable\n"
            ),
        );
        assert_eq!(outcomes(&short), [(Kind::Http, Outcome::Fails(503))]);
        let plain = segments(
            from,
            &format!(
                "10:00:01.010201 {client} Flags [P.], seq 1:78, ack 1, win 502, length 77\n\
                 10:00:01.020201 {server} Flags [P.], seq 1:901, ack 78, win 502, length 900\n"
            ),
        );
        assert_eq!(outcomes(&plain), [(Kind::Http, Outcome::Answered)]);
    }
    let long = segments(
        7,
        &format!(
            "10:00:01.010201 {client} Flags [P.], seq 1:78, ack 1, win 502, length 77: HTTP, length: 77\n\tGET /a HTTP/1.1\n\tHost: www.example.com\n\t\n\
             10:00:01.020201 {server} Flags [P.], seq 1:901, ack 78, win 502, length 900: HTTP, length: 900\n\tHTTP/1.1 200 OK\n\t\n"
        ),
    );
    let (index, all) = attempts(&long);
    assert_eq!(all.iter().map(|own| own.outcome).collect::<Vec<_>>(), [Outcome::Answered]);
    assert_eq!(subject::of(&index, all.first().unwrap()).name.as_deref(), Some("www.example.com"));
}
