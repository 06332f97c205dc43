//! portmortem investigates network incidents: it reads packet captures, ties ICMP errors to the DNS
//! queries that provoked them, weighs the causes, and drafts a report in which every claim cites frames.
//!
//! Data flows one way; a module uses only modules above it in this list (`tests/tidy.rs` checks it).

pub mod text;
pub mod time;

pub mod files;

pub mod settings;

pub mod generate;

pub mod samples;

pub mod capture;

pub mod decode;

pub mod protocols;

pub mod index;

pub mod connections;

pub mod correlate;

pub mod attempts;

pub mod filter;

pub mod findings;

pub mod explain;

pub mod case;

pub mod report;

pub mod export;

#[cfg(feature = "columns")]
pub mod columns;

pub mod sandbox;

pub mod tui;

pub mod cli;
