//! Desired against live, field by field, as canonical wire messages.
