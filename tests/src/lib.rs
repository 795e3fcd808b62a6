//! Helpers that several integration tests use.
