//! The Flyte services over Connect.
