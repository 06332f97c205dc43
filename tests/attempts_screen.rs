//! Attempts of every kind on the screen: their list, their ladders, the bands of the overview and the verdict line.

#![allow(clippy::indexing_slicing, reason = "a test that meets the unexpected should stop there")]

mod bench;

use bench::Bench;
use portmortem::tui::attempts::{Entry, Rows};
use portmortem::tui::layout::Panel;

fn kind(name: &str, width: u16, height: u16) -> Bench {
    Bench::open(&format!("tests/captures/kinds/{name}"), width, height)
}

/// The lines of the screen that hold a text.
fn lines(bench: &Bench, text: &str) -> Vec<String> {
    bench.screen().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

#[test]
fn attempts_of_every_service_are_listed_with_outcome_server_and_wait() {
    for (name, outcome, service) in [
        ("mail_refused_four_ways.pcap", "answers ", "smtp"),
        ("time_four_ways.pcap", "kiss ", "ntp"),
        ("tls_refused_by_name.pcap", "TLS alert ", "tls"),
        ("pool_empty.pcap", "no offer", "dhcp"),
        ("snmp_silent_and_refused.pcap", "no reply", "snmp"),
        ("upload_stalls.pcap", "stalled", "http"),
    ] {
        let mut bench = kind(name, 160, 45);
        bench.keys("d z S");
        let found = lines(&bench, outcome);
        assert!(found.iter().any(|line| line.contains(service)), "{name}: {}", bench.screen());
        bench.shows("· by outcome, failures first");
    }
}

#[test]
fn the_highlighted_attempt_is_the_selection_and_enter_shows_its_packets_alone() {
    let mut bench = kind("time_four_ways.pcap", 160, 45);
    bench.keys("d G");
    let entry = bench.state.listed.entry(bench.state.attempts.list.row).unwrap();
    assert!(matches!(entry, Entry::Service(_)));
    let first = bench.state.listed.table.first(entry);
    assert_eq!(bench.state.timeline.selected, Some(first));
    let before = bench.state.timeline.rows.len(&bench.state.index);
    bench.keys("Enter");
    let shown = bench.state.timeline.rows.len(&bench.state.index);
    assert!(shown > 0 && shown < before, "{}", bench.state.filter.line.text());
    assert!(bench.state.timeline.rows.find(&bench.state.index, first).is_some());
    // What a filter hides is selected all the same: notes and marks go to what is highlighted.
    bench.keys("g g");
    let entry = bench.state.listed.entry(0).unwrap();
    assert_eq!(bench.state.timeline.selected, Some(bench.state.listed.table.first(entry)));
    bench.keys("G Enter");
    assert_eq!(bench.state.timeline.rows.len(&bench.state.index), before);
}

#[test]
fn the_filter_of_every_attempt_shows_its_first_packet() {
    for name in [
        "mail_refused_four_ways.pcap",
        "pool_empty.pcap",
        "pings_refused_three_ways.pcap",
        "v6_dead_v4_rescues.pcap",
        "telephony_stopped_amid_scan.pcap",
        "syslog_refused.pcap",
    ] {
        let mut bench = kind(name, 120, 36);
        bench.keys("d g g");
        let mut seen = std::collections::HashSet::new();
        for row in 0..bench.state.listed.len() {
            let entry = bench.state.listed.entry(row).unwrap();
            let shown = bench.state.listed.table.shown(&bench.state.index, entry).unwrap();
            bench.state.attempts.list.row = row;
            if !seen.insert((shown.service, shown.outcome.clone())) {
                continue;
            }
            bench.keys("Enter");
            let rows = &bench.state.timeline.rows;
            let found = rows.find(&bench.state.index, shown.first);
            assert!(found.is_some(), "{name} {shown:?}: {}", bench.state.filter.line.text());
            bench.keys("Enter");
        }
        assert!(!seen.is_empty(), "{name}");
    }
}

#[test]
fn groups_tell_how_many_failed_and_how_long_it_took() {
    let mut bench = kind("mail_refused_four_ways.pcap", 160, 45);
    bench.keys("d z Space");
    bench.shows("· by service");
    bench.shows("median");
    let Rows::Groups(groups) = &bench.state.listed.rows else { panic!("no groups") };
    let members: usize = groups.iter().map(|group| group.members.len()).sum();
    assert_eq!(members, bench.state.listed.table.entries.len());
    let failed: u64 = groups.iter().map(|group| group.failed).sum();
    assert_eq!(failed, bench.state.listed.table.failed);
    assert!(groups.windows(2).all(|pair| pair[0].failed >= pair[1].failed));
    assert!(groups.iter().all(|group| group.waits_ns[0] <= group.waits_ns[2]));
    bench.keys("Enter");
    let shown = bench.state.timeline.rows.len(&bench.state.index);
    assert!(shown > 0, "{}", bench.state.filter.line.text());
    for _ in 0..4 {
        bench.keys("Space");
    }
    assert!(matches!(bench.state.listed.rows, Rows::All));
}

#[test]
fn every_attempt_and_every_packet_has_a_ladder() {
    for (name, words) in [
        ("upload_stalls.pcap", ["client", "server"]),
        ("time_four_ways.pcap", ["client", "server"]),
        ("tls_refused_by_name.pcap", ["client", "server"]),
        ("pool_empty.pcap", ["client", "everybody"]),
        ("syslog_refused.pcap", ["client", "server"]),
        ("pings_refused_three_ways.pcap", ["client", "server"]),
    ] {
        let mut bench = kind(name, 160, 45);
        bench.keys("d G");
        while !matches!(bench.state.listed.entry(bench.state.attempts.list.row), Some(Entry::Service(_))) {
            bench.keys("k");
        }
        let chosen = bench.state.timeline.selected;
        bench.keys("L");
        assert_eq!(bench.state.panels.focus, Panel::Ladder);
        let drawn = bench.state.ladder.drawn.clone();
        assert!(drawn.messages.iter().any(|own| Some(own.packet) == chosen), "{name}: {}", bench.screen());
        let heads: Vec<&str> = drawn.columns.iter().map(|column| column.word).collect();
        assert!(words.iter().all(|word| heads.contains(word)), "{name}: {heads:?}");
        // The row is the selection here as well.
        bench.keys("g g");
        assert_eq!(bench.state.timeline.selected, drawn.messages.first().map(|own| own.packet));
    }
    // No packet is without one, whatever it is.
    let mut bench = kind("v6_dead_v4_rescues.pcap", 120, 36);
    for row in 0..bench.state.index.len().min(40) {
        bench.keys("1");
        bench.state.select_row(row as usize);
        bench.keys("L");
        let selected = bench.state.timeline.selected;
        let own = bench.state.ladder.drawn.messages.iter().any(|own| Some(own.packet) == selected);
        let copy = selected.zip(bench.state.evidence.as_ref());
        assert!(own || copy.is_some_and(|(id, evidence)| evidence.is_duplicate(id)), "{}", bench.screen());
    }
}

#[test]
fn errors_about_an_attempt_stand_in_its_ladder_with_who_sent_them() {
    let mut bench = kind("snmp_silent_and_refused.pcap", 160, 45);
    bench.keys("d S g g");
    bench.shows("refused ICMP");
    bench.keys("L");
    let drawn = &bench.state.ladder.drawn;
    let errors = drawn.messages.iter().filter(|own| {
        let packet = bench.state.index.packet(own.packet).unwrap();
        packet.flags() & portmortem::index::segment::flags::ICMP_ERROR != 0
    });
    assert!(errors.count() > 0, "{}", bench.screen());
}

#[test]
fn a_pause_is_a_break_and_the_ladder_is_copied_as_text() {
    let mut bench = Bench::sample("seed", 160, 45);
    bench.keys("] L");
    bench.shows("⋮ 3.906 s");
    // Behind a break the time of day says more than how long it was.
    assert!(lines(&bench, "#2 about #1")[0].contains("  13:24:36  "), "{}", bench.screen());
    bench.keys("y l");
    let text = bench.copied.last().cloned().unwrap();
    assert!(text.contains("192.51.100.15 -> 203.0.113.2"), "{text}");
    assert!(text.contains("(3.906 s later)") && text.contains("about #1"), "{text}");
}

#[test]
fn each_kind_of_failure_has_a_band_whatever_the_service() {
    let mut bench = kind("mail_refused_four_ways.pcap", 160, 50);
    let bands = |bench: &Bench| -> Vec<&str> {
        let failures = &bench.state.listed.table.failures;
        let kinds = portmortem::tui::failures::Kind::ALL.iter().zip(&failures.bands);
        kinds.filter(|(_, bins)| !bins.is_empty()).map(|((.., word), _)| *word).collect()
    };
    assert!(bands(&bench).contains(&"error answer"), "{:?}", bands(&bench));
    bench.shows("error answer");
    bench.shows("attempts");
    // The packets `]` stops at are those the bands show.
    let marks = bench.state.listed.table.failures.marks.clone();
    let counted: u32 = bench.state.listed.table.failures.bands.iter().flatten().sum();
    assert_eq!(counted as usize, marks.len());
    bench.keys("g g");
    let mut visited = Vec::new();
    for _ in &marks {
        bench.keys("]");
        visited.extend(bench.state.timeline.selected);
    }
    let begins = usize::from(marks[0].packet == portmortem::index::PacketId(0));
    assert_eq!(
        visited[..marks.len() - begins],
        marks.iter().skip(begins).map(|mark| mark.packet).collect::<Vec<_>>()[..]
    );
    // Errors about answers that came too late refused nobody's question.
    let late = kind("slow_upstream_a.pcap", 160, 50);
    assert!(bands(&late).contains(&"late") && !bands(&late).contains(&"refused"), "{:?}", bands(&late));
    // Where there is little room they share one row.
    let bench = kind("time_four_ways.pcap", 80, 24);
    bench.shows("attempts");
}

#[test]
fn whatever_fails_has_a_band_and_a_place_where_the_walk_stops() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/kinds");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let bench = kind(&name, 80, 24);
        let table = &bench.state.listed.table;
        assert!(table.failed == 0 || !table.failures.marks.is_empty(), "{name}: {} failed", table.failed);
        let counted: u32 = table.failures.bands.iter().flatten().sum();
        assert_eq!(counted as usize, table.failures.marks.len(), "{name}");
    }
}

#[test]
fn the_verdict_line_speaks_of_the_service_and_follows_the_problems() {
    let mut bench = kind("mail_refused_four_ways.pcap", 160, 45);
    bench.shows("1 of ");
    let verdicts = bench.state.report.verdicts.clone();
    assert!(verdicts.len() > 1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..bench.state.listed.table.failures.marks.len() {
        bench.keys("]");
        let line = bench.screen().lines().nth(1).unwrap().to_owned();
        seen.extend(line.split(" of ").next().map(str::to_owned));
    }
    assert!(seen.len() > 1, "{seen:?}");
    kind("radius_healthy.pcapng", 80, 24).shows(" ✓ ");
}

#[test]
fn a_stretch_of_time_becomes_a_filter_with_the_mouse_and_with_keys() {
    use crossterm::event::{MouseButton, MouseEventKind};
    let mut bench = Bench::sample("office", 120, 36);
    let overview = bench.state.layout().overview;
    bench.mouse(MouseEventKind::Down(MouseButton::Left), 30, overview.y);
    assert_eq!(bench.state.filter.line.text(), "");
    bench.mouse(MouseEventKind::Up(MouseButton::Left), 40, overview.y);
    let bars = portmortem::tui::views::overview::bars(&bench.state, overview).unwrap();
    let (count, all) = (bench.state.timeline.rows.len(&bench.state.index), bench.state.index.len());
    assert!(count > 0 && (count as u32) < all, "{}", bench.state.filter.line.text());
    let columns = |bench: &Bench| {
        let ids = (0..count).filter_map(|row| bench.state.timeline.rows.get(&bench.state.index, row));
        let times = ids.map(|id| bench.state.index.packet(id).unwrap().time_ns());
        times.map(|at| bench.state.overview.column(at, usize::from(bars.1))).collect::<Vec<_>>()
    };
    let inside = (usize::from(30 - bars.0))..=usize::from(40 - bars.0);
    assert!(columns(&bench).iter().all(|column| inside.contains(column)));
    bench.keys("Esc 1 g g v j j j f r");
    assert_eq!(bench.state.timeline.rows.len(&bench.state.index), 4, "{}", bench.state.filter.line.text());
}

#[test]
fn hints_menus_and_the_line_between_columns_take_the_mouse() {
    use crossterm::event::{MouseButton, MouseEventKind};
    let down = MouseEventKind::Down(MouseButton::Left);
    let mut bench = Bench::sample("seed", 160, 45);
    let column = |bench: &Bench, row: u16, word: &str| {
        let lines = bench.screen();
        let line = lines.lines().nth(usize::from(row)).unwrap_or_default().to_owned();
        let at = line.find(word).unwrap_or_else(|| panic!("no {word} in {line}"));
        line.get(..at).map_or(0, |before| before.chars().count()) as u16
    };
    // The hint of `?` opens the help, as the key does.
    let status = bench.state.layout().status;
    let at = column(&bench, status.y, "help");
    bench.mouse(down, at, status.y);
    bench.shows("type to find");
    bench.keys("Esc");
    // A choice is taken where it stands.
    bench.keys("Ctrl-t");
    let (row, line) = bench
        .screen()
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("monochrome"))
        .map(|(row, line)| (row as u16, line.to_owned()))
        .unwrap();
    let x = line.find("monochrome").and_then(|at| line.get(..at)).map_or(0, |before| before.chars().count());
    bench.mouse(down, x as u16, row);
    assert!(bench.state.dialog.is_none(), "the choice was taken");
    // The line between the columns is drawn to where it is wanted.
    let before = bench.state.layout().side.x;
    bench.mouse(down, before, 20);
    bench.mouse(MouseEventKind::Drag(MouseButton::Left), before - 32, 20);
    bench.mouse(MouseEventKind::Up(MouseButton::Left), before - 32, 20);
    let after = bench.state.layout().side.x;
    assert!((before - 36..=before - 28).contains(&after), "{before} {after}");
    bench.mouse(MouseEventKind::Drag(MouseButton::Left), before, 20);
    assert_eq!(bench.state.layout().side.x, after, "let go, it stays");
}
