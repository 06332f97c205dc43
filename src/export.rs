//! The EXPORTS table: one file a format, all written from the rendered report.
