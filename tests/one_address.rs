//! Clients that are led to one address whatever they ask, and what only looks like it.

mod scene;

use portmortem::findings::{Finding, Severity};
use portmortem::generate::dns::{self, Data};
use scene::{MS, SECOND, SERVER, Scene};

const NAMES: [&str; 6] = [
    "www.example.com",
    "mail.example.net",
    "www.example.org",
    "shop.example.com",
    "a.bank.example",
    "b.bank.example",
];

/// Each name asked for and answered with the address that `of` gives.
fn led(names: &[&str], of: impl Fn(usize) -> [u8; 4]) -> Vec<Finding> {
    let mut scene = Scene::default();
    for (number, name) in names.iter().enumerate() {
        let (at, id) = (number as i64 * 2 * SECOND, number as u16);
        let from = format!("192.0.2.10:{}", 20_000 + number);
        scene.query(at, &from, SERVER, id, name, dns::A);
        scene.reply(at + 9 * MS, SERVER, &from, &dns::answer(id, name, Data::A(of(number).into())));
    }
    let (found, _) = scene.examine();
    found.into_iter().filter(|finding| finding.id == "one-address").collect()
}

#[test]
fn unrelated_names_with_one_private_address_are_an_interception() {
    let found = led(&NAMES, |_| [10, 9, 8, 1]);
    assert_eq!(found.len(), 1);
    let found = found.first().expect("a finding");
    assert_eq!(found.severity, Severity::Medium);
    assert!(found.statement.starts_with("6 names in "), "{}", found.statement);
}

#[test]
fn a_public_host_of_many_sites_and_an_inner_zone_behind_one_proxy_are_none() {
    assert!(led(&NAMES, |_| [203, 0, 113, 80]).is_empty());
    let inner = ["wiki.corp.example", "git.corp.example", "mail.corp.example", "chat.corp.example"];
    assert!(led(&inner, |_| [10, 9, 8, 1]).is_empty());
    // Half of the names lead elsewhere.
    assert!(led(&NAMES, |number| if number % 2 == 0 { [10, 9, 8, 1] } else { [203, 0, 113, 80] }).is_empty());
}

#[test]
fn a_resolver_whose_other_answers_lead_there_too_is_intercepted_and_not_refusing() {
    let mut scene = Scene::default();
    for (number, name) in NAMES.iter().enumerate() {
        let (at, id) = (number as i64 * 2 * SECOND, number as u16 * 2);
        let from = format!("192.0.2.10:{}", 20_000 + number);
        scene.query(at, &from, SERVER, id, name, dns::A);
        scene.reply(at + 9 * MS, SERVER, &from, &dns::answer(id, name, Data::A([10, 9, 8, 1].into())));
        scene.query(at + MS, &from, SERVER, id + 1, name, 28);
        scene.reply(at + 10 * MS, SERVER, &from, &dns::failure(id + 1, name, 28, 5));
    }
    let (_, assessments) = scene.examine();
    assert_eq!(assessments.first().expect("an assessment").hypotheses[0].id(), "H36");
}
