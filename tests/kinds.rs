//! One capture of a real kernel for each kind of incident: which causes lead, and which finding says so how gravely.

#![expect(clippy::unwrap_used, reason = "a test fails where a capture cannot be read")]

mod scene;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use portmortem::capture;
use portmortem::correlate::episodes::is_error_code;
use portmortem::correlate::{Evidence, Outcome, Parameters, correlate};
use portmortem::findings::hypotheses::assess_all;
use portmortem::findings::{self, Severity};
use portmortem::index::{Index, Input, Progress, build};
use scene::leading;

/// Every attempt of every capture at hand is answered, accepted, failed or not seen to end: numbers of a service add up.
#[test]
fn the_numbers_of_each_service_add_up() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok((source, walk)) = capture::open(&path) else { continue };
            let index = build(vec![Input { source, walk, offset_ns: 0 }], 2, &Progress::default(), |_| {});
            let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
            let input = findings::Input { index: &index, evidence: &evidence };
            let coverage = findings::review(&input, &[], &[]).coverage;
            for own in &coverage.judged {
                let sum = own.served + own.accepted + own.failed + own.undecided;
                assert_eq!(own.attempts, sum, "{}: {own:?}", path.display());
                assert!(own.declined <= own.failed, "{}: {own:?}", path.display());
            }
            read += 1;
        }
    }
    assert!(read > 100, "{read}");
}

/// Files, the causes that lead (`*` for any), and a finding with its severity; a row without both is healthy.
#[rustfmt::skip]
static KINDS: &[(&[&str], &str, &str)] = &[
    (&["arp_silent_resolver.pcap"], "H4 H6", "high uncaptured-failures"),
    (&["gateway_silent.pcap"], "H33", "high arp-unanswered"),
    (&["own_filter_rejects.pcap"], "H5", "high uncaptured-failures"),
    (&["own_filter_errors_only.pcap"], "H5", ""),
    (&["slow_upstream_a.pcap", "slow_upstream_b.pcap"], "H13", "medium late-answers"),
    (&["portal.pcap"], "H36", "medium one-address"),
    (&["forged_errors_late.pcap"], "H17", ""),
    (&["forged_errors_early.pcap"], "H17", ""),
    (&["v6_dead_v4_rescues.pcap"], "H18 H8", ""),
    (&["v4_refuses_v6_rescues.pcap"], "H1 H10 H18 H2 H3 H4", "low refused-by-icmp"),
    (&["loss_at_client.pcap"], "H29", ""),
    (&["loss_at_server.pcap"], "H29", ""),
    (&["dead_member_silent_a.pcap", "dead_member_silent_b.pcap"], "H39", ""),
    (&["answers_dropped_at_server.pcap"], "H5 H8", ""),
    (&["one_direction.pcap"], "", "low capture-quality"),
    (&["duplicate_address.pcap"], "H10 H32", "high duplicate-address"),
    (&["spoofed_gateway.pcap"], "H32", "medium duplicate-address"),
    (&["large_tcp_answers_lost.pcap"], "H11", ""),
    (&["ports_exhausted_a.pcap", "ports_exhausted_b.pcap"], "H22", ""),
    (&["name_removed.pcap"], "H15", ""),
    (&["no_route_at_router.pcap"], "H10 H7", ""),
    (&["no_route_at_client.pcap"], "H7", ""),
    (&["rival_router.pcap"], "H4", "high rival-routers"),
    (&["small_ttl.pcap"], "H10 H44", "info time-exceeded"),
    (&["damaged_answers.pcap"], "H29", "high answers-not-received"),
    (&["damaged_answers_two_places_a.pcap", "damaged_answers_two_places_b.pcap"], "H29", ""),
    (&["edns_dropped.pcap"], "H40", "medium slow-dns"),
    (&["loop.pcap"], "H10 H7", ""),
    (&["health_checks_healthy.pcap"], "", ""),
    (&["tcp_reset_after_truncation.pcap"], "H1 H12 H2 H3", ""),
    (&["closed_over_tcp.pcap"], "H26", ""),
    (&["refused_by_policy.pcap"], "H14", ""),
    (&["syslog_refused.pcap"], "H1 H2 H3 H4", "high datagrams-refused"),
    (&["host_takes_no_answers.pcap"], "H19", "medium answers-not-received"),
    (&["zone_expired.pcap"], "H13", ""),
    (&["signatures_expired_a.pcap", "signatures_expired_b.pcap"], "H13", ""),
    (&["large_answers_lost_a.pcap", "large_answers_lost_b.pcap"], "H11", ""),
    (&["wrong_resolver.pcap"], "H4", ""),
    (&["zone_transfer_stalls.pcap"], "H11", "high answers-not-received"),
    (&["member_dead_two_places_a.pcap", "member_dead_two_places_b.pcap"], "H39", ""),
    (&["answered_on_the_way_a.pcap", "answered_on_the_way_b.pcap"], "H23", ""),
    (&["upstream_hangs.pcap"], "H13", ""),
    (&["late_answers.pcap"], "H31", "medium late-answers"),
    (&["edns_ignored.pcap"], "H40", ""),
    (&["search_suffixes_healthy.pcap"], "", ""),
    (&["one_direction_acknowledged.pcap"], "", "low capture-quality"),
    (&["balancer_checks.pcap"], "*", "low refused-by-icmp"),
    (&["guesses.pcap"], "", "medium guessed-answers"),
    (&["tunnel.pcapng"], "", "medium dns-tunnel"),
    (&["reflected.pcap"], "H9", "high reflection"),
    (&["made_up_names.pcap"], "", "medium made-up-names"),
    (&["radius_silent_for_one.pcap"], "H14 H8", "high datagrams-refused"),
    (&["time_four_ways.pcap"], "H12 H8", "high datagrams-refused"),
    (&["mail_refused_four_ways.pcap"], "H20 H26", "high service-failures"),
    (&["sessions_forgotten.pcap"], "H41", "medium service-failures"),
    (&["snmp_silent_and_refused.pcap"], "H14 H8", "high datagrams-refused"),
    (&["radius_healthy.pcapng"], "", ""),
    (&["long_poll_healthy.pcap"], "", ""),
    (&["pool_empty.pcap"], "H14", "high no-lease"),
    (&["pings_refused_three_ways.pcap"], "H6", "low datagrams-refused"),
    (&["traps_and_polls_healthy.pcap"], "", ""),
    (&["database_filtered_for_one.pcap"], "H8", "high tcp-failures"),
    (&["api_cut_healthy.pcap"], "", ""),
    (&["filtered_two_places_a.pcap", "filtered_two_places_b.pcap"], "H8", "high tcp-failures"),
    (&["mail_and_sessions_healthy.pcapng"], "", ""),
    (&["sessions_taken.pcap"], "H48", "medium service-failures"),
    (&["workers_held.pcap"], "H27", "high service-failures"),
    (&["sessions_healthy.pcap"], "", ""),
    (&["host_gone_state_lost.pcap"], "H6", "high tcp-failures"),
    (&["large_lost_at_server.pcapng"], "H24", "high service-failures"),
    (&["time_unsynchronised.pcap"], "H6 H8", "medium service-failures"),
    (&["upload_stalls.pcap"], "H27", "medium service-failures"),
    (&["v6_dead_no_dns.pcap"], "H12 H8", "medium tcp-failures"),
    (&["tls_refused_by_name.pcap"], "H25", "high service-failures"),
    (&["telephony_stopped_amid_scan.pcap"], "H26", "medium datagrams-refused"),
    (&["one_direction_time.pcap"], "", "low capture-quality"),
    (&["address_used_twice.pcap"], "H32", "high duplicate-address"),
    (&["routers_take_over_healthy.pcap"], "", ""),
    (&["ports_probed.pcap"], "", "low port-scan"),
    (&["certificate_expired.pcap"], "H25", "high service-failures"),
    (&["type_in_zone_dropped_a.pcap", "type_in_zone_dropped_b.pcap"], "H13", "high rcode-outage"),
    (&["type_in_zone_dropped_b.pcap"], "H40", "high unanswered-queries"),
    (&["responses_limited.pcap"], "H13", "info responses-limited"),
    (&["transfer_lost_a.pcap", "transfer_lost_b.pcap", "transfer_lost_c.pcap"], "H11", "high servers-disagree"),
    (&["transfer_lost_b.pcap"], "H11", "high answers-not-received"),
    (&["fails_behind_resolver_a.pcap", "fails_behind_resolver_b.pcap"], "H13", "medium lost-fragments"),
    (&["loop_v6_a.pcap", "loop_v6_b.pcap"], "H7", "medium time-exceeded"),
    (&["wrong_search_domain.pcap"], "H4", "medium led-astray"),
    (&["second_answers_healthy.pcap"], "", ""),
    (&["published_address_healthy.pcap"], "", ""),
];

/// A capture read and correlated.
fn open(files: &[&str]) -> (Index, Evidence) {
    let open = |name: &&str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/kinds").join(name);
        let (source, walk) = capture::open(&path).unwrap();
        Input { source, walk, offset_ns: 0 }
    };
    let index = build(files.iter().map(open).collect(), 2, &Progress::default(), |_| {});
    let evidence = correlate(&index, &Parameters::default(), &AtomicBool::new(false));
    (index, evidence)
}

#[test]
fn each_kind_of_incident_is_told_as_what_it_is() {
    let mut wrong = Vec::new();
    for (files, leads, finding) in KINDS {
        let (index, evidence) = open(files);
        let input = findings::Input { index: &index, evidence: &evidence };
        let found = findings::run(&input, &[]);
        let assessments = assess_all(&input, &found, &[]);
        let led: Vec<&str> = match assessments.get(..1) {
            Some(first) => leading(first).into_iter().collect(),
            None => Vec::new(),
        };
        let told: Vec<String> =
            found.iter().map(|finding| format!("{} {}", finding.severity.name(), finding.id)).collect();
        let healthy = leads.is_empty() && finding.is_empty();
        let quiet = found.iter().all(|finding| finding.severity == Severity::Info) && assessments.is_empty();
        if *leads != "*" && led.join(" ") != *leads
            || !finding.is_empty() && !told.iter().any(|told| told == finding)
            || healthy && !quiet
        {
            wrong.push(format!("{}: {led:?} lead, not {leads}; {told:?}", files.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What leads for each failure of a capture, by server and causes, with the observations behind it.
fn led(files: &[&str]) -> Vec<(String, String, String)> {
    let (index, evidence) = open(files);
    let input = findings::Input { index: &index, evidence: &evidence };
    let found = findings::run(&input, &[]);
    let assessments = assess_all(&input, &found, &[]);
    let of = |own: &portmortem::findings::hypotheses::Assessment| {
        let server = own.problem.and_then(|at| evidence.problems.get(at)).map(|p| p.server.0.to_string());
        let rows =
            own.leading().into_iter().flat_map(|cause| &cause.ledger).map(|row| row.observation.clone());
        let causes: Vec<&str> = leading(std::slice::from_ref(own)).into_iter().collect();
        (server.unwrap_or_default(), causes.join(" "), rows.collect::<Vec<_>>().join(" "))
    };
    assessments.iter().map(of).collect()
}

#[test]
fn refusals_that_take_turns_with_service_show_a_limit_of_the_server() {
    let all = led(&["type_in_zone_dropped_a.pcap", "type_in_zone_dropped_b.pcap"]);
    let (_, _, why) = all.iter().find(|own| own.1 == "H47").unwrap();
    assert!(why.contains("in turns"), "{why}");
    assert!(why.contains("questions of its own or more"), "{why}");
    let (_, _, split) = all.iter().find(|own| own.1 == "H40").unwrap();
    assert!(split.contains("Only queries of type AAAA for names in cdn.example fail"), "{split}");
}

#[test]
fn an_icmp_error_speaks_for_the_protocol_it_quotes() {
    let all = led(&["responses_limited.pcap"]);
    // Connections of the same host to the same port are refused by a router; datagrams are not.
    let (_, _, why) = all.iter().find(|own| own.1 == "H14").unwrap();
    assert!(why.contains("response rate limiting"), "{why}");
    assert!(
        all.iter().all(|own| !own.2.contains("prohibited") || own.2.contains("about TCP segments")),
        "{all:?}"
    );
}

#[test]
fn what_a_resolver_asks_by_another_address_explains_its_failure() {
    let all = led(&["fails_behind_resolver_a.pcap", "fails_behind_resolver_b.pcap"]);
    let (_, _, why) = all.iter().find(|own| own.0 == "198.51.100.53").unwrap();
    assert!(why.contains("itself asked 203.0.113.5"), "{why}");
}

#[test]
fn a_packet_whose_checksum_was_left_to_the_card_is_one_packet_at_two_places() {
    let (index, evidence) = open(&["transfer_lost_b.pcap", "transfer_lost_c.pcap"]);
    let over_tcp = |packet| index.packet(packet).is_some_and(|packet| packet.transport() == 6);
    let transfers = evidence.transactions.iter().filter(|own| over_tcp(own.first));
    assert_eq!(transfers.map(|own| own.tries).sum::<u32>(), 2);
}

#[test]
fn a_packet_that_circles_is_sent_once() {
    let (_, evidence) = open(&["loop_v6_a.pcap", "loop_v6_b.pcap"]);
    assert!(evidence.transactions.iter().all(|own| own.tries == 1));
}

#[test]
fn second_answers_refused_by_who_asked_are_listed_as_ordinary() {
    let (index, evidence) = open(&["second_answers_healthy.pcap"]);
    let input = findings::Input { index: &index, evidence: &evidence };
    let coverage = findings::review(&input, &[], &[]).coverage;
    let further =
        coverage.not_assessed.iter().find(|item| item.what().contains("late or second DNS answers"));
    assert_eq!(further.map(|item| item.count), Some(29));
}

#[test]
fn a_published_address_and_pings_in_fragments_leave_nothing_open() {
    let (index, evidence) = open(&["published_address_healthy.pcap"]);
    let input = findings::Input { index: &index, evidence: &evidence };
    let coverage = findings::review(&input, &[], &[]).coverage;
    let said: Vec<String> =
        coverage.not_assessed.iter().map(portmortem::findings::coverage::OpenItem::what).collect();
    assert!(said.iter().all(|what| !what.contains("open when the capture began")), "{said:?}");
    assert!(said.iter().all(|what| !what.contains("ping")), "{said:?}");
}

/// All captures of the tests, each alone.
fn all_captures() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let folders = ["kinds", "lab", "outages", "incidents"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "pcap" || kind == "pcapng"));
    files.sort();
    files
}

#[test]
fn no_report_of_a_capture_at_hand_contradicts_itself_or_ends_a_failure_that_goes_on() {
    use portmortem::cli::load::Open;
    use portmortem::cli::report::Made;
    use portmortem::report::{draft, lint::lint};
    let mut wrong = Vec::new();
    for path in all_captures() {
        let made = Made::from(&Open { files: vec![path.clone()], ..Open::default() }, false).unwrap();
        let input = made.input();
        let report = draft(&input);
        let found = lint(&report).issues.into_iter().filter(|issue| issue.check == "contradiction");
        wrong.extend(found.map(|issue| format!("{}: {}: {}", path.display(), issue.id, issue.message)));
        wrong.extend(ended_too_soon(&report, &input).map(|what| format!("{}: {what}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Failures said to have ended of which the same question failed again later, at the same server and of the same client.
fn ended_too_soon<'r>(
    report: &'r portmortem::report::Report,
    input: &'r portmortem::report::Input<'_>,
) -> impl Iterator<Item = String> + 'r {
    let (index, evidence) = (input.index, input.evidence);
    let said =
        report.claims().any(|claim| claim.id == "summary.when" && claim.text.contains("It ended between"));
    let problem = evidence.problems.first().filter(|_| said);
    let failed = problem.into_iter().flat_map(|problem| &problem.episodes);
    let failed =
        failed.filter_map(|id| evidence.episodes.get(id.0 as usize)).flat_map(|own| &own.transactions);
    let failed: Vec<_> = failed.filter_map(|id| evidence.transaction(*id)).collect();
    let key = |own: &portmortem::correlate::Transaction| {
        let (query, row) = (index.packet(own.first)?, own.question(index)?);
        Some((query.source_address(), query.destination_address(), query.transport(), row.question))
    };
    let end = evidence.impact(0).and_then(|impact| impact.windows.last()?.first_good);
    let asked: std::collections::BTreeSet<_> = failed.iter().filter_map(|own| key(own)).collect();
    evidence.transactions.iter().filter_map(move |own| {
        let query = index.packet(own.first)?;
        let later = end.is_some_and(|end| query.time_ns() > end.at_ns);
        let fails = matches!(own.outcome, Outcome::NoAnswer | Outcome::Refused)
            || own.outcome == Outcome::Answered && own.declined.is_none() && is_error_code(own.response_code);
        (later && fails && asked.contains(&key(own)?))
            .then(|| format!("{} fails later", index.label(own.first)))
    })
}

#[test]
fn a_certificate_in_clear_is_compared_with_the_clock_of_the_capture() {
    let (index, evidence) = open(&["certificate_expired.pcap"]);
    let input = findings::Input { index: &index, evidence: &evidence };
    let assessments = assess_all(&input, &findings::run(&input, &[]), &[]);
    let said: Vec<&str> = assessments[0].wording.iter().map(|sentence| sentence.text.as_str()).collect();
    let said = said.join(" ");
    assert!(said.contains("was valid until 2021-01-01 00:00:00"), "{said}");
    assert!(said.contains("its time is over"), "{said}");
    let action = &assessments[0].checks[0].action;
    assert!(action.contains("what was to renew the certificate that it presented"), "{action}");
}
