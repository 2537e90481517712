//! The pure state machine of a control plane, with the quirks of real ones as switches.
