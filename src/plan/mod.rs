//! Changes and policy to a plan: ordered steps with gates, and what was held back and why.
