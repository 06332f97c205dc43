//! Makes deterministic packets and captures for tests, benchmarks and the embedded samples.
