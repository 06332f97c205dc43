//! Keys in, state and screen out: what the analyst can do, without a terminal.

mod bench;

use bench::Bench;
use crossterm::event::{MouseButton, MouseEventKind};
use portmortem::tui::actions;
use portmortem::tui::keys::{bindings, conflict};
use portmortem::tui::layout::Panel;
use portmortem::tui::state::Rows;
use portmortem::tui::update::{Message, Reply};

/// The seed with its first packet selected.
fn seed() -> Bench {
    let mut bench = Bench::sample("seed", 160, 45);
    bench.keys("g g");
    bench
}

#[test]
fn a_capture_opens_at_its_gravest_failure_with_what_went_before_in_sight() {
    let bench = Bench::sample("office", 160, 45);
    assert_eq!(bench.frame(), 1402, "the first error of the outage");
    bench.shows("1399 ");
    assert_eq!(bench.state.timeline.row - bench.state.timeline.top, 3);
    let mut bench = Bench::open("tests/captures/incidents/17_healthy.pcap", 160, 45);
    assert_eq!(bench.frame(), 1, "where nothing failed, at its beginning");
    bench.keys("j");
    assert_eq!(bench.frame(), 2);
}

#[test]
fn colon_goes_to_a_frame_or_a_time() {
    let mut bench = Bench::sample("office", 160, 45);
    bench.keys(":").text("13:26\n");
    bench.shows("13:26:0");
    let packet = bench.state.packet().unwrap();
    assert!(portmortem::time::time_of_day(packet.time_ns()).as_str() >= "13:26:00");
    let before = bench.frame() - 1;
    bench.keys(":").text(&format!("{before}\n"));
    let packet = bench.state.packet().unwrap();
    assert!(portmortem::time::time_of_day(packet.time_ns()).as_str() < "13:26:00");
    bench.keys(":").text("A:F17\n");
    assert_eq!(bench.frame(), 17);
    bench.keys(":").text("B:17\n");
    bench.shows("there is no file B");
    bench.keys(":").text("23:00\n");
    bench.shows("the capture ends before this time");
}

#[test]
fn no_key_has_two_meanings_in_one_context() {
    assert_eq!(conflict(bindings()), None);
}

#[test]
fn every_action_has_a_name_of_its_own_and_help() {
    let mut names: Vec<&str> = actions::all().map(|action| action.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(actions::all().all(|action| !action.help.is_empty() && !action.keys.is_empty()));
}

#[test]
fn enter_goes_to_the_other_end_and_back() {
    let mut bench = seed();
    bench.keys("G");
    assert_eq!(bench.frame(), 6);
    bench.keys("Enter");
    assert_eq!(bench.frame(), 5);
    bench.keys("Enter");
    assert_eq!(bench.frame(), 6);
    bench.keys("Ctrl-o");
    assert_eq!(bench.frame(), 5);
    bench.keys("Alt-Right");
    assert_eq!(bench.frame(), 6);
}

#[test]
fn problems_are_visited_one_after_the_other() {
    let mut bench = seed();
    let mut visited = Vec::new();
    for _ in 0..3 {
        bench.keys("]");
        visited.push(bench.frame());
    }
    assert_eq!(visited, [2, 4, 6]);
    bench.keys("]");
    bench.shows("no further problem below");
    bench.keys("[ [");
    assert_eq!(bench.frame(), 2);
}

#[test]
fn a_number_goes_to_its_frame() {
    let mut bench = seed();
    bench.keys("5 g g");
    assert_eq!(bench.frame(), 5);
    bench.keys("g 2 Enter");
    assert_eq!(bench.frame(), 2);
    bench.keys(":").text("4\n");
    assert_eq!(bench.frame(), 4);
}

#[test]
fn the_filter_narrows_while_it_is_typed_and_escape_brings_everything_back() {
    let mut bench = seed();
    bench.keys("/").text("icmp.error");
    bench.shows("3 of 6");
    bench.keys("Enter Esc");
    assert!(matches!(bench.state.timeline.rows, Rows::All));
    bench.keys("/").text("dns\n");
    bench.shows("3 of 6");
    bench.keys("/ Ctrl-u").text("icmp");
    bench.keys("Esc");
    assert_eq!(bench.state.filter.line.text(), "dns");
}

#[test]
fn a_wrong_filter_is_marked_and_changes_nothing() {
    let mut bench = seed();
    bench.keys("/").text("dns or dns.nonsense == 4");
    bench.shows("list unchanged");
    let rows = bench.state.timeline.rows.len(&bench.state.index);
    assert_eq!(rows, 3, "the last right text was `dns`");
}

#[test]
fn hidden_partners_come_with_one_key() {
    let mut bench = seed();
    bench.keys("/").text("icmp.error\n");
    bench.shows("#1 hidden: p");
    bench.keys("Enter");
    bench.shows("hidden by the filter");
    bench.keys("p");
    bench.shows("+ 3 partners");
    bench.keys("Enter");
    assert_eq!(bench.frame(), 1);
}

#[test]
fn the_filter_menu_joins_what_the_packet_has() {
    let mut bench = seed();
    bench.keys("f p");
    assert_eq!(bench.state.filter.line.text(), "dns");
    bench.keys("f Tab Tab e");
    assert_eq!(bench.state.filter.line.text(), "dns and not icmp.error");
    // What has an `or` of its own keeps it when it is joined.
    bench.keys("f a");
    assert_eq!(bench.state.filter.line.text(), "dns and not icmp.error and (dns or icmp.error)");
}

#[test]
fn a_transaction_and_a_field_of_the_tree_become_filters() {
    let mut bench = seed();
    bench.keys("j f t");
    assert_eq!(bench.state.filter.line.text(), "transaction(frame.number == 2)");
    bench.shows("2 of 6");
    bench.keys("Esc 2 G");
    let rows = portmortem::tui::views::packet::tree(&bench.state);
    let row =
        rows.iter().position(|row| row.node.field.is_some_and(|field| field.name == "icmp.code")).unwrap();
    bench.state.packet.tree.row = row;
    bench.keys("f i");
    assert_eq!(bench.state.filter.line.text(), "icmp.code == 3");
    bench.keys("f Tab Tab i");
    assert_eq!(bench.state.filter.line.text(), "icmp.code == 3 and not icmp.code == 3");
}

#[test]
fn what_is_chosen_in_attempts_findings_and_ladder_becomes_a_filter() {
    let mut bench = Bench::sample("seed", 200, 60);
    let filter = |bench: &Bench| bench.state.filter.line.text().to_owned();
    // The second query, while another packet is selected in the timeline.
    bench.keys("d j f");
    bench.shows("replace the filter");
    bench.keys("t");
    assert_eq!(filter(&bench), "transaction(frame.number == 3)");
    bench.shows("2 of 6");
    bench.keys("Esc f Tab Tab Tab t");
    assert_eq!(filter(&bench), "not transaction(frame.number == 3)");
    bench.shows("4 of 6");
    // The ladder's selected message, and its episode.
    bench.keys("Esc 1 g g ] L f k");
    assert_eq!(filter(&bench), "episode == 1");
    bench.keys("Esc f Tab Tab s");
    assert_eq!(filter(&bench), "host 203.0.113.2");
    // A finding's own filter, joined to what is there.
    bench.keys("Esc 4 f f");
    let own = bench.state.findings[bench.state.finding_list.row].filter.clone();
    assert_eq!(filter(&bench), own);
    bench.keys("f Tab f");
    assert!(filter(&bench).contains(" or "), "{}", filter(&bench));
    // In the tree the field pointed at comes first.
    bench.keys("Esc 1 g g 2");
    let rows = portmortem::tui::views::packet::tree(&bench.state);
    let of_id = rows.iter().position(|row| row.node.field.is_some_and(|field| field.name == "dns.id"));
    bench.state.packet.tree.row = of_id.unwrap();
    bench.keys("f Enter");
    assert!(filter(&bench).starts_with("dns.id == "), "{}", filter(&bench));
}

#[test]
fn a_note_stands_in_the_report_with_its_citation_and_undo_takes_it_back() {
    let mut bench = seed();
    bench.keys("] a").text("first refusal\nsecond line");
    bench.keys("Ctrl-s");
    assert_eq!(bench.case.state().annotations.len(), 1);
    assert_eq!(bench.case.state().annotations[0].note, "first refusal\nsecond line");
    let noted = bench
        .state
        .report
        .claims()
        .find(|claim| claim.annotation.is_some())
        .expect("the note is in the draft");
    assert_eq!(noted.frames, [portmortem::index::PacketId(1)]);
    bench.keys("u");
    assert!(bench.case.state().annotations.is_empty());
    assert!(bench.state.report.claims().all(|claim| claim.annotation.is_none()));
    bench.keys("Ctrl-r");
    assert_eq!(bench.case.state().annotations.len(), 1);
}

#[test]
fn a_note_takes_tag_and_severity() {
    let mut bench = seed();
    bench.keys("a").text("who asked?");
    bench.keys("Tab Ctrl-u").text("question");
    bench.keys("Tab h Ctrl-s");
    let note = &bench.case.state().annotations[0];
    assert_eq!((note.tag.as_str(), note.severity.as_deref()), ("question", Some("high")));
}

#[test]
fn claims_are_accepted_rejected_edited_and_reset() {
    let mut bench = seed();
    bench.keys("3 a");
    assert_eq!(bench.case.state().decisions.values().filter(|d| d.accepted == Some(true)).count(), 1);
    bench.shows("accepted");
    bench.keys("r");
    bench.shows("rejected");
    bench.keys("g g e Ctrl-e End").text(" Checked by hand.");
    bench.keys("Ctrl-s");
    bench.shows("Checked by hand.");
    bench.shows("edited");
    bench.keys("R");
    bench.hides("Checked by hand.");
}

#[test]
fn a_citation_is_a_link_to_its_packet() {
    let mut bench = seed();
    bench.keys("3 Enter");
    assert_eq!(bench.frame(), 1);
    bench.keys("Enter");
    assert_eq!(bench.frame(), 2);
    assert_eq!(bench.state.panels.focus, Panel::Report);
    bench.shows("citation 2 of 6: #2");
}

#[test]
fn marks_and_the_time_format_change_with_one_key() {
    let mut bench = seed();
    bench.keys("j m x G ' x");
    assert_eq!(bench.frame(), 2);
    bench.keys("t");
    bench.shows("2000-01-01 13:24:36.098564");
    bench.keys("T g g");
    bench.shows("-3.905993");
    bench.keys("t");
    bench.shows("+3.905993");
}

#[test]
fn the_report_is_exported_and_never_written_over_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.md");
    let mut bench = seed();
    let export = |bench: &mut Bench| {
        bench.keys("x Tab g Tab Tab Ctrl-u").text(path.to_str().unwrap());
        bench.keys("Enter");
    };
    export(&mut bench);
    bench.shows("report written to");
    let first = std::fs::read_to_string(&path).unwrap();
    assert!(
        first.contains("Part 1: Provide a summary of the problem found in the DNS and ICMP traffic log.")
    );
    std::fs::write(&path, "mine").unwrap();
    export(&mut bench);
    bench.shows("Write over it?");
    bench.keys("n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    export(&mut bench);
    bench.keys("y");
    assert_ne!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_redacted_bundle_is_exported_from_the_dialog() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("outage.zip");
    let mut bench = seed();
    bench.keys("] a").text("call 192.51.100.15 back").keys("Ctrl-s");
    bench.keys("x");
    bench.shows("Formats: markdown text html");
    bench.keys("b Tab Tab Space Tab Ctrl-u").text(path.to_str().unwrap());
    bench.shows("report, cited packets, frame map, case and hashes");
    bench.keys("Enter");
    bench.shows("redacted bundle written to");
    let contents = portmortem::export::bundle::files::read(&path).unwrap();
    let manifest = portmortem::export::bundle::files::manifest(&contents).unwrap();
    assert!(manifest.redacted && contents.contains_key("cited.pcapng"));
    for (name, content) in &contents {
        let text = String::from_utf8_lossy(content);
        assert!(!text.contains("192.51.100.15") && !text.contains("yummy"), "{name}");
    }
    // One that is not redacted is made again from the capture, to the last byte.
    let open = directory.path().join("open.zip");
    bench.keys("x Tab Tab Space Tab Ctrl-u").text(open.to_str().unwrap()).keys("Enter");
    bench.shows("bundle written to");
    let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_portmortem"));
    let verified = verify.arg("verify").arg(&open).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success() && said.contains("report.pdf written again"), "{said}");
    // The choices are offered again, and the ending follows the format.
    bench.keys("x Tab Tab Space");
    bench.shows("incident.bundle.redacted.zip");
    bench.keys("Up Up m");
    bench.shows("incident.report.redacted.md");
    bench.keys("Esc");
    bench.hides("Export the report");
}

#[test]
fn a_packet_is_read_in_words_at_three_levels() {
    let mut bench = seed();
    bench.keys("] w");
    bench.shows("So what:");
    bench.shows("Not so:");
    bench.hides("offset ");
    bench.keys("W");
    bench.shows("In words, with bytes");
    bench.shows("offset 26, 4 bytes: cb 00 71 02");
    bench.keys("W");
    bench.shows("? What does each part of the line say?");
    bench.hides("So what:");
    bench.keys("W");
    bench.shows("In words, answers");
    bench.hides("W shows the answers");
    bench.keys("W");
    bench.shows("So what:");
}

#[test]
fn text_is_copied() {
    let mut bench = seed();
    bench.keys("j y c");
    assert_eq!(bench.copied, ["[F2]"]);
    bench.keys("y k");
    assert!(bench.copied[1].chars().count() <= 900);
}

#[test]
fn text_is_found_in_both_directions() {
    let mut bench = seed();
    bench.keys("s").text("icmp\n");
    assert_eq!(bench.frame(), 2);
    bench.keys("n");
    assert_eq!(bench.frame(), 4);
    bench.keys("N N");
    assert_eq!(bench.frame(), 6);
    bench.keys("s Ctrl-u").text("nowhere\n");
    bench.shows("“nowhere” is in none of these rows");
}

#[test]
fn a_search_shows_its_first_match_while_it_is_typed_counts_and_lights_them() {
    let mut bench = Bench::sample("office", 160, 45);
    bench.keys("g g s").text("time exceeded");
    assert_eq!(bench.frame(), 1, "nothing says so in its summary");
    bench.keys("Ctrl-u").text("exceeded in tr");
    assert_eq!(bench.frame(), 687, "the place moves while it is typed");
    bench.keys("Enter");
    bench.shows("“exceeded in tr”: 1 of 3");
    bench.keys("n");
    assert_eq!(bench.frame(), 689);
    bench.shows("2 of 3");
    bench.keys("N N");
    assert_eq!(bench.frame(), 691, "it goes round");
    let buffer = bench.buffer();
    let lit = portmortem::tui::theme::Theme::named("monochrome", portmortem::tui::theme::Depth::Monochrome)
        .style(portmortem::tui::theme::Role::Match)
        .add_modifier;
    let count = buffer.content.iter().filter(|cell| cell.modifier.contains(lit)).count();
    assert!(count >= "exceeded in tr".len(), "{count} cells are lit");
    bench.keys("Esc");
    let buffer = bench.buffer();
    assert!(
        buffer.content.iter().filter(|cell| cell.modifier.contains(lit)).count() < count,
        "Esc puts it out"
    );
    bench.keys("s").keys("Ctrl-u").text("no such text at all").keys("Esc");
    assert_eq!(bench.frame(), 691, "left, the place from before is back");
    bench.keys("s").keys("Ctrl-u").text("/echo (request|reply)/\n");
    bench.shows("of 96");
    bench.keys("s").keys("Ctrl-u").text("/(/\n");
    bench.shows("no regular expression");
    bench.keys("g g s").keys("Ctrl-u").text("0x 07 70 61 79\n");
    bench.shows(" · n next");
}

#[test]
fn the_mouse_selects_scrolls_and_focuses() {
    let mut bench = seed();
    let layout = bench.state.layout();
    let timeline = layout.inner(Panel::Timeline);
    bench.mouse(MouseEventKind::Down(MouseButton::Left), timeline.x + 10, timeline.y + 3);
    assert_eq!(bench.frame(), 3);
    bench.mouse(MouseEventKind::Down(MouseButton::Left), layout.side.x + 5, layout.side.y + 2);
    assert_eq!(bench.state.panels.focus, Panel::Report);
    bench.mouse(MouseEventKind::ScrollDown, timeline.x + 10, timeline.y + 3);
    assert_eq!(bench.frame(), 6);
    assert_eq!(bench.state.panels.focus, Panel::Report);
}

#[test]
fn a_late_filter_reply_is_dropped() {
    let mut bench = seed();
    bench.keys("/").text("dns\n");
    let filter = portmortem::filter::Filter::parse("icmp").unwrap();
    bench.send(Message::Done(Reply::Filtered {
        generation: 0,
        filter,
        rows: Rows::Some([1].into()),
        matching: 1,
        seen: 6,
        warnings: Vec::new(),
    }));
    assert_eq!(bench.state.timeline.rows.len(&bench.state.index), 3);
}

#[test]
fn the_ladder_and_the_attempts_lead_to_their_packets() {
    let mut bench = seed();
    bench.keys("] L");
    bench.shows("resolver");
    bench.keys("Enter");
    assert_eq!(bench.frame(), 2);
    bench.keys("d");
    bench.shows("refused ICMP 3/3");
    // The row is the selection, and Enter shows its packets alone.
    bench.keys("j");
    assert_eq!(bench.frame(), 3);
    bench.keys("Enter");
    assert_eq!(bench.state.filter.line.text(), "transaction(frame.number == 3)");
    bench.keys("Enter");
    assert_eq!(bench.state.filter.line.text(), "");
}

#[test]
fn layers_fold_and_fields_mark_their_bytes() {
    let mut bench = Bench::sample("seed", 200, 60);
    bench.keys("2");
    let open = portmortem::tui::views::packet::tree(&bench.state).len();
    bench.keys("g g Right");
    assert!(portmortem::tui::views::packet::tree(&bench.state).len() > open);
    bench.keys("Left");
    assert_eq!(portmortem::tui::views::packet::tree(&bench.state).len(), open);
}

#[test]
fn q_quits_and_help_lists_the_keys_of_the_panel() {
    let mut bench = seed();
    bench.keys("?");
    bench.shows("write a note on this packet");
    bench.keys("Esc 3 ?");
    bench.shows("accept this claim");
    bench.keys("Esc q");
    assert!(bench.quit);
}

#[test]
fn help_shows_the_marks_first_and_what_is_typed_is_found_and_done() {
    let mut bench = Bench::sample("seed", 80, 24);
    bench.keys("?");
    bench.shows("a query and the ICMP error about it");
    bench.text("repeated");
    bench.shows("a repeated query");
    bench.hides("a query and the ICMP error about it");
    bench.keys("Ctrl-u").text("no such words");
    bench.shows("no key and no mark has these words");
    bench.keys("Ctrl-u").text("causes weighed\n");
    assert_eq!(bench.state.panels.focus, Panel::Causes);
}

#[test]
fn the_next_packet_of_a_conversation_is_found_without_its_neighbours() {
    let mut bench = Bench::open("tests/captures/incidents/08_failover.pcap", 160, 40);
    bench.keys("g g");
    // Frame 1 asks the first resolver; its own port is used once, so the conversation ends there.
    bench.keys("}");
    assert_eq!(bench.frame(), 1);
    bench.shows("no further packet of this conversation below");
    bench.keys("j");
    let ends = |bench: &Bench| {
        let packet = bench.state.packet().unwrap();
        let mut ends = [packet.source_address().to_string(), packet.destination_address().to_string()];
        ends.sort();
        (ends, packet.transport())
    };
    let before = ends(&bench);
    bench.keys("}");
    assert_eq!(bench.frame(), 6, "the next ICMP error between the same two");
    assert_eq!(ends(&bench), before);
    bench.keys("{");
    assert_eq!(bench.frame(), 2);
}

#[test]
fn rows_in_order_of_time_are_found_by_packet() {
    let read = |name: &str| {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/incidents").join(name);
        let bytes: &'static [u8] = std::fs::read(path).unwrap().leak();
        let (source, walk) = portmortem::capture::open_bytes(name, bytes).unwrap();
        portmortem::index::Input { source, walk, offset_ns: 0 }
    };
    let inputs = vec![read("08_failover.pcap"), read("00_seed_plain.pcap"), read("08_failover.pcap")];
    let mut bench = Bench::with(inputs, 160, 45);
    let check = |bench: &Bench| {
        let (rows, index) = (&bench.state.timeline.rows, &bench.state.index);
        assert!(index.order.is_some());
        for row in 0..rows.len(index) {
            assert_eq!(rows.find(index, rows.get(index, row).unwrap()), Some(row));
        }
        (0..index.len()).filter(|id| rows.find(index, portmortem::index::PacketId(*id)).is_some()).count()
    };
    assert_eq!(check(&bench), bench.state.index.len() as usize);
    bench.keys("/").text("icmp.error\n");
    let shown = bench.state.timeline.rows.len(&bench.state.index);
    assert!(shown > 3);
    assert_eq!(check(&bench), shown);
}

#[test]
fn first_matches_show_while_the_filter_still_looks_and_the_selection_stays() {
    let mut bench = seed();
    bench.keys("G");
    bench.state.generations.filter = 7;
    let filter = portmortem::filter::Filter::parse("dns").unwrap();
    bench.state.filter.status = portmortem::tui::state::FilterStatus::Running;
    let first = |bench: &mut Bench, rows: &[u32]| {
        let (filter, rows) = (filter.clone(), rows.into());
        bench.send(Message::Done(Reply::Matching { generation: 7, filter, rows, done: 3 }));
    };
    first(&mut bench, &[0]);
    bench.shows("1 so far");
    assert_eq!(bench.frame(), 1);
    first(&mut bench, &[0, 2, 4, 5]);
    assert_eq!(bench.frame(), 6, "what was selected before is selected again");
    first(&mut bench, &[0, 2]);
    assert_eq!(bench.state.timeline.rows.len(&bench.state.index), 4, "rows shown do not become fewer");
}

#[test]
fn a_word_about_the_case_and_one_about_damage_are_dismissed_one_by_one() {
    let sample = portmortem::samples::find("seed").unwrap();
    let cut: &'static [u8] = sample.bytes[..sample.bytes.len() - 7].to_vec().leak();
    let (source, walk) = portmortem::capture::open_bytes("cut.pcap", cut).unwrap();
    let mut bench = Bench::with(vec![portmortem::index::Input { source, walk, offset_ns: 0 }], 160, 45);
    bench.shows("damaged after frame 5");
    bench.send(Message::Done(Reply::Case {
        case: std::sync::Arc::default(),
        saving: portmortem::case::Saving::Nothing,
        notices: vec![portmortem::case::Notice::Locked],
    }));
    bench.shows("another portmortem has this case open");
    bench.keys("D");
    bench.shows("damaged after frame 5");
    bench.keys("D");
    bench.hides("damaged after frame 5");
}

#[test]
fn a_changed_capture_is_accepted_only_after_the_question() {
    let mut bench = seed();
    let record = |sha256: &str| portmortem::case::EvidenceRecord {
        name: "sample:seed".to_owned(),
        size: 0,
        sha256: sha256.to_owned(),
    };
    bench.case.identify(vec![record("aa")], 0);
    bench.keys("a").text("before").keys("Ctrl-s");
    bench.case.identify(vec![record(&bench.state.hashes[0].clone())], 0);
    bench.keys("m x");
    bench.shows("has changed since this case was made");
    bench.keys("A");
    bench.shows("Record the new hash");
    bench.keys("n");
    assert_eq!(bench.case.state().evidence[0].sha256, "aa");
    bench.keys("A y");
    bench.hides("has changed since this case was made");
    assert_eq!(bench.case.state().evidence[0].sha256, bench.state.hashes[0]);
}

#[test]
fn several_packets_are_noted_as_one() {
    let mut bench = seed();
    bench.keys("j v j");
    bench.keys("v j j v v");
    bench.shows("3 packets picked");
    bench.keys("a").text("the same refusal twice").keys("Ctrl-s");
    let note = &bench.case.state().annotations[0];
    let frames: Vec<u64> = note.frames.iter().map(|frame| frame.frame).collect();
    assert_eq!(frames, [2, 3, 5]);
    bench.keys("3");
    bench.shows("the same refusal twice");
    // A range is noted at once, and Escape lets go without touching the filter.
    bench.keys("1 / d n s Enter g g v j Esc");
    bench.shows("nothing is picked");
    bench.shows("3 of 6");
    bench.keys("v j a").text("both").keys("Ctrl-s");
    assert_eq!(bench.case.state().annotations[1].frames.len(), 2);
}

#[test]
fn a_timeline_row_is_made_changed_and_removed_by_hand() {
    let mut bench = seed();
    bench.keys("3 i").text("help line\nthe first call came in\n");
    let row = bench.case.state().manual_rows[0].clone();
    assert_eq!((row.when.as_str(), row.by.as_str()), ("2000-01-01 13:24:32", "help line"));
    let in_timeline = bench.state.report.blocks().any(|block| match block {
        portmortem::report::Block::Table(table) => {
            table.id == "timeline" && format!("{:?}", table.rows).contains("the first call came in")
        }
        _ => false,
    });
    assert!(in_timeline);
    bench.keys("I a Tab Tab Tab Ctrl-u").text("13:20").keys("Ctrl-s");
    assert_eq!(bench.case.state().manual_rows[0].when, "13:20");
    bench.keys("I a Tab Tab Ctrl-u Ctrl-s");
    assert!(bench.case.state().manual_rows.is_empty());
    bench.keys("u");
    assert_eq!(bench.case.state().manual_rows.len(), 1);
}

#[test]
fn what_the_analyst_knows_changes_the_ledger_and_the_report() {
    let mut bench = seed();
    let score = |bench: &Bench, id: &str| bench.state.assessments[0].hypothesis(id).unwrap().score_db;
    bench.keys("c");
    bench.shows("▸ H2 ");
    bench.hides("what the error says");
    bench.keys("Space");
    bench.shows("what the error says");
    let (h1, h2) = (score(&bench, "H1").unwrap(), score(&bench, "H2"));
    bench.keys("g g a").text("admin says named was stopped\n much\n");
    bench.shows("is no weight between");
    bench.keys("Ctrl-u").text("+10\n");
    let first = bench.state.assessments[0].hypotheses[0].id();
    assert_eq!(first, "H1");
    assert_eq!(score(&bench, "H1"), Some(h1 + 10));
    assert_eq!(score(&bench, "H2"), h2);
    bench.shows("admin says named was stopped");
    let printed = format!("{:?}", bench.state.report);
    assert!(printed.contains("admin says named was stopped"), "the report names analyst input");
    // The first row of the program is switched off, weighed otherwise, and put back.
    bench.keys("j Space");
    assert!(bench.state.assessments[0].hypothesis("H1").unwrap().ledger[0].off);
    bench.shows("switched off by you");
    bench.shows(&format!("H1: {:+} dB → ", h1 + 10));
    bench.keys("R");
    assert_eq!(score(&bench, "H1"), Some(h1 + 10));
    let before = bench.state.assessments[0].hypothesis("H1").unwrap().ledger[0].weight_db.unwrap();
    bench.keys("-");
    assert!(bench.state.assessments[0].hypothesis("H1").unwrap().ledger[0].weight_db.unwrap() < before);
    bench.keys("u u");
    assert_eq!(bench.case.state().ledger.len(), 2, "undo takes back the change, then the reset");
}

#[test]
fn filters_are_named_and_offered_again() {
    let mut bench = seed();
    bench.keys("/").text("icmp.error\n");
    bench.keys("F").text("refusals\n");
    assert_eq!(bench.case.state().filters["refusals"], "icmp.error");
    bench.keys("Esc /");
    bench.shows("named “refusals”");
    bench.text("refu").keys("Tab Enter");
    assert_eq!(bench.state.filter.line.text(), "icmp.error");
    bench.shows("3 of 6");
}

#[test]
fn two_messages_of_the_ladder_are_compared_field_by_field() {
    let mut bench = seed();
    bench.keys("L g g =");
    bench.shows("is compared with the message selected above");
    bench.keys("j j");
    bench.shows(" equal  ");
    let (found, equal) = portmortem::tui::views::comparison::differences(
        &bench.state,
        portmortem::index::PacketId(0),
        portmortem::index::PacketId(2),
    );
    // The same id, port and question: only the time and what depends on the datagram differ.
    assert_eq!(found[0].name, "Time");
    assert!(equal > 20 && found.len() <= 4, "{found:?}");
    bench.keys("=");
    bench.hides(" equal  ");
}

#[test]
fn every_screen_says_what_failed_or_that_nothing_did() {
    for (width, height) in [(80, 24), (160, 40)] {
        let mut bench = Bench::open("tests/captures/incidents/08_failover.pcap", width, height);
        bench.shows("✗ DNS at 203.0.113.2:53 refused by ICMP port unreachable");
        bench.keys("g g ]");
        assert_eq!(bench.frame(), 2);
        bench.shows("✗ DNS at 203.0.113.2:53 refused by ICMP port unreachable");
        Bench::open("tests/captures/incidents/17_healthy.pcap", width, height)
            .shows("✓ No failure among DNS");
    }
}
