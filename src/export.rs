//! The EXPORTS table: one file a format, all written from the rendered report.

pub mod document;
#[cfg(feature = "docx")]
pub mod docx;
pub mod ecs;
pub mod html;
pub mod pcapng;
#[cfg(feature = "pdf")]
pub mod pdf;
pub mod redact;
