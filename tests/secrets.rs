//! Two hundred unlike secrets in every field that a packet, a comment, a note or a file name has: none is in any redacted byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use portmortem::generate::dns::{self, Data, Message};
use portmortem::generate::payload::{client_hello, http_request};
use portmortem::generate::{ByteOrder, Packet, PcapngWriter, Random, Segment, flags};

/// Made-up words; what they are wrapped in differs from one to the next.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    /// A word that no language and no program has.
    fn core(&mut self) -> String {
        const SYLLABLES: [&str; 20] = [
            "qua", "zol", "wix", "peb", "juk", "vro", "gny", "tsu", "klo", "xam", "dwe", "hyf", "rij", "bul",
            "ozp", "fjo", "yev", "cth", "mzi", "nuq",
        ];
        let mut number = self.0.len() * 7_919 + 20_011;
        let mut word = String::new();
        for _ in 0..4 {
            word.push_str(SYLLABLES.get(number % SYLLABLES.len()).unwrap());
            number /= SYLLABLES.len();
        }
        self.0.push(word.clone());
        word
    }

    /// A text with one secret in it, in one of many shapes.
    fn text(&mut self) -> String {
        let core = self.core();
        let upper = core.to_uppercase();
        match self.0.len() % 16 {
            0 => format!("{core} and more"),
            1 => format!("Frau {upper}"),
            2 => format!("{core}.{core}@mail.{core}.example"),
            3 => format!("/srv/{core}/plan.txt"),
            4 => format!("C:\\Users\\{core}\\desk"),
            5 => format!("ünü{core}ß"),
            6 => format!("({core})"),
            7 => format!("“{core}”"),
            8 => format!("{core}-4711_{upper}"),
            9 => format!("https://{core}.example:8443/{core}?token={upper}"),
            10 => format!("{core}7{core}"),
            11 => format!("<b>{core}</b>"),
            12 => format!("`{core}` | {upper}"),
            13 => format!("名前{core}社"),
            14 => format!("{core}'s \"printer\""),
            _ => format!("\t{core}\n{upper}"),
        }
    }

    /// A name of the domain name system, in one of many shapes.
    fn name(&mut self) -> String {
        let core = self.core();
        match self.0.len() % 8 {
            0 => core,
            1 => format!("www.{core}.co.uk"),
            2 => format!("db.{core}"),
            3 => format!("srv.{core}.corp"),
            4 => format!("a b{core}.example"),
            5 => format!("({core}).example"),
            6 => format!("{core}.github.io"),
            _ => format!("\u{201c}{core}\u{201d}.example"),
        }
    }
}

/// A capture in the making: its packets, a tenth of a second apart.
struct Capture {
    writer: PcapngWriter<Vec<u8>>,
    at_ns: i64,
    port: u16,
}

const CLIENT: &str = "10.44.3.2";
const SERVER: &str = "10.44.3.1";

impl Capture {
    fn put(&mut self, packet: &Packet, comments: &[&str]) {
        self.at_ns += 100_000_000;
        self.writer.packet(0, self.at_ns, &packet.ethernet(), comments).unwrap();
    }

    /// A question that is refused three times.
    fn refused(&mut self, name: &str, comments: &[&str]) {
        self.port += 1;
        for _ in 0..3 {
            let query = Packet::udp(
                format!("{CLIENT}:{}", self.port).as_str(),
                format!("{SERVER}:53").as_str(),
                &dns::query(self.port, name, dns::A),
            );
            self.put(&query, comments);
            self.put(&Packet::port_unreachable(&query), &[]);
            self.at_ns += 2_000_000_000;
        }
    }

    fn answered(&mut self, name: &str, message: &[u8]) {
        self.port += 1;
        let (client, server) = (format!("{CLIENT}:{}", self.port), format!("{SERVER}:53"));
        let query = dns::query(self.port, name, dns::A);
        self.put(&Packet::udp(client.as_str(), server.as_str(), &query), &[]);
        self.put(&Packet::udp(server.as_str(), client.as_str(), message), &[]);
    }

    /// A conversation over TCP: what each side says in turn (`>` the client, `<` the server).
    fn talk(&mut self, server_port: u16, lines: &[(char, Vec<u8>)]) {
        self.port += 1;
        let (client, server) = (format!("{CLIENT}:{}", self.port), format!("{SERVER}:{server_port}"));
        let (mut out, mut back) = (1_000_u32, 9_000_u32);
        let send = |own: &mut Self, up: bool, flags: u8, numbers: (u32, u32), payload: &[u8]| {
            let segment = Segment { sequence: numbers.0, acknowledgment: numbers.1, flags };
            let ends = if up { (&client, &server) } else { (&server, &client) };
            own.put(&Packet::tcp(ends.0.as_str(), ends.1.as_str(), segment, payload), &[]);
        };
        send(self, true, flags::SYN, (out, 0), &[]);
        send(self, false, flags::SYN | flags::ACK, (back, out + 1), &[]);
        (out, back) = (out + 1, back + 1);
        send(self, true, flags::ACK, (out, back), &[]);
        for (side, line) in lines {
            let up = *side == '>';
            let numbers = if up { (out, back) } else { (back, out) };
            send(self, up, flags::PSH | flags::ACK, numbers, line);
            if up { out += line.len() as u32 } else { back += line.len() as u32 }
        }
        send(self, false, flags::FIN | flags::ACK, (back, out), &[]);
        send(self, true, flags::FIN | flags::ACK, (out, back + 1), &[]);
    }
}

/// Options of a pcapng block, each with text.
fn options(list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (code, value) in list {
        body.extend(code.to_le_bytes());
        body.extend((value.len() as u16).to_le_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    body.extend([0; 4]);
    body
}

fn capture(secrets: &mut Secrets) -> Vec<u8> {
    let mut text = |code: u16| (code, secrets.text().into_bytes());
    // Comment, hardware, operating system, program.
    let section = [
        vec![0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0],
        vec![0xff; 8],
        options(&[text(1), text(2), text(3), text(4)]),
    ];
    // Comment, name, description, filter, operating system, hardware.
    let filter = (11, [vec![0], b"host 10.44.3.2 or host ".to_vec(), text(0).1].concat());
    let interface = options(&[text(1), text(2), text(3), filter, text(12), text(15)]);
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little, &[]).unwrap();
    writer.block(0x0a0d_0d0a, &section.concat()).unwrap();
    writer.block(1, &[vec![1, 0, 0, 0, 0, 0, 4, 0], interface].concat()).unwrap();
    // Times in microseconds, as where nothing is said of the resolution.
    writer.interface(1, 9, &secrets.text()).unwrap();
    writer.name("10.44.3.1".parse().unwrap(), &format!("{}.example", secrets.core())).unwrap();
    let mut made = Capture { writer, at_ns: 1_700_000_000_000_000_000, port: 20_000 };
    for _ in 0..40 {
        let (name, comment) = (secrets.name(), secrets.text());
        made.refused(&name, &[&comment]);
    }
    for _ in 0..8 {
        let name = secrets.name();
        let target = format!("{}.example", secrets.core());
        let data = match made.port % 4 {
            0 => Data::Cname(target),
            _ => Data::A([10, 44, 9, 9].into()),
        };
        let message = Message::response(made.port + 1, &name, dns::A, 0).answer(data);
        let message = message.edns(1232).extended_error(22, &secrets.text());
        made.answered(&name, &message.bytes());
    }
    services(secrets, &mut made);
    made.writer.finish().unwrap()
}

/// Words of services in clear, most of them in failures, so that reports quote them.
fn services(secrets: &mut Secrets, made: &mut Capture) {
    let line = |text: String| format!("{}\r\n", text.replace(['\n', '\t'], " ")).into_bytes();
    for _ in 0..3 {
        let (host, path) =
            (format!("{}.example", secrets.core()), format!("/{}/x?u={}", secrets.core(), secrets.core()));
        let answer = format!(
            "HTTP/1.1 503 {}\r\nServer: {}\r\nContent-Length: 0\r\n\r\n",
            secrets.core(),
            secrets.core()
        );
        made.talk(80, &[('>', http_request(&host, &path)), ('<', answer.into_bytes())]);
        let greeting = line(format!("220 {}.example ESMTP {}", secrets.core(), secrets.core()));
        let refusal = line(format!("550 5.7.1 {}", secrets.text()));
        made.talk(
            25,
            &[
                ('<', greeting),
                ('>', line(format!("EHLO {}", secrets.core()))),
                ('<', line("250 ok".to_owned())),
                ('>', line(format!("MAIL FROM:<{}@{}.example>", secrets.core(), secrets.core()))),
                ('<', refusal),
            ],
        );
        made.talk(
            21,
            &[
                ('<', line(format!("220 {}", secrets.text()))),
                ('>', line(format!("USER {}", secrets.core()))),
                ('<', line(format!("530 {}", secrets.text()))),
            ],
        );
        let hello = client_hello(&format!("{}.example", secrets.core()), &mut Random::new(5));
        made.talk(443, &[('>', hello), ('<', vec![21, 3, 3, 0, 2, 2, 40])]);
        for port in [514, 161, 69, 5060, 389] {
            let datagram = line(secrets.text());
            let (client, server) = (format!("{CLIENT}:{}", made.port), format!("{SERVER}:{port}"));
            let packet = Packet::udp(client.as_str(), server.as_str(), &datagram);
            made.put(&packet, &[]);
            made.put(&Packet::port_unreachable(&packet), &[]);
        }
    }
}

/// What the analyst typed.
fn case(secrets: &mut Secrets) -> serde_json::Value {
    let mut text = || secrets.text();
    let fields = [
        "case.id",
        "case.analyst",
        "case.recipient",
        "reported.when",
        "reported.by",
        "reported.how",
        "case.severity",
    ];
    let fields: serde_json::Map<String, serde_json::Value> =
        fields.iter().map(|id| ((*id).to_owned(), text().into())).collect();
    serde_json::json!({
        "schema": "portmortem-case/1", "sequence": 0,
        "state": {
            "annotations": [
                {"id": 1, "frames": [{"source": 0, "frame": 2}], "note": text(), "tag": "finding", "severity": "high"},
                {"id": 2, "frames": [{"source": 0, "frame": 1}], "note": text(), "tag": text(), "severity": text()},
            ],
            "decisions": {
                "problem.F1.queries": {"accepted": true, "text": text(), "basis": "0"},
                "summary.seen": {"accepted": true, "text": text(), "basis": "0"},
            },
            "fields": fields,
            "manual_rows": [{"id": 1, "when": text(), "by": text(), "text": text()}],
            "ledger": [{"id": 1, "hypothesis": "H1", "row": "", "weight_db": 3, "off": false, "note": text()}],
            "filters": {text(): format!("dns.qry.name == \"{}\"", secrets.0.last().unwrap())},
            "custody": [{"at": "2024-01-01T00:00:00Z", "who": secrets.text(), "action": secrets.text(),
                         "detail": secrets.text(), "hash_ok": null}],
        },
    })
}

/// Everything in a file that could be read: archives unpacked, streams of PDF inflated.
fn readable(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    if let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(bytes)) {
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).unwrap();
            all.extend(file.name().unwrap().as_bytes());
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            all.extend(readable(&content));
        }
    }
    for at in memchr::memmem::find_iter(bytes, b"stream\n") {
        let mut content = Vec::new();
        let packed = bytes.get(at + 7..).unwrap();
        if flate2::read::ZlibDecoder::new(packed).read_to_end(&mut content).is_ok() {
            all.extend(content);
        }
    }
    all
}

/// The words of a PDF as a reader program gives them; nothing where there is none.
fn printed(path: &Path) -> Vec<u8> {
    let output = Command::new("pdftotext").arg(path).arg("-").output();
    output.map(|output| output.stdout).unwrap_or_default()
}

fn held<'s>(secrets: &'s Secrets, bytes: &[u8]) -> Vec<&'s str> {
    // Markup may stand in the middle of a word that is broken over lines.
    let lower = String::from_utf8_lossy(bytes).to_lowercase();
    let plain: String = lower.chars().filter(|c| !matches!(c, '\u{ad}' | '\u{200b}' | '\n')).collect();
    let is_held = |secret: &&String| lower.contains(secret.as_str()) || plain.contains(secret.as_str());
    secrets.0.iter().filter(is_held).map(String::as_str).collect()
}

fn run(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_portmortem"))
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A capture full of secrets in a folder and under a name that are secrets too, with a case beside it.
fn laid_out(secrets: &mut Secrets, root: &Path) -> PathBuf {
    let folder = root.join(secrets.core());
    fs::create_dir(&folder).unwrap();
    let path = folder.join(format!("Frau {} ({}).pcapng", secrets.core(), secrets.core()));
    fs::write(&path, capture(secrets)).unwrap();
    let case = case(secrets);
    fs::write(format!("{}.portmortem.json", path.display()), case.to_string()).unwrap();
    path
}

#[test]
fn no_secret_is_in_any_byte_of_a_redacted_report_or_bundle() {
    let mut secrets = Secrets::default();
    let root = tempfile::tempdir().unwrap();
    let path = laid_out(&mut secrets, root.path());
    let file = path.to_str().unwrap();
    assert!(secrets.0.len() >= 200, "{} secrets", secrets.0.len());
    let open = run(root.path(), &["report", "--template", "json", file]);
    let shown = held(&secrets, &open).len();
    assert!(
        shown >= 100,
        "the report that is not redacted shows {shown} secrets: the test would prove nothing"
    );
    let mut wrong = Vec::new();
    let mut check = |what: &str, bytes: &[u8]| {
        let found = held(&secrets, bytes);
        if !found.is_empty() {
            wrong.push(format!("{what}: {} ({})", found.len(), found.join(", ")));
        }
    };
    for format in ["markdown", "text", "html", "docx", "pdf", "json", "ecs", "iris", "pcapng"] {
        let out = root.path().join(format!("out.{format}"));
        run(
            root.path(),
            &["report", "--redact", "--long", "--format", format, "-o", out.to_str().unwrap(), file],
        );
        check(format, &readable(&fs::read(&out).unwrap()));
        if format == "pdf" {
            check("words of the PDF", &printed(&out));
        }
    }
    for template in ["google", "seed-log", "walkthrough", "ticket", "full"] {
        check(template, &run(root.path(), &["report", "--redact", "--template", template, file]));
    }
    let bundle = root.path().join("bundle.zip");
    run(root.path(), &["export", "--redact", "--bundle", bundle.to_str().unwrap(), file]);
    check("bundle", &readable(&fs::read(&bundle).unwrap()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_named_without_their_folders_unless_asked_for() {
    let mut secrets = Secrets::default();
    let root = tempfile::tempdir().unwrap();
    let path = laid_out(&mut secrets, root.path());
    let folder = secrets.0.first().unwrap().clone();
    let file = path.to_str().unwrap();
    let is_named = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&folder);
    let mut named = Vec::new();
    for format in ["markdown", "text", "html", "docx", "pdf", "json", "ecs", "iris", "pcapng"] {
        let out = root.path().join(format!("out.{format}"));
        run(root.path(), &["report", "--long", "--format", format, "-o", out.to_str().unwrap(), file]);
        if is_named(&readable(&fs::read(&out).unwrap())) || format == "pdf" && is_named(&printed(&out)) {
            named.push(format);
        }
    }
    let bundle = root.path().join("bundle.zip");
    run(root.path(), &["export", "--bundle", bundle.to_str().unwrap(), file]);
    assert!(!is_named(&readable(&fs::read(&bundle).unwrap())), "the bundle names the folder");
    let case = format!("{file}.portmortem.json");
    assert!(!is_named(&fs::read(case).unwrap()), "the case names the folder");
    assert_eq!(named, [""; 0]);
    assert!(is_named(&run(root.path(), &["report", "--paths", file])), "--paths keeps folders");
}
